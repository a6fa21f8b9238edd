import unittest

from tree import TreeTest


class ChangedFiles(TreeTest):
    def setUp(self):
        super().setUp()
        self.git("init", "-q", "-b", "main")
        for name in ("one", "two"):
            self.write(name, name)
            self.git("add", "-A")
            self.git("commit", "-qm", name)

    def changed(self):
        status, output = self.run_tool("changed_files.sh")
        self.assertEqual(status, 0, output)
        return output.split()

    def test_on_main_the_last_commit_counts(self):
        self.assertEqual(self.changed(), ["two"])

    def test_on_a_branch_everything_since_the_fork_counts(self):
        self.git("checkout", "-qb", "work")
        self.write("three", "3")
        self.git("add", "-A")
        self.git("commit", "-qm", "three")
        self.write("one", "changed")
        self.write("four", "new")
        self.assertEqual(self.changed(), ["four", "one", "three"])

    def test_deleted_files_are_left_out(self):
        self.git("checkout", "-qb", "work")
        self.git("rm", "-q", "one")
        self.write("two", "changed")
        self.assertEqual(self.changed(), ["two"])


if __name__ == "__main__":
    unittest.main()
