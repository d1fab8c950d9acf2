"""Text as its author meant it: no control or invisible signs, no mojibake, nothing else touched.

Almost all text needs no repair, so one look at a table of all characters first finds the doubtful
ones; clean text passes at memory speed. Only lines that hold a doubtful character are looked at
closely, and only for what such characters can need. Full-width punctuation, curly quotes and
characters outside the basic plane never change;
decomposed letters are composed, but no other normal form is applied (NFC would replace rare
compatibility ideographs, NFKC the full-width signs).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cache
from typing import Any, Literal

import numpy as np

CleaningLevel = Literal["standard", "minimal", "off"]

# Signs that no repair would ever touch, so a text of these alone is returned as it is.
_CLEAN = (
    "\t\n\x20-\x7e"
    "\u0386-\u03ce\u0401\u0410-\u044f\u0451\u05d0-\u05ea\u0620-\u064a"  # Greek, Cyrillic …
    "\u0904-\u0939\u0e01-\u0e5b"  # Devanagari letters, Thai
    "\u2010-\u2027\u2030-\u205e\u2100-\u2bff"  # dashes, quotes, arrows, mathematics, shapes
    "\u3000-\u3098\u309b-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff01-\uffef"  # CJK, kana, Hangul
    "\U0001f000-\U0001faff\U00020000-\U0003fffd"  # emoji, rare ideographs
)
_DOUBTFUL = re.compile(f"[^{_CLEAN}]")
# Below this length the expression is faster than the table.
_SHORT_CHARACTERS = 256
# Kinds of doubtful characters, as bits.
_OTHER, _CONTROL, _UNSEEN, _REPLACED, _COMPOSABLE = 1, 2, 4, 8, 16
_ALL = 31
_ASCII_CONTROLS = bytes([*range(9), *range(11, 32), 127])
_LINE_BREAKS = re.compile("\r\n?|[\x0b\x0c\u2028\u2029]")
# A line break of its own, but also a byte of mojibake: it is looked at after that repair.
_NEXT_LINE = re.compile("\x85")
_OTHER_BREAKS = ("\r", "\x0b", "\x0c", "\u2028", "\u2029")
_TERMINAL = re.compile("\x1b\\[[0-9;?]*[A-Za-z]")
_CONTROL_SIGNS = "\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"
_CONTROLS = re.compile(f"[{_CONTROL_SIGNS}]")
# A joiner has a meaning between emoji and inside words of the Arabic and Indic scripts.
_JOINABLE = (
    "\u0600-\u07ff\u08a0-\u0dff\u0f00-\u109f\u1780-\u18af\ufe0f"
    "\u2190-\u2bff\U0001f000-\U0001faff\U000e0020-\U000e007f"
)
_INVISIBLE_SIGNS = (
    "\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0001-\U000e007f"
)
_INVISIBLE = re.compile(
    "[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
    f"|(?<![{_JOINABLE}])[\u200c\u200d]|[\u200c\u200d](?![{_JOINABLE}])"
    "|(?<![\U0001f3f4\U000e0020-\U000e007e])[\U000e0001-\U000e007f]"
)
_BROKEN = re.compile("\ufffd+|(?:锟斤拷)+锟?")
# Mojibake always shows as two signs beyond ASCII side by side, or as one of these alone.
_MOJIBAKE_HINT = re.compile("[^\x00-\x7f]{2}|[ÂÃâÐÑØÙ]")
_MARKS = "\u0300-\u036f\u0653-\u0655\u3099\u309a"
_JAMO = "\u1100-\u1112\u1161-\u1175\u11a8-\u11c2"
_DECOMPOSED = re.compile(f"[^\\W\\d_][{_MARKS}]+|[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?")


def clean_text(
    text: str, level: CleaningLevel = "standard", counts: Counter[str] | None = None
) -> str:
    """Remove what is not text and repair what was decoded wrongly.

    Args:
        text: any string.
        level: "standard"; "minimal" leaves mojibake and decomposed letters alone; "off" returns
            the text as it is.
        counts: receives how many repairs of each kind were made: "line-ends", "control",
            "invisible", "broken", "mojibake" (lines), "composed".

    Returns:
        The clean text; for text that needs no repair the same object.
    """
    if level == "off" or (text.isascii() and not _has_ascii_controls(text)):
        return text
    counts = counts if counts is not None else Counter()
    text = _with_plain_line_ends(text, counts)
    if text.isascii():
        return _without_invisible(text, _ALL, counts) if _has_ascii_controls(text) else text
    if "锟斤拷" in text:
        text = _counted(_BROKEN, "", text, counts, "broken")
    lines = doubtful_lines(text)
    if not lines:
        return text
    kept: list[str] = []
    position = 0
    for start, end, kinds in lines:
        kept += text[position:start], _repaired(text[start:end], level, kinds, counts)
        position = end
    return "".join([*kept, text[position:]])


def _has_ascii_controls(text: str) -> bool:
    data = text.encode("ascii")
    return len(data) != len(data.translate(None, _ASCII_CONTROLS))


def _with_plain_line_ends(text: str, counts: Counter[str]) -> str:
    if "\r\n" in text:
        counts["line-ends"] += text.count("\r\n")
        text = text.replace("\r\n", "\n")
    if any(sign in text for sign in _OTHER_BREAKS):
        text = _counted(_LINE_BREAKS, "\n", text, counts, "line-ends")
    return text


@cache
def _kind_table() -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return what every code point needs, as bits; 0 for those that never need anything."""
    table = np.full(0x110000, _OTHER, dtype=np.uint8)
    for signs, kind in (
        (_CLEAN, 0),
        (_CONTROL_SIGNS, _CONTROL | _OTHER),
        (_INVISIBLE_SIGNS, _UNSEEN | _OTHER),
        ("\ufffd", _REPLACED | _OTHER),
        (_MARKS + _JAMO, _COMPOSABLE | _OTHER),
    ):
        for first, last in re.findall("(.)(?:-(.))?", signs, re.DOTALL):
            table[ord(first) : ord(last or first) + 1] = kind
    return table


