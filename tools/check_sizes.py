#!/usr/bin/env python3
"""Refuses files, functions and modules that grew past what a reader can hold in mind.

Limits: .cc 700 lines, header 150, function 100, module 20 files (tests and benchmarks not counted).
Headers below tests/ hold whole implementations and count as sources.
Exceptions live in tools/size_exceptions.txt, each with a reason; one that is not needed is refused.

  check_sizes.py [--root DIR] [--functions N]    the second prints the N longest functions
"""
import argparse
import pathlib
import re
import sys

CC_LINES = 700
HEADER_LINES = 150
FUNCTION_LINES = 100
MODULE_FILES = 20

TOKEN = re.compile(
    r"""//(?:\\\n|[^\n])*|/\*.*?\*/|R"(?P<raw>[^(\s]*)\(.*?\)(?P=raw)"|"(?:\\.|[^"\\\n])*"|"""
    r"""(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'|^[ \t]*\#(?:\\\n|[^\n])*""", re.S | re.M)


def blank(text):
    """The text without comments, literals and preprocessor lines; line numbers stay."""
    return TOKEN.sub(lambda m: "\n" * m.group(0).count("\n") + " ", text)


SCOPE, SKIPPED, BRACED_VALUE = "scope", "skipped", "braced value"


def functions(text):
    """Yields (name, first line, last line) of every function body outside other functions."""
    text = blank(text)
    scopes = []  # of every open brace: one of the three words above, or (name, line) of a function
    head_start = 0
    parentheses = 0
    for match in re.finditer(r"[{}();]", text):
        mark, at = match.group(0), match.start()
        inside = any(s != SCOPE for s in scopes)
        closed = None
        if mark in "()":
            parentheses += 0 if inside else (1 if mark == "(" else -1)
            continue
        if mark == "{":
            head = text[head_start:at]
            if inside:
                scopes.append(SKIPPED)
            elif parentheses > 0 or in_member_list(head):
                scopes.append(BRACED_VALUE)
            elif opens_function(head):
                begin = head_start + len(head) - len(head.lstrip())
                scopes.append((function_name(head), text.count("\n", 0, begin) + 1))
            elif re.search(r"\b(namespace|class|struct|union|enum|extern)\b", head):
                scopes.append(SCOPE)
            else:
                scopes.append(SKIPPED)
        elif mark == "}" and scopes:
            closed = scopes.pop()
            if isinstance(closed, tuple):
                yield closed[0], closed[1], text.count("\n", 0, at) + 1
        if closed != BRACED_VALUE and parentheses <= 0 and not any(s != SCOPE for s in scopes):
            head_start = at + 1
            parentheses = 0


def in_member_list(head):
    """`Type::Type(...) : member_` just before the brace of a member's initial value."""
    return re.search(r"\)\s*(noexcept\s*)?:(?!:)", head) and re.search(r"[\w>]\s*$", head)


def opens_function(head):
    head = re.sub(r"\b(alignas|decltype|noexcept|requires)\s*\([^()]*\)", " ", head)
    if re.search(r"\b(namespace|enum)\b", head) or re.search(r"=\s*$", head):
        return False
    if re.search(r"\b(class|struct|union)\b[^()]*$", head.split("(")[0]) and not re.search(r"\)", head):
        return False
    # Macros of attributes may stand between `class` and its name: class AC_CAPABILITY("x") Mutex {
    if re.match(r"\s*(template\s*<.*>\s*)?(class|struct|union)\s+\w+\s*\([^()]*\)\s*\w+[^()]*$", head, re.S):
        return False
    if re.search(r"=[^=()]*$", head.split("(")[0]) and "operator" not in head:
        return False
    return "(" in head


def function_name(head):
    match = re.search(r"([~\w:]+|operator\s*\S+?)\s*\(", head)
    return match.group(1) if match else head.strip()


def is_test(path):
    return path.stem.endswith(("_test", "_bench"))


def read_exceptions(root):
    entries = {}
    path = root / "tools" / "size_exceptions.txt"
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.split(None, 2)
        if len(parts) < 3 or not parts[1].isdigit() or len(parts[2]) < 15:
            raise SystemExit(f"{path.name}:{number}: needs PATH LIMIT REASON (a sentence)")
        entries[parts[0]] = int(parts[1])
    return entries


class Sizes:
    def __init__(self, root):
        self.root = root
        self.exceptions = read_exceptions(root)
        self.used = set()
        self.errors = []
        self.longest = []

    def limit(self, key, size, limit, what):
        if size <= limit:
            return
        allowed = self.exceptions.get(key)
        if allowed is not None:
            self.used.add(key)
            if size <= allowed:
                return
            limit = allowed
        self.errors.append(f"{key}: {what} of {size} exceeds {limit}; split it by its jobs")

    def check(self):
        modules = {}
        files = [p for top in ("src", "tests", "fuzz", "bench") for p in sorted((self.root / top).rglob("*"))
                 if p.suffix in (".h", ".cc", ".c") and "node_modules" not in p.parts]
        for path in files:
            rel = str(path.relative_to(self.root))
            text = path.read_text(encoding="utf-8", errors="replace")
            header = path.suffix == ".h" and not rel.startswith("tests/")
            self.limit(rel, text.count("\n"), HEADER_LINES if header else CC_LINES, "line count")
            for name, first, last in functions(text):
                self.longest.append((last - first + 1, f"{rel}:{name}"))
                self.limit(f"{rel}:{name}", last - first + 1, FUNCTION_LINES, "function length")
            if rel.startswith("src/") and not is_test(path):
                module = "/".join(rel.split("/")[:2])
                modules[module] = modules.get(module, 0) + 1
        for module, count in sorted(modules.items()):
            self.limit(module, count, MODULE_FILES, "file count")
        for key in sorted(set(self.exceptions) - self.used):
            self.errors.append(f"tools/size_exceptions.txt: '{key}' needs no exception; remove the line")
        if not files:
            self.errors.append("no sources found")
        return len(files)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", default=pathlib.Path(__file__).resolve().parent.parent, type=pathlib.Path)
    parser.add_argument("--functions", type=int, default=0)
    args = parser.parse_args()
    sizes = Sizes(args.root)
    count = sizes.check()
    for length, name in sorted(sizes.longest, reverse=True)[:args.functions]:
        print(f"{length:5} {name}")
    for error in sizes.errors:
        print(error, file=sys.stderr)
    if not sizes.errors:
        print(f"sizes: {count} files, {len(sizes.longest)} functions within the limits")
    return 1 if sizes.errors else 0


if __name__ == "__main__":
    sys.exit(main())
