"""The page in a real browser, before a real server."""

from __future__ import annotations

import csv
import io
import json
import re
import time

import pytest
from page_reader import CHROMIUM, HOSTILE, page_models, reading
from running_server import named, running

import sparrowlm as sp
from sparrowlm.serving.access import add_key

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
]
PHONE = {"width": 375, "height": 740}
DECISION = {
    "action": "escalate", "answered_by": "large", "confidence": 0.62, "threshold": 0.8,
    "reason": "unsure", "milliseconds": 812.5, "cost": 0.002, "small": {"label": "<i>cat"},
    "masked": ["phone", "name"], "question": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    paths = page_models(folder)
    sheet = folder / "answers.csv"
    with sheet.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(("问题", "答案"))
        writer.writerows(
            (f"怎么{act}", f"{act}请点这里") for act in ("付款", "退货", "开户", "转账")
        )
    sp.train(sheet, output=folder / "answers", model="linear")
    paths["answers"] = folder / "answers"
    with running(*named(paths)) as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as browsers:
        found = browsers.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.mark.parametrize(
    ("locale", "scheme", "size", "words"),
    [
        ("zh-CN", "light", PHONE, ("续写", "分类", "标注", "匹配", "相似", "模型")),
        ("en-US", "dark", PHONE, ("Write", "Classify", "Tag", "Match", "Similar", "Model")),
        ("en-US", "light", {"width": 1280, "height": 900}, ("Write",) + ("",) * 5),
    ],
)
def test_every_view(browser, served, locale, scheme, size, words):
    with reading(
        browser, served.address, locale=locale, color_scheme=scheme, viewport=size
    ) as reader:
        page = reader.page
        for name, (model, view), work in zip(
            words,
            [("mixed", "write"), ("labels", "classify"), ("tags", "tag"), ("answers", "match"),
             ("vectors", "embed"), ("<b>hostile", "model")],
            [_use_writing, _use_lines, _use_lines, _use_match, _use_lines, _use_model],
            strict=True,
        ):  # fmt: skip
            reader.open(model, view)
            assert name in page.inner_text(f"#tab-{view}")
            work(reader)
            if view == "write":  # nothing that is read may jump
                assert page.evaluate("shifts") < 0.02, page.evaluate("shifted")
            reader.check()
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        light = sum(map(int, re.findall(r"\d+", paper)[:3])) > 380
        assert light == (scheme == "light")
        assert page.get_attribute("html", "lang") == ("zh-CN" if locale == "zh-CN" else "en")
        page.goto(f"{served.address}/docs")
        page.wait_for_selector(".operation")
        assert page.locator(".operation").count() >= 16


def _use_writing(reader):
    text = reader.write("The cat")
    assert text.startswith("The cat") and len(text) > len("The cat")
    assert "".join(reader.cells()).replace(" ", "") in text.replace(" ", "")
    reader.page.wait_for_selector(".next .chip")
    reader.page.click(".next .chip >> nth=0")
    assert len(reader.page.input_value("#writing")) > len(text)
    reader.page.wait_for_selector(".beside:visible li")  # the counts of the mixture alone
    reader.page.click(".settings summary")


def _use_lines(reader):
    reader.page.fill(".lines", "The cat 研究生命\n\nwww.example.com/" + "a" * 120)
    reader.page.keyboard.press("Control+Enter")
    reader.page.wait_for_selector(".results > *")


def _use_match(reader):
    page = reader.page
    page.fill("section:nth-of-type(1) textarea", "如何付款")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".answers li")
    assert "付款请点这里" in page.inner_text(".answers li >> nth=0")
    page.fill("section:nth-of-type(2) textarea >> nth=0", "怎么付款")
    page.fill("section:nth-of-type(2) textarea >> nth=1", "如何付款")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("section:nth-of-type(2) .card .big")


def _use_model(reader):
    page = reader.page
    assert page.locator("svg .line").count() == 2
    assert "1.250" in page.inner_text(".bars")
    page.click(".card-text summary")
    assert HOSTILE.strip() in page.text_content(".card-text h2")


