#!/usr/bin/env python3
"""`anyclaude bench` as a user meets it: the promised JSON, the page, a session against a server."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

BINARY = os.environ["ANYCLAUDE_BINARY"]
SMALL = ["--prompt-tokens", "150", "--turn-tokens", "10", "--reply-tokens", "3", "--turns", "3"]


class Bench(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp()
        cls.environment = {"PATH": os.environ["PATH"], "HOME": cls.home, "ANYCLAUDE_HOME": cls.home}

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.home)

    def run_any(self, *args, **env):
        return subprocess.run([BINARY, "bench", *args], capture_output=True, text=True, timeout=300,
                              env={**self.environment, **env}, cwd=self.home)

    def json_of(self, *args, **env):
        done = self.run_any(*args, "--json", **env)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_every_command_explains_itself(self):
        for command in ("kernels", "prefill", "decode", "session"):
            self.assertIn("--json", self.run_any(command, "--help").stdout)

    def test_prefill_and_decode_print_rates_beside_the_peak(self):
        for command, args, cases in (("prefill", ["--tokens", "33,64", "--depth", "0,70"], 4),
                                     ("decode", ["--depth", "0,100"], 2)):
            out = self.json_of(command, "--shape", "tiny-qwen3", "--quant", "Q4_0", "--repeat", "2", *args)
            self.assertGreater(out["peak"]["read_gb_per_s"], 0)
            self.assertEqual(len(out["results"]), cases)
            for result in out["results"]:
                for key in ("tokens_per_s", "percent_of_peak", "gb_per_s"):
                    self.assertGreater(result[key], 0)
                self.assertLessEqual({"tokens", "depth"}, set(result))
        self.assertEqual(os.listdir(os.path.join(self.home, "bench")), ["tiny-qwen3-q4_0.gguf"])

    def test_the_kernel_table_can_be_forced(self):
        out = self.json_of("decode", "--shape", "tiny-qwen3", "--quant", "q4_0", "--depth", "0",
                           "--kv-type", "q8", ANYCLAUDE_ISA="ref")
        self.assertEqual(out["peak"]["table"], "ref")

    def test_a_session_reuses_its_prompt_and_writes_a_page(self):
        page = os.path.join(self.home, "session.html")
        out = self.json_of("session", "--shape", "tiny-qwen3", "--quant", "q4_0", *SMALL, "--html", page)
        self.assertEqual([turn["n"] for turn in out["turns"]], [1, 2, 3])
        self.assertEqual(out["turns"][0]["computed"], 160)
        self.assertGreaterEqual(out["turns"][1]["reused"], 150)
        self.assertGreater(out["cold_ttft_s"], 0)
        self.assertGreater(out["warm_ttft_s_median"], 0)
        self.assertGreater(out["restart_ttft_s"], 0)
        without = next(column for column in out["columns"] if column["name"] == "no cache")
        self.assertEqual(without["turns"][2]["reused"], 0)
        with open(page) as file:
            text = file.read()
        self.assertIn("<svg", text)
        self.assertNotIn("<script", text)

    def test_a_session_runs_against_a_server(self):
        server = subprocess.Popen([BINARY, "serve", "--port", "0", "--model",
                                   os.path.join(self.home, "bench", "tiny-qwen3-q4_0.gguf")],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                  env=self.environment, cwd=self.home)
        try:
            url = None
            for line in server.stdout:
                url = re.search(r"Serving at (http\S+)", line)
                if url:
                    break
            out = self.json_of("session", "--url", url.group(1), *SMALL)
        finally:
            server.terminate()
            server.stdout.close()
            server.wait()
        self.assertEqual(len(out["turns"]), 3)
        self.assertGreater(out["turns"][1]["reused"], 100)
        self.assertLess(out["turns"][1]["computed"], out["turns"][0]["computed"])

    def test_wrong_requests_say_what_is_wrong(self):
        for args, words in ((["prefill", "--shape", "nothing"], "nothing"),
                            (["prefill", "--shape", "tiny-qwen3", "--quant", "q9"], "q9"),
                            (["decode", "--model", "x", "--shape", "tiny-qwen3"], "not both"),
                            (["decode", "--shape", "tiny-qwen3", "--quant", "q4_0", "--kv-type", "q3"], "q3"),
                            (["session", "--shape", "tiny-qwen3", "--quant", "q4_0", "--prompt-tokens",
                              "99999999"], "--prompt-tokens"),
                            (["session", "--columns", "restart", "--shape", "tiny-qwen3", "--quant", "q4_0",
                              "--prompt-tokens", "100"], "ask for both"),
                            (["session", "--url", "http://127.0.0.1:1"], "127.0.0.1")):
            done = self.run_any(*args)
            self.assertEqual(done.returncode, 1, args)
            self.assertIn(words, done.stderr)
            self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    unittest.main()
