"""The page in headless Chromium: phone and desk, light and dark, with and without JavaScript, keyboard alone, every error text.

Each page is watched: a request that leaves the server, a breach of its content security policy or an error in a script fails the test.
"""

import csv
import io
import math
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "cli"))
from axe_playwright_python.sync_playwright import Axe  # noqa: E402
from playwright.sync_api import expect, sync_playwright  # noqa: E402
from serve_support import TEXT, Served  # noqa: E402

DEVICES = {"phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
           "desk": {"viewport": {"width": 1280, "height": 900}}}
TITLE = "Council approves budget"
SHRILL = ("You will not believe what this corrupt liar did next, folks! Share before they delete it! They do not want you to know "
          "the truth about it.")
LONG = " ".join(f"{TEXT} Paragraph {i}." for i in range(7))
HOSTILE = """</textarea><script>window.broken = 1</script>"'><img src=x onerror="window.broken = 1">"""


@pytest.fixture(scope="module")
def server(program, tmp_path_factory):
    with Served(program, tmp_path_factory.mktemp("page"), "serve.workers=2") as server:
        yield server


@pytest.fixture(scope="module")
def browser():
    path = shutil.which("chromium")
    assert path, "chromium is missing: tools/deps.sh judge"
    with sync_playwright() as playwright:
        # a container's /dev/shm is small, and its root may not make the sandbox's namespaces
        expect.set_options(timeout=60000)
        browser = playwright.chromium.launch(executable_path=path, timeout=120000, args=["--disable-dev-shm-usage"],
                                             chromium_sandbox=os.geteuid() != 0)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def closed(program, tmp_path_factory):
    """A server that wants keys; keys["predict"], keys["feedback"]."""
    folder = tmp_path_factory.mktemp("closed")
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"]}
    keys = {role: subprocess.run([program, "keys", "add", "--role", role], env=environment, check=True, capture_output=True,
                                 text=True).stdout.strip() for role in ("predict", "feedback")}
    with Served(program, folder, "serve.workers=1") as server:
        server.keys = keys
        yield server


