"""`fakenews data prepare` and `data stats` as a user runs them: outputs, settings, what is printed where."""

import csv
import gzip
import json
import os
import subprocess

import pytest


def write_news(path, n=60, header=("title", "text", "label", "source"), labels=("real", "fake"), gz=False):
    opener = gzip.open if gz else open
    with opener(path, "wt", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(header)
        for i in range(n):
            out.writerow([f"Title {i} of {'a quiet' if i % 2 == 0 else 'an incredible'} day",
                          f"Article number {i} tells story {i * 7} about place {i * 3}, {i * 5} and {i * 11}.",
                          labels[i % 2], f"paper {i % 9}"])
    return path


def prepare(fakenews, *arguments, code=0, **more):
    done = fakenews("data", "prepare", *arguments, **more)
    assert done.code == code, done
    return done


def report(folder):
    return json.loads((folder / "prepare.json").read_text(encoding="utf-8"))


def test_prints_counts_and_titles_and_ends_with_the_path(fakenews, tmp_path):
    write_news(tmp_path / "news.csv")
    done = prepare(fakenews, "--input", "news.csv", "--out", "out")
    assert done.stderr == ""
    assert done.stdout.endswith("\nout\n")
    for part in ["60 rows from 1 file", "real → real 30, fake → fake 30", "train", "validation", "test",
                 "real  Title 0 of a quiet day", "fake  Title 1 of an incredible day"]:
        assert part in done.stdout
    assert prepare(fakenews, "--input", "news.csv", "--out", "out2", "--quiet").stdout == "out2\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["news.csv", "out", "out2"]


def test_tables_fit_80_columns(fakenews, tmp_path):
    """Every section at its widest: many files, labels, kinds of dropped rows, long titles and names."""
    names = [f"a-rather-long-name-of-a-file-that-goes-on-{i}.csv" for i in range(3)]
    for i, name in enumerate(names):
        write_news(tmp_path / name, n=80)
        with open(tmp_path / name, "a", newline="") as file:
            out = csv.writer(file)
            out.writerow(["word " * 40 + str(i), "A body of its own " + str(i) * 9, "pants-on-fire", "Outlet " * 20])
            out.writerow([f"Title 0 of a quiet day", "Article number 0 tells story 0 about place 0, 0 and 0.", "1", ""])
            out.writerow(["", "", "1", ""])
            out.writerow(["No label", "x", "", ""])
    labels = "data.label_map={real:real,fake:fake,pants-on-fire:fake,1:fake,mostly-true:real,half-true:drop}"
    done = prepare(fakenews, "--input", *names, "--out", "out", labels)
    assert "1 row" not in done.stdout and "252 rows from 3 files" in done.stdout
    stats = fakenews("data", "stats", "out", "--table")
    assert stats.code == 0
    for line in (done.stdout + stats.stdout).splitlines():
        assert len(line) <= 80, line


def test_prepare_json_accounts_for_every_row(fakenews, tmp_path):
    write_news(tmp_path / "news.csv")
    with open(tmp_path / "news.csv", "a", newline="") as file:
        out = csv.writer(file)
        out.writerow(["title 0  OF a quiet day", "Article number 0 tells story 0 about place 0, 0 and 0.", "REAL", ""])
        out.writerow(["Title 1 of an incredible day", "Article number 1 tells story 7 about place 3, 5 and 11.", "0", ""])
        out.writerow(["", " ", "1", ""])
        out.writerow(["No label", "x", "", ""])
    prepare(fakenews, "--input", "news.csv", "--out", "out")
    got = report(tmp_path / "out")
    rows = got["rows"]
    assert rows["read"] == 64
    dropped = {name: count["rows"] for name, count in rows["dropped"].items() if count["rows"]}
    assert dropped == {"no_label": 1, "empty": 1, "conflicting_exact": 2, "exact_duplicate": 1}
    assert rows["kept"] == 64 - sum(dropped.values())
    assert sum(n for split in got["splits"].values() for n in split.values()) == rows["kept"]
    assert got["labels"] == [{"value": "real", "label": "real", "rows": 31}, {"value": "fake", "label": "fake", "rows": 30},
                             {"value": "0", "label": "real", "rows": 1}, {"value": "1", "label": "fake", "rows": 1}]
    assert got["inputs"][0]["file"] == "news.csv" and got["inputs"][0]["bytes"] == os.path.getsize(tmp_path / "news.csv")
    assert len(got["inputs"][0]["xxh3_128"]) == 32 and len(got["dataset_hash"]) == 32
    assert got["options"]["data.seed"] == 2018 and got["options"]["data.fractions"] == [0.7, 0.15, 0.15]
    assert {rule["name"] for rule in got["rules"]["rows_cut"]} >= {"dateline", "featured-image"}


def test_the_same_inputs_give_the_same_bytes(fakenews, tmp_path):
    write_news(tmp_path / "news.csv", 300)
    (tmp_path / "elsewhere").mkdir()
    os.link(tmp_path / "news.csv", tmp_path / "elsewhere/news.csv")
    prepare(fakenews, "--input", "news.csv", "--out", "a", "device.threads=1")
    prepare(fakenews, "--input", "elsewhere/news.csv", "--out", "b", "device.threads=3")
    done = subprocess.run(["diff", "-r", tmp_path / "a", tmp_path / "b"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    prepare(fakenews, "--input", "news.csv", "--out", "c", "data.seed=7")
    assert report(tmp_path / "c")["dataset_hash"] != report(tmp_path / "a")["dataset_hash"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_pipe_is_read_once_and_told_as_the_file_would_be(program, fakenews, tmp_path, packed):
    write_news(tmp_path / "news", 3000, gz=packed)
    prepare(fakenews, "--input", "news", "--out", "a")
    (tmp_path / "pipes").mkdir()
    os.mkfifo(tmp_path / "pipes/news")
    process = subprocess.Popen([program, "data", "prepare", "--input", "pipes/news", "--out", "b"], cwd=tmp_path,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    (tmp_path / "pipes/news").write_bytes((tmp_path / "news").read_bytes())
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert report(tmp_path / "a") == report(tmp_path / "b")
    assert report(tmp_path / "a")["inputs"][0]["bytes"] == (tmp_path / "news").stat().st_size


@pytest.mark.parametrize("form", ["csv.gz", "jsonl", "jsonl.gz", "noname", "json-noname"])
def test_forms_of_input_give_the_same_rows(fakenews, tmp_path, form):
    write_news(tmp_path / "news.csv")
    with open(tmp_path / "news.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    plain = (tmp_path / "news.csv").read_bytes()
    lines = "".join(json.dumps(row) + "\n" for row in rows).encode()
    data = lines if "json" in form else plain
    name = "news." + form if "." in form or form == "jsonl" else "news"
    (tmp_path / name).write_bytes(gzip.compress(data) if form.endswith("gz") else data)
    prepare(fakenews, "--input", "news.csv", "--out", "a")
    prepare(fakenews, "--input", name, "--out", "b", "data.dataset=news")
    assert report(tmp_path / "a")["dataset_hash"] == report(tmp_path / "b")["dataset_hash"]


@pytest.mark.parametrize("codec, name", [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16le"),
                                         ("utf-16-be", "utf-16be"), ("cp1252", "windows-1252")])
@pytest.mark.parametrize("form", ["csv", "csv.gz", "jsonl", "jsonl.gz", "tsv"])
def test_encodings_give_the_same_rows_and_are_named(fakenews, tmp_path, codec, name, form):
    write_news(tmp_path / "news.csv")
    text = (tmp_path / "news.csv").read_text(encoding="utf-8").replace("paper 3", "Café “Zürich” – 5 €")
    (tmp_path / "news.csv").write_text(text, encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    if form.startswith("jsonl"):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if form == "tsv":
        text = "\t".join(rows[0]) + "\n" + "".join("\t".join(row.values()) + "\n" for row in rows)
    data = text.encode(codec)
    (tmp_path / f"in.{form}").write_bytes(gzip.compress(data) if form.endswith("gz") else data)
    prepare(fakenews, "--input", "news.csv", "--out", "a")
    done = prepare(fakenews, "--input", f"in.{form}", "--out", "b", "data.dataset=news")
    assert report(tmp_path / "a")["dataset_hash"] == report(tmp_path / "b")["dataset_hash"]
    (file,) = report(tmp_path / "b")["inputs"]
    assert file["encoding"] == name and file.get("delimiter") == {"c": ",", "j": None, "t": "tab"}[form[0]]
    assert (f"read as {name}" in done.stdout) == (name != "utf-8" or form == "tsv")
    assert ("delimiter tab" in done.stdout) == (form == "tsv")
    if codec in ("utf-16", "cp1252"):
        prepare(fakenews, "--input", f"in.{form}", "--out", "c", "data.dataset=news",
                "data.encoding=" + ("utf-16" if codec == "utf-16" else "windows-1252"))
        assert report(tmp_path / "a")["dataset_hash"] == report(tmp_path / "c")["dataset_hash"]


def test_columns_and_label_map(fakenews, tmp_path):
    write_news(tmp_path / "news.csv", header=("Headline", "body", "verdict", "site"), labels=("true", "pants-fire"))
    prepare(fakenews, "--input", "news.csv", "--out", "out", "data.columns.title=headline", "data.columns.text=body",
            "data.columns.label=verdict", "data.columns.source=site", "data.label_map={true:real,Pants-Fire:fake}")
    got = report(tmp_path / "out")
    assert got["rows"]["kept"] == 60
    assert {value["value"]: value["label"] for value in got["labels"]} == {"true": "real", "pants-fire": "fake"}
    stats = json.loads(fakenews("data", "stats", "out").stdout)
    assert stats["sources"]["n"] == 9


def test_labelled_files(fakenews, tmp_path):
    write_news(tmp_path / "Fake.csv", 40, header=("title", "text", "subject", "date"))
    write_news(tmp_path / "True.csv", 40, header=("title", "text", "subject", "date"))
    data = (tmp_path / "True.csv").read_text().replace("story", "tale").replace("Title", "Heading")
    (tmp_path / "True.csv").write_text(data)
    done = prepare(fakenews, "--input", "fake:Fake.csv", "real:True.csv", "--out", "out")
    assert "all fake" in done.stdout and "all real" in done.stdout
    got = report(tmp_path / "out")
    assert [item["label"] for item in got["inputs"]] == ["fake", "real"]
    assert [item["name"] for item in got["datasets"]] == ["Fake+True"]
    assert got["rows"]["kept"] == 80
    prepare(fakenews, "--input", "fake:Fake.csv", "--input", "0:True.csv", "--out", "out2", "data.dataset=isot")
    assert [item["name"] for item in report(tmp_path / "out2")["datasets"]] == ["isot"]


def test_rules_are_counted_by_class(fakenews, tmp_path):
    with open(tmp_path / "x.csv", "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["title", "text", "label"])
        for i in range(40):
            out.writerow([f"t{i}", f"TOWN{'S' * (i % 3)} (Reuters) - Number {i} was {i * 13}.", "real"])
            out.writerow([f"f{i}", f"Number {i} is a secret {i * 17}!Featured image via Somebody/Getty Images", "fake"])
        out.writerow(["", "(Reuters) - ", "real"])
    done = prepare(fakenews, "--input", "x.csv", "--out", "out")
    cut = {rule["name"]: (rule["real"], rule["fake"]) for rule in report(tmp_path / "out")["rules"]["rows_cut"]}
    assert cut["dateline"] == (41, 0) and cut["featured-image"] == (0, 40)
    assert report(tmp_path / "out")["rows"]["dropped"]["empty_after_rules"]["rows"] == 1
    assert "dateline" in done.stdout
    arrow = b"".join((tmp_path / "out" / s / "data-00000-of-00001.arrow").read_bytes() for s in ("train", "test"))
    assert b"Reuters" not in arrow and b"Getty" not in arrow
    prepare(fakenews, "--input", "x.csv", "--out", "raw", "data.rules=none")
    assert b"(Reuters) - Number" in (tmp_path / "raw/train/data-00000-of-00001.arrow").read_bytes()
    (tmp_path / "my.yaml").write_text("rules:\n  - name: number\n    field: both\n    pattern: 'Number \\d+ '\n")
    prepare(fakenews, "--input", "x.csv", "--out", "mine", "data.rules=my.yaml")
    assert report(tmp_path / "mine")["rules"]["rows_cut"] == [{"name": "number", "real": 40, "fake": 40}]


def test_an_existing_folder_is_not_overwritten(fakenews, tmp_path):
    write_news(tmp_path / "news.csv")
    prepare(fakenews, "--input", "news.csv", "--out", "out")
    before = (tmp_path / "out/prepare.json").read_bytes()
    done = prepare(fakenews, "--input", "news.csv", "--out", "out/", "data.seed=1", code=2)
    assert "--replace" in done.stderr
    assert (tmp_path / "out/prepare.json").read_bytes() == before
    prepare(fakenews, "--input", "news.csv", "--out", "out/", "data.seed=1", "--replace")
    assert (tmp_path / "out/prepare.json").read_bytes() != before
    os.symlink("out", tmp_path / "link")
    prepare(fakenews, "--input", "news.csv", "--out", "link", "data.seed=2", "--replace")
    assert (tmp_path / "link").is_symlink() and report(tmp_path / "out")["options"]["data.seed"] == 2
    (tmp_path / "link").unlink()
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").write_text("x")
    done = prepare(fakenews, "--input", "news.csv", "--out", "precious", "--replace", code=2)
    assert "not empty" in done.stderr and (tmp_path / "precious/file").read_text() == "x"
    (tmp_path / "empty").mkdir()
    prepare(fakenews, "--input", "news.csv", "--out", "empty")
    prepare(fakenews, "--input", "news.csv", "--out", "new/nested/out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "new", "news.csv", "out", "precious"]


def test_the_tokenizer_makes_the_cache(fakenews, tmp_path):
    write_news(tmp_path / "news.csv")
    (tmp_path / "tok").mkdir()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + list("abcdefghijklmnopqrstuvwxyz0123456789.,")
    words += ["##" + c for c in "abcdefghijklmnopqrstuvwxyz0123456789"]
    (tmp_path / "tok/vocab.txt").write_text("\n".join(words) + "\n")
    prepare(fakenews, "--input", "news.csv", "--out", "out", "--tokenizer", "tok")
    caches = list((tmp_path / "out/cache").iterdir())
    assert len(caches) == 1 and caches[0].name.startswith("tokens-")
    stats = json.loads(fakenews("data", "stats", "out").stdout)
    assert caches[0].name == f"tokens-{stats['tokenizer_hash']}.bin"
    assert stats["tokens"]["all"]["p0"] > stats["words"]["all"]["p0"] + 3
    assert stats["share_longer_than"]["512"] == 0
    assert "longer than 128 tokens" in fakenews("data", "stats", "out", "--table").stdout


def test_stats_in_a_pipe_is_json_and_a_table_on_request(fakenews, tmp_path):
    write_news(tmp_path / "news.csv")
    prepare(fakenews, "--input", "news.csv", "--out", "out")
    done = fakenews("data", "stats", "out")
    assert done.code == 0 and done.stdout.count("\n") == 1
    stats = json.loads(done.stdout)
    assert fakenews("data", "stats", "out", "--json").stdout == done.stdout
    splits = report(tmp_path / "out")["splits"]
    assert stats["splits"] == splits
    assert stats["datasets"] == [{"name": "news", **splits}]
    assert stats["sources"]["n"] == 9 and stats["sources"]["unknown"] == {"real": 0, "fake": 0}
    assert sum(source["rows"] for source in stats["sources"]["top"]) == 60
    table = fakenews("data", "stats", "out", "--table").stdout
    assert "Words" in table and "paper 0" in table and "60 rows were read, 60 kept" in table


def test_stats_needs_a_prepared_folder(fakenews, tmp_path):
    (tmp_path / "other").mkdir()
    for arguments in [["other"], ["nowhere"], [], ["a", "b"]]:
        done = fakenews("data", "stats", *arguments)
        assert done.code == 2 and done.stderr.startswith("fakenews: "), done


def test_titles_cannot_drive_the_terminal(fakenews, tmp_path):
    write_news(tmp_path / "news.csv")
    text = (tmp_path / "news.csv").read_text().replace("Title 0 ", "\x1b[31mTitle\t\u202e0 ")
    (tmp_path / "news.csv").write_text(text)
    done = prepare(fakenews, "--input", "news.csv", "--out", "out")
    assert "real  [31mTitle 0 of a quiet day" in done.stdout
    assert not any(ord(c) < 32 and c != "\n" for c in done.stdout) and "\u202e" not in done.stdout
