import shutil
import unittest

from tree import ROOT, TreeTest


@unittest.skipUnless(shutil.which("cmake"), "needs cmake")
class BuildLists(TreeTest):
    """ac_write_lists: one name per line, for the scripts that read them."""

    def configure(self, properties):
        self.write("CMakeLists.txt", "cmake_minimum_required(VERSION 3.25)\nproject(t LANGUAGES NONE)\n"
                   f'include("{ROOT}/cmake/Modules.cmake")\n{properties}\nac_write_lists()\n')
        status, output = self.run_command("cmake", "-S", self.root, "-B", self.root / "build")
        self.assertEqual(status, 0, output)
        return {f: (self.root / "build" / f"{f}.txt").read_text() for f in ("isas", "benches", "fuzzers")}

    def test_names_are_lines(self):
        lists = self.configure("set_property(GLOBAL APPEND PROPERTY AC_ISAS avx2)\n"
                               "set_property(GLOBAL APPEND PROPERTY AC_ISAS amx)\n"
                               "set_property(GLOBAL APPEND PROPERTY AC_FUZZERS json)\n")
        self.assertEqual(lists, {"isas": "avx2\namx\n", "benches": "", "fuzzers": "json\n"})


if __name__ == "__main__":
    unittest.main()
