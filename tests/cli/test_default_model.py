"""The bundled model: found without being named, small, checked, careful about what it was not trained for."""

import json
import resource
import shutil
import subprocess
from pathlib import Path

import pytest
from infer_support import json_lines
from train_support import bare_environment

REPO = Path(__file__).resolve().parents[2]
MODEL = REPO / "models/default/default.fnm"
REPORT = ("The city council approved a budget of 41 million dollars on Tuesday after a debate that lasted three hours. The mayor "
          "said that the money would go to roads and to two schools in the north of the city. Members of the opposition voted "
          "against the plan because, they said, it leaves the hospital without a second ward for another year. A report on the "
          "costs will be published in March, a spokeswoman for the council said, and residents may comment on it until June.")


def ask(fakenews, *arguments):
    done = fakenews("predict", *arguments)
    assert done.code == 0, done
    return json_lines(done.stdout)[0]


def test_is_what_its_card_says(fakenews):
    info = json.loads(fakenews("model", "info", "--json").stdout)
    assert info["path"].endswith("default.fnm") and info["packed"] and info["verified"]
    assert info["size_bytes"] == MODEL.stat().st_size <= 26_000_000
    assert info["family"] == "bert+linear" and info["encoder"]["dtype"] == "int8" and info["encoder"]["layers"] == 6
    assert info["calibration"] is not None and {s["part"] for s in info["calibration"]["sets"]} == {"encoder", "linear", "both"}
    card = (REPO / "models/default/README.md").read_text(encoding="utf-8")
    assert info["id"] in card, "the card names another file"
    packing = info["card"]["packing"]["both"]["all"]
    assert packing["flipped"] <= 0.002 * packing["n"] and packing["n"] > 16_000
    for half in ("encoder", "linear", "both"):
        before, after = info["card"]["packing"][half]["all"]["roc_auc"]
        assert after >= before - 0.002, half


def test_answers_without_being_named(fakenews):
    answer = ask(fakenews, "--title", "Council approves budget", "--text", REPORT)
    assert answer["calibrated"] is True and answer["verdict"] in ("real", "fake", "unsure")
    assert answer["model"].startswith("fakenews-default@")
    parts = {part: ask(fakenews, "--text", REPORT, f"infer.part={part}") for part in ("both", "encoder", "linear")}
    assert len({a["probabilities"]["fake"] for a in parts.values()}) == 3
    prior = [ask(fakenews, "--text", REPORT, f"infer.prior={p}")["probabilities"]["fake"] for p in (0.01, 0.5, 0.9)]
    assert prior == sorted(prior) and prior[0] < prior[2]


@pytest.mark.parametrize("text,reason", [
    ("Der Stadtrat hat am Dienstag nach langer Debatte den Haushalt beschlossen, und die Bürgermeisterin dankte allen, die daran "
     "gearbeitet haben, obwohl die Opposition bis zuletzt dagegen war und weiter klagen will.", "not_english"),
    ("Le conseil municipal a adopté mardi le budget après un long débat, et la maire a remercié tous ceux qui y ont travaillé.",
     "not_english"),
    ("qzx vbnk wrtl pqfd zzkj xcvw mnbv lkjh gfds qwrt zxcv bnml plkj hgfd sdfg wert yuio qaz wsx edc rfv", None),
    ("https://example.org/2024/05/17/an-article-of-which-only-the-address-is-here?id=123&ref=abc", None),
    ("Too short", "too_short"),
])
def test_unsure_of_what_it_cannot_read(fakenews, text, reason):
    answer = ask(fakenews, "--text", text)
    assert answer["verdict"] == "unsure", answer
    assert reason is None or reason in answer["reasons"], answer


def test_a_headline_alone_is_said_to_be_one(fakenews):
    answer = ask(fakenews, "--title", "Scientists admit that the moon is rented and officials refuse to comment on the matter")
    assert "headline_only" in answer["reasons"] and answer["verdict"] == "unsure"


def test_settings_of_no_calibration_are_told(fakenews):
    long = " ".join([REPORT] * 5)
    done = fakenews("predict", "--text", long, "infer.long=windows")
    assert done.code == 0 and "not calibrated" in done.stderr and json_lines(done.stdout)[0]["calibrated"] is False
    done = fakenews("predict", "--text", long, "infer.long=windows", "infer.prior=0.1")
    assert done.code == 2 and "infer.prior" in done.stderr


def test_found_beside_an_installed_program(program, tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "share/fakenews").mkdir(parents=True)
    shutil.copy(program, tmp_path / "bin/fakenews")
    shutil.copy(MODEL, tmp_path / "share/fakenews/default.fnm")
    done = subprocess.run([tmp_path / "bin/fakenews", "predict", "--text", REPORT], capture_output=True, text=True, cwd=tmp_path,
                          env=bare_environment(tmp_path))
    assert done.returncode == 0, done.stderr


def test_starts_at_once(fakenews):
    """Under a second of processor time, which others on the machine do not take; docs/performance.md has the figure."""
    seconds = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)  # in microseconds; os.times counts in hundredths
        assert fakenews("predict", "--title", "Council approves budget", "--text", "The mayor said so.").code == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert 0 < min(seconds) < 1


def test_bench_and_explain_take_it(fakenews):
    figures = json.loads(fakenews("bench", "--tokens", "16", "--json").stdout)
    assert figures["model"].startswith("fakenews-default@")
    done = fakenews("explain", "--text", REPORT, "--title", "Council approves budget")
    assert done.code == 0, done
