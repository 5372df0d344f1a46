"""Each header compiles alone, as C11 and as C++17."""

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from meta.source import REPO, blank, sources

COMPILERS = {"C11": ["gcc", "-std=c11", "-xc"], "C++17": ["g++", "-std=c++17", "-xc++"]}
FLAGS = ["-fsyntax-only", "-Wall", "-Werror"]
INNER = ["-D_POSIX_C_SOURCE=200809L", "-D_DEFAULT_SOURCE", f"-I{REPO}/src", f"-I{REPO}/include"]
PUBLIC = ["-Wextra", "-Wpedantic", "-Wundef", "-Wshadow", f"-I{REPO}/include"]  # strict, and nothing defined for it
# Parts of one header that includes exactly one of them; not included by anything else.
PARTS = {
    "src/tensor/cpu/simd_avx2.h": "tensor/cpu/simd.h",
    "src/tensor/cpu/simd_avx512.h": "tensor/cpu/simd.h",
    "src/tensor/cpu/simd_plain.h": "tensor/cpu/simd.h",
}


def compile_alone(language, header, flags=INNER, more=""):
    code = f'#include "{header}"\n#include "{header}"\n{more}'  # twice: guards
    command = COMPILERS[language] + FLAGS + flags + ["-"]
    return subprocess.run(command, input=code, capture_output=True, text=True)


@pytest.mark.parametrize("language", COMPILERS)
def test_headers_compile_alone(language):
    assert shutil.which(COMPILERS[language][0]), "compiler missing: make deps; tools/deps.sh test"
    paths = [path for path in sources(".h") if str(path) not in PARTS]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda path: compile_alone(language, path.relative_to("src")), paths)
        failed = {str(path): done.stderr[:800] for path, done in zip(paths, results) if done.returncode}
    assert not failed, "\n".join(f"{path} as {language}:\n{text}" for path, text in failed.items())


@pytest.mark.parametrize("language", COMPILERS)
def test_public_header_compiles_alone(language):
    """What a user of the installed library compiles, initialisers included; inner headers are out of reach."""
    headers = sources(".h", under="include")
    assert [str(path) for path in headers] == ["include/fakenews/fakenews.h"]
    more = "static const fakenews_session_options o = FAKENEWS_SESSION_OPTIONS_INIT;\nconst void *use(void);\n"
    done = compile_alone(language, "fakenews/fakenews.h", PUBLIC, more + "const void *use(void) { return &o; }\n")
    assert done.returncode == 0, done.stderr
    assert compile_alone(language, "infer/infer.h", PUBLIC).returncode


def test_public_names_have_the_prefix():
    text = blank((REPO / "include/fakenews/fakenews.h").read_text())
    names = set(re.findall(r"^\s*#\s*define\s+(\w+)", text, re.MULTILINE))
    names |= set(re.findall(r"\b(?:struct|enum)\s+(\w+)", text)) | set(re.findall(r"\b(\w+)\(", text))
    allowed = re.compile(r"fakenews_|FAKENEWS_|__attribute__$|visibility$|sizeof$|defined$")
    assert len(names) > 20 and not [name for name in names if not allowed.match(name)]


def test_parts_have_one_user():
    for part, whole in PARTS.items():
        name = f'"{part.removeprefix("src/")}"'
        assert [str(p) for p in sources(".c", ".h") if name in (REPO / p).read_text()] == [f"src/{whole}"]


@pytest.mark.parametrize("language", COMPILERS)
def test_header_that_leans_on_another_is_refused(language, tmp_path):
    header = tmp_path / "bad.h"
    header.write_text("static inline size_t twice(size_t n) { return 2 * n; }\n")
    assert compile_alone(language, header).returncode
