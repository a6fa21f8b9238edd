#!/usr/bin/env python3
"""The cache's disk side under a running server: whatever happens to its folder costs at most one warning."""
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

BINARY = os.environ["ANYCLAUDE_BINARY"]
NOBODY = 65534
WARNING = "no more pages are written"


class Server:
    """A server of the tiny model with its home in `home`; `settings` go to Popen."""

    def __init__(self, home, model, arguments=(), binary=BINARY, **settings):
        log, self.log_path = tempfile.mkstemp(dir=os.path.dirname(model), suffix=".log")
        self.process = subprocess.Popen([binary, "serve", "--port", "0", "--model", model, *arguments],
                                        stdout=subprocess.PIPE, stderr=log, text=True, cwd=home,
                                        env={"HOME": home, "ANYCLAUDE_HOME": home}, **settings)
        os.close(log)
        self.url = ""
        while "Ctrl-C" not in (line := self.process.stdout.readline()) and line:
            self.url = line.split()[-1] if line.startswith("Serving at") else self.url

    def post(self, path, body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as reply:
            return json.load(reply)

    def ask(self, system):
        """One question behind that system prompt; the reply's usage."""
        return self.post("/v1/messages", {"model": "m", "max_tokens": 2, "system": system,
                                          "messages": [{"role": "user", "content": "hello"}]})["usage"]

    def log(self):
        return pathlib.Path(self.log_path).read_text()

    def stop(self):
        """Its log; it must have ended well."""
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=120)
        assert self.process.returncode == 0, self.log()
        return self.log()


