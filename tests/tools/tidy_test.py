import json
import shutil
import unittest

from tree import TOOLS, TreeTest


@unittest.skipUnless(shutil.which("clang-tidy-19"), "clang-tidy-19 is not installed (tools/bootstrap.sh --what check)")
class Tidy(TreeTest):
    def setUp(self):
        super().setUp()
        (self.root / "tools").mkdir()
        for name in ("check_tidy.sh", "changed_files.sh"):
            shutil.copy(TOOLS / name, self.root / "tools")
        self.write(".clang-tidy", "Checks: '-*,modernize-use-nullptr'\nWarningsAsErrors: '*'\n")
        self.write("src/a.h", "#pragma once\n")
        self.git("init", "-q")
        self.write("build/dev/compile_commands.json", json.dumps([
            {"directory": str(self.root), "file": str(self.root / "src/a.cc"),
             "command": "g++ -std=c++20 -Wno-maybe-uninitialized -c src/a.cc"}]))

    def tidy(self):
        self.environment["AC_ROOT"] = str(self.root)
        return self.run_command("bash", "tools/check_tidy.sh")

    def test_a_finding_is_refused_again_and_again(self):
        self.write("src/a.cc", "int* p = 0;\n")
        for _ in range(2):
            self.assertRefuses(self.tidy(), "modernize-use-nullptr")

    def test_a_clean_file_is_looked_at_once(self):
        self.write("src/a.cc", "int* p = nullptr;\n")
        self.assertIn("1 of 1 changed", self.tidy()[1])
        self.assertIn("0 of 1 changed", self.tidy()[1])
        self.write("src/a.h", "#pragma once\nint x();\n")
        self.assertIn("1 of 1 changed", self.tidy()[1])
        self.write("src/a.cc", "int* p = 0;\n")
        self.assertRefuses(self.tidy(), "modernize-use-nullptr")


if __name__ == "__main__":
    unittest.main()
