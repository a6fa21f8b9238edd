import unittest

from tree import TreeTest


def function(lines, head="int F(int a)"):
    return head + " {\n" + "  a();\n" * (lines - 2) + "}\n"


class Sizes(TreeTest):
    def check(self, *arguments):
        return self.run_tool("check_sizes.py", "--root", self.root, *arguments)

    def test_files_at_the_limit_pass(self):
        self.write("src/a/a.cc", "\n" * 700)
        self.write("src/a/a.h", "\n" * 150)
        self.write("src/a/b.cc", function(100))
        self.assertPasses(self.check())

    def test_a_long_source_is_refused(self):
        self.write("src/a/a.cc", "\n" * 701)
        self.assertRefuses(self.check(), "src/a/a.cc: line count of 701 exceeds 700")

    def test_a_long_header_is_refused(self):
        self.write("src/a/a.h", "\n" * 151)
        self.assertRefuses(self.check(), "src/a/a.h: line count of 151 exceeds 150")

    def test_a_long_function_is_refused_wherever_it_stands(self):
        for head in ("int F(int a)", "Status A::B(const C& c) const noexcept", "A::A() : b_(3), c_(f())", "A::A(int b) : b_{b}, c_{}",
                     "TEST(Suite, Name)", "auto F() -> std::vector<int>", "bool operator==(A a)",
                     "template <typename T>\nvoid F(T t = {1, 2})"):
            with self.subTest(head=head):
                self.write("src/a/a.cc", "namespace ac {\nnamespace {\n" + function(101, head) + "}\n}\n")
                self.assertRefuses(self.check(), "function length of 10")

    def test_a_long_member_function_is_refused(self):
        self.write("src/a/a.cc", 'class AC_CAPABILITY("m") A final : public B {\n' + function(101) + "};\n")
        self.assertRefuses(self.check(), "src/a/a.cc:F: function length of 101")

    def test_tables_classes_and_strings_are_no_functions(self):
        self.write("src/a/a.cc", "const int kTable[] = {\n" + "  f(1),\n" * 110 + "};\n" +
                   "class A {\n" + "  void f();\n" * 110 + "};\n" +
                   'const char* k = R"x(\nvoid F() {\n' + "\n" * 110 + ')x";\n' +
                   "// void F() {\n" * 105 + "enum class E {\n" + "  k,\n" * 105 + "};\n")
        self.assertPasses(self.check())

    def test_braces_in_literals_do_not_confuse(self):
        self.write("src/a/a.cc", "int F() {\n  g('{', \"{\", '\"');\n  return 1'000;\n}\n" + function(101, "int G()"))
        self.assertRefuses(self.check(), "src/a/a.cc:G: function length of 101")

    def test_a_module_of_too_many_files_is_refused_tests_not_counted(self):
        for i in range(20):
            self.write(f"src/a/f{i}.cc", "\n")
            self.write(f"src/a/f{i}_test.cc", "\n")
        self.assertPasses(self.check())
        self.write("src/a/internal/one.h", "\n")
        self.assertRefuses(self.check(), "src/a: file count of 21 exceeds 20")

    def test_an_exception_needs_a_reason_and_a_need(self):
        self.write("src/a/a.cc", "\n" * 800)
        self.write("tools/size_exceptions.txt", "src/a/a.cc 800 one table that reads best in one place\n")
        self.assertPasses(self.check())
        self.write("src/a/a.cc", "\n" * 801)
        self.assertRefuses(self.check(), "801 exceeds 800")
        self.write("src/a/a.cc", "\n")
        self.assertRefuses(self.check(), "needs no exception")
        self.write("tools/size_exceptions.txt", "src/a/a.cc 800\n")
        self.assertRefuses(self.check(), "needs PATH LIMIT REASON")

    def test_an_empty_tree_is_no_pass(self):
        self.assertRefuses(self.check(), "no sources")


if __name__ == "__main__":
    unittest.main()
