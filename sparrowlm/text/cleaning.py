"""Text as its author meant it: no control or invisible signs, no mojibake, nothing else touched.

Almost all text needs no repair, so one compiled expression first asks whether there is anything to
do; clean text passes at memory speed. Only lines that hold a doubtful character are looked at
closely. Full-width punctuation, curly quotes and characters outside the basic plane never change;
decomposed letters are composed, but no other normal form is applied (NFC would replace rare
compatibility ideographs, NFKC the full-width signs).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import cache
from typing import Any, Literal

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
_DOUBTFUL = re.compile(f"[^{_CLEAN}]|锟斤拷")
_ASCII_CONTROLS = bytes([*range(9), *range(11, 32), 127])
_LINE_BREAKS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_TERMINAL = re.compile("\x1b\\[[0-9;?]*[A-Za-z]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
# A joiner has a meaning between emoji and inside words of the Arabic and Indic scripts.
_JOINABLE = (
    "\u0600-\u07ff\u08a0-\u0dff\u0f00-\u109f\u1780-\u18af\ufe0f"
    "\u2190-\u2bff\U0001f000-\U0001faff\U000e0020-\U000e007f"
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
    if level == "off" or not _needs_repair(text):
        return text
    counts = counts if counts is not None else Counter()
    text = _counted(_LINE_BREAKS, "\n", text, counts, "line-ends")
    if text.isascii():
        return _without_invisible(text, counts)
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if _DOUBTFUL.search(line):
            lines[number] = _repaired(line, level, counts)
    return "\n".join(lines)


def _needs_repair(text: str) -> bool:
    if text.isascii():
        data = text.encode("ascii")
        return len(data) != len(data.translate(None, _ASCII_CONTROLS))
    return _DOUBTFUL.search(text) is not None


def _repaired(line: str, level: CleaningLevel, counts: Counter[str]) -> str:
    if level == "standard" and _MOJIBAKE_HINT.search(line):
        fixed = _without_mojibake(line)
        counts["mojibake"] += fixed != line
        line = fixed
    line = _without_invisible(line, counts)
    if level == "standard":
        line = _counted(_DECOMPOSED, _compose, line, counts, "composed")
    return line


def _without_invisible(text: str, counts: Counter[str]) -> str:
    text = _counted(_TERMINAL, "", text, counts, "control")
    text = _counted(_CONTROLS, "", text, counts, "control")
    text = _counted(_INVISIBLE, "", text, counts, "invisible")
    return _counted(_BROKEN, "", text, counts, "broken")


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
