"""The words a reader would read stay, everything else of a page goes."""

from __future__ import annotations

import html
import json
import zipfile
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared_data import shared_data

from sparrowlm.text.markup import html_to_text, looks_like_html

PAGE = """<!DOCTYPE html><html><head><title>标题</title><style>p{}</style></head><body>
<nav><a href=/>首页</a> <a href=/b>栏目</a></nav>
<script>var a = "<p>not text</p>";</script>
<h1>床前明月光</h1><p>疑是<b>地上</b>霜，<a href=x>举头</a>望明月。</p>
<ul><li><a href=1>相关文章一</a></li><li><a href=2>相关文章二</a></li></ul>
<table><tr><td>甲</td><td>乙</td></tr></table>
<pre>line one
  line two</pre>
<p>Fish &amp; chips &lt;b&gt; &#20320;&#x597D;</p>
<footer>版权所有</footer></body></html>"""


def test_markup_keeps_the_words_and_drops_the_rest():
    counts: Counter[str] = Counter()
    assert html_to_text(PAGE, counts).split("\n") == [
        "床前明月光", "疑是地上霜，举头望明月。", "甲 乙", "line one", " line two",
        "Fish & chips <b> 你好",
    ]  # fmt: skip
    assert counts["boilerplate"] == 2


@pytest.mark.parametrize(
    ("text", "is_page"),
    [
        (PAGE, True),
        ("\ufeff <?xml version='1.0'?>\n<html>", True),
        ("<!-- hello --><HTML>", True),
        ("a < b and c > d", False),
        ("# Title\n<b>bold</b> in Markdown", False),
        ("", False),
    ],
)
def test_markup_pages_are_recognised_by_their_beginning(text, is_page):
    assert looks_like_html(text) is is_page


WORDS = st.text(st.sampled_from("床前明月光abcXYZ09，。“”&<>'\"龥𠀀😀"), min_size=1, max_size=30)


@given(st.lists(WORDS, min_size=1, max_size=6))
def test_markup_no_word_of_a_paragraph_is_lost_or_changed(paragraphs):
    page = "".join(
        f"<script>x()</script><p class=a>{html.escape(text)}</p><style>y</style>"
        for text in paragraphs
    )
    assert html_to_text(f"<html><body>{page}</body></html>").split("\n") == paragraphs


@given(st.text(max_size=200))
def test_markup_anything_goes_in(text):
    assert isinstance(html_to_text(text), str)


def test_markup_character_tokens_of_html5lib_are_found():
    """Where the standard's tokenizer gives characters only, the same characters come out."""
    archive = zipfile.ZipFile(shared_data("robustness/html5lib_tests.zip"))
    num_cases = 0
    for name in ("test2", "entities", "namedEntities", "numericEntities"):
        for case in json.loads(archive.read(f"tokenizer/{name}.test"))["tests"]:
            states = case.get("initialStates", ["Data state"])
            kinds = {token[0] for token in case["output"]}
            if kinds != {"Character"} or "Data state" not in states or "doubleEscaped" in case:
                continue
            wanted = "".join(token[1] for token in case["output"])
            if any(c < "!" or c in "\x7f\xa0\ufffd" or c.isspace() for c in wanted):
                continue  # white space and controls are treated by other rules
            got = html_to_text(f"<body><p>{case['input']}")
            assert got == wanted, case["description"]
            num_cases += 1
    assert num_cases > 1000
