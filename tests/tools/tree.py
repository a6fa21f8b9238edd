"""A small repository in a temporary folder, for tests of the tools."""
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "tools"


class TreeTest(unittest.TestCase):
    """self.write(path, text) fills the tree; self.run_tool(...) returns (exit status, all output)."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.environment = dict(os.environ, AC_ROOT=str(self.root), GIT_CONFIG_GLOBAL=os.devnull,
                                GIT_AUTHOR_NAME="t", GIT_AUTHOR_EMAIL="t@t", GIT_COMMITTER_NAME="t",
                                GIT_COMMITTER_EMAIL="t@t")

    def write(self, path, text, mode=None):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(text, bytes):
            file.write_bytes(text)
        else:
            file.write_text(text, encoding="utf-8")
        if mode:
            file.chmod(mode)
        return file

    def run_command(self, *command):
        done = subprocess.run([str(c) for c in command], cwd=self.root, env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout

    def run_tool(self, name, *arguments):
        return self.run_command(TOOLS / name, *arguments)

    def git(self, *arguments):
        status, output = self.run_command("git", *arguments)
        self.assertEqual(status, 0, output)
        return output

    def assertPasses(self, result):
        self.assertEqual(result[0], 0, result[1])

    def assertRefuses(self, result, *texts):
        self.assertEqual(result[0], 1, result[1])
        for text in texts:
            self.assertIn(text, result[1])
