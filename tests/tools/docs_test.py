import unittest

from tree import TreeTest


class Docs(TreeTest):
    def check(self, *arguments):
        return self.run_tool("check_docs.py", "--root", self.root, *arguments)

    def setUp(self):
        super().setUp()
        self.write("Makefile", "run:\ntest:\n")

    def test_links_that_resolve_pass(self):
        self.write("docs/a.md", "# Two Words\n[b](../b.md#part-one) [web](https://x.y/z) [me](#two-words)\n")
        self.write("b.md", "## Part one\n![img](docs/a.md)\n")
        self.assertPasses(self.check())

    def test_a_dead_link_is_refused(self):
        self.write("docs/a.md", "see [b](b.md)\n")
        self.assertRefuses(self.check(), "docs/a.md: link to 'b.md', which is not there")

    def test_a_dead_anchor_is_refused(self):
        self.write("a.md", "# One\n[x](#two)\n")
        self.assertRefuses(self.check(), "no such heading")

    def test_an_unknown_make_target_is_refused(self):
        self.write("README.md", "`make run` and\n```\nmake tset\n```\n")
        self.assertRefuses(self.check(), "'make tset' is no target")

    def test_references_must_name_functions_that_exist(self):
        self.write("src/http/server.cc", "void Server::Run(int a) {}\n")
        self.write("src/http/server.h", "class Server {\n  void Run(int a);\n};\n")
        self.write("docs/life_of_a_request.md",
                   "1. `src/http/server.cc : Server::Run` 2. `src/http/server.h : Server::Run`\n")
        self.assertPasses(self.check())
        self.write("docs/life_of_a_request.md", "1. `src/http/server.cc : Server::Stop`\n")
        self.assertRefuses(self.check(), "holds no function 'Server::Stop'")
        self.write("docs/life_of_a_request.md", "1. `src/http/client.cc : Get`\n")
        self.assertRefuses(self.check(), "`src/http/client.cc` is not there")

    def test_a_page_of_references_without_one_is_refused(self):
        self.write("docs/life_of_a_request.md", "server.cc, then Run\n")
        self.assertRefuses(self.check(), "names no `file : function`")

    def test_each_pain_must_name_a_test_that_exists_or_be_open(self):
        self.write("src/a_test.cc", "TEST(A, IsGone) {}\n")
        self.write("docs/pains.md", "| 1 | x | y | `src/a_test.cc : IsGone` |\n| 2 | x | open: z | |\n")
        self.assertPasses(self.check())
        self.write("docs/pains.md", "| 1 | x | y | `src/a_test.cc : Is` |\n")
        self.assertRefuses(self.check(), "holds no test 'Is'")
        self.write("docs/pains.md", "| 1 | x | y | `src/b_test.cc : IsGone` |\n")
        self.assertRefuses(self.check(), "`src/b_test.cc` is not there")
        self.write("docs/pains.md", "| 7 | x | y | |\n")
        self.assertRefuses(self.check(), "row 7 names no test")

    def test_commands_and_flags_of_the_readme_are_those_of_the_program(self):
        program = self.write("anyclaude", "#!/bin/sh\ncase \"$1 $2\" in\n'serve --help') echo '  --port INT' ;;\n"
                             "'--help '*) echo '  --mode M' ;;\n*) exit 2 ;;\nesac\n", 0o755)
        self.write("README.md", "```sh\nanyclaude serve --port 1 # --nothing\nanyclaude --mode x\n```\n")
        self.assertPasses(self.check("--binary", program))
        self.write("README.md", "```sh\nanyclaude serve [--prot 1]\n```\n")
        self.assertRefuses(self.check("--binary", program), "'anyclaude serve' has no flag --prot")
        self.write("README.md", "```sh\nbuild/anyclaude dance\n```\n")
        self.assertRefuses(self.check("--binary", program), "'anyclaude dance' is no command")


if __name__ == "__main__":
    unittest.main()
