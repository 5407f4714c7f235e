"""The page in a real browser: Chromium without a window, with and without scripts.

Needs Chromium (Debian's package `chromium`) and the Python package `playwright`, which are no
dependencies of the tests: without them, nothing of this file is tested, and it says so.
"""

import functools
import http.server
import itertools
import os
import shutil
import threading
from dataclasses import replace

import pytest
from report_releases import HARM, harmful, manifest, sample, shards, spread

from tracefactory.report import report

playwright = pytest.importorskip(
    "playwright.sync_api", reason="NOT TESTED: the report in a browser (pip install playwright)"
)
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
if CHROMIUM is None:
    pytest.skip(
        "NOT TESTED: the report in a browser (apt-get install chromium)", allow_module_level=True
    )

DESKTOP, PHONE = (1280, 900), (390, 844)
SCREENS = [
    pytest.param(size, scheme, scripts, id=f"{size[0]}-{scheme}-{'js' if scripts else 'nojs'}")
    for size in (DESKTOP, PHONE)
    for scheme in ("light", "dark")
    for scripts in (True, False)
]

CONTRASTS = """() => {
  const channel = v =>
    v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4;
  const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const ratio = (a, b) => {
    const [low, high] = [light(a), light(b)].sort((x, y) => x - y);
    return (high + 0.05) / (low + 0.05);
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    if (["TITLE", "DESC", "STYLE", "SCRIPT", "title", "desc"].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const colour = parse(element instanceof SVGElement ? style.fill : style.color);
    found.push([ratio(colour, behind(element)), walker.currentNode.data.trim().slice(0, 60)]);
  }
  for (const css of ["kept", "rejected", "neutral"]) {
    const drawn = document.querySelector("svg.chart ." + css + ", svg.bar ." + css);
    // Shapes need 3 to 1; scaled here so that one bound serves both.
    const fill = parse(getComputedStyle(drawn).fill);
    found.push([1.5 * ratio(fill, behind(drawn.closest("section"))), css]);
  }
  return found.sort((a, b) => a[0] - b[0]);
}"""

FOCUSABLE = """() => Array.from(document.querySelectorAll(
    "a[href], button, input, select, summary, [tabindex='0']"))
  .filter(each => each.checkVisibility())
  .map((each, i) => each.dataset.at = String(i)).length"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages to look at, by name."""
    folder = tmp_path_factory.mktemp("pages")
    parts = shards()
    tokens = {
        name: spread(*range(10, 4000, 40))
        for name in ("prompt_tokens", "reasoning_tokens", "answer_tokens")
    }
    counted = [
        replace(part, stats=replace(part.stats, tokenizers={"org/tokenizer": 100}, **tokens))
        if part.config in ("sft", "rejected") else part
        for part in parts
    ]  # fmt: skip
    made = {
        "made": report(manifest(parts), parts, sample()),
        "tokens": report(manifest(counted), counted, sample()),
        "harm": report(*harmful()),
    }
    for name, page in made.items():
        (folder / f"{name}.html").write_bytes(page)
    return folder


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        yield chromium
        chromium.close()


class Opened:
    """A page, with all that it said and asked for."""

    def __init__(self, browser, address, size=DESKTOP, scheme="light", scripts=True):
        self.context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=scheme,
            java_script_enabled=scripts,
        )
        self.page = self.context.new_page()
        self.said, self.asked = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: self.said.append(dialog.message))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()

    def unfold(self):
        for summary in self.page.locator("summary").all():
            summary.click()


@pytest.mark.parametrize(("size", "scheme", "scripts"), SCREENS)
@pytest.mark.parametrize("name", ["made", "tokens", "harm"])
def test_nothing_is_asked_for_said_or_pushed_off_the_screen(
    pages, browser, name, size, scheme, scripts
):
    address = (pages / f"{name}.html").as_uri()
    with Opened(browser, address, size, scheme, scripts) as opened:
        opened.unfold()
        if folder := os.environ.get("REPORT_SCREENSHOTS"):
            word = "js" if scripts else "nojs"
            path = f"{folder}/{name}-{size[0]}-{scheme}-{word}.png"
            opened.page.screenshot(path=path, full_page=name != "harm")  # that one is too long
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert opened.asked == [address]
        assert opened.said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("media", ["screen", "print"])
def test_all_text_has_contrast(pages, browser, scheme, media):
    with Opened(browser, (pages / "tokens.html").as_uri(), scheme=scheme) as opened:
        opened.unfold()
        opened.page.emulate_media(media=media, color_scheme=scheme)
        found = opened.page.evaluate(CONTRASTS)
        assert len(found) > 300
        assert [each for each in found if each[0] < 4.5] == []


def test_harmful_texts_are_read_as_they_were_written(pages, browser):
    with Opened(browser, (pages / "harm.html").as_uri()) as opened:
        page = opened.page
        opened.unfold()
        assert page.locator("#escaped, img, iframe, template, style + style").count() == 0
        assert page.locator("script").count() == 1
        assert page.title() != "ran"
        read = page.locator("#sample .text").all_text_contents()
        assert read[:2] == [HARM[0], "\n" + HARM[0]]  # its own first line break, too
        assert read[2] == HARM[1]
        unseen = next(text for text in read if "gnp.exe" in text)
        assert unseen == "U+202Egnp.exeU+2066 left U+200BzeroU+0000nulU+001B[31mU+000Dback"


