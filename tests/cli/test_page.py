"""The page of `fakenews serve` without a browser: the form as it is sent without JavaScript, escaping, caching, headers."""

import html
import re
from urllib.parse import urlencode

import pytest
from serve_support import MODEL, TEXT, Served

HTML = {"Accept": "text/html,application/xhtml+xml"}
HOSTILE = """</textarea><script>alert(1)</script>"'><img src=x onerror=alert(2)>{{csrf}}&lt;"""


@pytest.fixture(scope="module")
def server(program, tmp_path_factory):
    with Served(program, tmp_path_factory.mktemp("page"), "serve.workers=1") as server:
        yield server


def get(server, path):
    return server.request("GET", path, headers=HTML)


def send(server, **fields):
    headers = {"Content-Type": "application/x-www-form-urlencoded", **HTML}
    return server.request("POST", "/", urlencode(fields), headers)


def id_of(answer):
    return re.search(r'data-id="(p_[0-9a-f]{32})"', page_of(answer)).group(1)


def page_of(answer):
    return answer.body.decode()


def words_of(answer):
    """What a reader sees, roughly: without tags, references resolved, white space joined."""
    shown = re.sub(r"<(\w+)[^>]* hidden[^>]*>.*?</\1>", " ", page_of(answer), flags=re.S)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", shown)))


def test_page_is_closed_to_the_outside(server):
    answer = get(server, "/")
    assert answer.status == 200 and answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = answer.headers["Content-Security-Policy"]
    for part in ("default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "form-action 'self'",
                 "frame-ancestors 'none'", "base-uri 'none'"):
        assert part in policy
    assert "unsafe" not in policy and answer.headers["Cache-Control"] == "no-store"
    for path in ("/", "/table", "/disputed", "/history", "/card"):
        page = page_of(get(server, path))
        assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?![^>]* src=)|javascript:", page), path
        assert not re.findall(r'(?:src|href|action)="(?:https?:)?//', page), path


def test_clients_that_want_json_are_greeted(server):
    for accept in (None, "*/*", "application/json"):
        answer = server.request("GET", "/", headers={} if accept is None else {"Accept": accept})
        assert answer.json == {"message": "Welcome to the Fake News Inference API. Check /docs for API documentation."}
        assert "Accept" in answer.headers["Vary"]


def test_form_works_without_javascript(server):
    answer = send(server, title="Council approves budget", text=TEXT, explain="1", prior="0.5")
    assert answer.status == 200, answer
    expected = server.post("/v1/classify", {"title": "Council approves budget", "text": TEXT}).json
    page, words = page_of(answer), words_of(answer)
    count = round(100 * expected["probabilities"]["fake"])
    assert f"Of 100 texts that read like this one, about {count} would be labelled fake and {100 - count} real." in words
    assert f'data-verdict="{expected["verdict"]}"' in page and expected["model"] in words
    assert "Style, not truth." in words and "What would change it" in words
    assert f"A verdict takes at least {int(expected['threshold'] * 100 + 1 - 1e-9)} of 100" in words
    assert html.escape(TEXT) in page  # the form keeps the text


def test_share_of_false_texts_is_applied(server):
    for prior in (0.1, 0.9):
        expected = server.post("/v1/classify", {"text": TEXT, "prior": prior}).json
        answer = send(server, text=TEXT, prior=str(prior))
        assert f"about {round(100 * expected['probabilities']['fake'])} would be labelled fake" in words_of(answer)
        assert f'data-verdict="{expected["verdict"]}"' in page_of(answer)
        assert re.search(rf'<option value="{prior}" selected>', page_of(answer))


def test_hostile_text_stays_text(server):
    answer = send(server, title=HOSTILE, text=HOSTILE + " " + TEXT, explain="1")
    page = page_of(answer)
    assert answer.status == 200
    assert "<script>alert" not in page and "<img" not in page and page.count("</textarea>") == 1
    assert "{{csrf}}" in page  # what looks like our template is only text
    assert html.unescape(re.search(r'id="title"[^>]* value="([^"]*)"', page).group(1)) == HOSTILE