def doubtful_lines(text: str) -> list[tuple[int, int, int]]:
    """Find the lines that hold a character which some repair may touch.

    Args:
        text: any text with plain line ends.

    Returns:
        (start, end, kinds of the doubtful characters as bits) of every such line, in order.
    """
    if len(text) < _SHORT_CHARACTERS:
        places = [found.start() for found in _DOUBTFUL.finditer(text)]
        kinds = [int(_kind_table()[ord(text[place])]) for place in places]
    else:
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        found_kinds = _kind_table()[codes]
        positions = np.flatnonzero(found_kinds)
        places, kinds = positions.tolist(), found_kinds[positions].tolist()
    lines: list[tuple[int, int, int]] = []
    end = -1
    for place, kind in zip(places, kinds, strict=True):
        if place < end:
            start, end, before = lines[-1]
            lines[-1] = (start, end, before | kind)
            continue
        start = text.rfind("\n", 0, place) + 1
        end = text.find("\n", place)
        end = len(text) if end < 0 else end
        lines.append((start, end, kind))
    return lines


def _repaired(line: str, level: CleaningLevel, kinds: int, counts: Counter[str]) -> str:
    if level == "standard" and _MOJIBAKE_HINT.search(line):
        fixed = _without_mojibake(line)
        if fixed != line:
            counts["mojibake"] += 1
            line, kinds = fixed, _ALL
    line = _without_invisible(line, kinds, counts)
    if level == "standard" and kinds & _COMPOSABLE:
        line = _counted(_DECOMPOSED, _compose, line, counts, "composed")
    return line


def _without_invisible(text: str, kinds: int, counts: Counter[str]) -> str:
    if kinds & _CONTROL:
        text = _counted(_NEXT_LINE, "\n", text, counts, "line-ends")
        text = _counted(_TERMINAL, "", text, counts, "control")
        text = _counted(_CONTROLS, "", text, counts, "control")
    if kinds & _UNSEEN:
        text = _counted(_INVISIBLE, "", text, counts, "invisible")
    if kinds & _REPLACED:
        text = _counted(_BROKEN, "", text, counts, "broken")
    return text


def _counted(
    pattern: re.Pattern[str],
    replacement: Any,  # noqa: ANN401 - a string or a function, as re.subn takes it
    text: str,
    counts: Counter[str],
    name: str,
) -> str:
    changed, number = pattern.subn(replacement, text)
    if changed == text:
        return text
    counts[name] += number
    return changed


def _compose(found: re.Match[str]) -> str:
    return unicodedata.normalize("NFC", found.group())


@cache
def _fixer() -> tuple[Any, Any]:
    import ftfy

    # Everything off that changes signs an author may have meant.
    return ftfy, ftfy.TextFixerConfig(
        unescape_html=False,
        remove_terminal_escapes=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        fix_line_breaks=False,
        fix_surrogates=True,
        remove_control_chars=False,
        normalization=None,
    )


def _without_mojibake(line: str) -> str:
    ftfy, config = _fixer()
    if not ftfy.badness.is_bad(line) and not re.search("[\x80-\x9f\ud800-\udfff]", line):
        return line
    fixed: str = ftfy.fix_text(line, config)
    return fixed