def test_another_word_is_chosen_and_the_text_written_anew(browser, served):
    with reading(browser, served.address) as reader:
        page = reader.page
        reader.open("mixed", "write")
        reader.set("temperature", 0)
        reader.set("max_tokens", 12)
        text = reader.write("The cat")
        cells = reader.cells()
        reader.click_cell(3)
        choices = page.locator(".alternatives .choice")
        assert choices.count() == 10
        assert page.locator(".choice[aria-current=true]").count() == 1
        other = page.locator(".choice:not([disabled]):not(:has(.name.quiet))").nth(1)
        name = other.locator(".name").inner_text().lstrip("·")
        other.click()
        page.wait_for_selector(".write > .tools > .main:enabled")
        now = page.input_value("#writing")
        kept = reader.cells()[:3]
        assert kept == cells[:3]
        assert now != text and now.startswith("The cat")
        assert reader.cells()[3] == name
        page.focus("#writing")
        page.keyboard.press("Control+z")
        page.keyboard.press("Control+z")
        assert page.input_value("#writing") == text
        assert reader.cells() == cells
        page.keyboard.press("Control+Shift+z")
        assert page.input_value("#writing") != text


def test_what_stands_after_an_edit_is_no_longer_called_the_models(browser, served):
    with reading(browser, served.address) as reader:
        page = reader.page
        reader.open("mixed", "write")
        reader.set("seed", 3)
        text = reader.write("The cat sat")
        cells = reader.cells()
        assert len(cells) > 4
        place = len("The cat sat")
        for cell in cells[:2]:
            place = text.index(cell, place) + len(cell)
        place = text.index(cells[2], place)
        page.focus("#writing")
        # As long as what it replaces: what follows still stands in its old place.
        page.evaluate(f"writing.setSelectionRange({place}, {place + 1})")
        page.keyboard.type("#")
        assert page.input_value("#writing") == text[:place] + "#" + text[place + 1 :]
        assert reader.cells() == cells[:2]


def test_surprise_is_shown_for_the_readers_own_words_too(browser, served):
    with reading(browser, served.address) as reader:
        page = reader.page
        reader.open("quick", "write")
        page.fill("#writing", "The cat 😀 sat\n你好")
        page.click("[aria-pressed=false]")
        page.wait_for_selector(".coloured .cell.own", state="attached")
        # A character of four bytes is one cell, whatever its tokens.
        assert "".join(reader.cells()).replace(" ", "") == "Thecat😀sat\n你好"
        assert "😀" in reader.cells()
        bits = page.evaluate("getComputedStyle(document.querySelector('.cell')).backgroundColor")
        assert bits != "rgba(0, 0, 0, 0)"


def test_everything_by_keyboard(browser, served):
    with reading(browser, served.address, locale="zh-CN") as reader:
        page = reader.page
        page.goto(served.address)
        page.wait_for_selector("#writing")

        def tab_to(selector):
            for _press in range(30):
                page.keyboard.press("Tab")
                if page.evaluate(f"document.activeElement.matches('{selector}')"):
                    outline = "getComputedStyle(document.activeElement).outlineStyle"
                    shadow = "getComputedStyle(document.activeElement.parentElement).boxShadow"
                    shown = page.evaluate(f"{outline} !== 'none' || {shadow} !== 'none'")
                    assert shown, selector
                    return
            raise AssertionError(selector)

        tab_to("#language")
        page.keyboard.press("Enter")
        assert page.inner_text("[aria-selected=true]") == "Write"
        tab_to("[role=tab]")
        page.keyboard.press("ArrowRight")
        page.wait_for_selector(".chat")
        page.keyboard.press("Home")
        tab_to("#writing")
        page.keyboard.type("The ca")
        page.wait_for_selector(".chip")
        page.keyboard.press("Alt+1")
        before = page.input_value("#writing")
        assert before.startswith("The ca") and len(before) > len("The ca")
        page.keyboard.press("Control+Enter")
        page.wait_for_selector(".cell", state="attached")
        page.wait_for_selector(".write > .tools > .main:enabled")
        page.keyboard.press("Alt+ArrowDown")
        page.wait_for_selector(".alternatives:visible")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.id") == "writing"
        assert not page.is_visible(".alternatives")
        page.keyboard.press("Alt+Shift+3")
        page.wait_for_selector(".view.model")
        page.focus("#tab-model")
        page.keyboard.press("?")
        assert page.is_visible("dialog")
        page.keyboard.press("Escape")
        page.wait_for_selector("dialog", state="detached")


