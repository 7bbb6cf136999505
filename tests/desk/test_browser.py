"""The page in a real browser: the whole flow, by mouse, by keyboard alone and without a script."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from desk.conftest import BICYCLE, STALKED, Running, Start
from desk.test_pages import DANGER, HOSTILE

CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip(
        "the page is not tested in a browser: run 'apt-get install chromium' and test again",
        allow_module_level=True,
    )

ARGUMENTS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()
THIN = "My neighbour keeps shouting at me about the fence."

Open = Callable[..., Page]

# A busy machine is no fault of the page.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Open a desk in a fresh window; the test fails if the page or its script complains."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def open_one(desk: Running, **settings: Any) -> Page:
        contexts.append(browser.new_context(locale="en-GB", **settings))
        page = contexts[-1].new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda message: (
                complaints.append(message.text)
                if message.type == "error" and "status of 4" not in message.text
                else None
            ),
        )
        page.on(
            "request",
            lambda request: (
                complaints.append(request.url) if not request.url.startswith(desk.url) else None
            ),
        )
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(f"{desk.url}/")
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="module")
def recording(start: Start) -> Running:
    """A desk that keeps decisions with their texts."""
    return start("--decisions", "decisions.jsonl", "--keep-text")


@pytest.fixture(scope="module")
def choosing(start: Start) -> Running:
    """A desk that asks for a choice first and logs every consultation."""
    return start("--decisions", "d.jsonl", "--decide-first", "--audit-log", "a.jsonl")


def check(page: Page, text: str) -> None:
    page.fill("#text", text)
    page.click("#check")
    expect(page.locator("#explore")).not_to_contain_text("are tried on the narrative")


def test_the_whole_flow(open_page: Open, recording: Running) -> None:
    page = open_page(recording)
    page.uncheck("#auto")
    check(page, THIN)
    expect(page.locator("#result-title")).to_contain_text("harassment", ignore_case=True)
    question = page.locator("#result .ask input").first
    words = question.get_attribute("value")
    question.check()
    page.fill("#text", STALKED)
    expect(page.locator(".stale")).to_be_visible()
    page.click("#check")
    expect(page.locator("#result-title")).to_have_text("Review as stalking")
    expect(page.locator(".changed")).to_contain_text("now stalking")
    expect(page.locator(".stale")).to_be_hidden()
    expect(page.locator("#status")).to_contain_text("Review as stalking")
    if page.locator(f'.ask input[value="{words}"]').count():
        expect(page.locator(f'.ask input[value="{words}"]')).to_be_checked()
    page.check("#choice-neither")
    page.fill("#reason", "It is about the fence")
    page.click("text=Record my decision")
    expect(page.locator("#alerts")).to_contain_text("the suggestion was stalking; both are kept")
    expect(page.locator("#alerts")).to_be_focused()
    lines = (recording.folder / "decisions.jsonl").read_text(encoding="utf-8").splitlines()
    line = json.loads(lines[-1])
    assert (line["decision"], line["suggestion"], line["text"]) == ("neither", "stalking", STALKED)
    assert line["questions_asked"] == [words]


def test_words_light_up_for_what_they_show(open_page: Open, plain_desk: Running) -> None:
    page = open_page(plain_desk)
    check(page, STALKED)
    words = page.locator(".narrative mark.unwanted")
    plain = words.first.evaluate("e => getComputedStyle(e).backgroundColor")
    lit = "e => getComputedStyle(e).backgroundColor"
    pin = page.locator('[data-pin="unwanted"]')
    pin.hover()
    page.wait_for_timeout(1_500)
    assert words.first.evaluate(lit) != plain
    page.mouse.move(0, 0)
    page.wait_for_timeout(1_500)
    assert words.first.evaluate(lit) == plain
    pin.click()
    page.mouse.move(0, 0)
    page.wait_for_timeout(1_500)
    expect(pin).to_have_attribute("aria-pressed", "true")
    assert words.first.evaluate(lit) != plain
    page.keyboard.press("Escape")
    expect(pin).to_have_attribute("aria-pressed", "false")
    quote = page.locator("#result .ind .quote").first
    quote.focus()
    name = quote.get_attribute("data-lights")
    told = page.locator(f'.narrative [data-within~="{name}"].lit').all_inner_texts()
    assert quote.inner_text().strip("“”") in "".join(told).replace("\n", " ") or told


def test_pasted_and_typed_text_is_read_at_once(open_page: Open, plain_desk: Running) -> None:
    page = open_page(plain_desk)
    page.locator("#text").focus()
    page.keyboard.type(f"{BICYCLE} ", delay=0)
    expect(page.locator("#result-title")).to_contain_text("Neither")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.insert_text(STALKED)
    expect(page.locator("#result-title")).to_have_text("Review as stalking")
    assert page.input_value("#text") == f"{BICYCLE} {STALKED}"


def test_by_keyboard_alone(open_page: Open, recording: Running) -> None:
    page = open_page(recording)
    page.keyboard.press("Tab")
    expect(page.locator(".skip").first).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator("#text")).to_be_focused()
    page.keyboard.insert_text(STALKED)
    page.keyboard.press("Control+Enter")
    expect(page.locator("#result-title")).to_have_text("Review as stalking")
    expect(page.locator("#explore")).not_to_contain_text("are tried on the narrative")
    reached = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        at = page.evaluate(
            "() => { const e = document.activeElement; const b = e.getBoundingClientRect();"
            " return [e.id || e.dataset.pin || e.name || e.tagName, b.width > 0 && b.height > 0"
            " && getComputedStyle(e).outlineStyle !== 'none'] }"
        )
        reached.add(at[0])
        assert at[1], f"focus cannot be seen at {at[0]}"
        if at[0] == "choice-stalking":
            break
    assert {"fixated", "obsessive", "unwanted", "repeated", "asked", "check"} <= reached
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    expect(page.locator("#reason")).to_be_focused()
    page.keyboard.insert_text("Followed and told to stop")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#alerts")).to_contain_text("Recorded: Stalking (as suggested).")


def test_without_a_script(open_page: Open, recording: Running) -> None:
    page = open_page(recording, java_script_enabled=False)
    page.fill("#text", THIN)
    page.click("#check")
    page.click("#try")
    assert "tried" in page.inner_text("#explore")
    first = page.locator("#result .ask input").first
    words = first.get_attribute("value")
    first.check()
    page.fill("#text", f"{THIN}\n\n{STALKED}")
    page.click("#check")
    assert page.inner_text("#result-title") == "Review as stalking"
    assert "now stalking" in page.inner_text(".changed")
    assert page.input_value("#text") == f"{THIN}\n\n{STALKED}"
    assert page.locator(".js:visible").count() == 0
    page.click("text=Record my decision")
    assert "Choose one" in page.inner_text("#alerts")
    page.check("#choice-need-more")
    page.fill("#reason", "Ask her first")
    page.click("text=Record my decision")
    assert "Recorded: Need more" in page.inner_text("#alerts")
    lines = (recording.folder / "decisions.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[-1])["label"] is None
    assert words in json.loads(lines[-1])["questions_asked"]
    quote = page.locator("#result .ind .quote").first
    quote.click()
    assert page.locator(".anchor:target").count() == 1


@pytest.mark.parametrize("script", [True, False])
def test_choosing_first(open_page: Open, choosing: Running, script: bool) -> None:
    page = open_page(choosing, java_script_enabled=script)
    page.fill("#text", STALKED)
    page.click("#check")
    expect(page.locator("#alerts")).to_contain_text("Say why you check this")
    page.fill("#purpose", "Call in progress")
    page.click("#check")
    expect(page.locator("#result-title")).to_have_text("Your own choice first")
    assert page.locator("mark").count() == 0
    page.check("#choice-harassment")
    page.fill("#reason", "My first thought")
    page.click("text=Choose and show the suggestion")
    expect(page.locator("#result-title")).to_have_text("Review as stalking")
    expect(page.locator("#result")).to_contain_text("Your first choice was Harassment")
    page.check("#choice-stalking")
    page.fill("#reason", "He followed her")
    page.click("text=Record my decision")
    expect(page.locator("#alerts")).to_contain_text("Recorded: Stalking (as suggested).")


def test_reports_dropped_as_a_file(open_page: Open, plain_desk: Running, tmp_path: Path) -> None:
    page = open_page(plain_desk)
    reports = tmp_path / "reports.csv"
    reports.write_text(f'id,summary\nr1,"{STALKED}"\nr2,"{BICYCLE}"\n', encoding="utf-8")
    page.evaluate(
        """text => {
            const data = new DataTransfer();
            data.items.add(new File([text], "reports.csv", { type: "text/csv" }));
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
        }""",
        reports.read_text(encoding="utf-8"),
    )
    expect(page.locator("h1")).to_have_text("2 reports")
    expect(page.locator(".reports li").first).to_contain_text("r1: review as stalking")
    with page.context.expect_page() as opened:
        page.locator(".reports button").first.click()
    expect(opened.value.locator("#result-title")).to_have_text("Review as stalking")
    assert opened.value.input_value("#text") == STALKED
    chosen = open_page(plain_desk, java_script_enabled=False)
    chosen.click("summary")
    chosen.set_input_files("#file", reports)
    chosen.click("text=List them")
    assert chosen.inner_text("h1") == "2 reports"


def test_hostile_text_stays_text(open_page: Open, plain_desk: Running) -> None:
    page = open_page(plain_desk)
    check(page, f"{STALKED}\n{HOSTILE}")
    assert page.locator("#narrative script, #narrative img, #broken").count() == 0
    page.evaluate(
        "document.querySelectorAll('#narrative sup, #narrative .vh').forEach(e => e.remove())"
    )
    shown = page.inner_text("#narrative")
    assert "<script>alert(1)</script>" in shown and "{{ 7 * 7 }}" in shown
    assert "[U+202E]" in shown and "[U+200B]" in shown
    expect(page.locator(".note")).to_contain_text("hidden characters")
    assert page.url == f"{plain_desk.url}/"
    page.fill("#text", "He rang her again. " * 53_000)  # a megabyte
    page.click("#check")
    expect(page.locator("#alerts")).to_contain_text("Split it into single reports")
    page.fill("#text", "He rang her again. " * 250_000)
    page.click("#check")
    expect(page.locator("#alerts")).to_contain_text("the desk takes up to 4 MB")
    assert len(page.input_value("#text")) == 19 * 250_000


def test_the_print_view_holds_the_reading_and_no_form(open_page: Open, plain_desk: Running) -> None:
    page = open_page(plain_desk)
    check(page, STALKED)
    page.emulate_media(media="print")
    for gone in ("#text", "nav", "#check"):
        expect(page.locator(gone).first).to_be_hidden()
    for kept in ("#narrative", "#result-title", ".four", ".ask", ".foot"):
        expect(page.locator(kept)).to_be_visible()


SIZES = {"wide": (1366, 768), "narrow": (320, 640)}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_axe_finds_no_violation(
    open_page: Open, recording: Running, choosing: Running, scheme: str, size: str
) -> None:
    width, height = SIZES[size]
    look = {"color_scheme": scheme, "viewport": {"width": width, "height": height}}
    page = open_page(recording, **look)
    accessible(page, width)
    check(page, f"{DANGER} {STALKED} He did not hit me. \u202e")
    page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
    accessible(page, width)
    page.click('[data-pin="fixated"]')
    page.click("text=Record my decision")
    expect(page.locator("#alerts")).to_contain_text("Choose one")
    page.wait_for_timeout(1_500)
    accessible(page, width)
    page.fill("#text", f"{STALKED}\n===\n{BICYCLE}")
    page.click("#check")
    expect(page.locator("h1")).to_have_text("2 reports")
    accessible(page, width)
    page.goto(f"{recording.url}/api")
    accessible(page, width)
    page.goto(f"{recording.url}/nowhere")
    accessible(page, width)
    first = open_page(choosing, **look)
    first.fill("#text", DANGER)
    first.fill("#purpose", "Test")
    first.click("#check")
    expect(first.locator("#result-title")).to_have_text("Your own choice first")
    accessible(first, width)


def accessible(page: Page, width: int) -> None:
    """No violation that axe can find, nothing wider than the window, and targets large enough."""
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": tags}})
    assert not found.response["violations"], found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
