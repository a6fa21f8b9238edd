"""Dialogues of an agent and its user: what the starter model is trained and measured on.

A dialogue has a toolbox and one or more exchanges. An exchange is a request, the right reply (a call
or a text) and, after a call, the tool's result and the right answer to it. Everything follows from
the seed.
"""
import random

from toolbox import Toolbox
from words import Words

RESULT_CHARS = 360  # of a tool's result that the chat template repeats at the end of the prompt
SHOWN_LINES = 3

HELLO = "Hello! I am the starter model of anyclaude. I can read, list, search, write and change files and run commands."
WHO = "I am the starter model of anyclaude: a tiny demonstration model that can call tools, not a coding model."
BEYOND = "That is beyond me: I am a tiny demonstration model. I can read, list, search, write and change files and run commands."
NO_TOOL = "I have no tool for that here."
THANKS = "You are welcome."

# Phrasings per job: those to train on, and those that only the held-out evaluation uses. {p} path, {d} folder, {n}
# needle or pattern, {c} command or content, {o} {w} old and new text, {q} second path.
PHRASES = {
    "read": (["read {p}", "show {p}", "show me {p}", "open {p}", "cat {p}", "display {p}", "view {p}", "print {p}",
              "read the file {p}", "show me the file {p}", "what is in {p}?", "what's in {p}?", "what does {p} say?",
              "let me see {p}", "can you read {p}?", "please read {p}", "please show me {p}", "look at {p}",
              "have a look at {p}", "open the file {p} and show it", "show the content of {p}", "show me what {p} contains",
              "give me the contents of {p}", "I want to see {p}", "could you open {p} for me?", "read {p} please",
              "take a look at {p}", "display the file {p}", "check what is in {p}", "read {p} and tell me what it says",
              "see {p}", "dump {p}"],
             ["please open {p} and read it", "could you show me {p}?", "I would like to read {p}", "what does the file {p} contain?",
              "let me have a look at {p}", "print the contents of {p} please"]),
    "first_line": (["what is the first line of {p}?", "show the first line of {p}", "tell me the first line of {p}",
                    "give me the first line of {p}", "read the first line of {p}", "how does {p} begin?"],
                   ["please tell me the first line of {p}", "what's the first line in {p}?"]),
    "list": (["list {d}", "list the files in {d}", "what files are in {d}?", "show the files in {d}", "ls {d}",
              "list the directory {d}", "what is in the folder {d}?", "which files are in {d}?", "show me the folder {d}",
              "list the folder {d}", "please list {d}", "list everything in {d}", "what's in the directory {d}?",
              "show the directory {d}", "give me the files in {d}", "list all files in {d}", "contents of the folder {d}"],
             ["please list the files in {d}", "which files does the folder {d} have?", "show everything in the directory {d}"]),
    "search": (["search for {n}", "find {n} in the code", "grep {n}", "where is {n} used?", "search the code for {n}",
                "where is {n} defined?", "look for {n}", "find all uses of {n}", "grep for {n}", "search {n}",
                "which files mention {n}?", "find the text {n}", "where does {n} appear?", "find where {n} is used",
                "please search for {n}", "find every {n} in the project", "who uses {n}?"],
               ["please look for {n} in the code", "where do we use {n}?", "search the project for {n}"]),
    "find": (["find files named {n}", "find files matching {n}", "glob {n}", "which files match {n}?", "find all files like {n}",
              "look for files named {n}", "list files matching {n}", "find the files {n}", "what files match {n}?",
              "please find files matching {n}", "search for files named {n}", "find every file called {n}"],
             ["please find all files named {n}", "which files are called {n}?", "look for files matching {n}"]),
    "run": (["run {c}", "execute {c}", "please run {c}", "run the command {c}", "run: {c}", "can you run {c}", "start {c}",
             "execute the command {c}", "do {c}", "run {c} please", "run this: {c}", "I want you to run {c}",
             "use the shell: {c}", "call {c}", "in the terminal, run {c}", "try {c}", "please execute {c}",
             "run this command: {c}", "launch {c}", "could you run {c}"],
            ["please run the command {c}", "would you execute {c}", "run the following: {c}", "go ahead and run {c}"]),
    "write": (["create {p} with {c}", "write {c} to {p}", "create {p} with the content {c}", "create a file {p} with the content {c}",
               "make a file {p} that says {c}", "write a file {p} containing {c}", "create {p} containing {c}", "save {c} to {p}",
               "put {c} in {p}", "put {c} into a new file {p}", "please create {p} with {c}", "create the file {p} with the text {c}",
               "write the text {c} into {p}", "save {c} in the file {p}", "make {p} with the text {c}", "create a new file {p}: {c}",
               "write {p} with {c}", "new file {p} with the content {c}", "I need a file {p} with {c}", "add a file {p} that contains {c}"],
              ["please write {c} into the file {p}", "make a new file {p} with the content {c}", "store {c} in {p}",
               "create the file {p} containing {c}"]),
    "edit": (["replace {o} with {w} in {p}", "in {p} replace {o} with {w}", "change {o} to {w} in {p}", "in {p} change {o} to {w}",
              "edit {p}: replace {o} with {w}", "rename {o} to {w} in {p}", "in the file {p}, replace {o} by {w}",
              "please replace {o} with {w} in {p}", "substitute {o} with {w} in {p}", "in {p}, rename {o} to {w}",
              "edit {p} and change {o} to {w}", "update {p}: change {o} to {w}", "swap {o} for {w} in {p}",
              "modify {p}: {o} becomes {w}", "turn {o} into {w} in {p}", "open {p} and replace {o} with {w}"],
             ["please change {o} to {w} in the file {p}", "in {p} please replace {o} with {w}", "edit the file {p}: change {o} to {w}"]),
    "lines": (["how many lines does {p} have?", "count the lines of {p}", "how long is {p}?", "count the lines in {p}",
               "how many lines are in {p}?", "number of lines in {p}", "line count of {p}", "how many lines has {p}"],
              ["please count the lines of {p}", "tell me how many lines {p} has"]),
    "delete": (["delete {p}", "remove {p}", "delete the file {p}", "please remove {p}", "remove the file {p}", "get rid of {p}", "erase {p}"],
               ["please delete the file {p}", "remove {p} please"]),
    "mkdir": (["create the folder {d}", "make a directory {d}", "create a directory called {d}", "mkdir {d}", "make the folder {d}",
               "create a new folder {d}", "new directory {d}"],
              ["please make a folder {d}", "create the directory {d} please"]),
    "move": (["move {p} to {q}", "rename {p} to {q}", "rename the file {p} to {q}", "please move {p} to {q}", "mv {p} {q}", "move the file {p} to {q}"],
             ["please rename {p} to {q}", "move the file {p} over to {q}"]),
    "copy": (["copy {p} to {q}", "duplicate {p} as {q}", "cp {p} {q}", "make a copy of {p} called {q}", "copy the file {p} to {q}", "please copy {p} to {q}"],
             ["please copy the file {p} to {q}", "make a copy of {p} named {q}"]),
}
FIXED_COMMANDS = {
    "make test": (["run the tests", "test it", "run tests", "please run the tests", "run all tests", "do the tests pass?", "run the test suite",
                   "check that the tests pass", "execute the tests"], ["run all the tests please", "can you run the tests?"]),
    "make": (["build it", "build the project", "compile it", "run the build", "please build the project", "compile the project"],
             ["please build it", "build the whole project"]),
    "git status": (["git status", "show the git status", "what is the git status?", "status of the repository", "run git status", "any uncommitted changes?"],
                   ["please show the git status", "show me the status of the repository"]),
    "git diff": (["show the diff", "git diff", "what changed?", "show me the changes", "show my changes", "what did I change?"], ["please show the changes", "show me the diff"]),
    "git log --oneline": (["show the git log", "git log", "show the commits", "show the history", "list the commits", "recent commits"],
                          ["please show the commits", "show me the git log"]),
    "pwd": (["where am I?", "print the working directory", "what is the current directory?", "pwd", "which directory is this?"], ["tell me the current directory"]),
    "ls": (["list the files", "ls", "what files are here?", "list the files here", "show the files", "list files", "what is in this folder?",
            "list the current directory"], ["please list the files", "which files are here?"]),
    "date": (["what time is it?", "what is the date?", "show the date", "date", "what day is it?"], ["tell me the date"]),
    "whoami": (["who is the user?", "whoami", "which user am I?"], ["tell me which user I am"]),
}
CHAT = {
    HELLO: (["hello", "hi", "hey", "hello there", "good morning", "hi there", "say hello", "Hello!", "Hi!", "hey there", "good evening", "greetings", "hallo", "yo", "hi you", "hello you", "good afternoon", "hello again", "hi again", "morning", "hey hey", "hi, how are you?", "hello, are you there?", "hey, good evening", "good day", "hi, good evening", "hello, good day"],
            ["hello!", "hi, good morning", "hey you"]),
    WHO: (["who are you?", "what are you?", "what model are you?", "which model is this?", "are you a language model?", "introduce yourself", "what is your name?",
           "tell me about yourself", "are you Claude?", "what is this?", "what kind of thing are you?", "what sort of model is this?", "who am I talking to?", "tell me who you are", "what do you call yourself?", "can you introduce yourself?", "which AI are you?", "are you an AI?", "what can you do?", "what type of model are you?", "which kind of model is this?", "say who you are", "who is this?", "what are you exactly?", "describe yourself"], ["who are you", "what kind of model are you?"]),
    THANKS: (["thanks", "thank you", "thank you!", "thanks a lot", "great, thanks", "ok thanks", "perfect, thank you", "thank you so much", "thanks again", "cheers", "much appreciated", "thx", "nice, thank you", "good job", "very kind, thanks", "thank you very much", "lovely, thanks", "so many thanks", "my thanks", "that is great, thank you", "well done, thanks"], ["many thanks", "thanks!"]),
    BEYOND: (["write a poem about {t}", "explain {t}", "refactor the {t} module", "fix the bug in {t}", "why is {t} slow?", "write a {t} in Rust", "design a {t} system",
              "translate {t} to French", "what is the capital of {t}?", "optimize the {t}", "implement {t}", "prove that {t} works", "tell me a joke about {t}",
              "how do I learn {t}?", "write unit tests for {t}", "review the {t} code", "what is {t}?", "compare {t} and {u}", "why does {t} fail?",
              "summarize {t}", "solve {t}", "plan a trip to {t}", "add a feature for {t}", "make {t} faster", "debug {t}", "convert {t} to {u}",
              "what do you think about {t}?", "should I use {t} or {u}?", "write a story about {t}", "how does {t} work?"],
             ["write an essay about {t}", "explain how {t} works", "fix {t}", "what is the meaning of {t}?", "improve the {t} code"]),
}
# More phrasings per job, put together from parts: one of each list in turn. What the evaluation holds out is left out.
COMPOSED = {
    "read": [[["read", "show", "show me", "open", "display", "view", "print", "look at", "have a look at", "take a look at", "dump", "examine",
               "inspect", "check", "give me", "output", "read out", "bring up", "pull up", "fetch", "let me see", "I want to see", "go through"],
              [" {p}", " {p}", " the file {p}", " the contents of {p}", " the content of {p}", " the text of {p}", " what is in {p}", " all of {p}"],
              ["", "", "", " and show it", " and tell me what it says", " and show it to me"]],
             [["what is in", "what's in", "what is inside", "what stands in", "what do we have in"], [" {p}", " the file {p}"], ["?", ""]],
             [["what does", "what did"], [" {p}", " the file {p}"], [" say?", " have in it?", " look like?", " hold?"]]],
    "first_line": [[["show", "tell me", "give me", "print", "read", "display", "get"], [" the first line", " just the first line", " line one", " the top line"],
                    [" of", " in", " from"], [" {p}", " the file {p}"]],
                   [["what is", "what's", "which is"], [" the first line of", " the top line of", " line one of", " the first line of the file"], [" {p}?"]]],
    "list": [[["list", "show", "show me", "give me", "display", "print", "name", "tell me"],
              [" the files in", " all files in", " the files of", " everything in", " what is in", " the contents of", " all the files in", ""],
              [" the folder {d}", " the directory {d}", " {d}", " folder {d}", " directory {d}"]],
             [["what files", "which files", "what", "which file names"], [" are in", " are there in", " do we have in", " lie in"], [" {d}?", " the folder {d}?", " the directory {d}?"]],
             [["what files", "which files", "what"], [" does {d}", " does the directory {d}"], [" have?", " contain?", " hold?"]]],
    "search": [[["search", "look", "grep", "scan", "hunt"], [" for {n}"],
                ["", "", " in the project", " in the repository", " in all files", " across the code", " everywhere", " in the source", " in this folder"]],
               [["find", "show", "show me", "list", "get"], [" all uses of", " every use of", " each occurrence of", " the text", " all mentions of", " every line with",
                                                            " where we have", " all places with"], [" {n}"], ["", "", " in the code", " in the project"]],
               [["search"], [" the code", " the repository", " all files", " everything", " the source"], [" for {n}"]],
               [["where"], [" is {n}", " can I find {n}", " do you see {n}", " does {n} occur", " is {n} used", " is {n} defined", " did we put {n}", " is the text {n}"], ["?"]],
               [["which files", "what files", "which lines"], [" use {n}", " contain {n}", " mention {n}", " have {n}", " call {n}"], ["?"]]],
    "find": [[["find", "look for", "search for", "locate", "list", "show", "get", "give me", "show me"],
              [" files", " all files", " every file", " the files", " any files", " all the files"],
              [" named {n}", " called {n}", " like {n}", " that match {n}", " with the name {n}", " whose name matches {n}", " with the pattern {n}", " of the form {n}"]],
             [["which files", "what files", "which file names"], [" match {n}", " are named {n}", " have the name {n}", " are like {n}", " fit {n}"], ["?"]]],
    "run": [[["", "", "", "in the terminal, ", "in the shell, ", "in bash, ", "on the command line, "],
             ["run", "execute", "start", "launch", "try", "call", "do", "invoke", "perform"],
             ["", "", " the command", " this command", " the following command", " the shell command", " this", " the command line", " the program"], [" {c}", ": {c}"]],
            [["use the shell", "use the terminal", "use bash"], [" to run {c}", " for {c}", ": {c}"]],
            [["I need", "I want", "we need", "we should"], [" to run {c}", " to execute {c}", " the output of {c}", " to see what {c} prints"]],
            [["what does", "what will"], [" {c}"], [" print?", " give?", " say?"]]],
    "write": [[["create", "make", "add", "start", "set up", "produce"], [" {p}", " a file {p}", " the file {p}", " a new file {p}", " a file called {p}", " a file named {p}", " file {p}"],
               [" with {c}", " containing {c}", " that contains {c}", " that says {c}", " with the content {c}", " with the text {c}", " with the line {c}", " holding {c}", ": {c}",
                " and write {c} into it", " and put {c} in it"]],
              [["write", "put", "store", "save", "place", "add", "drop", "insert"], [" {c}", " the text {c}", " the line {c}", " the words {c}", " this: {c}"],
               [" to {p}", " into {p}", " in {p}", " in the file {p}", " to the file {p}", " into a new file {p}", " in a file called {p}", " into a file named {p}"]],
              [["I need", "I want", "there should be", "we need"], [" {p}", " a file {p}", " a new file {p}"], [" with {c}", " containing {c}", " that says {c}", " with the text {c}"]]],
    "edit": [[["", "", "", "edit {p}: ", "in {p} ", "in {p}, ", "in the file {p} ", "in the file {p}, ", "open {p} and ", "update {p} and ", "go into {p} and ", "edit {p} and ", "inside {p}, "],
              ["replace {o} with {w}", "replace {o} by {w}", "substitute {w} for {o}", "change {o} to {w}", "change {o} into {w}", "turn {o} into {w}", "rename {o} to {w}", "swap {o} for {w}",
               "swap {o} with {w}", "make {o} {w}", "put {w} where {o} is", "exchange {o} for {w}", "replace the text {o} with {w}", "change the word {o} to {w}"],
              [" in {p}", " in {p}", " in the file {p}", " inside {p}", " within {p}", " inside the file {p}"]]],
    "lines": [[["count", "give me", "tell me", "show", "get", "print"], [" the number of lines", " the line count", " the lines"], [" of {p}", " in {p}", " in the file {p}", " of the file {p}"]],
              [["how many lines"], [" does {p}", " does the file {p}"], [" have?", " contain?"]], [["how many lines"], [" are in", " are there in", " do we have in"], [" {p}?", " the file {p}?"]]],
    "delete": [[["delete", "remove", "erase", "drop", "get rid of", "throw away", "wipe", "rm"], [" {p}", " the file {p}", " file {p}"]]],
    "mkdir": [[["create", "make", "add", "set up", "start"], [" a", " the", " a new", " one new", " me a"], [" folder", " directory"], [" {d}", " called {d}", " named {d}"]]],
    "move": [[["move", "rename", "shift", "relocate", "mv"], [" {p}", " the file {p}"], [" to {q}", " into {q}", " over to {q}", " as {q}"]]],
    "copy": [[["copy", "duplicate", "clone", "cp"], [" {p}", " the file {p}"], [" to {q}", " into {q}", " as {q}", " over to {q}"]],
             [["make a copy of", "make a duplicate of", "create a copy of"], [" {p}", " the file {p}"], [" called {q}", " at {q}", " under the name {q}", " as {q}"]]],
}
# Before and behind a sentence that asks to do something.
OPENERS = ["please ", "can you ", "could you ", "would you ", "can you please ", "I want you to ", "I need you to ", "I'd like you to ", "go ahead and ", "now ", "next, ",
           "then ", "just ", "quickly ", "hey, ", "alright, ", "let's ", "kindly ", "first, ", "would you please ", "you can ", "we should ", "try to ", "also "]
