import shutil
import unittest

from tree import TOOLS, TreeTest


class Full(TreeTest):
    """full.sh with cmake, ctest and the other tools replaced by recorders."""

    def setUp(self):
        super().setUp()
        (self.root / "tools").mkdir()
        shutil.copy(TOOLS / "full.sh", self.root / "tools")
        self.write(".gitignore", "/build/\n/bin/\n/log\n")
        self.git("init", "-q")
        self.git("add", "-A")
        self.git("commit", "-qm", "one")
        for name in ("cmake", "ctest"):
            self.fake(f"bin/{name}")
        for name in ("fuzz.sh", "check.sh"):
            self.fake(f"tools/{name}")
        self.environment["PATH"] = f"{self.root}/bin:" + self.environment["PATH"]
        for preset in ("release", "asan", "fuzz"):
            self.write(f"build/{preset}/fuzzers.txt", "json\ngguf\n")

    def fake(self, path, body="exit 0"):
        name = path.split("/")[-1]
        self.write(path, f'#!/bin/bash\necho "{name} $*" >>"{self.root}/log"\n{body}\n', 0o755)

    def full(self, presets, **environment):
        (self.root / "log").write_text("")
        self.environment.update(environment, PRESETS=presets)
        status, output = self.run_command("bash", "tools/full.sh")
        return status, output, (self.root / "log").read_text()

    def test_every_preset_is_configured_built_and_tested(self):
        status, output, log = self.full("release asan")
        self.assertEqual(status, 0, output)
        for preset in ("release", "asan"):
            self.assertIn(f"cmake --preset {preset}", log)
            self.assertIn(f"cmake --build build/{preset}", log)
            self.assertIn(f"ctest --test-dir build/{preset}", log)
            self.assertIn(f"{preset}: passed in", output)
        self.assertIn("check.sh release", log)

    def test_the_fuzz_preset_runs_each_fuzzer(self):
        log = self.full("fuzz", S="7")[2]
        self.assertIn("fuzz.sh json 7", log)
        self.assertIn("fuzz.sh gguf 7", log)

    def test_a_failure_is_named_and_the_others_still_run(self):
        self.fake("bin/ctest", '[ "$2" != build/release ]')
        status, output, _ = self.full("release asan")
        self.assertEqual(status, 1)
        self.assertIn("release: FAILED", output)
        self.assertIn("asan: passed", output)

    def test_a_failing_fuzzer_fails(self):
        self.fake("tools/fuzz.sh", '[ "$1" != json ]')
        self.assertEqual(self.full("fuzz")[0], 1)

    def test_it_goes_on_where_it_stopped_until_the_tree_changes(self):
        self.full("asan")
        status, output, log = self.full("asan")
        self.assertEqual((status, log), (0, ""))
        self.assertIn("asan: passed before on this tree", output)
        self.assertIn("cmake", self.full("asan", FORCE="1")[2])
        self.environment.pop("FORCE")
        self.write("new.cc", "int x;\n")
        self.assertIn("cmake", self.full("asan")[2])


if __name__ == "__main__":
    unittest.main()
