#!/usr/bin/env python3
"""anyclaude before anyclaude: remote modes in both dialects, a cluster that loses a replica, rules, the offline lock.

The servers behind are real processes with the built-in model, so that cached tokens are an engine's own."""
import concurrent.futures
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.request

BINARY = os.environ["ANYCLAUDE_BINARY"]


class Server:
    def __init__(self, *args, env=None, home=None):
        self.home = home or tempfile.mkdtemp()
        self.own_home = home is None
        environment = {"PATH": os.environ["PATH"], "HOME": self.home, "ANYCLAUDE_HOME": self.home,
                       "ANYCLAUDE_CHECK_STREAMS": "true"}
        environment.update(env or {})
        self.process = subprocess.Popen([BINARY, "serve", "--port", "0", *args], env=environment, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.lines = []
        for line in self.process.stdout:
            self.lines.append(line)
            if line.startswith("Serving at "):
                self.url = line.split()[-1]
            if "Ctrl-C" in line:
                return
        raise AssertionError(f"did not start: {self.lines} {self.process.stderr.read()}")

    def stop(self, with_signal=signal.SIGTERM):
        self.process.send_signal(with_signal)
        _, errors = self.process.communicate()
        if with_signal == signal.SIGTERM and self.process.returncode != 0:
            raise AssertionError(f"the server ended with {self.process.returncode}: {errors}")
        if self.own_home:
            shutil.rmtree(self.home, ignore_errors=True)


def body_of(words, system="You are brief.", turns=()):
    messages = [{"role": "user", "content": words}]
    for answer, reply in turns:
        messages += [{"role": "assistant", "content": answer}, {"role": "user", "content": reply}]
    return {"model": "any", "max_tokens": 4, "temperature": 0, "system": system, "messages": messages}


def ask(server, body, headers=None):
    request = urllib.request.Request(server.url + "/v1/messages", json.dumps(body).encode(),
                                     {"content-type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=120) as reply:
            return reply.status, json.load(reply), dict(reply.headers)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error), dict(error.headers)


def prompt_tokens(usage):
    return usage["input_tokens"] + usage["cache_read_input_tokens"] + usage.get("cache_creation_input_tokens", 0)


class Modes(unittest.TestCase):
    def test_both_dialects_carry_the_same_answer_and_the_engines_own_counts(self):
        engine = Server()
        direct = ask(engine, body_of("hello"))[1]
        for dialect in ("openai", "anthropic"):
            home = tempfile.mkdtemp()
            with open(os.path.join(home, "config.json"), "w") as config:
                json.dump({"upstream": {"dialect": dialect}}, config)
            front = Server("--mode", "custom", "--url", engine.url, home=home)
            status, reply, _ = ask(front, body_of("hello"))
            self.assertEqual(status, 200, reply)
            self.assertEqual(reply["content"], direct["content"], dialect)
            self.assertEqual(reply["stop_reason"], direct["stop_reason"], dialect)
            self.assertEqual(prompt_tokens(reply["usage"]), prompt_tokens(direct["usage"]), dialect)
            self.assertGreater(reply["usage"]["cache_read_input_tokens"], 0, dialect)
            front.stop()
            shutil.rmtree(home)
        engine.stop()

    def test_a_cluster_reuses_like_one_cache(self):
        # As agents do: a long trunk that all sessions share, then each conversation's own turns.
        system = "Rules of the house. " * 800
        rounds = 12  # each replica computes the trunk once: what is compared is what follows
        sessions = 12

        def converse(server, session):
            cached = total = 0
            for turn in range(rounds):
                turns = [(f"answer {i} of {session} " * 20, f"and {i}? " * 20) for i in range(turn)]
                status, reply, _ = ask(server, body_of(f"question {session} " * 20, system, turns),
                                       {"x-claude-code-session-id": f"s{session}"})
                self.assertEqual(status, 200, reply)
                cached += reply["usage"]["cache_read_input_tokens"]
                total += prompt_tokens(reply["usage"])
            return cached, total

        def talk(server):
            with concurrent.futures.ThreadPoolExecutor(sessions) as pool:
                parts = list(pool.map(lambda session: converse(server, session), range(sessions)))
            return sum(p[0] for p in parts) / sum(p[1] for p in parts)

        single = Server()
        alone = talk(single)
        single.stop()
        replicas = [Server(), Server(), Server()]
        front = Server("--mode", "cluster", "--url", ",".join(r.url for r in replicas))
        together = talk(front)
        print(f"reused: {together:.4f} by the cluster, {alone:.4f} by one cache")
        self.assertGreater(alone, 0.5)
        self.assertGreaterEqual(together, alone - 0.02, f"{together:.3f} of the prompts reused, {alone:.3f} alone")

        front.stop()
        for replica in replicas:
            replica.stop()

    def test_a_replica_that_is_killed_under_load_loses_no_answered_request(self):
        system = "Rules of the house. " * 200
        replicas = {r.url: r for r in (Server(), Server(), Server())}
        urls = list(replicas)
        front = Server("--mode", "cluster", "--url", ",".join(replicas))

        def load(number):
            """What became of a request: nothing when it was answered to its end."""
            body = body_of(f"load {number} " * 20, system) | {"max_tokens": 24, "stream": number % 2 == 1}
            headers = {"x-claude-code-session-id": f"l{number}"}
            if not body["stream"]:
                status, reply, _ = ask(front, body, headers)
                return None if status == 200 and reply["stop_reason"] else f"{number}: {status} {reply}"
            request = urllib.request.Request(front.url + "/v1/messages", json.dumps(body).encode(),
                                             {"content-type": "application/json", **headers})
            with urllib.request.urlopen(request, timeout=120) as reply:
                text = reply.read().decode()
            if text.rstrip().endswith('{"type":"message_stop"}'):
                return None
            # Words that are out cannot be taken back: such a stream says so, and clients ask again.
            cut = "content_block_delta" in text and "event: error" in text and "ended early" in text
            return "cut" if cut else f"{number}: {text}"

        def busiest():
            with urllib.request.urlopen(front.url + "/metrics", timeout=60) as reply:
                counts = [line.rsplit(" ", 1) for line in reply.read().decode().splitlines()
                          if line.startswith("anyclaude_replica_requests_total")]
            name, count = max(counts, key=lambda pair: float(pair[1]))
            number = int(name.split("replica-")[1].split('"')[0])  # in the order of --url
            return urls[number] if float(count) > 1 else None

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = [pool.submit(load, n) for n in range(40)]
            while (victim := busiest()) is None:
                time.sleep(0.005)
            replicas.pop(victim).stop(signal.SIGKILL)
            outcomes = [a.result() for a in answers]
        lost = [o for o in outcomes if o not in (None, "cut")]
        self.assertEqual(lost, [])
        # Only what the victim was saying in that moment can have been cut: it had eight at most.
        self.assertLessEqual(outcomes.count("cut"), 8)
        self.assertEqual(load(100), None, "afterwards everything is answered")
        self.assertEqual(load(101), None)
        front.stop()
        for replica in replicas.values():
            replica.stop()

    def test_rules_choose_and_a_dead_backend_is_passed_over(self):
        engine = Server()
        home = tempfile.mkdtemp()
        with open(os.path.join(home, "backends.json"), "w") as file:
            json.dump({"backends": {"dead": {"mode": "custom", "url": "http://127.0.0.1:9"},
                                    "near": {"mode": "custom", "url": engine.url},
                                    "small": {"mode": "custom", "url": engine.url}},
                       "default": ["dead", "near"],
                       "rules": [{"name": "haiku", "if": {"tier": "haiku"}, "use": "small"}]}, file)
        front = Server("--mode", "auto", home=home)
        status, reply, headers = ask(front, body_of("hello"))
        self.assertEqual(status, 200, reply)
        self.assertEqual(headers.get("x-anyclaude-served-by"), "near")
        _, _, headers = ask(front, {**body_of("hello"), "model": "claude-haiku-5-5"})
        self.assertEqual(headers.get("x-anyclaude-served-by"), "small")
        front.stop()
        shutil.rmtree(home)
        engine.stop()

    def test_what_passes_through_is_traced_and_its_cost_known(self):
        api = Server()
        front = Server("--mode", "claude", "--url", api.url)
        body = body_of("hello through") | {"model": "claude-sonnet-4-5"}
        for stream in (True, False):
            request = urllib.request.Request(front.url + "/v1/messages", json.dumps(body | {"stream": stream}).encode(),
                                             {"content-type": "application/json", "x-api-key": "sk-ant-not-to-be-seen",
                                              "x-claude-code-session-id": f"session-{stream}"})
            with urllib.request.urlopen(request, timeout=120) as reply:
                reply.read()
        refused = ask(front, {"model": "m"})
        self.assertEqual(refused[0], 400, "the API's own refusal")
        run = lambda *args: subprocess.run([BINARY, *args], capture_output=True, text=True, timeout=60,
                                           env={"PATH": os.environ["PATH"], "HOME": front.home,
                                                "ANYCLAUDE_HOME": front.home}).stdout
        for _ in range(200):
            if run("trace", "ls").count("claude-sonnet-4-5") == 2:
                break
            time.sleep(0.05)
        listed = run("trace", "ls")
        self.assertEqual(listed.count("claude-sonnet-4-5"), 2, listed)
        shown = run("trace", "export", "last")
        self.assertIn("hello through", shown)
        self.assertNotIn("sk-ant-not-to-be-seen", shown)
        self.assertRegex(run("cost"), r"claude\s+2\b")
        front.stop()
        api.stop()

    def test_the_offline_lock_holds_and_says_so(self):
        front = Server("--mode", "openai", "--offline-lock", env={"OPENAI_API_KEY": "sk-not-to-be-seen"})
        status, reply, _ = ask(front, body_of("hello"))
        self.assertEqual(status, 403, reply)
        self.assertIn("offline lock", reply["error"]["message"])
        front.process.send_signal(signal.SIGTERM)
        errors = front.process.communicate()[1]
        self.assertIn("offline lock refused a connection", errors)
        self.assertNotIn("sk-not-to-be-seen", errors)

    def test_what_is_missing_is_named_before_anything_starts(self):
        for args, env, part in ((["--mode", "openai"], {}, "OPENAI_API_KEY"),
                                (["--mode", "custom"], {}, "CUSTOM_URL"),
                                (["--mode", "cluster"], {}, "CLUSTER_NODES"),
                                (["--mode", "mlx-omni", "--model", "/models/x"], {}, "hub id"),
                                (["--mode", "lmstudio", "--url", "ftp://x"], {}, "http"),
                                (["--mode", "sideways"], {}, "tensorrt-llm")):
            home = tempfile.mkdtemp()
            done = subprocess.run([BINARY, "serve", "--port", "0", *args], capture_output=True, text=True, timeout=60,
                                  env={"PATH": os.environ["PATH"], "HOME": home, "ANYCLAUDE_HOME": home, **env})
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(part, done.stderr)
            shutil.rmtree(home)

    def test_another_routers_settings_are_taken_over(self):
        home = tempfile.mkdtemp()
        config = os.path.join(home, "ccr.json")
        with open(config, "w") as file:
            json.dump({"Providers": [{"name": "o", "api_base_url": "http://localhost:11434/v1/chat/completions",
                                      "api_key": "k", "models": ["q"]}], "Router": {"default": "o,q"}}, file)
        run = lambda: subprocess.run([BINARY, "import", "ccr", config], capture_output=True, text=True, timeout=60,
                                     env={"PATH": os.environ["PATH"], "HOME": home, "ANYCLAUDE_HOME": home})
        done = run()
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(os.path.join(home, "backends.json")) as file:
            self.assertEqual(json.load(file)["backends"]["o"]["mode"], "ollama")
        self.assertEqual(os.stat(os.path.join(home, "backends.json")).st_mode & 0o777, 0o600)
        self.assertIn("--replace", run().stderr)
        shutil.rmtree(home)


if __name__ == "__main__":
    unittest.main()
