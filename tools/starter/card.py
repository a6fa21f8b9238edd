#!/usr/bin/env python3
"""Joins the scores of evaluate.py to the card: card.py CARD.json --short S.json [--claude C.json] --steps N"""
import argparse
import json
import pathlib

NAMES = {"call": "right call", "answer": "right answer", "text": "right text"}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("card", type=pathlib.Path)
    parser.add_argument("--short", type=pathlib.Path, required=True)
    parser.add_argument("--claude", type=pathlib.Path)
    parser.add_argument("--steps", type=int, required=True)
    arguments = parser.parse_args()
    card = json.loads(arguments.card.read_text())
    card["anyclaude.card.trained"] = f"{arguments.steps} steps"
    for prompt, path in (("short", arguments.short), ("Claude_Code", arguments.claude)):
        if path is None:
            continue
        scores = json.loads(path.read_text())
        for key, name in NAMES.items():
            if key in scores:
                card[f"anyclaude.card.{name},_{prompt}_prompt".replace(" ", "_")] = scores[key]
    print(json.dumps(card, indent=1))


if __name__ == "__main__":
    main()
