#!/usr/bin/env python3
"""In local mode the program reaches no other machine, whatever clients ask of it.

connect_watch notes every attempt to address a socket outside this machine, of every thread and
child, so the proof does not depend on whether the machine has a network.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request

BINARY = os.environ["ANYCLAUDE_BINARY"]
WATCH = os.environ["CONNECT_WATCH"]
CANNOT_WATCH = 77

ASK = [{"role": "user", "content": "Search the web for https://example.com, please."}]
SEARCH_TOOL = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
FETCH_TOOL = {"type": "web_fetch_20250910", "name": "web_fetch", "max_uses": 8}
IMAGE = {"type": "image", "source": {"type": "url", "url": "http://192.0.2.9/picture.png"}}
DOCUMENT = {"type": "document", "source": {"type": "url", "url": "http://192.0.2.9/paper.pdf"}}


def watched(log, arguments, **options):
    return subprocess.Popen([WATCH, str(log), *arguments], **options)


def setUpModule():
    with tempfile.TemporaryDirectory() as folder:
        watch = watched(pathlib.Path(folder) / "log", ["true"], stderr=subprocess.DEVNULL)
        if watch.wait() == CANNOT_WATCH:
            print("skipped: this kernel lets nobody watch system calls")
            sys.exit(CANNOT_WATCH)


class NoTraffic(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.home = pathlib.Path(self.folder.name)
        self.log = self.home / "attempts"

    def environment(self):
        # A proxy would hide the address of who is asked behind its own.
        return {"PATH": os.environ["PATH"], "HOME": str(self.home),
                "ANYCLAUDE_HOME": str(self.home / "home"), "ANYCLAUDE_CHECK_STREAMS": "true"}

    def post(self, path, body):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(),
                                         {"content-type": "application/json",
                                          "x-claude-code-session-id": "one"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            return opener.open(request, timeout=120).read()
        except urllib.error.HTTPError as error:
            return error.read()

    def get(self, path):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            return opener.open(self.url + path, timeout=120).read()
        except urllib.error.HTTPError as error:
            return error.read()

    def test_the_watch_sees_an_attempt(self):
        code = ("import socket\n"
                "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                "s.connect(('127.0.0.1', 9))\n"
                "for call in (lambda: s.connect(('192.0.2.7', 53)),\n"
                "             lambda: s.sendto(b'x', ('192.0.2.8', 53))):\n"
                "    try: call()\n"
                "    except OSError: pass\n")
        self.assertEqual(watched(self.log, [sys.executable, "-c", code]).wait(), 0)
        self.assertEqual(self.log.read_text().split("\n"),
                         ["connect 192.0.2.7:53", "sendto 192.0.2.8:53", ""])

    def test_a_local_server_reaches_nobody_whatever_it_is_asked(self):
        server = watched(self.log, [BINARY, "serve", "--port", "0", "--model", "built-in"],
                         env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True)
        self.addCleanup(server.kill)
        for line in server.stdout:
            if line.startswith("Serving at "):
                self.url = re.match(r"Serving at (\S+)", line).group(1)
                break
        short = {"model": "claude-haiku-4-5", "max_tokens": 4}
        for stream in (True, False):
            self.post("/v1/messages?beta=true", {**short, "messages": ASK, "stream": stream})
            self.post("/v1/chat/completions", {**short, "messages": ASK, "stream": stream})
            self.post("/v1/responses", {"model": "m", "input": "hi", "max_output_tokens": 4,
                                        "stream": stream})
        self.post("/v1/messages", {**short, "messages": ASK, "tools": [SEARCH_TOOL, FETCH_TOOL]})
        self.post("/v1/messages", {**short, "messages": [
            {"role": "user", "content": [IMAGE, DOCUMENT, {"type": "text", "text": "See?"}]}]})
        self.post("/v1/messages/count_tokens", {"model": "m", "messages": ASK})
        self.post("/v1/completions", {"model": "m", "prompt": "x", "max_tokens": 2})
        self.post("/v1/embeddings", {"model": "m", "input": ["a", "b"]})
        self.post("/v1/unknown", {"model": "m"})
        self.post("/api/event_logging/batch", {"events": []})
        for path in ("/", "/v1/models?limit=1000", "/metrics", "/health/ready", "/v1/anyclaude/live",
                     "/v1/organizations/x", "/api/oauth/profile"):
            self.get(path)
        server.send_signal(signal.SIGTERM)
        _, errors = server.communicate(timeout=120)
        self.assertEqual(server.returncode, 0, errors)
        self.assertEqual(self.log.read_text(), "", "addresses outside this machine")

    def test_commands_that_work_on_this_machine_reach_nobody(self):
        for arguments in (["doctor"], ["models", "list"], ["config", "show"], ["cost"],
                          ["generate", "--model", "built-in", "--prompt", "hi", "-n", "2"]):
            watch = watched(self.log, [BINARY, *arguments], env=self.environment(),
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            output, _ = watch.communicate(timeout=120)
            self.assertEqual(self.log.read_text(), "", (arguments, output))


if __name__ == "__main__":
    unittest.main()
