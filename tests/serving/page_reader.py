"""Somebody who reads the page in a real browser, and everything that the browser complains of."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from running_server import write_models
from small_models import small_codec, small_ngram

from sparrowlm.export.model_directory import ModelParts, write_model

CHROMIUM = shutil.which("chromium")
HOSTILE = '<img src=x onerror="alert(1)"> \u202eevil\u202c 😀𠮷 <script>alert(2)</script> '
# Every question of a name, and what would be asked of it by a person.
_WATCH = """
window.violations = []; window.shifts = 0; window.shifted = [];
document.addEventListener('securitypolicyviolation', (e) => violations.push(e.violatedDirective));
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) {
    if (one.hadRecentInput) continue;
    shifts += one.value;
    for (const { node, previousRect: from, currentRect: to } of one.sources)
      shifted.push(`${node?.className || node?.nodeName}: ${from.top} to ${to.top}`);
  }
}).observe({type: 'layout-shift', buffered: true});
"""
_NAMELESS = """[...document.querySelectorAll('button, input, textarea, select, [role=dialog]')]
  .filter((one) => one.checkVisibility() && !one.getAttribute('aria-label') &&
    !one.textContent.trim() && !one.labels?.length).map((one) => one.outerHTML.slice(0, 200))"""


def page_models(folder: Path) -> dict[str, Path]:
    """Write models for every view, and one whose text, name and card mean harm."""
    found = write_models(folder)
    codec = small_codec("character", [HOSTILE] * 3)
    point = {"train_nats": 2.0, "held_out_nats": 2.5, "step": 1, "seconds": 3.0}
    parts = ModelParts(
        kind="ngram", codec=codec, ngram=small_ngram(codec, [HOSTILE * 4] * 5, order=8),
        texts={"README.md": f"# {HOSTILE}\n\n| a | b |\n|---|---|\n| `x` | {HOSTILE} |\n"},
        facts={
            "curve": [point, {**point, "seconds": 9.0, "held_out_nats": 1.5}],
            "measured": {"bits_per_character": {"ngram": 1.25}, "seconds": 200.0},
        },
    )  # fmt: skip
    write_model(folder / "hostile", parts)
    return {**found, "<b>hostile": folder / "hostile"}


@dataclass
class Reader:
    """A person with a browser.

    Attributes:
        page: playwright's.
        address: of the server.
        complaints: of the browser: errors, and whatever the console says.
        hosts: that were asked for anything.
    """

    page: Any
    address: str
    complaints: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def open(self, model: str, view: str) -> None:
        self.page.goto(f"{self.address}/#{quote(model, safe='')}/{view}")
        self.page.wait_for_selector(f"#tab-{view}[aria-selected=true]")

    def write(self, text: str) -> str:
        """Let the model go on with a text; returns what stands there when it has ended."""
        self.page.fill("#writing", text)
        self.page.keyboard.press("Control+Enter")
        self.page.wait_for_selector(".cell", state="attached")
        self.page.wait_for_selector(".write > .tools > .main:enabled")
        return self.page.input_value("#writing")

    def set(self, name: str, value: object) -> None:
        """Turn a dial of the settings."""
        self.page.evaluate("document.querySelector('.settings').open = true")
        self.page.fill(f"[id^={name}-]", str(value))

    def cells(self) -> list[str]:
        return self.page.locator(".cell").all_text_contents()

    def click_cell(self, place: int) -> None:
        box = self.page.locator(".cell").nth(place).bounding_box()
        self.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def check(self) -> None:
        """Nothing stands out to the right, every control has a name, nothing was forbidden."""
        wide, width = self.page.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
        assert wide <= width
        assert self.page.evaluate(_NAMELESS) == []
        assert self.page.evaluate("violations") == []


@contextmanager
def reading(browser: Any, address: str, *, refusals: bool = False, **options) -> Iterator[Reader]:
    """Open a window; when it closes, the browser must have had nothing to complain of.

    refusals: whether the server's refusals, which the console repeats, are part of the test.
    """
    context = browser.new_context(**{"locale": "en-US", **options})
    context.set_default_timeout(15_000)
    context.add_init_script(_WATCH)
    reader = Reader(context.new_page(), address)
    page = reader.page
    page.on("pageerror", lambda error: reader.complaints.append(str(error)))
    page.on("console", lambda message: reader.complaints.append(message.text))
    page.on("dialog", lambda dialog: reader.complaints.append(dialog.message))
    page.on("request", lambda request: reader.hosts.add(urlsplit(request.url).netloc))
    yield reader
    reader.check()
    context.close()
    told = [one for one in reader.complaints if not (refusals and "Failed to load" in one)]
    assert told == []
    assert reader.hosts <= {urlsplit(address).netloc, ""}
