#!/usr/bin/env python3
"""Writes the vocabulary and the files of training rows.

  make_rows.py vocabulary OUT.json              learn the tokenizer
  make_rows.py rows VOCABULARY OUT.rows --seed N --rows N [--easy] [--held-out] [--repeat SHARE]
"""
import argparse
import array
import json
import pathlib
import random
import struct
import sys

import bpe
import dialogues

HERE = pathlib.Path(__file__).resolve().parent
SHAPE = json.loads((HERE / "shape.json").read_text())


def pieces(box, exchanges):
    """(text, is a reply) of a dialogue as the chat template writes the end of a prompt."""
    yield "<|task|>" + "".join(line + "\n" for line in box.lines), False
    for exchange in exchanges:
        yield f"<|user|>{exchange.request}<|assistant|>", False
        yield exchange.reply + "<|end|>", True
        if exchange.call is not None:
            yield f"<|result|>{dialogues.cut(exchange.result)}<|assistant|>", False
            yield exchange.answer + "<|end|>", True


def clutter(words):
    """What may stand before the task: the tail of a system prompt, a schema, an old message."""
    lines = [words.pick([words.line, words.phrase, lambda: words.phrase(5, 12) + ".",
                         lambda: f'"{words.word()}": {{"type": "string", "description": "{words.phrase(3, 8)}"}},',
                         lambda: f"## {words.phrase(1, 3)}", lambda: f"- Use {words.word()} to {words.phrase(3, 7)}"])()
             for _ in range(words.rng.randrange(1, 12))]
    return words.pick(["", "<|system|>", "<|user|>", "<|result|>"]) + "\n".join(lines) + words.pick(["", "<|end|>\n"])


def stream(writer, tokenizer, repeat):
    """Endless (tokens, weights) of dialogues and clutter."""
    while True:
        tokens, weights = [], []
        if not writer.easy and writer.words.chance(0.1):
            tokens = tokenizer.encode(clutter(writer.words))
            weights = [0] * len(tokens)
        for text, is_reply in pieces(*writer.dialogue(writer.words.pick([1, 2, 3, 4] if not writer.easy else [4, 5, 6]), repeat)):
            ids = tokenizer.encode(text)
            tokens += ids
            weights += [255 if is_reply else 0] * len(ids)
        yield tokens, weights


def make_rows(arguments):
    tokenizer = bpe.Tokenizer(arguments.vocabulary)
    writer = dialogues.Writer(arguments.seed, arguments.held_out, arguments.easy, tokenizer.letter_tokens())
    length = SHAPE["row_length"] + 1
    tokens, weights = array.array("H"), array.array("B")
    source = stream(writer, tokenizer, arguments.repeat)
    for _ in range(arguments.rows):
        row, marks = [], []
        while len(row) < length:
            more, more_marks = next(source)
            if not row and writer.words.chance(0.7):
                # Begins inside something: at the end of a long prompt nothing begins at a boundary.
                start = writer.rng.randrange(len(more))
                more, more_marks = more[start:], [0] * (len(more) - start)
            row += more
            marks += more_marks
        tokens.extend(row[:length])
        weights.extend(marks[:length])
    if sys.byteorder != "little":
        tokens.byteswap()
    partial = arguments.output + ".partial"
    with open(partial, "wb") as file:
        file.write(b"ACROWS01" + struct.pack("<II", length - 1, arguments.rows))
        file.write(tokens.tobytes())
        file.write(weights.tobytes())
    pathlib.Path(partial).rename(arguments.output)


def make_vocabulary(arguments):
    writer = dialogues.Writer(1)
    texts = []
    for _ in range(6000):
        texts += [text for text, _ in pieces(*writer.dialogue(2))]
        texts.append(clutter(writer.words))
    fixed = 256 + len(bpe.CONTROL) + len(bpe.TAGS)
    merges = bpe.learn_merges(texts, SHAPE["vocabulary"] - fixed)
    bpe.write_vocabulary(arguments.output, merges, SHAPE["vocabulary"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    vocabulary = commands.add_parser("vocabulary")
    vocabulary.add_argument("output")
    rows = commands.add_parser("rows")
    rows.add_argument("vocabulary")
    rows.add_argument("output")
    rows.add_argument("--seed", type=int, required=True)
    rows.add_argument("--rows", type=int, required=True)
    rows.add_argument("--held-out", action="store_true")
    rows.add_argument("--easy", action="store_true", help="few tools: for the first steps")
    rows.add_argument("--repeat", type=float, default=0.0, help="share of exchanges that only repeat text")
    arguments = parser.parse_args()
    if arguments.command == "vocabulary":
        make_vocabulary(arguments)
    else:
        make_rows(arguments)


if __name__ == "__main__":
    main()
