import shutil
import unittest

from tree import TOOLS, TreeTest

STEPS = ("check_layers.py", "check_sizes.py", "check_text.sh", "check_docs.py", "check_isa_symbols.sh",
         "check_format.sh", "check_tidy.sh")


class Check(TreeTest):
    """check.sh with the checkers and cmake replaced: one failure anywhere must fail the whole."""

    def setUp(self):
        super().setUp()
        (self.root / "tools").mkdir()
        shutil.copy(TOOLS / "check.sh", self.root / "tools")
        self.write("build/release/build.ninja", "")
        self.environment["PATH"] = f"{self.root}/bin:" + self.environment["PATH"]
        for name in STEPS:
            self.fake(f"tools/{name}")
        self.fake("tools/changed_files.sh", "echo src/json/json.cc; echo tools/check.sh")
        for name in ("cmake", "ninja"):
            self.fake(f"bin/{name}")
        self.fake("bin/ctest", f'echo "$*" >"{self.root}/tests"; echo "100% tests passed" >build/release/check.log')

    def fake(self, path, body="exit 0"):
        self.write(path, f"#!/bin/bash\n{body}\n", 0o755)

    def check(self):
        return self.run_command("bash", "tools/check.sh", "release")

    def test_all_good_passes_and_tests_what_changed(self):
        status, output = self.check()
        self.assertEqual(status, 0, output)
        self.assertIn("check: all passed", output)
        self.assertIn("^(json_test|tools)\\.", (self.root / "tests").read_text())

    def test_each_step_can_fail_it(self):
        for name in STEPS:
            with self.subTest(step=name):
                self.fake(f"tools/{name}", "echo broken; exit 1")
                status, output = self.check()
                self.assertEqual(status, 1)
                self.assertIn("check: FAILED: " + name.split(".")[0].replace("check_", "").split("_")[0], output)
                self.fake(f"tools/{name}")

    def test_failing_tests_and_headers_fail_it(self):
        self.fake("bin/ctest", "echo 'a test FAILED' >build/release/check.log; exit 8")
        status, output = self.check()
        self.assertEqual(status, 1)
        self.assertIn("a test FAILED", output)
        self.fake("bin/cmake", "echo 'x.h: error: no'; exit 1")
        self.assertIn("x.h: error: no", self.check()[1])


if __name__ == "__main__":
    unittest.main()
