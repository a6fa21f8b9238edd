#!/usr/bin/env python3
"""Measures a model on held-out dialogues through the real server.

Every request goes to `anyclaude serve` as a client would send it; the reply's tool call is compared
with the right one, name and arguments, to the letter. Then the right call and its result are sent
back and the final answer is compared, to the letter. Phrasings, tool names, words and paths are
those that training never sees.

  evaluate.py --binary build/anyclaude --model M.gguf            a short prompt with its own tools
  evaluate.py ... --claude tests/npm/node_modules/.bin/claude    Claude Code's real prompt and tools
"""
import argparse
import collections
import copy
import http.server
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import urllib.request

import dialogues

CLAUDE_TOOLS = {"read": ("Read", ["file_path"]), "run": ("Bash", ["command"]),
                "write": ("Write", ["file_path", "content"]),
                "edit": ("Edit", ["file_path", "old_string", "new_string"])}
MARK = "request-goes-here"


class Box:
    """Claude Code's own tools in the place of an invented toolbox."""
    by_job = CLAUDE_TOOLS


class Server:
    def __init__(self, binary, model):
        self.home = tempfile.TemporaryDirectory()
        self.process = subprocess.Popen(
            [binary, "serve", "--port", "0", "--model", model], stdout=subprocess.PIPE, text=True,
            env={**os.environ, "ANYCLAUDE_HOME": self.home.name, "HOME": self.home.name})
        for line in self.process.stdout:
            found = re.search(r"Serving at (\S+)", line)
            if found:
                self.url = found[1]
                break
        else:
            raise SystemExit("evaluate: the server did not start")
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def ask(self, body):
        request = urllib.request.Request(self.url + "/v1/messages", json.dumps(body).encode(),
                                         {"content-type": "application/json", "x-api-key": "local"})
        with urllib.request.urlopen(request, timeout=600) as reply:
            return json.load(reply)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.home.cleanup()


def capture_claude_body(claude):
    """The first request that the client really sends in a fresh repository."""
    bodies = []

    class Listener(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            bodies.append(json.loads(self.rfile.read(int(self.headers.get("content-length", 0)))))
            error = b'{"type":"error","error":{"type":"invalid_request_error","message":"recorded"}}'
            self.send_response(400)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(error)))
            self.end_headers()
            self.wfile.write(error)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([claude, "-p", MARK], cwd=folder, capture_output=True, timeout=120, check=False, env={
            "HOME": folder, "PATH": "/usr/bin:/bin", "TERM": "dumb", "ANTHROPIC_API_KEY": "local",
            "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{server.server_port}", "CLAUDE_CODE_MAX_RETRIES": "0",
            "ANTHROPIC_MODEL": "anthropic-local-starter", "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"})
    server.shutdown()
    bodies = [body for body in bodies if MARK in json.dumps(body)]
    if not bodies:
        raise SystemExit("evaluate: the client sent no request")
    return bodies[0]


def schema(line):
    name, arguments = line.rstrip(")").split("(")
    names = [a for a in arguments.split(",") if a]
    return {"name": name, "description": "A tool.", "input_schema": {
        "type": "object", "properties": {a: {"type": "string"} for a in names}, "required": names}}


def body_for(template, box, request):
    """The client's body with `request` as the user's words."""
    if template is None:
        return {"model": "starter", "system": "You are an agent that works in a repository.",
                "tools": [schema(line) for line in box.lines], "messages": [{"role": "user", "content": request}]}
    body = copy.deepcopy(template)
    for message in body["messages"]:
        if isinstance(message["content"], str):
            message["content"] = message["content"].replace(MARK, request)
            continue
        for block in message["content"]:
            if block.get("text", "").strip() == MARK:
                block["text"] = request
    return body


def settings(body):
    for key in ("stream", "thinking", "output_config", "context_management"):
        body.pop(key, None)
    return {**body, "max_tokens": 300, "temperature": 0}


def reply_of(message):
    """(text, None) or (text, (tool name, arguments))."""
    text = "".join(block["text"] for block in message["content"] if block["type"] == "text")
    calls = [(block["name"], block["input"]) for block in message["content"] if block["type"] == "tool_use"]
    return text.strip(), calls[0] if calls else None


class Score:
    def __init__(self):
        self.right = collections.Counter()
        self.all = collections.Counter()

    def add(self, what, right):
        self.right[what] += right
        self.all[what] += 1

    def percent(self, what):
        return round(100.0 * self.right[what] / max(1, self.all[what]), 1)


def run_one(server, template, box, exchange, score, show):
    body = body_for(template, box, exchange.request)
    text, call = reply_of(server.ask(settings(body)))
    if exchange.call is None:
        right = call is None and text == exchange.reply.strip()
        score.add("text", right)
        score.add("kind " + exchange.kind, right)
        if show and not right:
            print(f"WRONG {exchange.kind}: {exchange.request!r}\n   want {exchange.reply!r}\n   got  {call or text!r}")
        return
    name, pairs = exchange.call
    wanted = (name, dict(pairs))
    right = call == wanted
    score.add("call", right)
    score.add("tool", call is not None and call[0] == name)
    score.add("kind " + exchange.kind, right)
    if show and not right:
        print(f"WRONG {exchange.kind}: {exchange.request!r}\n   want {wanted}\n   got  {call or text!r}")
    body["messages"] += [
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": name, "input": dict(pairs)}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1",
                                      "is_error": exchange.result.startswith("Error: "), "content": exchange.result}]}]
    answer, again = reply_of(server.ask(settings(body)))
    right = again is None and answer == exchange.answer.strip()
    score.add("answer", right)
    score.add("answer " + exchange.kind, right)
    if show and not right:
        print(f"WRONG answer: {exchange.request!r} result {exchange.result!r}\n   want {exchange.answer!r}\n   got  {again or answer!r}")


def evaluate(arguments):
    template = capture_claude_body(arguments.claude) if arguments.claude else None
    writer = dialogues.Writer(arguments.seed, held_out=True)
    server = Server(arguments.binary, arguments.model)
    score = Score()
    try:
        for _ in range(arguments.count):
            box, (exchange,) = writer.dialogue(1)
            if template is not None:
                box = Box()
                exchange = writer.exchange(box, writer.rng.choices(list(writer.JOBS), list(writer.JOBS.values()))[0])
            run_one(server, template, box, exchange, score, arguments.show)
    finally:
        server.stop()
    return score


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--claude", help="the client, whose real prompt is recorded and used")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--show", action="store_true", help="print what was wrong")
    parser.add_argument("--json", type=pathlib.Path, help="write the scores here too")
    arguments = parser.parse_args()
    for name in ("binary", "claude"):
        if getattr(arguments, name):
            setattr(arguments, name, str(pathlib.Path(getattr(arguments, name)).resolve()))
    score = evaluate(arguments)
    for what in ("call", "tool", "text", "answer"):
        print(f"{what:8} {score.right[what]:4} of {score.all[what]:4}  {score.percent(what):5.1f} %")
    for what in sorted(score.all):
        if " " in what:
            print(f"  {what:18} {score.right[what]:4} of {score.all[what]:4}")
    if arguments.json:
        arguments.json.write_text(json.dumps({w: score.percent(w) for w in score.all}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
