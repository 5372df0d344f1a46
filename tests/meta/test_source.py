"""House rules that a script can check. Each check is a function over (path, text), so that the last test of a group can
show that it refuses what it should."""

import re
from pathlib import Path

import pytest
from meta.source import LAYERS, REPO, blank, functions, generated, line_of, read, sources, tracked

MAX_FILE_LINES, MAX_FUNCTION_LINES = 1000, 80
MAX_TRACKED_BYTES = 8_500_000


def refuse(problems):
    assert not problems, "\n" + "\n".join(problems)


# ---- layers


def layer_problems(path, text):
    folder = Path(path).parts[1]
    for match in re.finditer(r'^\s*#\s*include\s+"([^"]+)"', blank(text, strings=False), re.MULTILINE):
        first, _, rest = match.group(1).partition("/")
        where = f"{path}:{line_of(text, match.start())}: "
        if not rest:
            yield where + f'include "{match.group(1)}" by its path from src/ ("{folder}/{match.group(1)}")'
        elif first not in LAYERS:
            yield where + f'"{first}" is not a folder of src/; the layers are {" < ".join(LAYERS)}'
        elif LAYERS.index(first) > LAYERS.index(folder):
            yield where + f"{folder} includes {first}, which stands above it: {' < '.join(LAYERS)}"


def cmake_layer_problems(path, text):
    folder = Path(path).parts[1]
    for need in re.findall(r"\bfn_(\w+)", re.sub(r"#.*", "", text)):
        if folder != "cli" and need in LAYERS and LAYERS.index(need) > LAYERS.index(folder):
            yield f"{path}: fn_{folder} needs fn_{need}, which stands above it"


def test_includes_go_down():
    refuse([p for path in sources(".c", ".h") for p in layer_problems(path, read(path))])


def test_targets_need_lower_targets():
    lists = [p for p in tracked() if p.name == "CMakeLists.txt" and p.parts[0] == "src"]
    refuse([p for path in lists for p in cmake_layer_problems(path, read(path))])


def test_every_folder_is_a_layer():
    assert sorted({p.parts[1] for p in sources(".c", ".h")}) == sorted(LAYERS)


def test_upward_include_is_refused():
    assert list(layer_problems("src/base/x.c", '#include "train/train.h"\n'))
    assert list(layer_problems("src/base/x.c", '#include "other.h"\n'))
    assert not list(layer_problems("src/train/x.c", '#include "base/base.h"\n// #include "cli/cli.h"\n'))
    assert list(cmake_layer_problems("src/data/CMakeLists.txt", "fn_folder(data NEEDS fn_model)"))


# ---- functions that must not be called

BANNED = {
    "strcpy": "fn_buf", "strcat": "fn_buf", "strncpy": "memcpy with a checked length", "strncat": "fn_buf",
    "stpcpy": "fn_buf", "sprintf": "snprintf or fn_buf_printf", "vsprintf": "vsnprintf", "gets": "fgets",
    "strtok": "fn_str", "strtok_r": "fn_str", "atoi": "fn_str_to_int64", "atol": "fn_str_to_int64",
    "atoll": "fn_str_to_int64", "atof": "fn_str_to_double", "system": "posix_spawn", "popen": "posix_spawn",
    "alloca": "an arena", "tmpnam": "mkstemp", "tempnam": "mkstemp", "mktemp": "mkstemp", "rand": "fn_rng",
    "srand": "fn_rng", "random": "fn_rng", "drand48": "fn_rng", "setlocale": "nothing: no locale",
    "localtime": "gmtime_r", "gmtime": "gmtime_r", "asctime": "fn_clock_format", "ctime": "fn_clock_format",
    "strerror": "strerror_r", "readdir_r": "fn_dir_list", "longjmp": "fn_status", "setjmp": "fn_status",
}  # fmt: skip
LIBRARY_ONLY = {
    "printf": "prints", "vprintf": "prints", "puts": "prints", "putchar": "prints", "perror": "prints",
    "stdout": "prints", "stderr": "prints", "exit": "ends the process", "_exit": "ends the process",
    "_Exit": "ends the process", "quick_exit": "ends the process", "abort": "ends the process",
    "getenv": "reads the environment", "secure_getenv": "reads the environment", "setenv": "changes the environment",
    "putenv": "changes the environment", "environ": "reads the environment", "signal": "belongs to the process",
    "sigaction": "belongs to the process",
}  # fmt: skip


