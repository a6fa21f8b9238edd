#!/usr/bin/env python3
"""Renders templates with Python's jinja2, set up as Hugging Face Transformers sets it up.

Reads JSON lines {"template": text, "context": {...}} on standard input and answers each with
{"ok": true, "text": ...} or {"ok": false, "error": class, "message": ...} on standard output.
Needs Debian's python3-jinja2. With --check it only says whether it could run.
"""
import json
import os
import sys
import time
from datetime import datetime

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

# A fixed moment for strftime_now, in UTC: the tests set the same one.
NOW = float(os.environ.get("JINJA_ORACLE_NOW", "1700000000"))


class Generation(Extension):
    """{% generation %}: marks what the model wrote; the text itself is rendered unchanged."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        call = self.call_method("_render")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

    @jinja2.pass_eval_context
    def _render(self, context, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(
        x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def strftime_now(pattern):
    return datetime.fromtimestamp(NOW).strftime(pattern)


def environment():
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = strftime_now
    return env


def render(env, request, compiled={}):
    try:
        source = request["template"]
        if source not in compiled:
            compiled[source] = env.from_string(source)
        text = compiled[source].render(**request["context"])
        text.encode("utf-8")
        return {"ok": True, "text": text}
    except RecursionError as error:
        return {"ok": False, "error": "RecursionError", "message": str(error)}
    except Exception as error:  # whatever the template provoked is the answer
        return {"ok": False, "error": type(error).__name__, "message": str(error)}


def main():
    if "--check" in sys.argv:
        print(jinja2.__version__)
        return
    os.environ["TZ"] = "UTC"
    time.tzset()
    env = environment()
    for line in sys.stdin:
        print(json.dumps(render(env, json.loads(line))), flush=True)


main()