@pytest.mark.parametrize("fields, words", [
    ({}, "There is nothing to read yet"), ({"title": "  ", "text": "\r\n"}, "There is nothing to read yet"),
    ({"text": "https://example.org/story"}, "please paste the text"),
    ({"title": "www.example.org/story"}, "please paste the text"),
    ({"text": TEXT, "prior": "2"}, "prior must be a number above 0 and below 1"),
    ({"text": TEXT, "prior": "nan"}, "prior must be a number above 0 and below 1")])
def test_what_cannot_be_read_says_why(server, fields, words):
    answer = send(server, **fields)
    assert answer.status == 422 and words in words_of(answer)
    assert answer.headers["Content-Type"].startswith("text/html")


def test_bytes_that_are_no_utf8_are_refused(server):
    headers = {"Content-Type": "application/x-www-form-urlencoded", **HTML}
    answer = server.request("POST", "/", b"text=%FF%FE+abc", headers)
    assert answer.status == 422 and "UTF-8" in words_of(answer)


def test_reasons_and_headline(server):
    answer = send(server, title="Council approves the new budget for the coming year")
    words = words_of(answer)
    assert 'data-reason="headline_only"' in page_of(answer) and "Headlines alone say little" in words
    threshold = server.post("/v1/classify", {"title": "Council approves the new budget for the coming year"}).json["threshold"]
    assert threshold > 1 and "A headline alone never gets a verdict" in words and "on one side" not in words
    answer = send(server, text="Der Gemeinderat hat am Dienstag den Haushalt beschlossen, sagte die Bürgermeisterin.")
    words = words_of(answer)
    assert "Why there is no verdict" in words and "A verdict takes at least" not in words


def test_lines_of_a_form_count_as_lines(server):
    """A text area sends CR LF; the same text as JSON has LF. The answers must be the same."""
    text = TEXT.replace(". ", ".\n")
    expected = server.post("/v1/classify", {"text": text}).json
    answer = send(server, text=text.replace("\n", "\r\n"))
    assert f'data-p="{expected["probabilities"]["fake"]!r}"' in page_of(answer)


def test_browsers_get_a_page_for_what_is_not_there(server):
    answer = get(server, "/nothing/of/the/kind")
    assert answer.status == 404 and answer.headers["Content-Type"].startswith("text/html")
    assert 'href="/static/page.css' in page_of(answer) and "Not Found" in words_of(answer)
    assert answer.headers["Content-Security-Policy"] and server.get("/nothing").json["status"] == 404


def test_part_for_scripts(server):
    page = page_of(send(server, text=TEXT, part="result"))
    assert page.lstrip().startswith("<article") and "<html" not in page


def test_long_text_shows_where_reading_stops(server):
    answer = send(server, text=" ".join(f"{TEXT} Paragraph {i}." for i in range(12)), explain="1")
    assert "the encoder stops reading here" in words_of(answer) and 'class="unread"' in page_of(answer)


