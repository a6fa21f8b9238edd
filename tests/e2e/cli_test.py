#!/usr/bin/env python3
"""The command line as a user meets it: results on stdout, messages on stderr, exit codes 0, 1, 2."""
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

BINARY = os.environ["ANYCLAUDE_BINARY"]
SHARED = pathlib.Path(os.environ.get("AC_SHARED_DIR", pathlib.Path(__file__).parents[2] / ".." / "shared")) / "data"


def needs_shared(test):
    if SHARED.exists() or os.environ.get("CI"):
        return test
    return unittest.skip("shared test data not on this machine")(test)


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = tempfile.mkdtemp()
        cls.model = os.path.join(cls.home, "models", "tiny.gguf")
        os.makedirs(os.path.dirname(cls.model))
        cls.run_ok("models", "synth", "--shape", "tiny-qwen3", "--quant", "q8_0", "-o", cls.model)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.home)

    @classmethod
    def run_any(cls, *args, stdin="", env=None):
        environment = {"PATH": os.environ["PATH"], "HOME": cls.home, "ANYCLAUDE_HOME": cls.home,
                       "ANYCLAUDE_CHECK_STREAMS": "true"}
        environment.update(env or {})
        return subprocess.run([BINARY, *args], input=stdin, capture_output=True, text=True, timeout=120,
                              env=environment, cwd=cls.home)

    @classmethod
    def run_ok(cls, *args, **kwargs):
        done = cls.run_any(*args, **kwargs)
        assert done.returncode == 0, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def fails(self, code, *args, **kwargs):
        done = self.run_any(*args, **kwargs)
        self.assertEqual(done.returncode, code, f"{args}\n{done.stdout}\n{done.stderr}")
        self.assertEqual(done.stdout, "")
        self.assertNotIn("terminate called", done.stderr)
        return done.stderr

    def test_a_model_is_examined_as_an_agent_would_use_it(self):
        output = self.run_ok("test-model", "--model", "starter", "--calls", "2")
        for line in (r"ok +a whole reply", r"ok +a stream that keeps the rules", r"ok +tool calls when it must +2 of 2",
                     r"ok +tool calls when it should +2 of 2"):
            self.assertRegex(output, line)

    def test_every_command_explains_itself(self):
        for command in ([], ["serve"], ["generate"], ["chat"], ["batch"], ["tokenize"], ["template"], ["models"],
                        ["models", "ls"], ["models", "pull"], ["models", "inspect"], ["models", "synth"], ["models", "quantize"],
                        ["doctor"], ["config"], ["config", "show"]):
            self.assertIn("--help", self.run_ok(*command, "--help"))

    def test_wrong_flags_are_usage_errors(self):
        for args in (["serve", "--nonsense"], ["models"], ["generate", "-n", "none"]):
            self.fails(2, *args)

    def test_a_missing_model_says_what_exists_and_how_to_get_one(self):
        message = self.fails(1, "generate", "--model", "nowhere", "--prompt", "x")
        self.assertIn("tiny", message)
        self.assertIn("models synth", message)

    def test_models_are_listed_with_what_fits_and_what_is_broken(self):
        broken = os.path.join(self.home, "models", "broken.gguf")
        with open(broken, "w") as out:
            out.write("junk")
        try:
            listed = {model["name"]: model for model in json.loads(self.run_ok("models", "ls", "--json"))}
        finally:
            os.remove(broken)
        self.assertTrue(listed["tiny"]["fits"])
        for key in ("max_tokens_per_s", "expected_tokens_per_s", "expected_prefill_tokens_per_s",
                    "expected_agent_prompt_s"):
            self.assertGreater(listed["tiny"][key], 0)
        self.assertIn("GGUF", listed["broken"]["problem"])

    def test_a_model_is_pulled_and_served_under_its_name(self):
        with open(self.model, "rb") as file:
            content = file.read()
        entry = {"type": "file", "path": "little-Q8_0.gguf", "size": len(content),
                 "lfs": {"oid": hashlib.sha256(content).hexdigest()}}

        class Hub(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps([entry]).encode() if self.path.startswith("/api/") else content
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, *args):
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as hub:
            threading.Thread(target=hub.serve_forever, daemon=True).start()
            env = {"HF_ENDPOINT": f"http://127.0.0.1:{hub.server_address[1]}", "NO_PROXY": "*"}
            path = self.run_ok("models", "pull", "acme/little", env=env).strip()
            hub.shutdown()
        try:
            with open(path, "rb") as file:
                self.assertEqual(file.read(), content)
            self.run_ok("generate", "--model", "little-Q8_0", "--prompt", "x", "-n", "1")
        finally:
            os.remove(path)

    def test_what_cannot_be_pulled_says_what_can(self):
        self.assertIn("qwen2.5-coder-7b", self.fails(1, "models", "pull", "nothing"))

    def batch_input(self, count):
        path = os.path.join(self.home, f"batch{count}.jsonl")
        with open(path, "w") as out:
            for i in range(count):
                out.write(json.dumps({"custom_id": f"r{i}", "params": {
                    "max_tokens": 8 + i % 3, "temperature": 0,
                    "messages": [{"role": "user", "content": f"question {i}"}]}}) + "\n")
        return path

    def test_a_batch_killed_at_any_moment_loses_nothing_and_does_nothing_twice(self):
        source = self.batch_input(60)
        whole, killed = os.path.join(self.home, "whole.jsonl"), os.path.join(self.home, "killed.jsonl")
        summary = json.loads(self.run_ok("batch", source, "-o", whole, "--model", "tiny", "--json"))
        self.assertEqual((summary["answered"], summary["failed"]), (60, 0))
        environment = {"PATH": os.environ["PATH"], "HOME": self.home, "ANYCLAUDE_HOME": self.home}
        command = [BINARY, "batch", source, "-o", killed, "--model", "tiny", "-j", "2", "--resume"]
        journal = killed + ".journal"
        for wanted in (5, 15, 25):
            process = subprocess.Popen(command, env=environment, cwd=self.home, stderr=subprocess.DEVNULL)
            while process.poll() is None and self.lines_of(journal) < wanted:
                time.sleep(0.005)
            process.kill()
            process.wait()
        kept = self.lines_of(journal) - 1  # without the header
        self.assertGreater(kept, 0)
        last = self.run_any(*command[1:])
        self.assertEqual(last.returncode, 0, last.stderr)
        self.assertIn(f"{kept} of 60 are done already", last.stderr)
        self.assertFalse(os.path.exists(journal))
        texts = []
        for path in (whole, killed):
            with open(path) as file:
                texts += [[line["custom_id"], line["result"]["message"]["content"]] for line in map(json.loads, file)]
        self.assertEqual(texts[:60], texts[60:])
        self.assertEqual([text[0] for text in texts[:60]], [f"r{i}" for i in range(60)])

    @staticmethod
    def lines_of(path):
        try:
            with open(path, "rb") as file:
                return file.read().count(b"\n")
        except FileNotFoundError:
            return 0

    def test_a_batch_says_what_is_wrong_before_it_loads_a_model(self):
        broken = os.path.join(self.home, "broken.jsonl")
        with open(broken, "w") as out:
            out.write('fine\n{"messages": 1}\n')
        self.assertIn("line 2", self.fails(1, "batch", broken, "-o", os.path.join(self.home, "o")))
        self.assertIn("exists", self.fails(1, "batch", self.batch_input(1), "-o", self.model))

    def test_a_damaged_model_is_named(self):
        broken = os.path.join(self.home, "broken.gguf")
        with open(self.model, "rb") as whole, open(broken, "wb") as out:
            out.write(whole.read(100_000))
        self.assertIn("broken.gguf", self.fails(1, "generate", "--model", broken, "--prompt", "x"))

    def test_generate_is_deterministic_and_speaks_json(self):
        args = ["generate", "--model", "tiny", "--tokens", "1,2,3", "-n", "5", "--top-logprobs", "4", "--json"]
        first, second = json.loads(self.run_ok(*args)), json.loads(self.run_ok(*args))
        self.assertEqual(first["tokens"], second["tokens"])
        self.assertEqual(len(first["tokens"]), 5)
        for token, top in zip(first["tokens"], first["top"]):
            self.assertEqual(len(top), 4)
            # The best token that stands for text: the built-in vocabulary has unused ids.
            self.assertIsInstance(token, int)
            self.assertEqual(sorted((t["logprob"] for t in top), reverse=True), [t["logprob"] for t in top])

    def test_sampling_depends_on_the_seed_alone(self):
        args = ["generate", "--model", "tiny", "--prompt", "abc", "-n", "12", "--temperature", "1", "--json", "--seed"]
        texts = [json.loads(self.run_ok(*args, seed))["tokens"] for seed in ("1", "1", "2")]
        self.assertEqual(texts[0], texts[1])
        self.assertNotEqual(texts[0], texts[2])

    def test_tokenize_there_and_back(self):
        text = "int main() { return 0; }\n\u00e9\u4e2d\U0001f600"
        ids = json.loads(self.run_ok("tokenize", "--model", "tiny", "--text", text, "--json"))
        self.assertTrue(all(isinstance(i, int) for i in ids))
        back = self.run_ok("tokenize", "--model", "tiny", "--decode", stdin=json.dumps(ids))
        self.assertEqual(back, text)
        self.assertIn("no token id", self.fails(1, "tokenize", "--model", "tiny", "--decode", stdin="1 x"))

    def test_template_prints_the_prompt_and_nothing_else(self):
        request = os.path.join(self.home, "request.json")
        template = os.path.join(self.home, "t.jinja")
        with open(request, "w") as out:
            json.dump({"messages": [{"role": "user", "content": "hi"}], "add_generation_prompt": True}, out)
        with open(template, "w") as out:
            out.write("{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}"
                      "{% if add_generation_prompt %}[assistant]{% endif %}")
        self.assertEqual(self.run_ok("template", "--file", template, "--request", request), "[user]hi\n[assistant]")
        self.assertIn("hi", self.run_ok("template", "--model", "tiny", "--request", request))
        with open(template, "w") as out:
            out.write("line one\n{% for %}")
        self.assertIn("line 2", self.fails(1, "template", "--file", template, "--request", request))

    def test_models_are_listed_inspected_and_converted(self):
        self.assertIn("tiny", self.run_ok("models", "ls").split())
        self.assertIn("architecture", self.run_ok("models", "inspect", "tiny"))
        self.assertIsInstance(json.loads(self.run_ok("models", "inspect", "tiny", "--json", "--verify")), dict)
        source = os.path.join(self.home, "f16.gguf")
        self.run_ok("models", "synth", "--shape", "tiny-llama", "--quant", "f16", "-o", source)
        target = os.path.join(self.home, "q4.gguf")
        self.run_ok("models", "quantize", source, target, "--type", "q4_0")
        self.assertLess(os.path.getsize(target), os.path.getsize(source) / 2)
        self.run_ok("generate", "--model", target, "--prompt", "x", "-n", "2")
        self.assertIn("q4_k_m", self.fails(1, "models", "quantize", source, target, "--type", "q99"))

    def test_chat_answers_each_line(self):
        self.assertGreaterEqual(self.run_ok("chat", "--model", "tiny", "-n", "4", stdin="hello\nagain\n").count("\n"), 2)

    def test_settings_show_where_they_come_from(self):
        with open(os.path.join(self.home, "config.json"), "w") as out:
            out.write('{"port": 4999, "api_key": "very-secret"}')
        try:
            shown = self.run_ok("config", "show")
            self.assertIn("4999", shown)
            self.assertIn("user file", shown)
            self.assertNotIn("very-secret", shown + self.run_ok("config", "show", "--json"))
            with open(os.path.join(self.home, "config.json"), "w") as out:
                out.write('{\n "port": }')
            self.assertIn("line 2, column 10", self.fails(1, "config", "show"))
        finally:
            os.remove(os.path.join(self.home, "config.json"))

    def test_a_busy_port_and_a_wrong_mode_are_named(self):
        with socket.socket() as busy:
            busy.bind(("127.0.0.1", 0))
            busy.listen()
            port = str(busy.getsockname()[1])
            self.assertIn(port, self.fails(1, "serve", "--port", port))
        self.assertIn("local", self.fails(1, "serve", "--mode", "sideways"))
        self.assertIn("local", self.fails(1, "serve", env={"ANYCLAUDE_MODE": "sideways"}))

    def test_listening_to_the_network_needs_a_key(self):
        self.assertIn("api_key", self.fails(1, "serve", "--host", "0.0.0.0", "--port", "0"))

    def test_an_unknown_kernel_table_is_a_start_up_error(self):
        self.assertIn("sideways", self.fails(1, "generate", "--model", "tiny", "--prompt", "x",
                                             env={"ANYCLAUDE_ISA": "sideways"}))

    def test_a_warmed_prompt_is_on_disk_for_the_next_process(self):
        request = os.path.join(self.home, "request.json")
        with open(request, "w") as file:
            json.dump({"model": "tiny", "max_tokens": 10, "system": "Be brief. " * 60,
                       "messages": [{"role": "user", "content": "hello"}]}, file)
        # At most the few first tokens that every prompt of this model has.
        self.assertRegex(self.run_ok("cache", "warm", "-m", self.model, request), r" \d of them cached before")
        listed = json.loads(self.run_ok("cache", "ls", "--json"))["folders"]
        mine = [folder for folder in listed if folder["model"] == "tiny.gguf"]
        self.assertEqual(len(mine), 1, listed)
        self.assertGreater(mine[0]["pages"], 2)
        words = self.run_ok("cache", "warm", "-m", self.model, request).split()
        total, cached = int(words[0]), int(words[3])
        self.assertGreater(cached, total - 64, "all but the last page's rest")
        pages = list(pathlib.Path(self.home, "kv").glob("*/*.page"))
        os.truncate(pages[0], os.path.getsize(pages[0]) - 1)
        self.assertIn("removed 1 damaged", self.run_ok("cache", "verify"))
        self.assertIn("MiB", self.run_ok("cache", "stats"))
        self.assertIn("--yes", self.fails(1, "cache", "clear"))
        self.run_ok("cache", "clear", "--yes")
        self.assertEqual(json.loads(self.run_ok("cache", "ls", "--json")), {"folders": []})

    def ask(self, home, bodies, between=lambda: None):
        """Requests to a server of that home; its log and the replies' usages."""
        server = subprocess.Popen([BINARY, "serve", "--port", "0", "--model", self.model], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, env={"HOME": home, "ANYCLAUDE_HOME": home})
        url = ""
        while "Ctrl-C" not in (line := server.stdout.readline()) and line:
            url = line.split()[-1] if line.startswith("Serving at") else url
        usages = []
        for body in bodies:
            request = urllib.request.Request(url + "/v1/messages", json.dumps(body).encode(),
                                             {"content-type": "application/json"})
            with urllib.request.urlopen(request, timeout=60) as reply:
                usages.append(json.load(reply)["usage"])
            between()
            between = lambda: None
        server.send_signal(signal.SIGINT)
        _, log = server.communicate(timeout=60)
        return log, usages

    def ask_twice(self, home, between=lambda: None):
        body = {"model": "m", "max_tokens": 2, "system": "Be brief. " * 60,
                "messages": [{"role": "user", "content": "hello"}]}
        log, usages = self.ask(home, [body, body], between)
        return log, usages[1]

    def test_a_warmed_prompt_goes_through_the_rules_of_a_live_one(self):
        home = os.path.join(self.home, "warmed")
        os.makedirs(home)
        tools = [{"name": name, "description": f"Does what {name} is for, thoroughly. " * 8,
                  "input_schema": {"type": "object"}} for name in ("Read", "Bash", "Edit")]

        def body(count, tools):
            return {"model": "m", "max_tokens": 1, "tools": tools,
                    "system": [{"type": "text", "text": f"x-anthropic-billing-header: cc_version=2.1.{count}; cch={count:05x};"},
                               {"type": "text", "text": "Rules. " * 40}],
                    "messages": [{"role": "user", "content": "hello"}]}

        request = os.path.join(home, "request.json")
        pathlib.Path(request).write_text(json.dumps(body(1, tools)))
        self.run_ok("cache", "warm", "-m", self.model, request, env={"ANYCLAUDE_HOME": home})
        _, usages = self.ask(home, [body(2, tools[::-1])])
        usage = usages[0]
        total = usage["input_tokens"] + usage["cache_read_input_tokens"] + usage["cache_creation_input_tokens"]
        self.assertGreater(usage["cache_read_input_tokens"], total - 64, usage)

    def test_after_a_restart_the_first_request_of_a_known_prompt_is_a_hit(self):
        home = os.path.join(self.home, "restarted")
        os.makedirs(home)
        body = {"model": "m", "max_tokens": 2, "system": "Be brief. " * 60,
                "messages": [{"role": "user", "content": "hello"}]}
        for known in (False, True):
            usage = self.ask(home, [body])[1][0]
            total = usage["input_tokens"] + usage["cache_read_input_tokens"]
            self.assertEqual(usage["cache_read_input_tokens"] > total - 64, known, usage)

    def test_an_unusable_folder_of_the_cache_costs_one_warning(self):
        home = os.path.join(self.home, "unusable")
        os.makedirs(home)
        pathlib.Path(home, "kv").write_text("a file where a folder should be")
        log, usage = self.ask_twice(home)
        self.assertEqual(log.count("the cache is not kept on disk"), 1, log)
        self.assertGreater(usage["cache_read_input_tokens"], 100, "memory works all the same")

    def test_clearing_the_cache_of_a_running_server_is_safe_and_told(self):
        home = os.path.join(self.home, "cleared")
        os.makedirs(home)
        pages = lambda: list(pathlib.Path(home, "kv").glob("*/*.page"))

        def clear():
            before = None
            for _ in range(60):  # until the writer is done with the first request
                now = sorted(pages())
                if now and now == before:
                    break
                before = now
                time.sleep(0.5)
            self.run_ok("cache", "clear", "--yes", env={"ANYCLAUDE_HOME": home})
            self.assertEqual(pages(), [])

        log, usage = self.ask_twice(home, clear)
        self.assertGreater(usage["cache_read_input_tokens"], 100)
        self.assertTrue(not pages() or "was cleared while in use" in log, log)

    def test_the_demo_shows_every_turn_and_a_restart_that_reads_the_disk(self):
        out = self.run_ok("demo", "--model", "built-in", "--prompt-tokens", "6000")
        self.assertIn("random weights", out)
        lines = [line for line in out.splitlines() if " s " in line and line[:4].strip().isdigit()]
        self.assertEqual([int(line[:4]) for line in lines], list(range(1, 12)))
        computed, reused = zip(*(map(int, line.split()[-2:]) for line in lines))
        self.assertEqual(reused[0], 0)
        self.assertAlmostEqual(computed[0], 6000, delta=300)
        for n in range(1, 11):
            self.assertGreater(reused[n], 5500, out)
            self.assertLess(computed[n], 700, out)

    def test_doctor_checks_the_machine(self):
        done = self.run_any("doctor", "--json")
        checks = {entry["check"]: entry["verdict"] for entry in json.loads(done.stdout)}
        self.assertEqual(set(checks), {"cpu", "kernels", "memory", "bandwidth", "models", "port", "clients", "home"})
        self.assertEqual(done.returncode, 1 if "FAIL" in checks.values() else 0)

    def test_serve_stops_on_a_signal(self):
        server = subprocess.Popen([BINARY, "serve", "--model", "built-in", "--port", "0"], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True,
                                  env={"HOME": self.home, "ANYCLAUDE_HOME": self.home})
        lines = [server.stdout.readline() for _ in range(2)]
        self.assertTrue(any("random weights" in line for line in lines), lines)
        while "Ctrl-C" not in lines[-1] and lines[-1]:
            lines.append(server.stdout.readline())
        server.send_signal(signal.SIGINT)
        self.assertEqual(server.wait(timeout=30), 0)
        server.stdout.close()
        server.stderr.close()

    @needs_shared
    def test_golden_models_answer_as_the_reference_does(self):
        """Two prompts of every model through the command; model_reference_test compares all of them."""
        files = sorted((SHARED / "golden").glob("*.golden.json"))
        self.assertGreater(len(files), 10)
        for golden in files:
            exact = "F16" in golden.name
            model = str(golden).replace(".golden.json", ".gguf")
            for case in json.loads(golden.read_text())["cases"][:2]:
                prompt = ",".join(map(str, case["prompt"]))
                ours = json.loads(self.run_ok("generate", "--model", model, "--tokens", prompt, "-n", "24",
                                              "--top-logprobs", "40", "--ignore-eos", "--json"))
                self.compare(golden.name, exact, case, ours)

    def compare(self, name, exact, case, ours):
        errors = []
        for step, theirs in enumerate(case["top"]):
            mine = {entry["id"]: entry["logprob"] for entry in ours["top"][step]}
            listed = [(entry["id"], entry["logprob"]) if isinstance(entry, dict) else tuple(entry) for entry in theirs]
            errors += [abs(mine[token] - logprob) for token, logprob in listed if token in mine]
            margin = listed[0][1] - listed[1][1]
            if margin > (0.05 if exact else 0.5):
                self.assertEqual(ours["tokens"][step], case["tokens"][step], f"{name} step {step}")
            if ours["tokens"][step] != case["tokens"][step]:
                break
        self.assertGreater(len(errors), 5)
        if exact:
            self.assertLess(max(errors), 0.03, name)
        else:
            self.assertLess(sum(errors) / len(errors), 0.06, name)
            self.assertLessEqual(sum(error > 0.25 for error in errors), 0.01 * len(errors), name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