def test_stop_ends_the_work_of_the_server(browser, served):
    def figure(name):
        with served.client() as client:
            lines = client.get("/metrics").text.splitlines()
        found = [line for line in lines if line.startswith(name)]
        return sum(float(line.rpartition(" ")[2]) for line in found)

    whole = "The cat sat on the mat. " * 300
    with reading(browser, served.address) as reader:
        page = reader.page
        reader.open("plain", "write")
        reader.set("max_tokens", 8192)
        # It can write nothing but this, which takes a while.
        page.select_option("[id^=form-]", "choices")
        page.fill(".form textarea", whole)
        written = figure("sparrow_output_tokens_total")
        ways = (
            lambda: page.click(".tools > button >> nth=1"),
            lambda: page.keyboard.press("Escape"),
        )
        for press in ways:
            page.fill("#writing", "")
            page.keyboard.press("Control+Enter")
            page.wait_for_selector(".cell", state="attached")
            assert figure("sparrow_texts_writing") == 1
            press()
            assert page.is_enabled(".write > .tools > .main")
            text = page.input_value("#writing")
            assert 0 < len(text) < len(whole) and whole.startswith(text)
            end = time.monotonic() + 5
            while figure("sparrow_texts_writing") and time.monotonic() < end:
                time.sleep(0.02)
            assert figure("sparrow_texts_writing") == 0
            page.wait_for_timeout(150)
            assert page.input_value("#writing") == text
        assert figure("sparrow_output_tokens_total") - written < len(whole)


def test_hostile_words_are_words(browser, served):
    with reading(browser, served.address) as reader:
        page = reader.page
        reader.open("<b>hostile", "write")
        assert page.locator("b, main img").count() == 0
        assert page.input_value("#models") == "<b>hostile"
        reader.set("temperature", 0)
        reader.set("max_tokens", 200)
        text = reader.write("<img")
        assert 'onerror="alert(1)"' in text and "😀𠮷" in text and "\u202eevil" in text
        assert page.locator("main img, main script").count() == 0
        reader.open("<b>hostile", "chat")
        page.fill(".composer textarea", "<i>x</i> <img")
        page.keyboard.press("Enter")
        page.wait_for_selector(".assistant:not(.writing) .words")
        assert "onerror" in page.text_content(".assistant .words")
        assert page.text_content(".user .words") == "<i>x</i> <img"
        assert page.locator("main img, main i").count() == 0
        page.click(".assistant button >> nth=0")
        assert page.locator(".edit textarea").count() == 1
        page.click("text=Cancel")
        page.click("text=Edit >> nth=0")
        page.fill(".edit textarea", "<img src")
        page.click("text=Keep")
        page.wait_for_selector(".user .words:has-text('<img src')")
        page.wait_for_selector(".assistant:not(.writing) .words")
        assert page.locator(".said > li").count() == 2


def test_places_are_counted_in_characters(browser, served):
    text = "😀𠮷 研究生 😀"
    answer = served.ask("/v1/tag", model="tags", input=text)["data"][0]
    assert any(span["text"] == "研究生" for span in answer["spans"])
    with reading(browser, served.address) as reader:
        reader.open("tags", "tag")
        reader.page.fill(".lines", text)
        reader.page.keyboard.press("Control+Enter")
        reader.page.wait_for_selector(".span")
        own = reader.page.locator(".card > .marked .span bdi").all_text_contents()
        assert own == [span["text"] for span in answer["spans"]]


def test_labels_are_kept_as_files(browser, served):
    texts = ['=1+1, "cat"', "研究生 dog"]
    with reading(browser, served.address, accept_downloads=True) as reader:
        page = reader.page
        reader.open("labels", "classify")
        page.fill(".lines", "\n".join(texts))
        page.click(".tools .main")
        page.wait_for_selector("mark.for, mark.against")
        with page.expect_download() as waiting:
            page.click(".files button >> nth=0")
        lines = waiting.value.path().read_text(encoding="utf-8").splitlines()
        assert [json.loads(line)["text"] for line in lines] == texts
        with page.expect_download() as waiting:
            page.click(".files button >> nth=1")
        content = waiting.value.path().read_text(encoding="utf-8-sig")
        rows = list(csv.reader(io.StringIO(content)))
        # A spreadsheet must not run what a text says.
        assert [row[0] for row in rows] == ["text", "'" + texts[0], texts[1]]