@pytest.fixture
def visit(browser, server):
    """visit("table", device="phone", scheme="dark", …) opens a page of its own context that is watched."""
    contexts, faults = [], []

    def open_page(path="", device="desk", scheme="light", server=server, **options):
        context = browser.new_context(color_scheme=scheme, **DEVICES[device], **options)
        context.set_default_timeout(60000)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda r: faults.append(f"asked {r.url}")
                if not r.url.startswith((server.url + "/", "blob:" + server.url, "data:")) else None)
        page.on("console", lambda m: faults.append(m.text) if "Content Security Policy" in m.text else None)
        page.on("pageerror", lambda e: faults.append(str(e)))
        page.on("dialog", lambda d: (faults.append(f"dialog {d.message}"), d.dismiss()))
        page.goto(f"{server.url}/{path}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults


def check(page, title=TITLE, text=TEXT):
    page.fill("#title", title)
    page.fill("#text", text)
    page.click("#submit")
    expect(page.locator("#submit")).to_have_text("Check the text")
    page.locator(".answer").wait_for()


def follow(page, link):
    """Clicks what leads to another page, and waits until that has come, its script included."""
    with page.expect_navigation():
        link.click()


def wait_until(page, condition, seconds=60):
    """Lets the page go on until condition() is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        page.wait_for_timeout(20)


def numbers(page):
    return [int(page.locator(f".frequency [data-n={n}]").inner_text().replace(",", "")) for n in ("fake", "real", "of")]


def assert_accessible(page):
    """axe-core with its contrast rule; its rules for parts of pages that are all of ours."""
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]})
    assert found.violations_count == 0, found.generate_report()


def assert_fits(page):
    wide = page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1], "the page scrolls sideways"


@pytest.mark.parametrize("device, scheme", [("phone", "dark"), ("desk", "light")])
def test_answer_is_accessible(visit, device, scheme):
    page = visit(device=device, scheme=scheme, bypass_csp=True)  # axe is a script from outside
    check(page, text=LONG)
    expect(page.locator("#cut")).to_be_visible()
    assert_accessible(page)
    assert_fits(page)
    if device == "phone":
        wait_until(page, lambda: page.locator(".verdict").bounding_box()["y"] < 400)  # it is scrolled into sight, smoothly
        for button in page.locator("button:visible, select:visible, nav a").all():
            assert button.bounding_box()["height"] >= 24, button  # WCAG 2.5.8


def test_remarks_permanent_page_and_disputed(visit, server):
    page = visit()
    check(page, title="", text=SHRILL)
    opposite = "real" if page.locator(".answer").get_attribute("data-label") == "fake" else "fake"
    page.get_by_role("radio", name=opposite.capitalize()).check()
    page.fill("#who", "Ann")
    page.fill("#why", "I was there")
    page.get_by_role("button", name="Send the remark").click()
    expect(page.locator(".said")).to_have_text(f"Noted as {opposite}. Thank you.")
    before = numbers(page)
    follow(page, page.get_by_role("link", name="permanent link"))
    expect(page.locator(".remarks")).to_contain_text("Ann")
    assert numbers(page) == before and page.locator("#who").input_value() == "Ann"  # remembered by the browser
    assert SHRILL not in page.content()
    page.goto(f"{server.url}/disputed")
    assert page.locator(".what").first.inner_text() == SHRILL[:120]  # this browser knows what it was
    expect(page.locator("#disputed li").first).to_contain_text("I was there")


def sign_in(page, key):
    page.fill("#key", key)
    follow(page, page.get_by_role("button", name="Sign in"))


def test_signing_in_keeps_the_text(visit, closed):
    page = visit(device="phone", server=closed, bypass_csp=True)
    page.fill("#text", TEXT)
    page.click("#submit")
    expect(page.locator("#problem")).to_contain_text("wants a key")
    follow(page, page.locator("#problem a"))
    assert_accessible(page)
    sign_in(page, "fn_predict_wrong")
    expect(page.locator("#problem")).to_contain_text("not known")
    sign_in(page, closed.keys["predict"])
    expect(page.locator("#text")).to_have_value(TEXT)  # the page's script puts it back once it has loaded
    page.click("#submit")
    page.locator(".answer").wait_for()
    assert page.locator(".feedback").count() == 0 and page.locator("nav").get_by_text("Disputed").count() == 0
    cookie = page.context.cookies()[0]
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    assert_fits(page)
    follow(page, page.get_by_role("button", name="Sign out"))
    page.fill("#text", SHRILL)
    page.click("#submit")
    expect(page.locator("#problem")).to_contain_text("wants a key")


def test_signing_in_without_javascript(visit, closed):
    page = visit("disputed", server=closed, java_script_enabled=False)
    follow(page, page.get_by_role("main").get_by_role("link", name="Sign in"))
    sign_in(page, closed.keys["feedback"])
    assert page.url == f"{closed.url}/disputed"
    expect(page.locator("#disputed")).to_be_visible()
    page.goto(closed.url)
    page.fill("#text", TEXT)
    follow(page, page.locator("#submit"))
    page.get_by_role("radio", name="Mixed").check()
    follow(page, page.get_by_role("button", name="Send the remark"))
    expect(page.locator(".remarks")).to_contain_text("mixed")
    page.goto(f"{closed.url}/table")
    page.set_input_files("#file", {"name": "a.csv", "mimeType": "text/csv", "buffer": f'text\n"{TEXT}"\n'.encode()})
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Send, and save").click()
    assert b"predicted_label" in Path(waiting.value.path()).read_bytes()


@pytest.mark.parametrize("status", [429, 503, 401])
def test_remark_that_is_refused_says_so(visit, status):
    page = visit()
    check(page)
    page.route("**/v1/feedback", lambda route: route.fulfill(status=status, body=""))
    page.get_by_role("radio", name="Satire").check()
    page.get_by_role("button", name="Send the remark").click()
    expect(page.locator(".said.wrong")).not_to_be_empty()


def test_same_question_is_one_answer(visit):
    page = visit()
    check(page)
    first = page.locator(".answer").get_attribute("data-id")
    check(page)
    assert page.locator(".answer").get_attribute("data-id") == first
    page.select_option("#prior-again", "0.9")
    check(page)
    assert page.locator(".answer").get_attribute("data-id") != first
    assert page.locator(".answer").get_attribute("data-prior") == "0.9"


@pytest.mark.parametrize("path, device, scheme", [("table", "phone", "dark"), ("disputed", "desk", "light"),
                                                  ("history", "desk", "dark"), ("card", "phone", "light"), ("", "phone", "light"), ("docs", "desk", "light")])
def test_other_pages_are_accessible(visit, path, device, scheme):
    page = visit(path, device=device, scheme=scheme, bypass_csp=True)
    assert_accessible(page)
    assert page.locator("nav [aria-current=page]").count() == 1
    assert_fits(page)


def test_answer_agrees_with_the_api(visit, server):
    page = visit()
    check(page)
    expected = server.post("/v1/classify", {"title": TITLE, "text": TEXT, "explain": True}).json
    fake = round(100 * expected["probabilities"]["fake"])
    assert numbers(page) == [fake, 100 - fake, 100]
    assert page.locator(".dots .on").count() == fake
    assert page.locator(".answer").get_attribute("data-verdict") == expected["verdict"]
    marked = [p for p in expected["explanation"]["parts"] if p["contribution"] is not None and abs(p["contribution"]) >= 0.05]
    assert page.locator("section.marked :is(.headline, .prose) mark").count() == len(marked)
    assert re.search(r"answered in [\d.]+ ms, \d+ ms with the way there and back", page.locator(".meta").inner_text())
    verdict = page.locator("#status").inner_text()
    assert verdict and page.evaluate("() => document.activeElement.closest('.verdict') !== null")


def test_share_of_false_texts_as_on_the_server(visit, server):
    page = visit()
    check(page, text=SHRILL)
    for prior in (0.01, 0.1, 0.9):
        page.select_option("#prior-again", str(prior))
        expected = server.post("/v1/classify", {"title": TITLE, "text": SHRILL, "prior": prior}).json
        fake, _, of = numbers(page)
        assert abs(fake / of - expected["probabilities"]["fake"]) <= 0.5 / of
        assert page.locator(".answer").get_attribute("data-verdict") == expected["verdict"]
        assert page.locator("[data-say]:visible").get_attribute("data-say") == expected["verdict"]
        assert page.locator(".dots .on").count() == round(100 * expected["probabilities"]["fake"])
    verdicts = {server.post("/v1/classify", {"title": TITLE, "text": SHRILL, "prior": p}).json["verdict"] for p in (0.01, 0.9)}
    assert verdicts == {"real", "fake"}, "the text must be one that turns, or this test shows nothing"
    page.reload()
    assert page.locator("#prior").input_value() == "0.9"  # remembered


def test_tokens_are_counted_and_the_cut_is_marked(visit, server):
    page = visit()
    page.fill("#title", TITLE)
    page.fill("#text", LONG)
    expected = server.post("/v1/tokens", {"title": TITLE, "text": LONG}).json
    expect(page.locator("#count-words")).to_contain_text(f"{expected['n_tokens']} tokens of {expected['max_tokens']}")
    expect(page.locator("#cut")).to_be_visible()
    assert page.locator("#shade .unread").text_content() == LONG.encode()[expected["read_bytes"]:].decode()
    boxes = [page.locator(s).bounding_box() for s in ("#text", "#shade")]
    assert boxes[0] == boxes[1], "the hatching lies on the text"
    page.fill("#text", TEXT)
    expect(page.locator("#cut")).to_be_hidden()


@pytest.mark.parametrize("device", DEVICES)
def test_nothing_to_read_and_links(visit, device):
    page = visit(device=device)
    page.click("#submit")
    expect(page.locator("#problem")).to_contain_text("There is nothing to read yet")
    page.fill("#text", "https://example.org/story")
    page.click("#submit")
    expect(page.locator("#problem")).to_contain_text("paste the text")
    assert page.evaluate("() => document.activeElement.id") == "text"
    assert page.locator("#problem button").count() == 0 and page.locator(".answer").count() == 0
    box = page.locator("#problem").bounding_box()
    assert 0 <= box["y"] and box["y"] + box["height"] <= page.viewport_size["height"], "it is in sight"
    page.fill("#text", "Now a text")
    expect(page.locator("#problem")).to_be_hidden()


FAILURES = {
    413: ("more than this server takes", False), 429: ("too many questions", True), 503: ("more to do than it can", True),
    500: ("The server failed at that (status 500)", False), "gone": ("cannot be reached", False),
    "offline": ("You are offline", False),
}


@pytest.mark.parametrize("kind", FAILURES)
def test_failures_say_what_to_do_and_try_again(visit, kind):
    page = visit()
    words, waits = FAILURES[kind]
    page.clock.install()
    tokens = []

    def fail(route):
        if route.request.method != "POST":
            return route.continue_()
        tokens.append(re.search(r"token=(\w+)", route.request.post_data).group(1))
        if kind in ("gone", "offline"):
            return route.abort("connectionrefused" if kind == "gone" else "internetdisconnected")
        route.fulfill(status=kind, headers={"Retry-After": "60"} if waits else {}, body="<p>busy</p>", content_type="text/html")

    page.route(page.url, fail)
    page.fill("#text", TEXT)
    if kind == "offline":
        page.context.set_offline(True)
    page.click("#submit")
    problem = page.locator("#problem")
    expect(problem).to_contain_text(words)
    button = problem.locator("button")
    if waits:
        expect(problem).to_contain_text("pause of 60 s")
        expect(button).to_have_text(re.compile(r"Try again in (60|[1-5]\d) s"))
        button.click(force=True)
        assert len(tokens) == 1, "while it waits nothing is sent"
        page.clock.run_for(61000)
    expect(button).to_have_text("Try again")
    assert page.evaluate("() => document.activeElement.textContent") == "Try again"
    assert page.locator("#text").input_value() == TEXT
    page.unroute(page.url)
    seen = []
    page.on("request", lambda r: seen.append(r.post_data) if r.method == "POST" and "token=" in (r.post_data or "") else None)
    page.context.set_offline(False)
    button.click()
    page.locator(".answer").wait_for()
    expect(problem).to_be_hidden()
    assert seen and (not tokens or f"token={tokens[0]}" in seen[0]), "a repetition is the same question to the log"


def test_no_answer_in_time(visit):
    page = visit()
    page.clock.install()
    page.route(page.url, lambda route: None if route.request.method == "POST" else route.continue_())
    page.fill("#text", TEXT)
    page.click("#submit")
    expect(page.locator("#submit")).to_have_text("Reading …")
    page.clock.run_for(31000)
    expect(page.locator("#problem")).to_contain_text("No answer within 30 seconds")
    expect(page.locator("#submit")).to_have_text("Check the text")


def test_keyboard_alone(visit):
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type(TITLE)
    page.keyboard.press("Tab")
    page.keyboard.type(TEXT)
    page.keyboard.press("Control+Enter")
    page.locator(".answer").wait_for()
    assert page.evaluate("() => document.activeElement.tagName") == "H2"
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.id") == "prior-again"
    before = numbers(page)
    page.keyboard.press("ArrowUp")
    assert numbers(page) != before
    for _ in range(40):
        page.keyboard.press("Tab")
        where = page.evaluate("""() => { const e = document.activeElement, s = getComputedStyle(e);
            return [e.tagName, e.matches(':focus-visible') ? s.outlineStyle : 'solid', e.textContent]; }""")
        assert where[1] != "none", where
        if where[0] == "SUMMARY":
            break
    assert where[0] == "SUMMARY"
    page.keyboard.press("Enter")
    expect(page.locator(".words ul")).to_be_visible()


def test_hostile_text_is_text(visit):
    page = visit()
    check(page, title=HOSTILE, text=f"{HOSTILE} {TEXT}")
    assert page.locator(".headline").inner_text().startswith(HOSTILE)
    page.goto(page.url + "history")
    assert page.locator(".what").first.inner_text() == HOSTILE
    assert page.evaluate("() => window.broken") is None


@pytest.mark.parametrize("device", ["phone", "desk"])
def test_without_javascript(visit, device):
    page = visit(device=device, java_script_enabled=False)
    page.fill("#title", TITLE)
    page.fill("#text", TEXT)
    follow(page, page.locator("#submit"))
    assert page.locator(".verdict h2:visible").count() == 1 and page.locator("#text").input_value() == TEXT
    assert page.locator("section.marked mark").count() > 2
    before = numbers(page)
    page.select_option("#prior-again", "0.9")
    follow(page, page.get_by_role("button", name="Work it out again"))
    assert numbers(page)[0] > before[0] and page.locator("#prior-again").input_value() == "0.9"
    page.fill("#text", "www.example.org/story")
    follow(page, page.locator("#submit"))
    expect(page.locator("#problem")).to_contain_text("paste the text")
    for path in ("table", "history", "nothing-here"):
        page.goto(page.url.rsplit("/", 1)[0] + "/" + path)
        assert page.locator(".script:visible").count() == 0
        assert_fits(page)


def write_table(folder):
    path = folder / "news.csv"
    path.write_text('id;Headline;Body\r\n1;"=cmd|\'/c calc\'!A1";' + TEXT + '\r\n2;<b>Budget</b>;"' + TEXT.replace(". ", '. ""So""\n')
                    + '"\r\n3;;\r\n4;one;two;three\r\n5;-1;' + SHRILL + "\r\n", encoding="windows-1252", newline="")
    return path


def download(page):
    with page.expect_download() as waiting:
        page.click("#download")
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def test_table(visit, server, tmp_path):
    page = visit("table")
    page.set_input_files("#file", write_table(tmp_path))
    expect(page.locator("#preview-name")).to_contain_text("5 rows, 3 columns between semicolons")
    assert page.locator("#column-title").input_value() == "1" and page.locator("#column-text").input_value() == "2"
    page.fill("#batch", "2")
    page.click("#run")
    expect(page.locator("#progress-words")).to_have_text("All 5 rows are answered.")
    rows = page.locator("#answer-table tbody tr")
    assert rows.count() == 5 and page.evaluate("() => document.activeElement.id") == "answers-name"
    expect(rows.nth(2)).to_contain_text("there is nothing to read in it")
    expect(rows.nth(3)).to_contain_text("the row has 4 fields, the first line names 3")
    page.locator("[data-by=fake] button").click()
    expect(page.locator("[data-by=fake]")).to_have_attribute("aria-sort", "descending")
    shares = [int(t.split()[0]) for t in page.locator("#answer-table tbody td:nth-child(4)").all_inner_texts()]
    assert shares == sorted(shares, reverse=True) and len(shares) == 3
    name, data = download(page)
    assert name == "news-answers.csv" and data.startswith(b"\xef\xbb\xbf")
    got = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert [r["id"] for r in got] == ["1", "2", "3", "4", "5"]
    assert got[0]["Headline"] == "'=cmd|'/c calc'!A1" and got[4]["Headline"] == "'-1"
    expected = server.post("/v1/classify", {"title": "<b>Budget</b>", "text": TEXT.replace(". ", '. "So"\n')}).json
    assert math.isclose(float(got[1]["probability_fake"]), expected["probabilities"]["fake"], rel_tol=1e-12)
    assert got[1]["verdict"] == expected["verdict"] and got[1]["model"] == expected["model"]
    assert got[2]["error"] == "there is nothing to read in it" and got[2]["verdict"] == ""
    page.uncheck("#bom")
    assert not download(page)[1].startswith(b"\xef\xbb\xbf")


def test_table_by_drag_and_drop_on_a_phone(visit):
    page = visit("table", device="phone")
    page.evaluate("""(text) => { const data = new DataTransfer();
        data.items.add(new File([text], "dropped.csv", { type: "text/csv" }));
        document.getElementById("drop").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })); }""",
                  f"text\n{TEXT}\n{SHRILL}\n")
    expect(page.locator("#preview-name")).to_contain_text("dropped.csv: 2 rows")
    page.click("#run")
    expect(page.locator("#progress-words")).to_have_text("All 2 rows are answered.")
    assert_fits(page)
    verdict = page.locator("#answer-table tbody td:nth-child(3)").first.bounding_box()
    assert verdict["x"] + verdict["width"] <= 390, "the verdict is in sight without scrolling sideways"


def test_table_waits_stops_and_goes_on(visit, tmp_path):
    page = visit("table")
    page.clock.install()
    (tmp_path / "many.csv").write_text("title,text\n" + "".join(f'Row {i},"{TEXT}"\n' for i in range(6)))
    page.set_input_files("#file", tmp_path / "many.csv")
    page.fill("#batch", "2")
    asked = []

    def answer(route):
        asked.append(route.request.post_data_json["items"][0]["title"])
        if len(asked) == 2:
            return route.fulfill(status=503, headers={"Retry-After": "60"}, body="")
        if len(asked) == 4:
            return None  # never: it is stopped meanwhile
        route.continue_()

    page.route("**/v1/classify/batch", answer)
    page.click("#run")
    expect(page.locator("#progress-words")).to_contain_text("going on in 60 s")
    page.clock.run_for(60500)
    expect(page.locator("#progress-words")).to_contain_text("4 of 6 rows")
    wait_until(page, lambda: len(asked) == 4)
    page.click("#cancel")
    expect(page.locator("#progress-words")).to_contain_text("Stopped after 4 of 6 rows; these are kept")
    assert page.locator("#answer-table tbody tr").count() == 4
    page.get_by_role("button", name="Go on from row 5").click()
    expect(page.locator("#progress-words")).to_have_text("All 6 rows are answered.")
    assert asked == ["Row 0", "Row 2", "Row 2", "Row 4", "Row 4"]
    assert page.locator("#answer-table tbody tr").count() == 6


@pytest.mark.parametrize("content, words", [(b"", "The file is empty"), (b"title\n", "no row to check"),
                                            (b'title\n"open', "never closed")])
def test_tables_that_are_none(visit, tmp_path, content, words):
    page = visit("table")
    (tmp_path / "x.csv").write_bytes(content)
    page.set_input_files("#file", tmp_path / "x.csv")
    expect(page.locator("#problem")).to_contain_text(words)
    expect(page.locator("#setup")).to_be_hidden()


def test_history_stays_here_and_is_cleared(visit, server):
    page = visit()
    check(page)
    check(page, title="", text=SHRILL)
    page.goto(f"{server.url}/history")
    assert page.locator(".what").all_inner_texts() == [SHRILL[:120], TITLE]
    page.get_by_role("button", name="Clear the history").click()
    expect(page.locator("#history")).to_contain_text("Nothing yet")
    assert page.evaluate("() => localStorage.getItem('fakenews.history')") is None
    page.uncheck("#remember")
    page.goto(server.url)
    check(page)
    page.goto(f"{server.url}/history")
    expect(page.locator("#history")).to_contain_text("Nothing yet")


def test_draft_survives_another_page(visit, server):
    page = visit()
    page.fill("#title", TITLE)
    follow(page, page.get_by_role("link", name="Model", exact=True))
    follow(page, page.get_by_role("link", name="Text", exact=True))
    assert page.locator("#title").input_value() == TITLE
    page.get_by_role("button", name="Clear").click()
    assert page.locator("#title").input_value() == ""


def test_print_shows_the_answer_alone(visit):
    page = visit(scheme="dark")
    check(page)
    page.emulate_media(media="print")
    for part in (".entry", "nav", "button"):
        assert page.locator(f"{part}:visible").count() == 0, part
    for part in (".verdict", ".frequency", ".marked .prose", ".legend"):
        assert page.locator(part).is_visible(), part
    assert page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf()[:5] == b"%PDF-"
