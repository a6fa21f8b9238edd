import shutil
import unittest

from tree import TreeTest


@unittest.skipUnless(shutil.which("g++"), "needs g++")
class IsaSymbols(TreeTest):
    def build(self, source):
        """Compiles `source` as the one object of ac_isa_wide, where CMake would put it."""
        file = self.write("wide.cc", source)
        self.write("build/isas.txt", "wide\n")
        folder = self.root / "build/src/kernels/CMakeFiles/ac_isa_wide.dir"
        folder.mkdir(parents=True, exist_ok=True)
        status, output = self.run_command("g++", "-std=c++20", "-c", file, "-o", folder / "wide.cc.o")
        self.assertEqual(status, 0, output)
        return self.run_tool("check_isa_symbols.sh", self.root / "build")

    def test_a_sealed_object_passes(self):
        self.assertPasses(self.build("namespace { int f() { return 1; } }\nextern const int kTable; const int kTable = f();\n"))

    def test_an_inline_function_is_refused(self):
        self.assertRefuses(self.build("inline int Shared() { return 1; }\nint Use() { return Shared(); }\n"),
                           "weak symbols", "Shared()")

    def test_a_template_instance_is_refused(self):
        self.assertRefuses(self.build("template <class T> T F(T t) { return t; }\nint Use() { return F(1); }\n"), "F<int>")

    def test_an_inline_variable_is_refused(self):
        self.assertRefuses(self.build("inline int counter = 3;\nint* Use() { return &counter; }\n"), "counter")

    def test_a_missing_object_is_no_pass(self):
        self.write("build/isas.txt", "wide\n")
        self.assertRefuses(self.run_tool("check_isa_symbols.sh", self.root / "build"), "no object of ac_isa_wide")

    def test_an_unconfigured_folder_is_no_pass(self):
        self.assertRefuses(self.run_tool("check_isa_symbols.sh", self.root / "build"), "not configured")


if __name__ == "__main__":
    unittest.main()