def test_the_way_to_an_answer_is_shown(browser, served):
    item = {
        "index": 0, "label": "dog", "labels": ["dog"], "probability": 0.6, "decision": DECISION,
        "probabilities": [{"label": "dog", "probability": 0.6}],
    }  # fmt: skip
    chunks = [
        {"choices": [{"index": 0, "delta": {"content": "好😀"}, "finish_reason": None}]},
        {"choices": [], "sparrow": {"decision": {**DECISION, "action": "abstain",
                                                "answered_by": "nobody"}}},
    ]  # fmt: skip
    stream = "".join(f"data: {json.dumps(one)}\n\n" for one in chunks) + "data: [DONE]\n\n"
    with reading(browser, served.address) as reader:
        page = reader.page
        page.route("**/v1/classify", lambda route: route.fulfill(json={"data": [item]}))
        kind = {"content-type": "text/event-stream"}
        page.route("**/v1/chat/completions", lambda route: route.fulfill(body=stream, headers=kind))
        reader.open("labels", "classify")
        page.fill(".lines", "a")
        page.keyboard.press("Control+Enter")
        page.click(".decision summary")
        told = page.inner_text(".decision")
        assert "62%" in told and "80%" in told and "the large one answered" in told
        assert "<i>cat" in told and "phone" in told and "not sure enough" in told
        assert page.locator(".step.taken").count() == 3
        reader.open("mixed", "chat")
        page.fill(".composer textarea", "a")
        page.keyboard.press("Enter")
        page.wait_for_selector(".decision")
        assert page.text_content(".assistant .words") == "好😀"
        assert "nobody answered" in page.inner_text(".decision summary")


