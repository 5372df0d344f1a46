"""The installed C library: what it shows and needs, the consumer project, the Python example, locales, the bundled model."""

import ctypes
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from infer_support import make_models

# What a process that embeds the library loads with it: the C library, and
#   libjansson  values of the JSON in a model's header and config.json
#   libxxhash   checksums of models, hashes of n-grams
LIBRARY_NEEDS = {"libc.so.6", "libm.so.6", "libjansson.so.4", "libxxhash.so.0"}
# The program also reads settings (YAML) and gzip.
PROGRAM_NEEDS = LIBRARY_NEEDS | {"libyaml-0.so.2", "libz.so.1"}
WARNINGS = "-Wall -Wextra -Wpedantic -Werror"


def run(*command, **more):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **more)
    assert done.returncode == 0, f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def prefix(program, tmp_path_factory, installing):
    """`make install` below DESTDIR, then moved: nothing may depend on where it was built or installed."""
    staging, place = tmp_path_factory.mktemp("staging"), tmp_path_factory.mktemp("place") / "usr"
    with installing():
        run("cmake", "--install", program.parent, "--prefix", "/opt/fakenews",
            env={**os.environ, "DESTDIR": str(staging)})
    shutil.move(staging / "opt/fakenews", place)
    bundled = place / "share/fakenews/default.fnm"
    bundled.unlink(missing_ok=True)
    return place


@pytest.fixture(scope="module")
def model(program, tmp_path_factory):
    """A packed file with both halves."""
    folder = tmp_path_factory.mktemp("model")
    data, runs = make_models(program, folder)
    run(program, "quantize", "--model", runs["bert"], "--linear", runs["linear"], "--data", data, "--out", folder / "x.fnm",
        cwd=folder)
    return folder / "x.fnm"


@pytest.fixture(scope="module")
def articles(repo):
    return sorted((repo / "examples/articles").glob("*.txt"))


@pytest.fixture(scope="module")
def expected(program, model, articles, tmp_path_factory):
    """What the examples print for the articles, by the program's own answers."""
    lines = run(program, "predict", "--model", model, *articles, "--format", "jsonl", cwd=tmp_path_factory.mktemp("x"))
    rows = [json.loads(line) for line in lines.splitlines()]
    assert len(rows) == len(articles) == 3
    return [[str(path), row["verdict"], f'{row["probabilities"]["fake"]:.6f}', ",".join(row["reasons"])]
            for path, row in zip(articles, rows)]


def environment(prefix, **more):
    return {"PATH": os.environ["PATH"], "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig"),
            "LD_LIBRARY_PATH": str(prefix / "lib"), **more}  # fmt: skip


def table(text):
    return [line.split("\t") for line in text.splitlines()]


# ---- what it shows and needs


def declared(repo):
    header = (repo / "include/fakenews/fakenews.h").read_text()
    code = re.sub(r"/\*.*?\*/|^\s*#(?:\\\n|[^\n])*", "", header, flags=re.DOTALL | re.MULTILINE)
    return set(re.findall(r"\bfakenews_\w+(?=\()", code))


def defined(*command):
    return {line.split()[-1].split("@")[0] for line in run("nm", *command).splitlines() if line and not line.endswith(":")}


def test_shows_the_header_and_nothing_else(prefix, repo):
    functions = declared(repo)
    assert len(functions) >= 10
    assert defined("-D", "--defined-only", prefix / "lib/libfakenews.so.0") - {"FAKENEWS_0"} == functions
    assert defined("-g", "--defined-only", prefix / "lib/libfakenews.a") == functions


