import shutil
import unittest

from tree import ROOT, TreeTest


@unittest.skipUnless(shutil.which("clang-format-14"), "clang-format-14 is not installed (tools/bootstrap.sh --what check)")
class Format(TreeTest):
    def setUp(self):
        super().setUp()
        self.git("init", "-q")
        self.write(".clang-format", (ROOT / ".clang-format").read_text())

    def test_formatted_sources_pass(self):
        self.write("src/a.cc", "int main() { return 0; }\n")
        self.assertPasses(self.run_tool("check_format.sh"))

    def test_other_sources_are_refused_and_fixed(self):
        self.write("src/a.cc", "int main( ) { return   0; }\n")
        self.assertRefuses(self.run_tool("check_format.sh"), "src/a.cc")
        self.assertPasses(self.run_tool("check_format.sh", "--fix"))
        self.assertPasses(self.run_tool("check_format.sh"))

    def test_an_empty_tree_is_no_pass(self):
        self.assertRefuses(self.run_tool("check_format.sh"), "no sources found")


if __name__ == "__main__":
    unittest.main()
