"""The report of runs in headless Chromium: phone and desk, light and dark, with and without JavaScript, keyboard alone, hostile texts.

Pages are opened from the disk. Any request but for the page itself, a breach of its policy or an error in its script fails the test.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

REPO = Path(__file__).resolve().parents[2]
PROBE = Path(os.environ.get("FN_TOOLS", REPO / "build/dev/tests/tools")) / "report_probe"
DEVICES = {"phone": {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True},
           "desk": {"viewport": {"width": 1280, "height": 900}}}
# runs, steps, parameters, metrics beyond the usual ones
PAGES = {"three": (3, 120, 6, 0), "one": (1, 30, 5, 0), "many": (13, 20, 3, 0), "hostile": (4, 60, 4, 1, "hostile"),
         "few": (3, 2, 0, 0)}


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    assert PROBE.exists(), f"{PROBE} is missing: build the dev preset, or set FN_TOOLS"
    folder = tmp_path_factory.mktemp("report")
    for name, arguments in PAGES.items():
        done = subprocess.run([PROBE, *map(str, arguments)], capture_output=True, check=True)
        (folder / f"{name}.html").write_bytes(done.stdout)
    return folder


@pytest.fixture(scope="module")
def browser():
    path = shutil.which("chromium")
    assert path, "chromium is missing: tools/deps.sh judge"
    with sync_playwright() as playwright:
        expect.set_options(timeout=60000)
        browser = playwright.chromium.launch(executable_path=path, timeout=120000, args=["--disable-dev-shm-usage"],
                                             chromium_sandbox=os.geteuid() != 0)
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, pages):
    contexts, faults = [], []

    def open_page(name, device="desk", scheme="light", **options):
        context = browser.new_context(color_scheme=scheme, **DEVICES[device], **options)
        context.set_default_timeout(60000)
        contexts.append(context)
        page = context.new_page()
        url = (pages / f"{name}.html").as_uri()
        page.on("request", lambda r: faults.append(f"asked {r.url}") if r.url.split("#")[0] != url else None)
        page.on("console", lambda m: faults.append(m.text) if m.type in ("error", "warning") or "Content Security Policy" in m.text else None)
        page.on("pageerror", lambda e: faults.append(str(e)))
        page.on("dialog", lambda d: (faults.append(f"dialog {d.message}"), d.dismiss()))
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults


def assert_accessible(page):
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]})
    assert found.violations_count == 0, found.generate_report()


def assert_fits(page):
    wide = page.evaluate("() => [document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1], "the page scrolls sideways"


def open_all(page):
    page.evaluate("() => { for (const e of document.querySelectorAll('details')) e.open = true; }")


@pytest.mark.parametrize("name, device, scheme", [("three", "phone", "dark"), ("three", "desk", "light"), ("many", "desk", "dark"),
                                                  ("hostile", "phone", "light")])
def test_accessible_and_fits(visit, name, device, scheme):
    page = visit(name, device, scheme, bypass_csp=True)  # axe is a script from outside
    if device == "phone":  # axe takes its time with every cell of every folded table
        open_all(page)
    assert_accessible(page)
    assert_fits(page)
    for button in page.locator("button:visible, select:visible, nav a").all():
        assert button.bounding_box()["height"] >= 24, button  # WCAG 2.5.8


@pytest.mark.parametrize("device", ["phone", "desk"])
def test_two_axes_fit(visit, device):
    """One parameter that differs: neither cut off on a phone nor as large as a desk is wide."""
    page = visit("few", device)
    assert page.locator("#parallel-chart .axis-name").count() == 2
    room, drawn = page.evaluate("""() => { const e = document.querySelector('#parallel-chart .scroll');
        return [[e.clientWidth, e.clientHeight], [e.scrollWidth, e.scrollHeight]]; }""")
    assert room == drawn and room[1] <= 400


@pytest.mark.parametrize("device", ["phone", "desk"])
def test_whole_without_javascript(visit, device):
    page = visit("three", device, java_script_enabled=False)
    assert page.locator(".script:visible").count() == 0
    assert page.locator("#curves figure svg:visible").count() == 10
    for part in ("#summary", "#differing", "#quality-test", "#parallel-chart svg", "#confusion-test-0"):
        expect(page.locator(part)).to_be_visible()
    page.get_by_text("The values as a table").first.click()
    expect(page.locator("#curves table").first).to_be_visible()
    assert page.locator("#curves table").first.locator("tbody tr").count() == 3


def test_hostile_text_is_text(visit):
    page = visit("hostile")
    open_all(page)
    assert page.evaluate("() => window.broken") is None
    assert page.locator("img").count() == 0
    assert page.locator("h1").inner_text().startswith("4 runs of </script><script>")
    assert not [a for a in page.locator("a").evaluate_all("e => e.map(a => a.protocol)") if a != "file:"]


def test_runs_are_hidden_and_shown(visit):
    page = visit("three")
    line = page.locator('#chart2 g[data-run="1"] .line')
    expect(line).to_be_visible()
    page.get_by_label("Draw run B").uncheck()
    expect(line).to_be_hidden()
    page.get_by_role("button", name="Draw none").click()
    assert page.locator("#curves g[data-run]:visible").count() == 0
    page.get_by_role("button", name="Draw all").click()
    expect(line).to_be_visible()


def test_values_by_pointer_and_by_keyboard(visit):
    page = visit("three")
    svg, said = page.locator("#chart2 svg").first, page.locator("#chart2 .readout")
    data = json.loads(page.locator("#data").text_content())
    curves = data["curves"]["val/loss"]
    svg.focus()
    page.keyboard.press("Home")
    expect(said).to_contain_text(f"step {curves[0]['x'][0]}: A {curves[0]['y'][0]:.4g} · B {curves[1]['y'][0]:.4g}")
    page.keyboard.press("End")
    expect(said).to_contain_text(f"step {curves[0]['x'][-1]}: A {curves[0]['y'][-1]:.4g}")
    svg.hover(position={"x": 120, "y": 80})
    expect(said).not_to_contain_text(f"step {curves[0]['x'][-1]}:")
    at = int(re.match(r"step (\d+)", said.inner_text())[1])
    assert curves[0]["x"][0] < at < curves[0]["x"][-1]


def first_y(page, chart):
    return float(re.match(r"M[\d.]+[ ]([\d.]+)", page.locator(f"{chart} g[data-run='0'] .line").get_attribute("d"))[1])


def test_script_draws_where_the_page_drew(visit):
    """The script has the scale a second time: a redrawn curve lies where it was drawn."""
    page = visit("three")
    before = page.locator("#chart2 g[data-run='0'] .line").bounding_box()
    label = page.locator("#chart2 g[data-run='0'] .label").bounding_box()
    marks = page.locator("#chart2 .grid").get_attribute("d")
    page.select_option("#axis", "log")
    assert page.locator("#chart2 .grid").get_attribute("d") != marks
    page.select_option("#axis", "auto")
    after = page.locator("#chart2 g[data-run='0'] .line").bounding_box()
    assert all(abs(before[k] - after[k]) < 0.6 for k in before)
    assert abs(page.locator("#chart2 g[data-run='0'] .label").bounding_box()["y"] - label["y"]) < 0.6
    again = page.locator("#chart2 .grid").get_attribute("d")
    assert [float(y) for y in re.findall(r"M\d+ ([\d.]+)", again)] == pytest.approx([float(y) for y in re.findall(r"M\d+ ([\d.]+)", marks)], abs=0.11)
    line, begins = page.locator("#chart2 g[data-run='0'] .line"), first_y(page, "#chart2")
    drawn = line.get_attribute("d")
    page.locator("#smoothing").fill("30")
    expect(page.locator("#smoothing-words")).to_contain_text("over about 7.5 % of the steps")
    assert line.get_attribute("d") != drawn and first_y(page, "#chart2") == pytest.approx(begins, abs=0.11)


def test_tables_are_sorted(visit):
    page = visit("many")
    rows = page.locator("#summary tbody tr")
    figures = [float(t.split()[0]) for t in page.locator("#summary tbody td:nth-child(3)").all_inner_texts()]
    assert figures == sorted(figures) and rows.count() == 13
    page.locator("#summary th button", has_text="test/accuracy").click()
    page.locator("#summary th button", has_text="test/accuracy").click()
    expect(page.locator("#summary th", has_text="test/accuracy")).to_have_attribute("aria-sort", "descending")
    figures = [float(t.split()[0]) for t in page.locator("#summary tbody td:nth-child(6)").all_inner_texts()]
    assert figures == sorted(figures, reverse=True)


def test_keyboard_reaches_everything(visit):
    page = visit("one")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.className") == "skip"
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        where = page.evaluate("""() => { const e = document.activeElement, s = getComputedStyle(e);
            return [e.tagName, s.outlineStyle]; }""")
        if where[0] == "BODY":
            break
        assert where[1] != "none", where
        seen.add(where[0].upper())
    assert {"A", "BUTTON", "INPUT", "SELECT", "SVG", "SUMMARY"} <= seen


def test_prints_in_light_colours(visit):
    page = visit("three", scheme="dark")
    page.emulate_media(media="print")
    assert page.locator(".toolbar:visible, .contents:visible").count() == 0
    assert page.evaluate("() => getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf()[:5] == b"%PDF-"
    page.set_viewport_size({"width": 980, "height": 700})  # letter paper across, a centimetre of margin: nothing scrolls there
    assert page.evaluate("() => Math.max(...[...document.querySelectorAll('table')].map(t => t.getBoundingClientRect().right))") <= 980


def test_no_colour_alone(pages):
    """Every run that has a line of its own differs from the others by dash or mark, not by colour only."""
    text = (pages / "three.html").read_text()
    chart = text[text.index('id="chart2"'):]
    classes = re.findall(r'<g class="series s(\d) d(\d)" data-run="(\d)"><path class="line"', chart[:chart.index("</figure>")])
    assert len(classes) == 3 and len({(c, d) for c, d, _ in classes}) == 3 and len({d for _, d, _ in classes}) == 3