def call_problems(path, text):
    code = blank(text)
    folder = Path(path).parts[1]
    for match in re.finditer(r"(?<![\w.>])([A-Za-z_]\w*)\s*(?=\()|\b(stdout|stderr|environ)\b", code):
        name = match.group(1) or match.group(2)
        where = f"{path}:{line_of(code, match.start())}: "
        if name in BANNED:
            yield where + f"{name}: use {BANNED[name]}"
        elif folder != "cli" and name in LIBRARY_ONLY:
            yield where + f"{name}: a library never {LIBRARY_ONLY[name]}; src/cli does that"


def test_no_banned_calls():
    refuse([p for path in sources(".c", ".h") for p in call_problems(path, read(path))])


@pytest.mark.parametrize("line", ["strcpy(a, b);", "x = atoi(s);", "printf(1);", "fputs(s, stderr);", "exit (1);"])
def test_banned_call_is_refused(line):
    assert list(call_problems("src/base/x.c", line))


def test_comment_string_and_member_are_no_calls():
    assert not list(call_problems("src/base/x.c", '/* printf(x) */ f("exit(1)"); d->abort(x); // system(y)\n'))
    assert not list(call_problems("src/cli/x.c", "printf(1); exit(2); getenv(3);"))


# ---- sizes


def size_problems(path, text):
    if generated(text):
        return
    n = text.count("\n")
    if n > MAX_FILE_LINES:
        yield f"{path}: {n} lines, at most {MAX_FILE_LINES}"
    for name, first, last in functions(text):
        if last - first + 1 > MAX_FUNCTION_LINES:
            yield f"{path}:{first}: {name} has {last - first + 1} lines, at most {MAX_FUNCTION_LINES}"


def test_files_and_functions_are_short():
    paths = sources(".c", ".h") + sources(".c", ".h", ".py", under="tests")
    refuse([p for path in paths for p in size_problems(path, read(path))])


def test_most_files_are_much_shorter():
    lengths = sorted(read(p).count("\n") for p in sources(".c", ".h"))
    assert lengths[len(lengths) // 2] < 200


def test_long_function_is_refused():
    body = "static int f(int a,\n             int b) {\n" + "  a++;\n" * 80 + "}\n"
    assert list(size_problems("src/base/x.c", body))
    assert not list(size_problems("src/base/x.c", "int g(void) {\n" + "  a++;\n" * 70 + "}\n"))
    assert list(size_problems("src/base/x.c", "\n" * 1001))


# ---- the repository


def test_repository_is_small():
    sizes = {p: (REPO / p).stat().st_size for p in tracked()}
    assert sizes.pop(Path("models/default/default.fnm")) <= 26_000_000  # the bundled model, committed once for a release
    largest = sorted(sizes, key=sizes.get)[-5:]
    assert sum(sizes.values()) < MAX_TRACKED_BYTES, [(str(p), sizes[p]) for p in largest]


def test_no_paths_of_one_machine():
    pattern = re.compile(rb"/(?:work|farm|var/tmp/fn)/|/tmp/bash_" + rb"jobs")
    mine = Path(__file__).resolve().relative_to(REPO)
    refuse([f"{p}: names a path of one machine" for p in tracked() if p != mine and pattern.search((REPO / p).read_bytes())])


def test_every_folder_has_a_readme_and_a_facade():
    for folder in LAYERS:
        assert (REPO / "src" / folder / "README.md").exists(), f"src/{folder}/README.md is missing"
        assert (REPO / "src" / folder / "CMakeLists.txt").exists()
        facade = f"src/{folder}/{folder}.h" if folder != "lib" else "include/fakenews/fakenews.h"
        assert (REPO / facade).exists(), f"{facade} is missing"


def test_every_folder_with_code_has_unit_tests():
    for folder in LAYERS[:-1]:
        assert list((REPO / "tests/unit" / folder).glob("test_*.c")), f"tests/unit/{folder} has no test"


def test_every_fuzz_target_has_seeds():
    for target in (REPO / "tests/fuzz").glob("fuzz_*.c"):
        seeds = REPO / "tests/fuzz/corpus" / target.stem.removeprefix("fuzz_")
        assert list(seeds.iterdir()) if seeds.is_dir() else None, f"{seeds} has no seed"