class Cache(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.mkdtemp()
        os.chmod(cls.place, 0o755)
        cls.model = os.path.join(cls.place, "tiny.gguf")
        subprocess.run([BINARY, "models", "synth", "--shape", "tiny-qwen3", "--quant", "q8_0", "-o", cls.model],
                       check=True, capture_output=True, env={"HOME": cls.place, "ANYCLAUDE_HOME": cls.place})
        os.chmod(cls.model, 0o644)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.place)

    def home(self):
        home = os.path.join(self.place, self.id().split(".")[-1])
        os.makedirs(home)
        return home

    @staticmethod
    def pages(home):
        return sorted(pathlib.Path(home, "kv").glob("*/*.page"))

    def wait_for(self, condition, what):
        for _ in range(1200):
            if condition():
                return
            time.sleep(0.1)
        self.fail(what)

    def settled(self, home):
        """Waits until pages are there and no more are coming."""
        seen = [None]

        def same():
            before, seen[0] = seen[0], self.pages(home)
            return seen[0] and seen[0] == before
        self.wait_for(same, "the writer wrote nothing")

    def goes_on(self, server, name):
        """Requests are answered, and memory still remembers them."""
        system = f"{name} is a new prompt. " * 40
        first, second = server.ask(system), server.ask(system)
        self.assertGreater(first["input_tokens"], 100, first)
        self.assertGreater(second["cache_read_input_tokens"], 100, second)

    def stops_writing(self, server):
        """Waits until the writer has met the trouble and said so; then asks more, which must not repeat it."""
        self.goes_on(server, "During")
        self.wait_for(lambda: WARNING in server.log(), "no warning")
        for number in range(3):
            self.goes_on(server, f"Prompt {number}")
        log = server.stop()
        self.assertEqual(log.count(WARNING), 1, log)
        return log

    def test_a_full_disk_costs_one_warning(self):
        home = self.home()
        # No file may grow larger than half a page: what a full disk does, without one. (Python passes its own ignoring
        # of the signal on, so that the write fails with an error, as on a full disk.)
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        server = Server(home, self.model, preexec_fn=limit, restore_signals=False)
        log = self.stops_writing(server)
        self.assertEqual(self.pages(home), [], log)
        self.assertEqual(list(pathlib.Path(home, "kv").glob("*/*.tmp")), [], "nothing half-written is left")

    def test_a_folder_that_vanishes_costs_one_warning(self):
        home = self.home()
        server = Server(home, self.model)
        self.goes_on(server, "Before")
        self.settled(home)
        shutil.rmtree(os.path.join(home, "kv"))
        self.stops_writing(server)

    def test_a_folder_that_becomes_a_file_costs_one_warning(self):
        home = self.home()
        server = Server(home, self.model)
        self.goes_on(server, "Before")
        self.settled(home)
        shutil.rmtree(os.path.join(home, "kv"))
        pathlib.Path(home, "kv").write_text("a file")
        self.stops_writing(server)

    def test_a_folder_that_becomes_read_only_costs_one_warning_and_is_still_read(self):
        home = self.home()
        settings = {}
        if os.getuid() == 0:  # whom permissions do not stop
            os.chown(home, NOBODY, NOBODY)
            # The tree may lie where only root may look.
            binary = shutil.copy(BINARY, os.path.join(self.place, "anyclaude"))
            settings = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "binary": binary}
        server = Server(home, self.model, **settings)
        self.goes_on(server, "Before")
        self.settled(home)
        folders = [path for path in pathlib.Path(home, "kv").iterdir()]
        for folder in folders:
            os.chmod(folder, 0o555)
        try:
            self.stops_writing(server)
            # The next server still reads what is there, and says once that it writes nothing.
            server = Server(home, self.model, **settings)
            usage = server.ask("Before is a new prompt. " * 40)
            self.assertGreater(usage["cache_read_input_tokens"], 100, usage)
            self.stops_writing(server)
        finally:
            for folder in folders:
                os.chmod(folder, 0o755)

    def test_a_server_that_is_warmed_knows_the_first_request(self):
        home = self.home()
        request = os.path.join(home, "request.json")
        system = "The agent's rules. " * 60
        pathlib.Path(request).write_text(json.dumps({"model": "m", "max_tokens": 9, "system": system,
                                                     "messages": [{"role": "user", "content": "another"}]}))
        server = Server(home, self.model, arguments=["--warm", request])
        self.assertRegex(server.process.stdout.readline(), r"^Warm: \d+ prompt tokens")
        usage = server.ask(system)
        self.assertGreater(usage["cache_read_input_tokens"], 200, usage)
        self.assertLess(usage["input_tokens"], 64, usage)
        server.stop()

    def test_two_servers_share_the_folder(self):
        home = self.home()
        first, second = Server(home, self.model), Server(home, self.model)
        system = "Both know this. " * 60
        self.assertEqual(first.ask(system)["cache_read_input_tokens"], 0)
        self.settled(home)
        usage = second.ask(system)
        self.assertGreater(usage["cache_read_input_tokens"], 100, usage)
        for server in (first, second):
            self.assertNotIn("warn", server.stop().lower())

    def test_a_prompt_beyond_the_memory_is_refused_in_the_agents_words_with_the_numbers(self):
        home = self.home()
        # 4,096 tokens of 3 layers, two heads of 128 keys and values in bf16: 12 MiB.
        pathlib.Path(home, "config.json").write_text(json.dumps({"kv": {"memory_mb": 13}}))
        server = Server(home, self.model)
        messages = [{"role": "user", "content": "word " * 6000}]
        for path, body in (("/v1/messages", {"max_tokens": 2}), ("/v1/chat/completions", {}), ("/v1/responses", {})):
            key = "input" if path.endswith("responses") else "messages"
            with self.assertRaises(urllib.error.HTTPError) as failure:
                server.post(path, {"model": "m", key: messages, **body})
            self.assertEqual(failure.exception.code, 400)
            error = json.load(failure.exception)["error"]
            self.assertRegex(error["message"],
                             r"^prompt is too long: \d+ tokens > \d+ maximum \(.* needs \d+ MiB .* raise kv.memory_mb\)$")
            if path != "/v1/messages":
                self.assertEqual(error["code"], "context_length_exceeded")
        self.goes_on(server, "Short")
        server.stop()


if __name__ == "__main__":
    unittest.main()