def test_a_key_is_asked_for_and_kept_for_the_window_alone(browser, models, tmp_path):
    path = tmp_path / "keys.json"
    key = add_key(path, "a", requests_per_minute=2)
    with (
        running(*named({"mixed": models["mixed"]}), "--keys", str(path)) as found,
        reading(browser, found.address, refusals=True, locale="zh-CN") as reader,
    ):
        page = reader.page
        page.goto(found.address)
        page.wait_for_selector("dialog")
        page.keyboard.type("wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector("dialog #key:focus")
        page.fill("#key", key)
        page.keyboard.press("Enter")
        page.wait_for_selector(".chip")
        assert page.evaluate("JSON.stringify(localStorage)").find(key) < 0
        assert page.evaluate("sessionStorage['sparrow.key']") == key
        for _attempt in range(3):
            page.fill("#writing", "The")
            page.click(".write > .tools > .main")
            page.wait_for_selector(".write > .tools > .main:enabled")
        page.wait_for_selector(".notice.trouble")
        told = page.inner_text(".notice.trouble")
        assert re.search(r"每分钟.*\d+ 秒后可重试", told), told


def test_a_server_that_is_gone(browser, served):
    with reading(browser, served.address, refusals=True) as reader:
        page = reader.page
        reader.open("mixed", "write")
        page.fill("#writing", "The cat")
        page.route("**/v1/**", lambda route: route.abort())
        page.keyboard.press("Control+Enter")
        page.wait_for_selector(".notice.trouble")
        assert "cannot be reached" in page.inner_text(".notice.trouble")
        page.unroute("**/v1/**")
        reader.set("max_tokens", 100000)
        page.click(".write > .tools > .main")
        page.wait_for_selector(".notice.trouble:has-text('Most tokens')")


def test_language_and_theme_are_remembered(browser, served):
    with reading(browser, served.address, color_scheme="light") as reader:
        page = reader.page
        reader.open("mixed", "write")
        page.fill("#writing", "My text")
        page.click("#language")
        page.click("#theme")
        # The text stays, the words around it change.
        assert page.input_value("#writing") == "My text"
        assert page.get_attribute("#writing", "aria-label") == "文本"
        page.reload()
        page.wait_for_selector("#writing")
        assert page.inner_text("[aria-selected=true]") == "续写"
        assert page.get_attribute("html", "data-theme") == "dark"
        assert page.input_value("#writing") == ""
        stored = set(page.evaluate("Object.keys(localStorage)"))
        assert stored <= {"sparrow.language", "sparrow.theme", "sparrow.surprise"}


def test_events_may_be_split_anywhere(browser, served):
    found = [{"a": "你好😀"}, {"b": "x\ny"}]
    for newline in ("\n", "\r\n", "\r"):
        # The second event's data stands in two lines.
        lines = [": c", 'data: {"a": "你好😀"}', "", 'data:{"b":', 'data: "x\\ny"}', "", ""]
        stream = newline.join(lines)
        content = list(stream.encode())
        with reading(browser, served.address) as reader:
            reader.page.goto(f"{served.address}/docs")
            script = """async ([bytes, size]) => {
              const { events } = await import("/page/events.js");
              const body = new ReadableStream({ start(to) {
                for (let at = 0; at < bytes.length; at += size)
                  to.enqueue(Uint8Array.from(bytes.slice(at, at + size)));
                to.close();
              } });
              const found = [];
              for await (const one of events(body)) found.push(JSON.parse(one));
              return found;
            }"""
            for size in (1, 2, 3, 5, 7, 1000):
                assert reader.page.evaluate(script, [content, size]) == found


def test_the_description_can_be_copied(browser, served):
    options = {"permissions": ["clipboard-read", "clipboard-write"]}
    with reading(browser, served.address, **options) as reader:
        page = reader.page
        page.goto(f"{served.address}/docs#v1-next")
        page.wait_for_selector("#v1-next")
        assert "input" in page.inner_text("#v1-next table")
        page.click("#v1-next .example > button")
        page.wait_for_selector("#v1-next .example > button:has-text('Copied')")
        command = page.evaluate("navigator.clipboard.readText()")
        assert command.startswith(f"curl '{served.address}/v1/next'")
        body = json.loads(re.search(r"-d '(.*)'$", command, re.DOTALL)[1])
        assert served.ask("/v1/next", **body)["data"]
        page.click("#v1-completions .tabs-small button >> nth=1")
        code = page.inner_text("#v1-completions code")
        assert f'base_url="{served.address}/v1"' in code
        compile(code, "example", "exec")


def test_carriage_returns_move_no_places(browser, served):
    whole = "The\r\ncat\rsat"
    form = {"response_format": {"type": "choices", "choices": [whole]}}
    answer = served.ask("/v1/completions", model="mixed", max_tokens=100, **form)
    assert answer["choices"][0]["text"] == whole

    def with_form(route):
        route.continue_(post_data=json.dumps({**route.request.post_data_json, **form}))

    with reading(browser, served.address) as reader:
        reader.open("mixed", "write")
        reader.page.route("**/v1/completions", with_form)
        assert reader.write("") == "The\ncatsat"
        assert "".join(reader.cells()) == "The\ncatsat"


def test_the_floor_stands_beside_the_tagger(browser, served):
    def span(text, label):
        start = "去北京 now".index(text)
        return {"start": start, "end": start + len(text), "label": label, "text": text,
                "probability": 0.5}  # fmt: skip

    item = {
        "index": 0, "text": "去北京 now", "spans": [span("北京", "LOC")],
        "floor": {"spans": [span("now", "TIME")]},
    }  # fmt: skip
    with reading(browser, served.address) as reader:
        page = reader.page
        page.route("**/v1/tag", lambda route: route.fulfill(json={"data": [item]}))
        reader.open("tags", "tag")
        page.fill(".lines", item["text"])
        page.keyboard.press("Control+Enter")
        page.wait_for_selector(".beside .span")
        assert page.locator(".card > .marked .span bdi").all_text_contents() == ["北京"]
        assert page.locator(".beside .span bdi").all_text_contents() == ["now"]


def test_an_answer_is_given_anew_to_all_that_was_said(browser, served):
    asked = []

    def seen(route):
        asked.append(route.request.post_data_json["messages"])
        route.continue_()

    with reading(browser, served.address) as reader:
        page = reader.page
        page.route("**/v1/chat/completions", seen)
        reader.open("mixed", "chat")
        for text in ("The cat", "The dog"):
            page.fill(".composer textarea", text)
            page.keyboard.press("Enter")
            page.wait_for_selector(".chat .main:enabled")
        page.click("text=Answer anew")
        page.wait_for_selector(".chat .main:enabled")
        roles = [[one["role"] for one in messages] for messages in asked]
        whole = ["user", "assistant", "user"]
        assert roles == [["user"], whole, whole]
        assert asked[1] == asked[2]
        assert page.locator(".said > li").count() == 4
        page.click("text=New chat")
        assert page.locator(".said > li").count() == 0
