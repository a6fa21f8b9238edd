#!/usr/bin/env python3
"""`anyclaude bench` as a user meets it: the promised JSON, the page, a session against a server."""
import json
import os
import re
import shutil
import socket
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
        for command in ("kernels", "prefill", "decode", "session", "gateway"):
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
        self.assertEqual([column["name"] for column in out["columns"]],
                         ["cache", "after restart", "speculation", "no cache"])
        for column in out["columns"]:
            self.assertGreater(column["decode_tokens_per_s"], 0)
        with open(page) as file:
            text = file.read()
        self.assertIn("<svg", text)
        for column in ("cache", "after restart", "speculation", "no cache"):
            self.assertIn(f"<h2>{column}</h2>", text)
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

    def test_the_gateway_is_measured_against_the_server_behind_it(self):
        page = os.path.join(self.home, "gateway.html")
        out = self.json_of("gateway", "--upstream-port", "0", "--streams", "4", "--requests", "8", "--rounds", "1",
                           "--tokens", "5", "--token-ms", "5", "--hold", "0", "--html", page)
        direct, ours = out["columns"]
        self.assertEqual((direct["name"], ours["name"]), ("direct", "anyclaude"))
        for column in (direct, ours):
            self.assertEqual((column["requests"], column["failed"], column["tokens"]), (8, 0, 40))
            self.assertGreater(column["first_byte_p50_ms"], 0)
        self.assertGreater(ours["memory_mb"], 1)
        self.assertIsNone(direct["memory_mb"])
        self.assertTrue(os.path.exists(page))

    def beside_a_peer(self, port):
        """The peer is a second gateway of our own, set up to ask the port where the benchmark will be."""
        upstream = subprocess.Popen([BINARY, "serve", "--mode", "custom", "--url", f"http://127.0.0.1:{port}/v1",
                                     "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                    env=self.environment, cwd=self.home)
        try:
            url = None
            for line in upstream.stdout:
                url = re.search(r"Serving at (http\S+)", line)
                if url:
                    break
            return self.run_any("gateway", "--upstream-port", str(port), "--streams", "2", "--requests", "4",
                                "--rounds", "1", "--tokens", "3", "--token-ms", "5", "--hold", "5", "--peer-url",
                                url.group(1), "--peer-pid", str(upstream.pid), "--peer-name", "other", "--json")
        finally:
            upstream.terminate()
            upstream.stdout.close()
            upstream.wait()

    def test_the_process_of_a_peer_is_watched_too(self):
        for _ in range(20):
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            done = self.beside_a_peer(port)
            if "in use" not in done.stderr:  # somebody else was given the port meanwhile
                break
        self.assertEqual(done.returncode, 0, done.stderr)
        out = json.loads(done.stdout)
        self.assertEqual([column["name"] for column in out["columns"]], ["direct", "anyclaude", "other"])
        for column in out["columns"]:
            self.assertEqual(column["hold_complete"], 5)
        self.assertGreater(out["columns"][2]["memory_mb"], 1)

    def test_wrong_requests_say_what_is_wrong(self):
        for args, words in ((["prefill", "--shape", "nothing"], "nothing"),
                            (["prefill", "--shape", "tiny-qwen3", "--quant", "q9"], "q9"),
                            (["decode", "--model", "x", "--shape", "tiny-qwen3"], "not both"),
                            (["decode", "--shape", "tiny-qwen3", "--quant", "q4_0", "--kv-type", "q3"], "q3"),
                            (["session", "--shape", "tiny-qwen3", "--quant", "q4_0", "--prompt-tokens",
                              "99999999"], "--prompt-tokens"),
                            (["session", "--columns", "restart", "--shape", "tiny-qwen3", "--quant", "q4_0",
                              "--prompt-tokens", "100"], "ask for both"),
                            (["session", "--url", "http://127.0.0.1:1"], "127.0.0.1"),
                            (["session", "--shape", "tiny-qwen3", "--speculation", "off"], "speculation is off"),
                            (["gateway", "--peer-url", "http://127.0.0.1:1"], "--peer-pid"),
                            (["gateway", "--upstream-port", "0", "--peer-url", "http://127.0.0.1:1", "--peer-pid",
                              "999999999"], "999999999")):
            done = self.run_any(*args)
            self.assertEqual(done.returncode, 1, args)
            self.assertIn(words, done.stderr)
            self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    unittest.main()
