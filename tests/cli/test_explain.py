"""`fakenews explain`: contributions are what predict says of the article without the sentence; bounds, output, refusals."""

import json
import math
import subprocess

import pytest
from infer_support import json_lines, make_models, write_csv
from train_support import bare_environment

SENTENCES = ["The mayor said on Monday that the old bridge will go.", "A shocking secret they hide was exposed!",
             "Officials published a report on the budget.", "\"Is it proof?\" asked Dr. Hall of the U.S. survey committee.",
             "Nobody ever told the doctor."]  # fmt: skip
TEXT = " ".join(SENTENCES)


@pytest.fixture(scope="module")
def trained(program, tmp_path_factory):
    return make_models(program, tmp_path_factory.mktemp("models"))


@pytest.fixture(params=["linear", "bert"])
def model(trained, request):
    return trained[1][request.param]


def logit(fakenews, model, title, text, *more):
    arguments = [*(["--title", title] if title else []), *(["--text", text] if text else [])]
    p = json_lines(fakenews("predict", "--model", model, *arguments, *more).stdout)[0]["probabilities"]
    return math.log(p["fake"] / p["real"])


def explain(fakenews, model, *arguments):
    done = fakenews("explain", "--model", model, *arguments)
    assert done.code == 0, done
    (answer,) = json_lines(done.stdout)
    return answer


def test_contributions(fakenews, model, repo):
    title = "Wake up, says report"
    more = ["infer.max_tokens=64"] if model.name == "bert" else []
    answer = explain(fakenews, model, "--title", title, "--text", TEXT[:100], *more)
    text = TEXT[:100]
    whole = logit(fakenews, model, title, text, *more)
    assert answer["logit"] == pytest.approx(whole, abs=1e-9) and answer["calibrated"] is False
    assert answer["model"] == json_lines(fakenews("predict", "--model", model, "--text", "x").stdout)[0]["model"]
    sizes = [abs(p["contribution"]) for p in answer["parts"]]
    assert sizes == sorted(sizes, reverse=True) and len(sizes) == 4
    read = answer["read_bytes"]
    for part in answer["parts"]:
        if part["part"] == "title":
            without = logit(fakenews, model, "", text[:read], *more)
        else:
            assert text[part["begin"]:part["end"]] == part["text"]
            without = logit(fakenews, model, title, text[:part["begin"]] + text[part["end"]:read], *more)
        assert part["contribution"] == pytest.approx(answer["logit"] - without, abs=1e-6), part
    assert answer["n_forwards"] == 1 + 1 + 4


def test_sentences(fakenews, trained):
    answer = explain(fakenews, trained[1]["linear"], "--text", TEXT)
    found = sorted((p["begin"], p["text"]) for p in answer["parts"])
    assert [t for _, t in found] == SENTENCES
    assert all(p["n_sentences"] == 1 and p["read"] for p in answer["parts"])


def test_ngrams_of_the_linear_half(fakenews, trained):
    linear, bert = trained[1]["linear"], trained[1]["bert"]
    answer = explain(fakenews, linear, "--title", "Wake up", "--text", TEXT, "explain.ngrams=6")
    assert len(answer["ngrams"]) == 6
    sizes = [abs(g["contribution"]) for g in answer["ngrams"]]
    assert sizes == sorted(sizes, reverse=True)
    for g in answer["ngrams"]:
        assert (TEXT if g["part"] == "text" else "Wake up")[g["begin"]:g["end"]] == g["text"]
    assert explain(fakenews, linear, "--text", TEXT, "explain.ngrams=0")["ngrams"] == []
    assert explain(fakenews, bert, "--text", TEXT)["ngrams"] == []


def test_what_was_not_read(fakenews, trained):
    answer = explain(fakenews, trained[1]["bert"], "--text", TEXT)  # cut at 48 tokens
    last = [p for p in answer["parts"] if not p["read"]]
    assert last and all(p["contribution"] is None for p in last) and answer["parts"][-len(last):] == last
    assert answer["read_bytes"] < len(TEXT) and min(p["begin"] for p in last) >= answer["read_bytes"]
    windows = explain(fakenews, trained[1]["bert"], "--text", TEXT, "infer.long=windows")
    assert all(p["read"] for p in windows["parts"]) and windows["read_bytes"] == len(TEXT)


