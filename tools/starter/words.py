"""Names, paths, commands and texts for the dialogues.

Every pool is cut in two by a hash of the word: what the held-out evaluation draws from is never
trained on.
"""
import random
import zlib

ENGLISH = """account action adapter agent alarm album alias amber anchor apple archive arrow article asset atlas
auth badge banana barrel base basket batch beacon bench berry binary bishop block board border bottle branch
bridge broker bucket buffer builder bundle button cabin cache camera canal candle canvas carbon cargo castle
catalog channel chapter charge chart cherry circle client clock cloud cluster coast codec coffee column comet
command common compass config contract copper core corner counter cover cradle crystal cursor cycle dagger
data dealer decoder delta desert device diary digest dinner dock doctor domain dragon driver eagle echo
editor ember encoder engine entry error event export factory falcon feather fence field figure filter finger
flag flame fleet flight floor flower folder forest format frame friend frost galaxy garden gate ghost glacier
globe golden grammar granite graph guard guide hammer handler harbor header helper history hotel house image
import index input insect invoice island item jacket jungle kernel kettle kitchen label ladder lantern laser
layer layout lemon lesson letter level library limit linker list lizard loader local locker logger lookup
magnet manager maple marble market master matrix meadow member memory merge meteor method metric mirror mixer
model module monitor motor mount museum music needle nest network night node note number object ocean olive
option orbit orchid order output oxygen packet page paint palace panel paper parcel parser patch pattern peach
pepper pepper phone piano picture pilot pipe planet plugin pocket policy pool portal prefix printer profile
proxy puzzle python quarry query queue rabbit radar radio random reader record report request resource result
review ribbon river robot rocket router runner saddle sample scanner schema screen script search section
sensor server session shader shadow shell signal silver sketch socket source spider spline sprite stack stage
station status storage stream string summer switch symbol syntax system table target task temple tensor theme
thread ticket tiger timer token tower tracker trader train tree tunnel turtle update upload user utils valley
value vector velvet vendor version viewer violin vision volume wagon walker wallet water weather widget window
winter wizard worker writer yellow zebra zipper""".split()

ONSETS = "b bl br c ch cl cr d dr f fl fr g gl gr h j k kl l m n p pl pr qu r s sh sk sl sp st t th tr v w z".split()
VOWELS = "a e i o u ai ea ee oo ou".split()
CODAS = ["", "", "", "b", "ck", "d", "f", "g", "l", "m", "n", "nd", "ng", "nt", "p", "r", "rk", "s", "st", "t", "x"]

PUNCTUATION = "!\"#$%&'()*+,-./:;=?@[\\]^_`{|}~"
BEYOND_ASCII = ("\u00e4\u00e9\u00f1\u00f8\u00df\u00e7\u00e0\u00fc\u20ac\u00a3\u00b0\u2013\u2014\u2026\u201c\u201d"
                "\u2192\u2190\u2713\u2717\u2022\u4f60\u597d\u3053\u3093\u306b\u3061\u306f\u041f\u0440\u0438\u0432"
                "\u0435\u0442\U0001f642\U0001f916\u2502\u2514\u251c\u2500")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
EXTENSIONS = "py js ts md txt json yaml toml cc cpp h hpp c rs go java rb sh css html csv sql xml ini cfg log lua".split()
FOLDERS = "src lib docs test tests app bin include scripts tools data pkg cmd internal core web api examples".split()
FIXED_FILES = ["README.md", "Makefile", "LICENSE", "package.json", "Cargo.toml", "go.mod", "CMakeLists.txt",
               "Dockerfile", ".gitignore", "setup.py", "pyproject.toml", "CHANGELOG.md", "main.py", "index.html",
               "main.cc", "hello.txt", "notes.txt", "todo.md", "app.js", "requirements.txt"]


def is_held_out(word):
    return zlib.crc32(word.lower().encode()) % 8 == 0