def test_static_files_are_kept_by_their_content(server):
    page = page_of(get(server, "/"))
    links = re.findall(r'(?:href|src)="\./(static/[^"]+)"', page)
    assert len(links) == 3
    for link in links:
        answer = server.get("/" + html.unescape(link))
        assert answer.status == 200 and answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        again = server.request("GET", "/" + link.split("?")[0], headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status == 304 and again.body == b"" and again.headers["Cache-Control"] == "no-cache"
    assert server.get("/static/page.css?v=0000000000000000").headers["Cache-Control"] == "no-cache"
    for name in ("check.html", "..%2fpage.c", "nothing.js"):
        assert server.get(f"/static/{name}").status == 404


def test_numbers_come_from_the_model(server):
    model = server.get("/v1/model").json
    entry = next(s for s in model["calibration"]["sets"] if s["part"] == "both" and s["input"] == "article")
    words = words_of(get(server, "/"))
    assert f"gave a verdict on {round(100 * entry['coverage'])} of 100 articles" in words
    assert f"{round(100 * entry['accuracy'])} of 100 verdicts were right" in words
    assert model["card"]["not_to_be_used_for"] in words
    card = words_of(get(server, "/card"))
    for text in (model["id"], model["checksum"], model["card"]["summary"], model["card"]["limits"], *model["card"]["data"]):
        assert text in card


def test_uncalibrated_answer_is_no_frequency(program, tmp_path):
    """Read in windows, the bundled model has no calibration: no natural frequency, no share of false texts to choose."""
    with Served(program, tmp_path, "serve.workers=1", "infer.long=windows", model=MODEL) as server:
        answer = send(server, text=" ".join([TEXT] * 12), prior="0.1")
        words = words_of(answer)
        assert answer.status == 200 and "not calibrated" in words and "Of 100 texts" not in words
        assert 'class="dots"' not in page_of(answer) and "Without the sentence" not in words
        assert "texts I check is false" not in words and "The text was read in passes" in words


def test_form_sent_again_makes_no_second_row(server):
    fields = {"title": "Council approves budget", "text": TEXT, "token": "0123456789abcdef", "prior": "0.5"}
    first, again = send(server, **fields), send(server, **fields)
    assert first.status == again.status == 200 and id_of(first) == id_of(again)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(again.headers.get_all("Content-Security-Policy")) == 1
    others = [send(server, **{**fields, **change}) for change in ({"text": TEXT + " More."}, {"prior": "0.1"}, {"token": "f"}, {"title": ""})]
    assert len({id_of(a) for a in (first, *others)}) == 5
    assert id_of(send(server, text=TEXT)) != id_of(send(server, text=TEXT))  # without a token each is its own


def test_answer_has_a_permanent_page(server):
    given = send(server, title=HOSTILE, text=TEXT)
    path = f"/predictions/{id_of(given)}"
    assert f'href=".{path}"' in page_of(given)
    answer = get(server, path)
    page, words = page_of(answer), words_of(answer)
    assert answer.status == 200 and 'href="../static/page.css' in page
    said = re.search(r"about \d+ would be labelled fake and \d+ real", words_of(given)).group()
    assert said in words and "The text itself is not kept here, only a fingerprint of it" in words
    assert "The council approved" not in page and "onerror" not in page
    assert get(server, "/predictions/p_" + "0" * 32).status == 404
    assert server.get(f"/v1{path}").json["label"] in ("real", "fake")


def test_readers_contradict_without_javascript(server):
    identity = id_of(send(server, text=TEXT))
    form = {"Content-Type": "application/x-www-form-urlencoded", **HTML}
    said = server.request("POST", f"/predictions/{identity}", urlencode({"label": "satire", "name": "<b>Ann</b>", "reason": "I wrote it"}), form)
    assert said.status == 303 and said.headers["Location"] == identity and said.body == b""
    words = words_of(get(server, f"/predictions/{identity}"))
    assert "What readers said" in words and "<b>Ann</b>" in words and "I wrote it" in words
    listed = page_of(get(server, "/disputed"))
    assert f'href="./predictions/{identity}"' in listed and "&lt;b&gt;Ann&lt;/b&gt;" in listed and "<b>" not in listed
    server.request("POST", f"/predictions/{identity}", urlencode({"label": "opinion", "name": "<b>Ann</b>"}), form)
    assert "satire · <b>Ann</b>" in words_of(get(server, f"/predictions/{identity}"))
    assert "replaced later" in words_of(get(server, f"/predictions/{identity}"))
    for fields, status in (({"label": "lie"}, 422), ({}, 422), ({"label": "fake", "name": "x" * 300}, 422)):
        assert server.request("POST", f"/predictions/{identity}", urlencode(fields), form).status == status


@pytest.mark.parametrize("settings, words", [
    ([], "a fingerprint of the text and some measurements of it (lengths, a numeric profile) for 90 days; it does not keep the text itself"),
    (["predictions.text=full", "predictions.keep_days=1"], "The server keeps the text and the answer for 1 day."),
    (["predictions.text=none"], "it keeps neither the text nor a fingerprint"),
    (["predictions.url=none"], "Nothing that you check here is kept")])
def test_page_says_what_is_kept(program, tmp_path, settings, words):
    with Served(program, tmp_path, "serve.workers=1", *settings) as server:
        for path in ("/", "/table", "/card"):
            assert words in words_of(get(server, path)), path
        answer = send(server, text=TEXT, title=HOSTILE)
        assert answer.status == 200
        if "predictions.url=none" in settings:
            assert "permanent link" not in words_of(answer) and 'class="card feedback"' not in page_of(answer)
            assert "keeps no answers" in words_of(get(server, "/disputed"))
        elif "predictions.text=full" in settings:
            page = page_of(get(server, f"/predictions/{id_of(answer)}"))
            assert html.escape(TEXT, quote=False)[:40] in page and "<img" not in page
