"""Every declared option is read by code, and documented.

How it is found out: a copy of each options.h in which every member of the options struct is marked deprecated shadows the
original, all sources are compiled with it (syntax only), and the compiler lists the uses."""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from meta.source import REPO, blank, sources

FLAGS = ["-std=c17", "-fsyntax-only", "-Wno-all", "-Wdeprecated-declarations", "-fno-diagnostics-show-caret",
         "-D_POSIX_C_SOURCE=200809L", "-D_DEFAULT_SOURCE", "-D_FILE_OFFSET_BITS=64"]  # fmt: skip
ADDRESS = "(size_t) & ((type *)0)->member"
MEMBER = re.compile(r"^(\s+)((?:const\s+)?[\w ]+?[\s*]+)((?:\w+(?:\s*,\s*\*?)?)+);", re.MULTILINE)


def mark(text):
    """The header with each member of fn_*_options marked; the set of (struct, member)."""
    members = set()

    def struct(match):
        name = match.group(1)

        def member(m):
            names = re.findall(r"\w+", m.group(3))
            members.update((name, n) for n in names)
            return "".join(f'{m.group(1)}{m.group(2)}{n} __attribute__((deprecated("READ {name} {n}")));' for n in names)

        return match.group(0).replace(match.group(2), MEMBER.sub(member, match.group(2)))

    return re.sub(r"struct (fn_\w+_options) \{(.*?)^\}", struct, blank(text, strings=False), flags=re.DOTALL | re.MULTILINE), members


def uses(files, include, offsetof="0"):
    """(struct, member) that the C files read, compiled with the marked headers in `include` before src/. The tables use
    offsetof: as 0 they use nothing, as an address they use every member that they declare."""
    prelude = include / "prelude.h"
    prelude.write_text(f"#include <stddef.h>\n#undef offsetof\n#define offsetof(type, member) ({offsetof})\n")

    def compile_one(path):
        done = subprocess.run(["gcc", *FLAGS, f"-include{prelude}", f"-I{include}", f"-I{REPO}/src", f"-I{REPO}/include",
                               *definitions(path), path], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[:2000]
        return set(re.findall(r"READ (\w+) (\w+)", done.stderr))

    with ThreadPoolExecutor() as pool:
        return set().union(*pool.map(compile_one, files))


def definitions(path):
    return ['-DFN_VERSION="0"', '-DFN_REVISION="0"', '-DFN_DATE="0"', '-DFN_BUILD_TYPE="x"'] if "/cli/" in str(path) else []


def test_every_option_is_read(tmp_path):
    headers = [p for p in sources(".h") if p.name == "options.h"]
    assert len(headers) >= 3
    members = set()
    for path in headers:
        text, found = mark((REPO / path).read_text())
        assert found, f"{path}: no struct fn_…_options found"
        members |= found
        copy = tmp_path / path.relative_to("src")
        copy.parent.mkdir(parents=True)
        copy.write_text(text)
    readers = [REPO / p for p in sources(".c") if "options" in (REPO / p).read_text()]
    unread = members - uses(readers, tmp_path)
    assert not unread, "options that no code reads: " + ", ".join(f"{s}.{m}" for s, m in sorted(unread))
    tables = [REPO / p for p in sources(".c") if p.name == "options.c"]
    undeclared = members - uses(tables, tmp_path, ADDRESS)
    assert not undeclared, "members that no table declares: " + ", ".join(f"{s}.{m}" for s, m in sorted(undeclared))


def test_unread_option_is_noticed(tmp_path):
    header = "typedef struct fn_x_options {\n  int used; /* a */\n  const char *idle, *lost;\n} fn_x_options;\n"
    text, members = mark(header)
    assert members == {("fn_x_options", m) for m in ("used", "idle", "lost")}
    (tmp_path / "x.h").write_text(text)
    (tmp_path / "x.c").write_text("""#include <stddef.h>
#include "x.h"
int f(const fn_x_options *o) { return o->used; }
size_t g(void) { return offsetof(fn_x_options, lost); }
""")
    assert uses([tmp_path / "x.c"], tmp_path) == {("fn_x_options", "used")}
    assert uses([tmp_path / "x.c"], tmp_path, ADDRESS) == {("fn_x_options", "used"), ("fn_x_options", "lost")}


def test_options_are_documented(fakenews, repo):
    done = fakenews("config", "options", "--markdown")
    assert done.code == 0, done
    document = repo / "docs/options.md"
    assert document.exists() and document.read_text() == done.stdout, "docs/options.md is stale: run `make docs`"
    keys = re.findall(r"^\| `([a-z0-9_.]+)`", done.stdout, re.MULTILINE)
    assert len(keys) > 40 and len(keys) == len(set(keys))