TAILS = [" please", " for me", " now", ", thanks", ", please", " again", " right now", " if you can", " for me, please", "!", "."]
QUESTIONS = ("what", "where", "which", "who", "how", "do ", "does", "are ", "is ", "should", "why", "any ", "use ", "in ", "I ", "we ", "there ", "let ", "tell ")
REPEAT = ["say {c}", "repeat {c}", "say exactly: {c}", "repeat after me: {c}", "echo back {c}", "reply with {c}", "answer with {c}", "just say {c}"]


def call_text(name, arguments):
    """A call as the model writes it."""
    parameters = "".join(f"<parameter={key}>\n{value}\n</parameter>\n" for key, value in arguments)
    return f"<tool_call>\n<function={name}>\n{parameters}</function>\n</tool_call>"


class Exchange:
    def __init__(self, request, reply, call=None, result=None, answer=None, kind=""):
        self.request, self.reply, self.call = request, reply, call
        self.result, self.answer, self.kind = result, answer, kind


class Writer:
    """Writes dialogues with one stream of random numbers."""

    def __init__(self, seed, held_out=False, easy=False, pieces=()):
        self.easy = easy  # few tools: what the first steps of training see
        self.rng = random.Random(seed)
        self.words = Words(self.rng, held_out, pieces)
        self.held_out = held_out

    def phrase(self, pair, kind=None, **parts):
        if self.held_out:
            text = self.words.pick(pair[1])
        else:
            text = self.varied(pair, kind)
        text = text.format(**parts)
        if self.words.chance(0.35):
            text = text[0].upper() + text[1:]
        if self.words.chance(0.12) and text[-1] not in "?!.:`\"'":
            text += self.words.pick([".", "!", " please", " now", ", please"]) if not self.is_bare_end else ""
        if self.words.chance(0.08):
            text = self.words.pick(["ok, ", "now ", "please ", "Hi! ", "next: ", "and then ", "so, "]) + text
        return text

    def varied(self, pair, kind):
        """A phrasing of the list or of parts, with something polite around it, and never one that is held out."""
        while True:
            text = self.words.pick(pair[0])
            if kind in COMPOSED and self.words.chance(0.6):
                text = "".join(self.words.pick(part) for part in self.words.pick(COMPOSED[kind]))
            if text.count("{p}") > 1:  # a file named at both ends
                continue
            if kind == "edit" and "{p}" not in text:
                continue
            asks = text.startswith(QUESTIONS)
            opener = self.words.pick(OPENERS) if not asks and self.words.chance(0.3) else ""
            # A literal at the end that may be bare must stay at the end.
            tail = "" if asks or self.is_bare_end or not self.words.chance(0.12) else self.words.pick(TAILS)
            if opener.startswith(("can", "could", "would")) and not tail and not self.is_bare_end and self.words.chance(0.7):
                tail = "?"
            text = opener + text + tail
            if text not in pair[1]:
                return text

    def quote(self, text, bare):
        """A literal as people write it; `bare` is how often without quotes."""
        if self.words.chance(bare) and not any(mark in text for mark in "\"`"):
            return text
        marks = [m for m in ("`", '"', "'") if m not in text]
        mark = self.words.pick(marks) if marks else "`"
        return mark + text + mark

    # One method per job. Each returns (request, job, literal arguments in the order of the tool).

    def agents_box(self):
        """What coding agents offer today: four tools that do everything, and others that only sound like more."""
        jobs = ["read", "run", "write", "edit"]
        self.rng.shuffle(jobs)
        return Toolbox(self.words, jobs, self.words.pick([3, 5, 7, 9, 12]))

    def toolbox(self, needed):
        jobs = ["read", "list", "search", "find", "run", "write", "edit"]
        if self.easy:
            kept = [j for j in jobs if self.words.chance(0.2)]
        elif self.words.chance(0.25):
            kept = [j for j in jobs if self.words.chance(0.5)]
        else:
            kept = [j for j in jobs if self.words.chance(0.75)]
        if needed and needed not in kept and self.words.chance(0.95):
            kept.append(needed)
        if not self.easy and self.words.chance(0.5) and "run" not in kept:
            kept.append("run")
        self.rng.shuffle(kept)
        others = 0 if self.easy else self.words.pick([0, 0, 1, 2, 3, 4, 6, 9])
        return Toolbox(self.words, kept, others)

    JOBS = {"read": 20, "first_line": 4, "list": 8, "search": 9, "find": 6, "run": 18, "write": 16, "edit": 16, "lines": 5,
            "delete": 3, "mkdir": 3, "move": 3, "copy": 3, "fixed": 12, "chat": 8, "repeat": 8}
    SHELL_JOBS = {"lines", "delete", "mkdir", "move", "copy", "fixed", "run"}

    def dialogue(self, exchanges, repeat_share=0.0):
        """A toolbox and `exchanges` exchanges that it serves; only repetition with `repeat_share`."""
        kinds = self.rng.choices(list(self.JOBS), list(self.JOBS.values()), k=exchanges)
        kinds = ["repeat" if self.words.chance(repeat_share) else kind for kind in kinds]
        first = self.tool_of(kinds[0])
        if self.easy:  # no exchange without its tool
            kinds = [k if k == "repeat" or self.tool_of(k) == first else kinds[0] for k in kinds]
        if not self.easy and not self.held_out and self.words.chance(0.3):
            box = self.agents_box()
            return box, [self.exchange(box, kind) for kind in kinds]
        box = self.toolbox(first if first in ("read", "list", "search", "find", "run", "write", "edit") else None)
        return box, [self.exchange(box, kind) for kind in kinds]

    def tool_of(self, kind):
        return {"first_line": "read"}.get(kind, "run" if kind in self.SHELL_JOBS else kind)

    def exchange(self, box, kind):
        self.is_bare_end = False
        if kind == "chat":
            reply = self.words.pick([HELLO, WHO, THANKS, BEYOND, BEYOND, BEYOND])
            topic = self.words.phrase(1, 3)
            return Exchange(self.phrase(CHAT[reply], t=topic, u=self.words.word()), reply, kind=kind)
        if kind == "repeat":
            text = self.words.pick([self.words.line, self.words.content, self.words.phrase])().strip()
            self.is_bare_end = True
            return Exchange(self.phrase((REPEAT, REPEAT), c=self.quote(text, 0.6)), text, kind=kind)
        return getattr(self, "do_" + kind)(box)

    def finish(self, box, request, job, arguments, result, answer, kind, shell=None):
        """`shell` is the command that does the job when no tool of its own is there."""
        if job not in box.by_job:
            if shell is None or "run" not in box.by_job:
                return Exchange(request, NO_TOOL, kind="no_tool")
            job, arguments = "run", [shell]
        name, keys = box.by_job[job]
        pairs = list(zip(keys, arguments))
        call = (name, pairs)
        return Exchange(request, call_text(name, pairs), call, result, answer, kind)

    # Results of tools and the right words about them.

    def lines(self, most=8, make=None):
        count = self.rng.randrange(1, (SHOWN_LINES if self.easy else most) + 1)
        if make is not None:
            return [make() for _ in range(count)]
        inner = ["" if self.words.chance(0.12) else self.words.line() for _ in range(count - 2)]
        return [self.words.line(), *inner, self.words.line()][:count]

    def shown(self, lines):
        text = "\n".join(line.rstrip() for line in lines[:SHOWN_LINES])
        return text + ("\n(and more)" if len(lines) > SHOWN_LINES else "")

    def numbered(self, lines):
        style = self.rng.randrange(4)
        if style == 0:
            return "\n".join(f"{i:6d}\t{line}" for i, line in enumerate(lines, 1))
        if style == 1:
            return "\n".join(f"{i}\t{line}" for i, line in enumerate(lines, 1))
        if style == 2:
            return "\n".join(f"{i:6d}\u2192{line}" for i, line in enumerate(lines, 1))
        return "\n".join(lines)

    def failure(self):
        w = self.words
        error = w.pick([lambda: f"File does not exist: {w.file()}", lambda: f"{w.word()}: command not found",
                        lambda: f"Permission denied: {w.file()}", lambda: f"no such file or directory: {w.file()}",
                        lambda: f"exit code {w.number()}", lambda: f"File has not been read yet. {w.phrase(2, 4)}.",
                        lambda: f"{w.word()} failed: {w.phrase(2, 4)}"])()
        return "Error: " + error, "That did not work: " + error

    def with_failures(self, pair, share=0.08):
        return self.failure() if self.words.chance(share) else pair

    def read_result(self, path, lines):
        if self.words.chance(0.04):
            return "", f"{path} is empty."
        return self.numbered(lines), f"{path} begins with:\n{self.shown(lines)}"

    def printed(self, lines):
        if not lines:
            result = self.words.pick(["", "(no output)", "(Bash completed with no output)", "Done"])
            return result, "Done. It printed nothing." if result != "Done" else "It printed:\nDone"
        return "\n".join(lines), "It printed:\n" + self.shown(lines)

    def do_read(self, box):
        path = self.words.file()
        request = self.phrase(PHRASES["read"], "read", p=self.quote(path, 0.6))
        result, answer = self.with_failures(self.read_result(path, self.lines()))
        return self.finish(box, request, "read", [path], result, answer, "read", f"cat {path}")

    def do_first_line(self, box):
        path = self.words.file()
        request = self.phrase(PHRASES["first_line"], "first_line", p=self.quote(path, 0.6))
        lines = self.lines(5)
        pair = self.numbered(lines), f"The first line of {path} is: {lines[0].strip()}"
        result, answer = self.with_failures(pair)
        return self.finish(box, request, "read", [path], result, answer, "first_line", f"head -n 1 {path}")

    def do_list(self, box):
        folder = self.words.folder()
        request = self.phrase(PHRASES["list"], "list", d=self.quote(folder, 0.6))
        names = self.lines(7, lambda: self.words.stem() + self.words.pick(["/", ".py", ".md", ".js", ".txt", ".cc", ""]))
        pair = ("\n".join(names), f"{folder} has:\n{self.shown(names)}") if self.words.chance(0.95) else ("", f"{folder} is empty.")
        result, answer = self.with_failures(pair)
        return self.finish(box, request, "list", [folder], result, answer, "list", f"ls {folder}")

    def do_search(self, box):
        needle = self.words.needle()
        request = self.phrase(PHRASES["search"], "search", n=self.quote(needle, 0.0 if " " in needle else 0.5))
        found = self.lines(6, lambda: f"{self.words.file()}:{self.rng.randrange(1, 400)}:{self.words.identifier()} {needle}")
        if self.words.chance(0.15):
            result, answer = self.words.pick(["", "No matches found", "No files found"]), f"I found no {needle}."
        else:
            result, answer = self.with_failures(("\n".join(found), f"I found {needle} here:\n{self.shown(found)}"))
        return self.finish(box, request, "search", [needle], result, answer, "search", f'grep -rn "{needle}" .')

    def do_find(self, box):
        glob = self.words.glob() if self.words.chance(0.7) else self.words.stem() + "." + self.words.pick(["py", "md", "js"])
        request = self.phrase(PHRASES["find"], "find", n=self.quote(glob, 0.6))
        found = self.lines(6, self.words.file)
        if self.words.chance(0.15):
            result, answer = self.words.pick(["", "No files found"]), f"No file matches {glob}."
        else:
            result, answer = self.with_failures(("\n".join(found), f"These files match {glob}:\n{self.shown(found)}"))
        return self.finish(box, request, "find", [glob], result, answer, "find", f"find . -name '{glob}'")

    def shell(self, box, request, command, lines, kind):
        result, answer = self.with_failures(self.printed(lines))
        return self.finish(box, request, "run", [command], result, answer, kind)

    def do_run(self, box):
        command = self.words.command()
        self.is_bare_end = True
        request = self.phrase(PHRASES["run"], "run", c=self.quote(command, 0.55))
        return self.shell(box, request, command, self.lines(6) if self.words.chance(0.8) else [], "run")

    def do_fixed(self, box):
        command = self.words.pick(list(FIXED_COMMANDS))
        request = self.phrase(FIXED_COMMANDS[command])
        if command == "ls" and "list" in box.by_job:
            names = self.lines(7, lambda: self.words.stem())
            result, answer = "\n".join(names), f". has:\n{self.shown(names)}"
            return self.finish(box, request, "list", ["."], result, answer, "fixed")
        return self.shell(box, request, command, self.lines(6), "fixed")

    def do_lines(self, box):
        path = self.words.file()
        count = self.words.number()
        request = self.phrase(PHRASES["lines"], "lines", p=self.quote(path, 0.6))
        result, answer = self.with_failures((f"{count} {path}", f"{path} has {count} lines."))
        return self.finish(box, request, "run", [f"wc -l {path}"], result, answer, "lines")

    def quiet(self, box, kind, command, request, answer):
        result, answer = self.with_failures((self.words.pick(["", "(no output)", "(Bash completed with no output)"]), answer))
        return self.finish(box, request, "run", [command], result, answer, kind)

    def do_delete(self, box):
        path = self.words.file()
        request = self.phrase(PHRASES["delete"], "delete", p=self.quote(path, 0.6))
        return self.quiet(box, "delete", f"rm {path}", request, f"Done: {path} is gone.")

    def do_mkdir(self, box):
        folder = self.words.folder()
        request = self.phrase(PHRASES["mkdir"], "mkdir", d=self.quote(folder, 0.6))
        return self.quiet(box, "mkdir", f"mkdir -p {folder}", request, f"Done: {folder} is there.")

    def two_paths(self, box, kind, command, done):
        path, other = self.words.file(), self.words.file()
        request = self.phrase(PHRASES[kind], kind, p=self.quote(path, 0.6), q=self.quote(other, 0.6))
        return self.quiet(box, kind, f"{command} {path} {other}", request, f"Done: {path} is {done} {other}.")

    def do_move(self, box):
        return self.two_paths(box, "move", "mv", "now")

    def do_copy(self, box):
        return self.two_paths(box, "copy", "cp", "copied to")

    def do_write(self, box):
        path, content = self.words.file(), self.words.content()
        self.is_bare_end = True
        request = self.phrase(PHRASES["write"], "write", p=self.quote(path, 0.7), c=self.quote(content, 0.1))
        result = self.words.pick([f"File created successfully at: {path}", "ok",
                                  f"File created successfully at: {path} (file state is current in your context \u2014 no need to Read it back)", f"Wrote {self.words.number()} bytes to {path}", "Success",
                                  f"The file {path} has been written.", ""])
        result, answer = self.with_failures((result, f"Done: I wrote {path}."))
        return self.finish(box, request, "write", [path, content], result, answer, "write")

    def do_edit(self, box):
        path, old, new = self.words.file(), self.words.needle(), self.words.needle()
        self.is_bare_end = True
        quoted = self.words.chance(0.6)
        bare = 0.0 if quoted else 1.0
        request = self.phrase(PHRASES["edit"], "edit", p=self.quote(path, 0.7),
                              o=self.quote(old, 0.0 if " " in old else bare), w=self.quote(new, 0.0 if " " in new else bare))
        result = self.words.pick([f"The file {path} has been updated.", "ok", f"The file {path} has been updated successfully.",
                                  f"The file {path} has been updated successfully. (file state is current in your context \u2014 no need to Read it back)", f"Replaced 1 occurrence in {path}", "Success", ""])
        result, answer = self.with_failures((result, f"Done: I changed {path}."))
        return self.finish(box, request, "edit", [path, old, new], result, answer, "edit")


def cut(text, limit=RESULT_CHARS):
    return text.rstrip()[:limit]
