"""Reading C sources for the checks of this folder: no compiler, just enough of a lexer to tell code from comments."""

import re
import subprocess
from functools import cache
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]

# Lowest first; a folder includes only itself and what stands before it (docs/design.md, "The map").
LAYERS = ["base", "config", "net", "store", "sql", "text", "data", "tensor", "model", "eval", "linear", "audit", "train", "infer", "track", "mlflow", "wandb", "registry", "monitor", "report", "serve", "lib", "cli"]

TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def blank(text, strings=True):
    """The code with comments (and the inside of strings) replaced by spaces; lines and columns stay."""

    def spaces(match):
        token = match.group()
        if token[0] in "\"'" and not strings:
            return token
        keep = 1 if token[0] in "\"'" else 0
        inside = re.sub(r"[^\n]", " ", token[keep : len(token) - keep])
        return token[:keep] + inside + token[len(token) - keep :]

    return TOKEN.sub(spaces, text)


@cache
def tracked():
    """Files of the repository that git tracks or would track, relative to its root."""
    done = subprocess.run(["git", "-C", REPO, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                          capture_output=True, check=True)
    return [Path(p) for p in sorted(set(done.stdout.decode().split("\0"))) if p and (REPO / p).is_file()]


def sources(*suffixes, under="src"):
    return [p for p in tracked() if p.suffix in suffixes and p.parts[0] == under]


def read(path):
    return (REPO / path).read_text(encoding="utf-8")


def generated(text):
    """Tables made by a script say so in their first line."""
    return "enerated" in text[:400]


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def functions(text):
    """(name, first line, last line) of each function body at the left margin: from its signature to the closing brace."""
    code = blank(text)
    for match in re.finditer(r"^(?=[A-Za-z_])[^;{}#=]*?\b(\w+)\([^;{}]*\)\s*\{$", code, re.MULTILINE):
        end = code.find("\n}", match.end())
        if end >= 0:
            yield match.group(1), line_of(code, match.start()), line_of(code, end + 1)
