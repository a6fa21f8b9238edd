#!/usr/bin/env python3
"""Traces, costs and statistics of real requests to a real server, through the commands that show them."""
import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import tempfile
import unittest
import urllib.request

BINARY = os.environ["ANYCLAUDE_BINARY"]
SECRET = "sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789"


class Traces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp()
        with open(os.path.join(cls.home, "prices.json"), "w") as out:
            json.dump({"format": "anyclaude-prices", "version": 1,
                       "electricity": {"watts": 100, "per_kwh": 0.5}}, out)
        server = subprocess.Popen([BINARY, "serve", "--port", "0"], env=cls.environment(), cwd=cls.home,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lines = []
        while not lines or ("Ctrl-C" not in lines[-1] and lines[-1]):
            lines.append(server.stdout.readline())
        url = next(line.split()[-1] for line in lines if line.startswith("Serving at"))
        system = "All work and no play makes a long prompt. " * 60
        for n, question in enumerate(("first question", "second question")):
            body = {"model": "m", "max_tokens": 4, "temperature": 0, "system": system, "stream": n == 0,
                    "tools": [{"name": "Read", "description": "reads", "input_schema": {"type": "object"}}],
                    "messages": [{"role": "user", "content": f"{question}, my key is {SECRET}"}]}
            request = urllib.request.Request(url + "/v1/messages", json.dumps(body).encode(),
                                             {"content-type": "application/json", "x-api-key": SECRET,
                                              "x-claude-code-session-id": "session-7"})
            with urllib.request.urlopen(request, timeout=120) as reply:
                reply.read()
        with urllib.request.urlopen(url + "/metrics", timeout=30) as reply:
            cls.metrics = reply.read().decode()
        server.send_signal(signal.SIGINT)
        server.wait(timeout=60)
        cls.report = server.stderr.read()
        server.stdout.close()
        server.stderr.close()
        cls.rows = cls.show("trace", "ls", "--json")
        cls.second, cls.first = (row["id"] for row in cls.rows)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.home)

    @classmethod
    def environment(cls):
        return {"PATH": os.environ["PATH"], "HOME": cls.home, "ANYCLAUDE_HOME": cls.home}

    @classmethod
    def run_any(cls, *args):
        return subprocess.run([BINARY, *args], env=cls.environment(), cwd=cls.home, capture_output=True,
                              text=True, timeout=120)

    @classmethod
    def show(cls, *args):
        done = cls.run_any(*args)
        assert done.returncode == 0, f"{args}: {done.stdout}\n{done.stderr}"
        return json.loads(done.stdout)

    def test_the_list_shows_what_was_computed_and_reused(self):
        rows = self.rows
        self.assertEqual(len(rows), 2)
        self.assertEqual({row["outcome"] for row in rows}, {"complete"})
        self.assertEqual({row["session"] for row in rows}, {"session-7"})
        self.assertGreater(rows[1]["computed_tokens"], 1000)
        self.assertGreater(rows[0]["reused_tokens"], 1000)
        self.assertEqual(len(self.show("trace", "ls", "-n", "1", "--json")), 1)
        self.assertIn(self.second, self.run_any("trace", "ls").stdout)

    def test_files_are_private_and_hold_no_secret(self):
        folder = pathlib.Path(self.home) / "traces" / "local"
        files = list(folder.iterdir())
        self.assertEqual(len(files), 2)
        self.assertEqual(stat.S_IMODE(folder.stat().st_mode), 0o700)
        for file in files:
            self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        for trace in (self.first, self.second):
            text = self.run_any("trace", "export", trace).stdout
            self.assertNotIn(SECRET, text)
            self.assertIn("my key is [redacted]", text)
        raw = (pathlib.Path(self.home) / "state.db").read_bytes()
        self.assertNotIn(SECRET.encode(), raw)

    def test_a_prompt_is_broken_down_by_section_and_tool(self):
        shown = self.show("trace", "show", self.first, "--json")
        parts = {(part["section"], part["name"]): part["tokens_by_share"] for part in shown["prompt"]}
        self.assertIn(("tools", "Read"), parts)
        total = shown["computed_tokens"] + shown["reused_tokens"]
        self.assertLessEqual(abs(sum(parts.values()) - total), len(parts))
        text = self.run_any("trace", "show", "last").stdout
        for word in ("tools", "system", "messages", "Read", "reply:"):
            self.assertIn(word, text)

    def test_the_first_difference_of_two_prompts_is_named(self):
        found = self.show("trace", "prefix", self.first, self.second, "--json")
        self.assertFalse(found["identical"])
        self.assertEqual(found["part_b"], "messages, 0 user text")
        self.assertEqual(found["offset"], 0)
        self.assertTrue(found["a"].startswith("first question"))
        self.assertTrue(found["b"].startswith("second question"))
        self.assertGreater(found["common_tokens_by_share"], 1000)
        self.assertTrue(self.show("trace", "prefix", self.first, self.first, "--json")["identical"])
        told = found["b_cache"]
        self.assertEqual(told["divergence"]["part"], "message 1 (user)")
        self.assertEqual(told["divergence"]["now"], "[a secret is near]")
        self.assertGreater(told["divergence"]["seconds"], 0)
        self.assertGreater(told["from_memory"], 100)
        text = self.run_any("trace", "prefix", self.first, self.second).stdout
        self.assertIn("left     the cached prompt at token", text)
        self.assertIn("in message 1 (user)", text)

    def test_a_replay_is_answered_and_compared(self):
        replayed = self.show("trace", "replay", self.first, "--mode", "local", "--json")
        self.assertEqual(replayed["replayed"]["outcome"], "complete")
        # The replay's own server may find the prompt on disk.
        answer = replayed["replayed"]
        self.assertGreater(answer["computed_tokens"] + answer["reused_tokens"], 1000, answer)
        done = self.run_any("trace", "replay", self.first, "--url", "http://127.0.0.1:9", "--json")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(json.loads(done.stdout)["replayed"]["outcome"], "failed")
        self.assertEqual(self.run_any("trace", "replay", self.first).returncode, 1)

    def test_wrong_ids_and_damaged_files_are_named(self):
        self.assertIn("trace ls", self.run_any("trace", "show", "nowhere").stderr)
        file = next((pathlib.Path(self.home) / "traces" / "local").glob(f"{self.second}*"))
        whole = file.read_bytes()
        try:
            file.write_bytes(whole[:-5])
            self.assertIn("damaged", self.run_any("trace", "show", self.second).stderr)
            file.unlink()
            self.assertIn("deleted by age and size", self.run_any("trace", "show", self.second).stderr)
        finally:
            file.write_bytes(whole)

    def test_costs_are_measured_or_unknown(self):
        costs = self.show("cost", "--json")
        self.assertEqual([row["key"] for row in costs["modes"]], ["local"])
        self.assertGreater(costs["all"][0]["cost_usd"], 0)
        self.assertEqual(self.show("cost", "--since", "2020-01-01", "--json")["all"][0]["key"], "all")
        self.assertIn("No requests", self.run_any("cost", "--since", "2099-01-01").stdout)
        self.assertEqual(self.run_any("cost", "--since", "yesterday").returncode, 1)

    def test_statistics_and_the_report_agree(self):
        stats = self.show("stats", "--json")
        self.assertGreater(stats["hit_rate"], 0.1)
        self.assertIn("2 requests", self.report)
        self.assertIn("from the cache", self.report)
        self.assertIn('anyclaude_requests_total{outcome="complete",served_by="local"} 2', self.metrics)


if __name__ == "__main__":
    unittest.main(verbosity=2)
