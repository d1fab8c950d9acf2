"""The page of examples/browser in a real browser: a model is opened, writes, stops."""

from __future__ import annotations

import functools
import shutil
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from gguf_models import gguf_mixture

from sparrowlm.foundation.native_part import native_part
from sparrowlm.runtime.continuation import DecodingSettings
from sparrowlm.runtime.decoding import Decoder
from sparrowlm.runtime.loading import open_model
from sparrowlm.runtime.sampling import SamplingSettings

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
ziglang = pytest.importorskip("ziglang", reason="ziglang is not installed")
CHROMIUM = shutil.which("chromium")
ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.skipif(native_part() is None, reason="the compiled part is not built"),
]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_words: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Serve the page with nothing but a static file server: no special headers."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(ROOT / "examples" / "browser" / "index.html", folder)
    script = ROOT / "native" / "build_programs.py"
    subprocess.run([sys.executable, str(script), "-o", str(folder), "wasm"], check=True)
    gguf_mixture(folder / "model.gguf")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_the_page_opens_a_model_and_writes(site):
    folder, address = site
    model = open_model(folder / "model.gguf")
    settings = DecodingSettings(sampling=SamplingSettings(seed=4, temperature=1), max_tokens=50)
    expected = "".join(Decoder(model.engine, model.codec).stream("The cat", settings))
    with playwright.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(locale="en-US")
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(address)
        page.wait_for_selector("#write:not([disabled])")
        assert "passed" in page.inner_text("#status")
        fields = {"prompt": "The cat", "seed": "4", "tokens": "50", "temperature": "1"}
        for name, value in fields.items():
            page.fill(f"#{name}", value)
        page.click("#write")
        page.wait_for_selector("#write:not([disabled])")
        assert page.text_content("#text") == f"The cat{expected}"
        page.fill("#tokens", "5000")
        page.click("#write")
        # The text may be over by itself: then nothing is left to stop.
        page.evaluate("document.getElementById('stop').click()")
        page.wait_for_selector("#write:not([disabled])")
        page.set_input_files("#file", folder / "index.html")
        page.wait_for_function("document.getElementById('status').textContent.includes('GGUF')")
        assert complaints == []
        browser.close()
