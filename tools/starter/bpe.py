"""Byte-level BPE whose merges join letters only.

A path, a word or a number is cut the same way wherever it stands: after a space, a quote or a line
break. Spaces, digits and punctuation are single bytes; a capital letter begins a new piece, so that
ReadFile and read_file share their words. That is what makes copying from a request into a tool call
easy to learn.
"""
import collections
import json
import pathlib
import re

# Before the words; control tokens first (GGUF type 3), then tags that are text (type 4).
CONTROL = ["<|end|>", "<|task|>", "<|tools|>", "<|system|>", "<|user|>", "<|assistant|>", "<|result|>"]
TAGS = ["<tool_call>", "</tool_call>", "<function=", "</function>", "<parameter=", "</parameter>"]
# Of the pre-tokenisers that GGUF files can name, one that never cuts inside a run of letters.
PRE = "deepseek-coder"

SPECIAL = re.compile("(" + "|".join(re.escape(s) for s in CONTROL + TAGS) + ")")
RUN = re.compile(r"[A-Za-z]+")
PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[A-Z]")


def printable_bytes():
    """Byte -> the printable character that stands for it in the files of byte-level vocabularies."""
    table = {}
    spare = 0x100
    for byte in range(256):
        if 0x21 <= byte <= 0x7E or 0xA1 <= byte <= 0xAC or byte >= 0xAE:
            table[byte] = chr(byte)
        else:
            table[byte] = chr(spare)
            spare += 1
    return table


def learn_merges(texts, count):
    """The `count` merges that shorten the texts most, greedily."""
    words = collections.Counter()
    for text in texts:
        for run in RUN.findall(SPECIAL.sub(" ", text)):
            words.update(PIECE.findall(run))
    pieces = {word: list(word) for word in words}
    pairs = collections.Counter()
    where = collections.defaultdict(set)
    for word, parts in pieces.items():
        for pair in zip(parts, parts[1:]):
            pairs[pair] += words[word]
            where[pair].add(word)
    merges = []
    while len(merges) < count and pairs:
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        if pairs[best] < 2:
            break
        merges.append(best)
        for word in sorted(where[best]):
            parts = pieces[word]
            for pair in zip(parts, parts[1:]):
                pairs[pair] -= words[word]
                where[pair].discard(word)
                if pairs[pair] <= 0:
                    del pairs[pair]
            joined, i = [], 0
            while i < len(parts):
                if tuple(parts[i:i + 2]) == best:
                    joined.append(parts[i] + parts[i + 1])
                    i += 2
                else:
                    joined.append(parts[i])
                    i += 1
            pieces[word] = joined
            for pair in zip(joined, joined[1:]):
                pairs[pair] += words[word]
                where[pair].add(word)
    return merges


def write_vocabulary(path, merges, size):
    """The JSON that starter_train puts into the GGUF file."""
    table = printable_bytes()
    tokens = [table[byte] for byte in range(256)] + CONTROL + TAGS
    types = [1] * 256 + [3] * len(CONTROL) + [4] * len(TAGS)
    for left, right in merges:
        tokens.append(left + right)
        types.append(1)
    while len(tokens) < size:
        tokens.append(f"<|unused_{len(tokens)}|>")
        types.append(5)
    pathlib.Path(path).write_text(json.dumps(
        {"pre": PRE, "end": 256, "tokens": tokens, "types": types,
         "merges": [f"{left} {right}" for left, right in merges]}, ensure_ascii=False, indent=0) + "\n")


class Tokenizer:
    def __init__(self, path):
        data = json.loads(pathlib.Path(path).read_text())
        self.ids = {token: i for i, token in enumerate(data["tokens"])}
        self.rank = {tuple(merge.split(" ")): i for i, merge in enumerate(data["merges"])}
        self.byte = [self.ids[c] for _, c in sorted(printable_bytes().items())]
        self.known = {}

    def letter_tokens(self):
        return [token for token in self.ids if len(token) > 1 and RUN.fullmatch(token)]

    def run(self, letters):
        if letters not in self.known:
            parts = list(letters)
            while len(parts) > 1:
                ranks = [self.rank.get(pair, len(self.rank)) for pair in zip(parts, parts[1:])]
                at = ranks.index(min(ranks))
                if ranks[at] == len(self.rank):
                    break
                parts[at:at + 2] = [parts[at] + parts[at + 1]]
            self.known[letters] = [self.ids[part] for part in parts]
        return self.known[letters]

    def encode(self, text):
        ids = []
        for piece in SPECIAL.split(text):
            if SPECIAL.fullmatch(piece):
                ids.append(self.ids[piece])
                continue
            end = 0
            for match in RUN.finditer(piece):
                ids.extend(self.byte[b] for b in piece[end:match.start()].encode())
                ids.extend(self.run(match.group()))
                end = match.end()
            ids.extend(self.byte[b] for b in piece[end:].encode())
        return ids