class Words:
    """Draws from one side of the cut; the same seed gives the same words."""

    def __init__(self, rng, held_out, pieces=()):
        self.rng = rng
        self.pieces = pieces  # tokens that are letters
        self.held_out = held_out

    def pick(self, items):
        return items[self.rng.randrange(len(items))]

    def chance(self, share):
        return self.rng.random() < share

    def word(self):
        while True:
            word = self.pick(ENGLISH) if self.chance(0.4) else self.invented()
            if is_held_out(word) == self.held_out:
                return word

    def invented(self):
        """A word nobody has seen: of syllables, of any letters, or of any tokens of the vocabulary.

        The last two make copying independent of which tokens are copied.
        """
        kind = self.rng.random()
        if kind < 0.15:
            return "".join(self.pick(LETTERS) for _ in range(self.pick([2, 3, 4, 5, 6, 7])))
        if kind < 0.5 and self.pieces:
            return "".join(self.pick(self.pieces) for _ in range(self.pick([1, 1, 2, 2, 3])))
        return "".join(self.pick(ONSETS) + self.pick(VOWELS) + self.pick(CODAS)
                       for _ in range(self.pick([1, 2, 2, 2, 3])))

    def number(self):
        return str(self.rng.randrange(self.pick([10, 100, 1000, 10000, 100000])))

    def identifier(self):
        words = [self.word() for _ in range(self.pick([1, 1, 2, 2, 3]))]
        style = self.rng.randrange(5)
        if style == 0:
            return words[0] + "".join(w.capitalize() for w in words[1:])
        if style == 1:
            return "".join(w.capitalize() for w in words)
        if style == 2:
            return "_".join(words).upper()
        if style == 3:
            return "_".join(words) + (self.number() if self.chance(0.2) else "")
        return "_".join(words)

    def stem(self):
        words = [self.word() for _ in range(self.pick([1, 1, 1, 2, 2, 3]))]
        stem = self.pick(["_", "_", "-", "-", "."]).join(words)
        if self.chance(0.1):
            stem = stem.capitalize()
        if self.chance(0.04):
            stem = stem.upper()
        if self.chance(0.15):
            stem += self.pick(["", "_", "-"]) + self.number()
        return stem

    def folder(self):
        parts = [self.pick(FOLDERS) if self.chance(0.4) else self.stem()
                 for _ in range(self.pick([1, 1, 1, 2, 2, 3]))]
        path = "/".join(parts)
        style = self.rng.randrange(12)
        if style == 0:
            return "./" + path
        if style == 1:
            return "/" + self.pick(["home", "tmp", "var", "opt", "usr"]) + "/" + path
        if style == 2:
            return "../" + path
        return path

    def file(self):
        if self.chance(0.12 if not self.held_out else 0.0):
            return self.pick(FIXED_FILES)
        name = self.stem() + "." + self.pick(EXTENSIONS)
        return self.folder() + "/" + name if self.chance(0.55) else name

    def glob(self):
        ext = self.pick(EXTENSIONS)
        return self.pick(["*." + ext, "**/*." + ext, self.word() + "*", "*" + self.word() + "*",
                          self.folder() + "/*." + ext, "*_" + self.word() + "." + ext])

    def phrase(self, least=1, most=6):
        words = [self.word() for _ in range(self.rng.randrange(least, most + 1))]
        if self.chance(0.2):
            words[0] = words[0].capitalize()
        if self.chance(0.1):
            words.append(self.number())
        return " ".join(words)

    def needle(self):
        """Something to search for or to replace: no spaces mostly."""
        return self.pick([self.identifier, self.identifier, self.identifier, self.number, self.word,
                          lambda: self.phrase(2, 3), lambda: self.identifier() + "()",
                          lambda: self.identifier() + "." + self.identifier(),
                          lambda: self.word().upper()])()

    def line(self):
        """A line of a file or of a program's output."""
        w = self
        return self.pick([
            lambda: w.phrase(2, 7), lambda: "# " + w.phrase(1, 4), lambda: "import " + w.identifier(),
            lambda: f"{w.identifier()} = {w.number()}", lambda: f"def {w.identifier()}({w.word()}):",
            lambda: f'{w.identifier()}("{w.phrase(1, 3)}")', lambda: f"- {w.phrase(1, 5)}",
            lambda: f"{w.word()}: {w.phrase(1, 3)}", lambda: f"#include <{w.word()}.h>",
            lambda: f"    return {w.identifier()}", lambda: f"// {w.phrase(2, 5)}",
            lambda: f"const {w.identifier()} = {w.number()};", lambda: f"{w.word()},{w.word()},{w.number()}",
            lambda: f"{w.number()} {w.phrase(1, 3)}", lambda: f"[{w.word()}]", lambda: w.phrase(3, 8) + ".",
            lambda: f"| {w.word()} | {w.phrase(1, 2)} |", lambda: f"{w.word()} | {w.word()} {w.word()}", lambda: f"* {w.phrase(1, 5)}",
            lambda: f'"{w.word()}": "{w.word()}",', lambda: f"<{w.word()} {w.word()}=\"{w.word()}\">", lambda: f"${w.word().upper()}",
            lambda: f"{w.word()}@{w.word()}.com", lambda: f"https://{w.word()}.org/{w.word()}/{w.number()}", lambda: w.noise(),
            lambda: f"{w.rng.randrange(24):02}:{w.rng.randrange(60):02}:{w.rng.randrange(60):02} {w.phrase(1, 3)}", lambda: w.noise(),
            lambda: f"## {w.phrase(1, 3).capitalize()}", lambda: f"{w.phrase(3, 7).capitalize()}.", lambda: f"if {w.word()} == {w.number()} && {w.word()}:",
            lambda: f"total {w.number()}", lambda: f"[{w.number()}%] {w.phrase(1, 3)}", lambda: f"-rw-r--r-- 1 {w.word()} {w.word()} {w.number()} {w.stem()}",
            lambda: w.file(), lambda: f"ok {w.number()} - {w.word()}", lambda: f"  {w.word()} {w.number()}",
        ])()

    def noise(self):
        """Words between marks of any kind, now and then beyond ASCII."""
        marks = PUNCTUATION if self.chance(0.8) else BEYOND_ASCII
        parts = [self.word()]
        for _ in range(self.rng.randrange(1, 5)):
            parts.append("".join(self.pick(marks) for _ in range(self.pick([1, 1, 2]))))
            parts.append(self.word())
        return self.pick(["", " "]).join(parts)

    def content(self):
        """One line to write into a file."""
        w = self
        return self.pick([
            lambda: w.phrase(1, 6), lambda: w.phrase(1, 4), lambda: f"{w.identifier()} = {w.number()}",
            lambda: f'print("{w.phrase(1, 3)}")', lambda: f"# {w.phrase(1, 4)}", lambda: w.number(),
            lambda: f"{w.word()}: {w.word()}", lambda: w.phrase(2, 5) + ".", lambda: f"import {w.word()}",
            lambda: f"Hello, {w.word()}!", lambda: "hello world" if not w.held_out else "hello " + w.word(),
        ])()

    def command(self):
        w = self
        return self.pick([
            lambda: f"npm run {w.word()}", lambda: "npm install " + w.stem(), lambda: f"make {w.word()}",
            lambda: f"python3 {w.file()}", lambda: f"python3 -m {w.word()} --{w.word()} {w.number()}",
            lambda: f"cargo run --bin {w.word()}", lambda: f"go test ./{w.word()}/...", lambda: f"git add {w.file()}",
            lambda: f"git checkout -b {w.stem()}", lambda: f"git log -n {w.number()}", lambda: f"ls -la {w.folder()}",
            lambda: f"echo {w.phrase(1, 3)}", lambda: f"./{w.stem()}.sh", lambda: f"./{w.word()} --{w.word()}={w.word()}",
            lambda: f"docker run {w.word()}", lambda: f"pip install {w.word()}", lambda: f"{w.word()} {w.word()}",
            lambda: f"{w.word()} --{w.word()}", lambda: f"pytest {w.folder()}", lambda: f"node {w.file()}",
            lambda: f"head -n {w.number()} {w.file()}", lambda: f"tail {w.file()} | grep {w.word()}",
            lambda: f"cd {w.folder()} && make", lambda: f"touch {w.file()}", lambda: f"du -sh {w.folder()}",
            lambda: f"chmod +x {w.file()}", lambda: f"sort {w.file()} > {w.file()}", lambda: f"kill {w.number()}",
            lambda: f"git commit -m \"{w.phrase(1, 4)}\"", lambda: f"diff {w.file()} {w.file()}",
        ])()