def needed(path):
    return set(re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", path)))


def test_needs_only_what_is_listed(prefix):
    library = prefix / "lib/libfakenews.so.0"
    assert "[libfakenews.so.0]" in run("readelf", "-d", library)
    assert needed(library) <= LIBRARY_NEEDS
    assert needed(prefix / "bin/fakenews") <= PROGRAM_NEEDS  # nor does it need libfakenews: it is linked statically
    undefined = run("nm", "-g", "--undefined-only", prefix / "lib/libfakenews.a")
    assert not re.search(r"\b(getenv|secure_getenv|exit|abort|printf|puts|perror|signal|sigaction|__printf_chk)$",
                         undefined, re.MULTILINE)


def test_layout(prefix, program):
    files = {str(p.relative_to(prefix)) for p in prefix.rglob("*")}
    assert {"include/fakenews/fakenews.h", "lib/libfakenews.so", "lib/libfakenews.so.0", "lib/libfakenews.a",
            "lib/pkgconfig/fakenews.pc", "share/doc/fakenews/examples/consumer/classify.c",
            "share/doc/fakenews/examples/python/classify.py"} <= files  # fmt: skip
    version = run(program, "--version").split()[1]
    assert f"lib/libfakenews.so.{version}" in files
    assert run("pkg-config", "--modversion", "fakenews", env=environment(prefix)).strip() == version
    shared = run("pkg-config", "--libs", "fakenews", env=environment(prefix))
    assert "-lfakenews" in shared and "-ljansson" not in shared
    static = run("pkg-config", "--static", "--libs", "fakenews", env=environment(prefix)).split()
    assert {"-lfakenews", "-ljansson", "-lxxhash", "-lm"} <= set(static)


# ---- the consumer project


def build_with_cmake(repo, prefix, folder):
    run("cmake", "-B", folder / "build", "-S", prefix / "share/doc/fakenews/examples/consumer", f"-DCMAKE_C_FLAGS={WARNINGS}",
        env=environment(prefix))
    run("cmake", "--build", folder / "build", env=environment(prefix))
    return folder / "build/classify"


def build_with_make(repo, prefix, folder, link=""):
    shutil.copytree(repo / "examples/consumer", folder / "make")
    run("make", "-C", folder / "make", f"CFLAGS={WARNINGS} -std=c11 -D_POSIX_C_SOURCE=200809L", f"LINK={link}",
        env=environment(prefix))
    return folder / "make/classify"


@pytest.mark.parametrize("how", ["cmake", "make", "static"])
def test_consumer(how, repo, prefix, model, articles, expected, tmp_path):
    if how == "cmake":
        classify = build_with_cmake(repo, prefix, tmp_path)
    else:
        classify = build_with_make(repo, prefix, tmp_path, "--static" if how == "static" else "")
        # beside the shared library the linker prefers that; alone the archive is taken
        if how == "static":
            os.unlink(classify)
            alone = tmp_path / "alone"
            shutil.copytree(prefix, alone, symlinks=True)
            for path in (alone / "lib").glob("*.so*"):
                path.unlink()
            run("make", "-C", classify.parent, "LINK=--static", env=environment(alone))
            assert "libfakenews.so.0" not in needed(classify)
    env = environment(prefix) if how != "static" else {}
    done = subprocess.run([classify, "--model", model, *articles], capture_output=True, text=True, env=env)
    assert done.returncode == 0 and table(done.stdout) == expected, done
    assert re.fullmatch(r"libfakenews \S+, model \S+@[0-9a-f]{12}\n", done.stderr)
    done = subprocess.run([classify, "--model", model, articles[0], "/dev/null"], capture_output=True, text=True, env=env)
    assert done.returncode == 1 and table(done.stdout) == expected[:1] and "nothing to classify" in done.stderr
    done = subprocess.run([classify, "--model", tmp_path / "no.fnm", articles[0]], capture_output=True, text=True, env=env)
    assert done.returncode == 2 and "no.fnm" in done.stderr and done.stdout == ""


def test_bundled_model_is_found_beside_the_library(repo, prefix, model, articles, expected, tmp_path):
    classify = build_with_cmake(repo, prefix, tmp_path)
    place = tmp_path / "else/where"
    shutil.copytree(prefix, place, symlinks=True)
    done = subprocess.run([classify, *articles], capture_output=True, text=True, env=environment(place))
    assert done.returncode == 2 and f"{place}/share/fakenews/default.fnm" in done.stderr
    (place / "share/fakenews").mkdir(parents=True, exist_ok=True)
    shutil.copy(model, place / "share/fakenews/default.fnm")
    done = subprocess.run([classify, *articles], capture_output=True, text=True, env=environment(place))
    assert done.returncode == 0 and table(done.stdout) == expected, done


def test_program_of_the_guide(repo, prefix, model, tmp_path):
    """docs/library.md's complete program compiles without a warning and answers with the bundled model."""
    source = re.search(r"^```c\n(.*?int main.*?)^```", (repo / "docs/library.md").read_text(), re.DOTALL | re.MULTILINE)[1]
    (tmp_path / "check.c").write_text(source)
    flags = run("pkg-config", "--cflags", "--libs", "fakenews", env=environment(prefix)).split()
    run("gcc", "-std=c11", *WARNINGS.split(), tmp_path / "check.c", "-o", tmp_path / "check", *flags)
    place = tmp_path / "place"
    shutil.copytree(prefix, place, symlinks=True)
    (place / "share/fakenews").mkdir(parents=True, exist_ok=True)
    shutil.copy(model, place / "share/fakenews/default.fnm")
    out = run(tmp_path / "check", env=environment(place))
    assert re.fullmatch(r"(real|fake|unsure), probability of fake [01]\.\d\d\n", out)


def test_from_cxx(prefix, tmp_path):
    (tmp_path / "main.cpp").write_text("""
#include <fakenews/fakenews.h>
#include <cstring>
int main() {
  fakenews_session_options options = FAKENEWS_SESSION_OPTIONS_INIT;
  options.part = FAKENEWS_LINEAR;
  fakenews_error error;
  fakenews_classifier *classifier = nullptr;
  bool refused = fakenews_classifier_open(&classifier, "/nowhere", &error) == FAKENEWS_NOT_FOUND;
  return refused && options.struct_size == sizeof options && std::strstr(error.message, "/nowhere") ? 0 : 1;
}
""")
    flags = run("pkg-config", "--cflags", "--libs", "fakenews", env=environment(prefix)).split()
    run("g++", "-std=c++17", *WARNINGS.split(), tmp_path / "main.cpp", "-o", tmp_path / "main", *flags)
    run(tmp_path / "main", env=environment(prefix))


# ---- Python


def example(prefix):
    path = prefix / "share/doc/fakenews/examples/python/classify.py"
    spec = importlib.util.spec_from_file_location("classify", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, module.load(str(prefix / "lib/libfakenews.so.0"))


def test_python_example(prefix, model, articles, expected):
    script = prefix / "share/doc/fakenews/examples/python/classify.py"
    command = [sys.executable, "-E", script, "--model", model]
    done = subprocess.run([*command, *articles], capture_output=True, text=True, env=environment(prefix))
    assert done.returncode == 0 and done.stderr == "" and table(done.stdout) == expected, done
    done = subprocess.run([*command, articles[0], "/dev/null"], capture_output=True, text=True, env=environment(prefix))
    assert done.returncode == 1 and table(done.stdout) == expected[:1] and "nothing to classify" in done.stderr
    done = subprocess.run([*command[:-1], "/no/model", articles[0]], capture_output=True, text=True, env=environment(prefix))
    assert done.returncode == 2 and "/no/model" in done.stderr


def test_python_threads(prefix, model, articles, expected):
    module, library = example(prefix)
    texts = [(None, path.read_text()) for path in articles]

    def classify(_):
        with module.Classifier(model, library, n_threads=2) as c:
            return [[c.verdict(p), f"{p.probability:.6f}", ",".join(c.reasons(p))] for p in c.classify(texts)]

    with ThreadPoolExecutor(4) as pool:
        assert all(answer == [line[1:] for line in expected] for answer in pool.map(classify, range(8)))


def test_struct_sizes_from_python(prefix, model):
    """A struct that is too short, absurdly long or not there is refused and nothing is written; one of a later version
    is filled and its unknown tail zeroed."""
    module, library = example(prefix)
    with module.Classifier(model, library) as c:
        article = (module.Article * 1)(module.Article(None, 0, b"Some words to read", 18))
        known = ctypes.sizeof(module.Prediction)
        for size in (0, 1, known - 8, 1 << 20, 2**64 - 1):
            space = ctypes.create_string_buffer(b"\x5a" * 4 * known, 4 * known)
            with pytest.raises(module.FakenewsError, match="prediction_size") as refused:
                c.call(library.fakenews_session_classify, space, size, c.session, article, 1)
            assert refused.value.status == "invalid" and space.raw == b"\x5a" * 4 * known
        space = ctypes.create_string_buffer(b"\x5a" * 4 * known, 4 * known)
        c.call(library.fakenews_session_classify, space, known + 16, c.session, article, 1)
        newer = module.Prediction.from_buffer(space)
        assert newer.status == 0 and newer.label in (0, 1) and 0.5 <= newer.label_probability <= 1
        assert space.raw[known : known + 16] == bytes(16) and space.raw[known + 16 :] == b"\x5a" * (3 * known - 16)

        for size in (0, ctypes.sizeof(module.Info) - 8, 1 << 30):
            info = module.Info(n_labels=77)
            with pytest.raises(module.FakenewsError, match="info_size"):
                c.call(library.fakenews_classifier_get_info, ctypes.byref(info), size, c.handle)
            assert info.n_labels == 77

        session = ctypes.c_void_p()
        for size in (0, 4, ctypes.sizeof(module.Options) - 1, 1 << 30):
            options = module.Options(struct_size=size)
            with pytest.raises(module.FakenewsError, match="struct_size"):
                c.call(library.fakenews_session_create, ctypes.byref(session), c.handle, ctypes.byref(options))
        size = ctypes.sizeof(module.Options)
        newer = (ctypes.c_char * 128)()
        ctypes.memmove(newer, ctypes.byref(module.Options(struct_size=128)), size)
        c.call(library.fakenews_session_create, ctypes.byref(session), c.handle, newer)
        library.fakenews_session_destroy(session)
        newer[120] = b"\x01"
        with pytest.raises(module.FakenewsError, match="byte 120") as refused:
            c.call(library.fakenews_session_create, ctypes.byref(session), c.handle, newer)
        assert refused.value.status == "unsupported"


# ---- locales

LOCALE_CHECK = """
import ctypes, locale, runpy, sys
locale.setlocale(locale.LC_ALL, "")
assert locale.localeconv()["decimal_point"] == ",", locale.localeconv()
strtod = ctypes.CDLL(None).strtod
strtod.restype = ctypes.c_double
assert strtod(b"1,5", None) == 1.5
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("name", ["de_DE", "tr_TR"])
def test_locale_has_no_say(name, prefix, program, model, articles, expected, tmp_path):
    """Numbers with a comma, and an i without its dot: the process has the locale, answers are the same."""
    run("localedef", "-i", name, "-f", "UTF-8", tmp_path / f"{name}.UTF-8")
    env = environment(prefix, LOCPATH=str(tmp_path), LC_ALL=f"{name}.UTF-8")
    script = prefix / "share/doc/fakenews/examples/python/classify.py"
    directory = model.parent / "bert"
    out = run(sys.executable, "-E", "-c", LOCALE_CHECK, script, "--model", model, *articles, env=env)
    assert table(out) == expected
    here = run(sys.executable, "-E", script, "--model", directory, *articles, env=environment(prefix))
    assert run(sys.executable, "-E", "-c", LOCALE_CHECK, script, "--model", directory, *articles, env=env) == here