@pytest.mark.parametrize("most", [4, 7, 20])
def test_bounded(fakenews, model, most):
    text = " ".join(f"Sentence number {i} says something." for i in range(60))
    answer = explain(fakenews, model, "--title", "A title", "--text", text, f"explain.max_forwards={most}", "infer.long=windows",
                     *(["infer.max_tokens=64"] if model.name == "bert" else []))  # fmt: skip
    if model.name == "linear":
        assert answer["n_forwards"] <= most
    else:  # several passes over each: fewer parts
        assert answer["n_forwards"] <= 4
    assert sum(p["n_sentences"] for p in answer["parts"]) == 61
    places = sorted((p["part"], p["begin"], p["end"]) for p in answer["parts"] if p["part"] == "text")
    assert places[0][1] == 0 and places[-1][2] == len(text)
    assert all(a[2] < b[1] for a, b in zip(places, places[1:]))
    counts = [p["n_sentences"] for p in answer["parts"] if p["part"] == "text"]
    assert max(counts) - min(counts) <= 1  # even groups


def test_one_sentence(fakenews, model):
    for arguments in (["--text", "Only this one sentence."], ["--title", "Only a title"]):
        answer = explain(fakenews, model, *arguments)
        assert [p["contribution"] for p in answer["parts"]] == [None]
    done = fakenews("explain", "--model", model, "--format", "text", "--text", "Only this one sentence.")
    assert done.code == 0 and "there is one sentence only" in done.stdout


def test_files(fakenews, trained, tmp_path):
    linear = trained[1]["linear"]
    write_csv(tmp_path / "in.csv", [["title", "text"], ["One", TEXT], ["", ""], ["Three", SENTENCES[1]]])
    done = fakenews("explain", "--model", linear, "in.csv")
    assert done.code == 3 and "1 of 3 rows were refused" in done.stderr and "row 1" in done.stderr, done
    first, third = json_lines(done.stdout)
    assert (first["row"], third["row"]) == (0, 2) and first["file"] == "in.csv" and first["title"] == "One"
    one = explain(fakenews, linear, "--title", "One", "--text", TEXT)
    assert {k: v for k, v in first.items() if k != "file"} == one
    (tmp_path / "a.txt").write_text(TEXT)
    assert explain(fakenews, linear, "a.txt")["title"] is None


def test_text(fakenews, trained, tmp_path):
    linear = trained[1]["linear"]
    done = fakenews("explain", "--model", linear, "--title", "Wake \x1b[31mup", "--text", TEXT, "--format", "text")
    assert done.code == 0, done
    lines = done.stdout.splitlines()
    assert lines[0].startswith("model    linear@") and lines[1].startswith("verdict  ") and "not calibrated" in lines[1]
    assert "\x1b" not in done.stdout and max(map(len, lines)) <= 80
    article = lines[lines.index("the article: + speaks for fake, - for real") + 1:]
    assert len([x for x in article if x[:3] in ("+++", "---")]) >= 1 and article[0][5:] == "Wake [31mup"
    short = fakenews("explain", "--model", linear, "--text", "Too short.", "--format", "text")
    assert "careful  too_short: there are too few words" in short.stdout and "verdict  unsure" in short.stdout
    colour = fakenews("explain", "--model", linear, "--text", TEXT, "--format", "text", "--color=always")
    assert "\x1b[1;3" in colour.stdout and "+++" in colour.stdout  # marks stay


@pytest.mark.parametrize("arguments,part", [
    ([], "give one article"),
    (["--text", "a", "x.csv"], "give one article"),
    (["--text", "a", "--format", "csv"], "--format takes text or jsonl"),
    (["--text", " "], "nothing to classify"),
    (["--text", "a", "explain.max_forwards=3"], "explain.max_forwards"),
    (["none.csv"], "none.csv"),
])  # fmt: skip
def test_refused(fakenews, trained, arguments, part):
    done = fakenews("explain", "--model", trained[1]["linear"], *arguments)
    assert done.code == 2 and part in done.stderr and done.stdout == "", done


def test_long_text(program, trained, tmp_path):
    """10 MB without a full stop: bounded parts, bounded memory."""
    (tmp_path / "long.txt").write_text("water price " * 870_000)
    done = subprocess.run([program, "explain", "--model", trained[1]["linear"], "long.txt"], capture_output=True, text=True,
                          env=bare_environment(tmp_path), cwd=tmp_path)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["n_forwards"] <= 10


def test_more_sentences_than_are_taken_refuse_their_row_alone(program, trained, tmp_path):
    write_csv(tmp_path / "many.csv", [["title", "text"], ["a", "Ok! " * 1_100_000], ["b", TEXT]])
    done = subprocess.run([program, "explain", "--model", trained[1]["linear"], "many.csv"], capture_output=True, text=True,
                          env=bare_environment(tmp_path), cwd=tmp_path)  # fmt: skip
    assert done.returncode == 3 and "row 0: " in done.stderr and len(json_lines(done.stdout)) == 1, done.stderr
