#!/usr/bin/env python3
"""`anyclaude [--mode M] [claude args...]` on a terminal: the menu, the real Claude Code, signals, exit codes."""
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import time
import unittest

BINARY = os.environ["ANYCLAUDE_BINARY"]
REAL_CLIENT = pathlib.Path(__file__).parents[1] / "npm" / "node_modules" / ".bin"
# The built-in model rambles: a capital letter ends its turn.
SHORT_REPLIES = json.dumps({"stop_sequences": list("ABCDEFGHIJKLMNOPQRSTUVWXYZ")})


def needs_client(test):
    if (REAL_CLIENT / "claude").exists() or os.environ.get("CI"):
        return test
    return unittest.skip("Claude Code is not installed: tools/bootstrap.sh --what test")(test)


class Terminal:
    """A program on a pseudo terminal."""

    def __init__(self, args, env, cwd):
        self.output = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execve(args[0], args, env)

    def wait_for(self, text, seconds=60):
        deadline = time.monotonic() + seconds
        while text.encode() not in self.output:
            if time.monotonic() > deadline or not self.read(deadline - time.monotonic()):
                raise AssertionError(f"{text!r} did not appear in {self.output!r}")

    def read(self, seconds):
        if not select.select([self.fd], [], [], max(seconds, 0))[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:  # the other side has closed
            data = b""
        self.output += data
        return bool(data)

    def send(self, keys):
        os.write(self.fd, keys)

    def finish(self, seconds=120):
        deadline = time.monotonic() + seconds
        while self.read(1):
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                raise AssertionError(f"still running; output {self.output!r}")
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        return code


class Launcher(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp()
        self.bin = os.path.join(self.home, "bin")
        self.repository = os.path.join(self.home, "repository")
        os.makedirs(self.bin)
        os.makedirs(self.repository)

    def tearDown(self):
        shutil.rmtree(self.home)

    def environment(self, client_path, **more):
        return {"HOME": self.home, "ANYCLAUDE_HOME": os.path.join(self.home, "ours"), "TERM": "xterm",
                "PATH": f"{client_path}:/usr/bin:/bin", **more}

    def script(self, text):
        """A client of our own making, for what can't be asked of the real one."""
        path = os.path.join(self.bin, "claude")
        with open(path, "w") as out:
            out.write("#!/bin/sh\n" + text)
        os.chmod(path, stat.S_IRWXU)

    def run_script(self, text, *args, **env):
        self.script(text)
        return subprocess.run([BINARY, *args], env=self.environment(self.bin, **env), cwd=self.repository,
                              capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)

    @needs_client
    def test_the_real_client_answers_through_the_menu(self):
        env = self.environment(REAL_CLIENT, CLAUDE_CODE_EXTRA_BODY=SHORT_REPLIES)
        terminal = Terminal([BINARY, "-p", "say hello", "--output-format", "json"], env, self.repository)
        terminal.wait_for("who answers?")
        terminal.wait_for("Local engine")
        terminal.send(b"\x1b[B\x1b[A\r")  # down, up, Enter
        self.assertEqual(terminal.finish(), 0, terminal.output)
        text = terminal.output.decode(errors="replace")
        result = json.loads(next(line for line in text.splitlines() if line.startswith('{"')
                                 and '"usage"' in line))
        self.assertFalse(result["is_error"], result)
        usage = result["usage"]
        self.assertGreater(usage["input_tokens"] + usage["cache_creation_input_tokens"], 10_000)

    def test_a_number_chooses_and_q_leaves(self):
        self.script("echo started; exit 3")
        chosen = Terminal([BINARY], self.environment(self.bin), self.repository)
        chosen.wait_for("who answers?")
        chosen.send(b"1")
        chosen.wait_for("started")
        self.assertEqual(chosen.finish(), 3)
        left = Terminal([BINARY], self.environment(self.bin), self.repository)
        left.wait_for("who answers?")
        left.send(b"q")
        self.assertEqual(left.finish(), 0)
        self.assertNotIn(b"started", left.output)

    def test_no_menu_where_the_mode_is_known(self):
        self.script("echo started")
        for args, env in ((["--mode", "local"], {}), ([], {"ANYCLAUDE_MODE": "local"})):
            terminal = Terminal([BINARY, *args], self.environment(self.bin, **env), self.repository)
            terminal.wait_for("started")
            self.assertEqual(terminal.finish(), 0)
            self.assertNotIn(b"who answers?", terminal.output)

    def test_the_flag_wins_over_the_variable_and_that_over_the_files(self):
        with open(os.path.join(self.repository, ".anyclauderc.json"), "w") as out:
            json.dump({"mode": "from-project"}, out)
        done = self.run_script("exit 0")
        self.assertEqual(done.returncode, 1)
        self.assertIn("from-project", done.stderr)
        self.assertIn("local", done.stderr)
        done = self.run_script("exit 0", ANYCLAUDE_MODE="from-variable")
        self.assertIn("from-variable", done.stderr)
        done = self.run_script("exit 0", "--mode", "from-flag", ANYCLAUDE_MODE="from-variable")
        self.assertIn("from-flag", done.stderr)
        self.assertEqual(self.run_script("exit 0", "--mode=local").returncode, 0)

    def test_arguments_environment_and_exit_code_pass_through(self):
        done = self.run_script('printf "%s|" "$@"; env; exit 42', "-p", "two words", "--mode", "x",
                               ANTHROPIC_MODEL="my own")
        self.assertEqual(done.returncode, 42)
        settings = '--settings|{"skipWebFetchPreflight":true}|'
        self.assertTrue(done.stdout.startswith(settings + "-p|two words|--mode|x|"), done.stdout)
        env = dict(line.split("=", 1) for line in done.stdout.split("|", 6)[6].splitlines() if "=" in line)
        self.assertRegex(env["ANTHROPIC_BASE_URL"], r"^http://127\.0\.0\.1:\d+$")
        self.assertEqual(env["ANTHROPIC_AUTH_TOKEN"], "local")
        self.assertEqual(env["ANTHROPIC_MODEL"], "my own")
        self.assertGreater(int(env["CLAUDE_CODE_MAX_CONTEXT_TOKENS"]), 1000)
        self.assertIn("ANTHROPIC_MODEL", done.stderr)

    def test_the_server_lives_as_long_as_the_client(self):
        done = self.run_script('echo "$ANTHROPIC_BASE_URL"')
        port = int(done.stdout.strip().rsplit(":", 1)[1])
        with socket.socket() as probe:
            self.assertNotEqual(probe.connect_ex(("127.0.0.1", port)), 0)

    def test_signals_reach_the_client(self):
        self.script("trap 'exit 17' TERM; echo ready; while :; do sleep 0.05; done")
        process = subprocess.Popen([BINARY, "--mode", "local"], env=self.environment(self.bin),
                                   cwd=self.repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   stdin=subprocess.DEVNULL, text=True)
        self.assertEqual(process.stdout.readline(), "ready\n")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=60), 17)
        process.stdout.close()
        process.stderr.close()

    def test_ctrl_c_belongs_to_the_client(self):
        self.script("trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.05; done")
        terminal = Terminal([BINARY, "--mode", "local"], self.environment(self.bin), self.repository)
        terminal.wait_for("ready")
        terminal.send(b"\x03")
        terminal.wait_for("interrupted")
        self.assertEqual(terminal.finish(), 5)

    def test_without_a_client_it_says_how_to_get_one(self):
        done = subprocess.run([BINARY, "-p", "x"], env=self.environment(self.bin), cwd=self.repository,
                              capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 1)
        self.assertIn("npm install -g @anthropic-ai/claude-code", done.stderr)

    def test_proxy_only_serves_without_a_client(self):
        self.script("echo started")
        os.makedirs(os.path.join(self.home, "ours"))
        with open(os.path.join(self.home, "ours", "config.json"), "w") as out:
            json.dump({"port": 0}, out)
        process = subprocess.Popen([BINARY], env=self.environment(self.bin, PROXY_ONLY="true"),
                                   cwd=self.repository, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   stdin=subprocess.DEVNULL, text=True)
        lines = []
        while not lines or ("Ctrl-C" not in lines[-1] and lines[-1]):
            lines.append(process.stdout.readline())
        self.assertTrue(any("http://127.0.0.1:" in line for line in lines), lines)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=60), 0)
        self.assertNotIn("started", "".join(lines))
        process.stdout.close()
        process.stderr.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
