import unittest

from tree import TreeTest


class Text(TreeTest):
    def setUp(self):
        super().setUp()
        self.git("init", "-q")

    def check(self):
        return self.run_tool("check_text.sh")

    def test_a_clean_tree_passes(self):
        self.write("src/a.cc", "// plain; a path like network/a and /tmp/b\n")
        self.write("docs/a.md", "Gr\u00fc\u00dfe\n")  # pages may use any script
        self.assertPasses(self.check())

    def test_non_ascii_sources_are_refused(self):
        self.write("src/a.cc", 'const char* k = "\u00e9";\n')
        self.assertRefuses(self.check(), "sources are ASCII", "src/a.cc:1")

    def test_paths_of_one_machine_are_refused(self):
        self.write("docs/a.md", "see /wor" "k/main/x\n")
        self.assertRefuses(self.check(), "paths of one machine", "docs/a.md:1")

    def test_registry_hosts_are_refused_in_lock_files_too(self):
        self.write("tests/npm/package-lock.json", '{"resolved": "https://%s/x"}\n' % ".".join(["registry", "npm" + "js", "org"]))
        self.assertRefuses(self.check(), "hosts of package registries")

    def test_unfinished_work_is_refused_committed_or_not(self):
        self.write("src/a.cc", "// TO" "DO: later\n")
        self.assertRefuses(self.check(), "unfinished work")
        self.git("add", "-A")
        self.assertRefuses(self.check(), "unfinished work")

    def test_ignored_files_are_not_looked_at(self):
        self.write(".gitignore", "/build/\n")
        self.write("build/a.cc", "// TO" "DO\n")
        self.assertPasses(self.check())

    def test_an_empty_tree_is_no_pass(self):
        self.assertRefuses(self.check(), "no files found")


if __name__ == "__main__":
    unittest.main()
