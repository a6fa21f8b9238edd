#!/usr/bin/env python3
"""Refuses documentation that names what is not there.

In every tracked *.md: relative links must resolve, and `make TARGET` must be a target of the
Makefile. In docs/life_of_a_request.md each reference `src/path/file.cc : Function` must name a file
that holds that function, and in docs/pains.md each `path/of/a_test : name` a file that holds that
name. With --binary, every `anyclaude COMMAND --flag` of README.md must be in
the --help of that command.

  check_docs.py [--root DIR] [--binary build/anyclaude]
"""
import argparse
import pathlib
import re
import subprocess
import sys

LINK = re.compile(r"!?\[[^\]\n]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"`((?:src|tests|web)/[\w./-]+)\s*:\s*([~\w:]+)(?:\(\))?`")
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.S)
PROOF = re.compile(r"`((?:src|tests|fuzz)/[\w./-]+) : ([^`\n]+)`")
MAKE = re.compile(r"(?:^|[`\s;&|])make ([a-z]+)\b")
COMMAND = re.compile(r"^\s*(?:\$ )?(?:\./)?(?:build/)?anyclaude\b(.*)$", re.M)
SKIP = ("build", "node_modules", ".git")


def markdown_files(root):
    return [p for p in sorted(root.rglob("*.md")) if not any(part in SKIP for part in p.relative_to(root).parts)]


def anchors(text):
    """GitHub's ids of the headings of a page."""
    titles = re.findall(r"^#{1,6}\s+(.*?)\s*#*$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}


class Docs:
    def __init__(self, root, binary):
        self.root = root
        self.binary = binary
        self.errors = []
        self.checked = 0
        makefile = root / "Makefile"
        text = makefile.read_text() if makefile.exists() else ""
        self.targets = set(re.findall(r"^([a-z]+):", text, re.M))

    def error(self, page, what):
        self.errors.append(f"{page.relative_to(self.root)}: {what}")

    def check(self):
        for page in markdown_files(self.root):
            text = page.read_text(encoding="utf-8")
            self.check_links(page, text)
            for code in CODE.findall(text):
                for target in MAKE.findall(code):
                    self.checked += 1
                    if target not in self.targets:
                        self.error(page, f"'make {target}' is no target of the Makefile")
        life = self.root / "docs" / "life_of_a_request.md"
        if life.exists():
            self.check_references(life, life.read_text(encoding="utf-8"))
        pains = self.root / "docs" / "pains.md"
        if pains.exists():
            self.check_proofs(pains, pains.read_text(encoding="utf-8"))
        readme = self.root / "README.md"
        if self.binary and readme.exists():
            self.check_commands(readme, readme.read_text(encoding="utf-8"))

    def check_links(self, page, text):
        for target in LINK.findall(CODE.sub("", text)):
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            self.checked += 1
            path, _, anchor = target.partition("#")
            file = (page.parent / path) if path else page
            if not file.exists():
                self.error(page, f"link to '{target}', which is not there")
            elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text(encoding="utf-8")):
                self.error(page, f"link to '{target}': no such heading")

    def check_proofs(self, page, text):
        """Every numbered row names tests that exist, or says that it is open."""
        for row in re.findall(r"^\| \d+ \|.*$", text, re.M):
            proofs = PROOF.findall(row)
            if not proofs and "open:" not in row:
                self.error(page, f"row {row.split()[1]} names no test and is not open")
            for path, name in proofs:
                self.checked += 1
                file = self.root / path
                if not file.exists():
                    self.error(page, f"`{path}` is not there")
                elif not re.search(rf"(?<![A-Za-z]){re.escape(name)}(?![A-Za-z])",
                                   file.read_text(encoding="utf-8")):
                    self.error(page, f"`{path}` holds no test '{name}'")

    def check_references(self, page, text):
        references = REFERENCE.findall(text)
        if not references:
            self.error(page, "names no `file : function`; is the notation right?")
        for name, function in references:
            self.checked += 1
            file = self.root / name
            if not file.is_file():
                self.error(page, f"`{name}` is not there")
                continue
            source = file.read_text(encoding="utf-8", errors="replace")
            if not self.holds(source, function, file.suffix == ".h"):
                self.error(page, f"`{name}` holds no function '{function}'")

    @staticmethod
    def holds(source, function, header):
        names = [function]
        if header and "::" in function:  # a declaration inside its class
            names.append(function.rsplit("::", 1)[1])
        return any(re.search(r"(?<![\w:])(?:\w+::)*" + re.escape(n) + r"\s*\(", source) for n in names)

    def check_commands(self, page, text):
        helps = {}
        for block in re.findall(r"```(?:sh|bash|console|text)?\n(.*?)```", text, re.S):
            for line in COMMAND.findall(block):
                line = line.split("#")[0].split("|")[0]
                words = re.sub(r"[\[\]()]", " ", line).split()
                command = []
                for word in words:
                    if not re.fullmatch(r"[a-z]+(?:-[a-z]+)*", word) or len(command) == 2:
                        break
                    command.append(word)
                flags = [w.split("=")[0] for w in words if re.match(r"--?[a-zA-Z]", w)]
                self.check_command(page, command, flags, helps)

    def check_command(self, page, command, flags, helps):
        self.checked += 1
        help_text, used = "", list(command)
        while True:  # the longest prefix that the program knows as a command
            key = " ".join(used)
            if key not in helps:
                run = subprocess.run([str(self.binary), *used, "--help"], capture_output=True, text=True,
                                     timeout=30, stdin=subprocess.DEVNULL)
                helps[key] = run.stdout if run.returncode == 0 else None
            if helps[key] is not None or not used:
                help_text = helps[key] or ""
                break
            used.pop()
        if command and not used:
            self.error(page, f"'anyclaude {command[0]}' is no command")
        for flag in flags:
            if not re.search(r"(?<![\w-])" + re.escape(flag) + r"(?![\w-])", help_text):
                self.error(page, f"'anyclaude {' '.join(used)}' has no flag {flag}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", default=pathlib.Path(__file__).resolve().parent.parent, type=pathlib.Path)
    parser.add_argument("--binary", type=pathlib.Path)
    args = parser.parse_args()
    docs = Docs(args.root, args.binary)
    docs.check()
    for error in docs.errors:
        print(error, file=sys.stderr)
    if not docs.errors:
        print(f"docs: {docs.checked} links, targets, references and commands hold")
    return 1 if docs.errors else 0


if __name__ == "__main__":
    sys.exit(main())
