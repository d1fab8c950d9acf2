"""The page's files: few, small, listed, and saying the same in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import sparrowlm.serving
from sparrowlm.serving.pages import PAGES, page_headers

FOLDER = Path(sparrowlm.serving.__file__).parent / "page"
MOST_BYTES = 150_000
_ENTRY = re.compile(r'^  "([\w-]+)": "((?:[^"\\]|\\.)*)",$', re.MULTILINE)
# Fields that the server names: their keys are made of these words.
_MADE = ("view-", "kind-", "form-", "form-example-", "role-", "action-", "reason-", "stage-")


def words(language: str) -> dict[str, str]:
    return dict(_ENTRY.findall((FOLDER / f"words_{language}.js").read_text(encoding="utf-8")))


def sources() -> str:
    files = [path for path in sorted(FOLDER.iterdir()) if "words_" not in path.name]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def test_the_page_is_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= MOST_BYTES


def test_every_file_is_served_and_none_is_missing():
    served = {content()[0] for content in PAGES.values()}
    assert served == {path.read_bytes() for path in FOLDER.iterdir()}


def test_both_languages_say_the_same():
    chinese, english = words("zh"), words("en")
    assert list(chinese) == list(english)
    assert len(english) == (FOLDER / "words_en.js").read_text(encoding="utf-8").count('": "')
    for key, sentence in english.items():
        fields = set(re.findall(r"\{(\w+)\}", sentence))
        assert fields == set(re.findall(r"\{(\w+)\}", chinese[key])), key
        assert bool(sentence) == bool(chinese[key]), key


def test_no_word_is_unused_and_none_is_missing():
    source, known = sources(), words("en")
    unused = [
        key
        for key in known
        if f'"{key}"' not in source
        and not any(key.startswith(made) and f"`{made}${{" in source for made in _MADE)
        and not (key.endswith("-hint") and f'"{key.removesuffix("-hint")}"' in source)
    ]
    assert unused == []
    # word: "x", say("x"), tell(node, "x") and data-word="x".
    called = re.findall(r'\b(?:word|label|hint|placeholder): "([\w-]+)"', source)
    called += re.findall(r'(?:\bsay\(|data-(?:word|label)=)"([\w-]+)"', source)
    called += re.findall(r'\btell\([\w.#]+, "([\w-]+)"', source)
    called += re.findall(r'\bbutton\("([\w-]+)"', source)
    assert sorted({key for key in called if key not in known}) == []


@pytest.mark.parametrize(
    "forbidden",
    ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function",
     "http://", "https://", "console.", " style=", "onclick=", "createContextualFragment"],
)  # fmt: skip
def test_nothing_reads_text_as_html_or_reaches_elsewhere(forbidden):
    source = sources().replace("http://www.w3.org/2000/svg", "")
    assert forbidden not in source


def test_files_keep_to_the_sizes_of_the_house():
    for path in FOLDER.iterdir():
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 400, path.name
        if not path.name.startswith("words_"):
            assert max(map(len, lines)) <= 100, path.name


def test_the_policy_forbids_what_the_page_does_not_need():
    policy = page_headers()["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy
