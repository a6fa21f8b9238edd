#!/usr/bin/env python3
"""Refuses includes that the layer table (tools/layers.json) does not allow.

Reads every #include of src/. A module may include itself and what its row lists; its tests and
benchmarks may also look sideways, at any module that does not itself depend on theirs. `internal/`
headers stay inside their module, some libraries inside the modules named for them, and sealed ISA
folders see C headers and the kernel table only. Header cycles are refused.

  check_layers.py [--root DIR] [--layers FILE]   check; exit 1 and one line per violation
  check_layers.py --dot | --table                print the real module graph / the layers as Markdown
"""
import argparse
import json
import pathlib
import re
import sys

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.M)


def is_test(path):
    return path.stem.endswith(("_test", "_bench"))


class House:
    def __init__(self, root, table_file):
        self.src = root / "src"
        table = json.loads(table_file.read_text())
        self.allowed = {m: set(deps) for m, deps in table["may_include"].items()}
        for deps in self.allowed.values():
            if "*" in deps:
                deps.update(self.allowed)
                deps.discard("*")
        self.libraries = table["libraries"]
        self.sealed = table["sealed"]
        self.edges = {}  # (from module, to module) -> first file that includes
        self.files = {}  # path below src -> our includes
        self.errors = []

    def levels(self):
        """Module -> layer: one above the highest module it may include."""
        level = {}
        visiting = set()

        def visit(module):
            if module in level:
                return level[module]
            if module in visiting:
                raise SystemExit(f"layers.json: the table has a cycle through '{module}'")
            visiting.add(module)
            below = [visit(d) for d in self.allowed[module] if d != module]
            visiting.discard(module)
            level[module] = 1 + max(below, default=-1)
            return level[module]

        for module in self.allowed:
            visit(module)
        return level

    def depends_on(self, module, other):
        """True when `module` may reach `other` through the table."""
        seen, stack = set(), [module]
        while stack:
            for dep in self.allowed.get(stack.pop(), ()):
                if dep == other:
                    return True
                if dep not in seen:
                    seen.add(dep)
                    stack.append(dep)
        return False

    def check(self):
        self.levels()
        for path in sorted(self.src.rglob("*")):
            if path.suffix in (".h", ".cc", ".c"):
                self.check_file(path)
        self.check_cycles()
        return self.errors

    def check_file(self, path):
        rel = path.relative_to(self.src)
        module = rel.parts[0]
        if module not in self.allowed:
            self.errors.append(f"src/{rel}: module '{module}' has no row in tools/layers.json")
            return
        text = path.read_text(encoding="utf-8", errors="replace")
        ours, system = [], []
        for match in INCLUDE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            if match.group(1):
                ours.append((match.group(1), line))
            else:
                system.append((match.group(2), line))
        self.files[str(rel)] = [name for name, _ in ours]
        for name, line in ours:
            self.check_our_include(rel, module, name, f"src/{rel}:{line}")
        for name, line in system:
            self.check_system_include(rel, module, name, f"src/{rel}:{line}")

    def sealed_folder(self, rel):
        for folder in self.sealed["folders"]:
            if str(rel).startswith(folder + "/") and not is_test(rel):
                return folder
        return None

    def check_our_include(self, rel, module, name, where):
        target = name.split("/")[0]
        sealed = self.sealed_folder(rel)
        if sealed:
            if not name.startswith(sealed + "/") and name not in self.sealed["may_include_ours"]:
                self.errors.append(f"{where}: sealed ISA folder may not include \"{name}\"")
            return
        if is_test(rel) and target == "support":
            return  # tests/support
        if not (self.src / name).is_file():
            self.errors.append(f"{where}: \"{name}\" is not a file below src/ (includes are rooted there)")
            return
        if "/internal/" in name and target != module:
            self.errors.append(f"{where}: \"{name}\" is private to module '{target}'")
        if target == module:
            return
        if not is_test(rel):
            self.edges.setdefault((module, target), str(rel))
        if target in self.allowed[module]:
            return
        if is_test(rel) and target in self.allowed and not self.depends_on(target, module):
            return
        self.errors.append(f"{where}: '{module}' may not include '{target}' (\"{name}\")")

    def check_system_include(self, rel, module, name, where):
        if self.sealed_folder(rel):
            if not any(re.fullmatch(p, name) for p in self.sealed["may_include_system"]):
                self.errors.append(f"{where}: sealed ISA folder may not include <{name}>")
            return
        for prefix, modules in self.libraries.items():
            if name.startswith(prefix) and module not in modules and not is_test(rel):
                self.errors.append(f"{where}: <{name}> belongs to {', '.join(modules)}, not '{module}'")

    def check_cycles(self):
        done, path = set(), []

        def visit(name):
            if name in done:
                return
            if name in path:
                self.errors.append("include cycle: " + " -> ".join(path[path.index(name):] + [name]))
                return
            path.append(name)
            for target in self.files.get(name, ()):
                visit(target)
            path.pop()
            done.add(name)

        for name in self.files:
            visit(name)

    def dot(self):
        lines = ["digraph anyclaude {", "  rankdir=BT; node [shape=box];"]
        levels = self.levels()
        used = {m for edge in self.edges for m in edge}
        for level in sorted({levels[m] for m in used}):
            names = " ".join(sorted(m for m in used if levels[m] == level))
            lines.append(f"  {{ rank=same; {names} }}")
        lines += [f"  {a} -> {b};" for a, b in sorted(self.edges)]
        return "\n".join(lines + ["}"])

    def table(self):
        levels = self.levels()
        lines = ["| layer | module | may include | includes today |", "|---|---|---|---|"]
        for module in sorted(self.allowed, key=lambda m: (-levels[m], m)):
            may = self.allowed[module]
            text = "everything" if len(may) >= len(self.allowed) - 1 else " ".join(sorted(may)) or "nothing"
            today = " ".join(sorted(b for a, b in self.edges if a == module)) or "-"
            lines.append(f"| {levels[module]} | {module} | {text} | {today} |")
        return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    here = pathlib.Path(__file__).resolve().parent
    parser.add_argument("--root", default=here.parent, type=pathlib.Path)
    parser.add_argument("--layers", default=here / "layers.json", type=pathlib.Path)
    parser.add_argument("--dot", action="store_true")
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    house = House(args.root, args.layers)
    errors = house.check()
    if args.dot:
        print(house.dot())
    elif args.table:
        print(house.table())
    if not house.files:
        errors.append("no sources found below src/")
    for error in errors:
        print(error, file=sys.stderr)
    if not (errors or args.dot or args.table):
        print(f"layers: {len(house.files)} files, {len(house.edges)} arrows between modules, all allowed")
    return 1 if errors else 0


if __name__ == "__main__":
    sys.exit(main())