def test_the_policy_stops_what_escaping_might_let_by(pages, browser):
    asked = []

    class Listening(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *_):
            pass

    page = (pages / "made.html").read_bytes()
    broken = page.replace(
        b"</main>",
        b"<script>document.title = 'ran'</script><script src=/leak.js></script><img src=/leak.png>"
        b"<style>@import '/leak.css'; h1 { display: none }</style><p id=p style='color: red'>p</p>"
        b"<img src=x onerror=\"document.title='ran'\"><form action=/leak></form></main>",
    )
    (pages / "broken.html").write_bytes(broken)
    handler = functools.partial(Listening, directory=str(pages))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/broken.html"
        with Opened(browser, address) as opened:
            assert opened.page.title() != "ran"
            assert opened.page.locator("h1").is_visible()
            assert opened.page.locator("#shard-count").text_content()  # its own script did run
            colour = opened.page.evaluate("getComputedStyle(document.getElementById('p')).color")
            assert colour != "rgb(255, 0, 0)"
        server.shutdown()
    assert [path for path in asked if "favicon" not in path] == ["/broken.html"]


def column(page, at):
    rows = page.locator("#shard-table tbody tr:not([hidden])")
    return rows.locator(f"> :nth-child({at})").all_text_contents()


def test_the_table_of_shards_sorts_both_ways_with_what_was_not_measured_last(pages, browser):
    with Opened(browser, (pages / "made.html").as_uri()) as opened:
        heading = opened.page.locator("#shard-table th", has_text="Mean length")
        for state, turned in (("ascending", False), ("descending", True)):
            heading.locator("button").click()
            assert heading.get_attribute("aria-sort") == state
            lengths = column(opened.page, 6)
            numbers = [int(text.split()[0]) for text in lengths if text != "–"]
            assert numbers == sorted(numbers, reverse=turned)
            assert len(set(numbers)) > 1
            assert lengths[len(numbers) :] == ["–"] * 7
        assert opened.page.locator("[aria-sort]").count() == 1


def test_the_table_of_shards_is_filtered_by_name_view_and_mark(pages, browser):
    with Opened(browser, (pages / "made.html").as_uri()) as opened:
        page = opened.page
        assert page.locator("#shard-count").text_content() == "19 of 19 files shown"
        page.get_by_label("Find").fill("TRAIN-00004")
        assert column(page, 1) == [f"{v}/train-00004.parquet" for v in ("rejected", "rl", "sft")]
        page.locator("#shard-controls select").select_option("rl")
        assert column(page, 1) == ["rl/train-00004.parquet"]
        page.get_by_label("Find").fill("")
        page.locator("#shard-controls select").select_option("")
        page.get_by_label("only those that stand out").check()
        assert column(page, 1) == ["sft/train-00004.parquet"]
        assert page.locator("#shard-count").text_content() == "1 of 19 files shown"


def test_without_scripts_all_is_there_and_no_control_that_does_nothing(pages, browser):
    with Opened(browser, (pages / "made.html").as_uri(), scripts=False) as opened:
        page = opened.page
        assert page.locator("#shard-table tbody tr").count() == 19
        assert not page.locator("#shard-controls").is_visible()
        assert page.locator("button").count() == 0
        text = page.locator("#sample .text").first
        assert not text.is_visible()
        page.locator("#sample summary").first.click()
        assert text.is_visible()


def test_the_keyboard_reaches_and_works_everything(pages, browser):
    with Opened(browser, (pages / "made.html").as_uri()) as opened:
        page = opened.page
        page.locator("#sample summary").first.focus()
        page.keyboard.press("Enter")
        assert page.locator("#sample .text").first.is_visible()
        page.locator("#shard-table button").nth(1).focus()
        page.keyboard.press("Space")
        assert page.locator("#shard-table th").nth(1).get_attribute("aria-sort") == "ascending"

        many = page.evaluate(FOCUSABLE)
        page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
        page.locator("body").click(position={"x": 1, "y": 1})
        reached = []
        for _ in range(many):
            page.keyboard.press("Tab")
            at, outline = page.evaluate(
                "[document.activeElement.dataset.at,"
                " getComputedStyle(document.activeElement).outlineStyle]"
            )
            assert outline != "none"  # it is seen where the focus is
            reached.append(int(at))
        assert reached == list(range(many))


def test_parts_are_named_for_those_who_do_not_see_them(pages, browser):
    with Opened(browser, (pages / "tokens.html").as_uri()) as opened:
        page = opened.page
        charts = page.locator("svg[role=img]")
        assert charts.count() == 6
        for chart in charts.all():
            ids = chart.get_attribute("aria-labelledby").split()
            assert all(page.locator(f"#{each}").text_content() for each in ids)
        assert page.locator("svg:not([role=img]):not([aria-hidden=true])").count() == 0
        levels = page.evaluate(
            "Array.from(document.querySelectorAll('h1,h2,h3')).map(h => +h.tagName[1])"
        )
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
        regions = page.locator("[role=region]")
        assert all(region.get_attribute("aria-label") for region in regions.all())
        assert page.locator("html").get_attribute("lang") == "en"


def test_what_is_folded_is_open_on_paper(pages, browser):
    with Opened(browser, (pages / "made.html").as_uri()) as opened:
        opened.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert opened.page.locator("details:not([open])").count() == 0
        assert opened.page.pdf().startswith(b"%PDF")
