"""Make the README's picture of the desk from the narrative of its worked example.

python experiments/desk/screenshot.py docs/desk.png

Starts a desk of its own and photographs it in Debian's Chromium.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path

from load import ROOT, start_desk
from playwright.sync_api import sync_playwright

MOST_BYTES = 300_000


def main() -> None:
    if len(sys.argv) != 2 or (chromium := shutil.which("chromium")) is None:
        sys.exit(
            "Name the picture to write, and have chromium installed (apt-get install chromium)."
        )
    target = Path(sys.argv[1])
    command = re.search(
        r"^stalkflag check --text .*$", (ROOT / "README.md").read_text(), re.MULTILINE
    )
    assert command
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        process, url = start_desk(Path(folder), "--decisions", "decisions.jsonl")
        try:
            arguments = ["--headless", "--no-sandbox", "--disable-gpu"]
            browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
            page = browser.new_page(
                viewport={"width": 1280, "height": 900}, color_scheme="light", locale="en-GB"
            )
            page.goto(url)
            page.fill("#text", shlex.split(command[0])[3])
            page.click("#check")
            page.wait_for_selector("#explore")
            page.locator("#try").wait_for(state="detached")
            page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
            page.mouse.move(0, 0)
            page.screenshot(path=target)
            browser.close()
        finally:
            process.terminate()
            process.wait()
    if target.stat().st_size > MOST_BYTES:
        sys.exit(f"{target} is over {MOST_BYTES:,} bytes: photograph a smaller window.")


if __name__ == "__main__":
    main()
