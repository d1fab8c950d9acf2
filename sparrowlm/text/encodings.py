"""Bytes to text: which encoding, how sure, and a clear refusal of what is no text at all.

Order of the questions, the cheap ones first:

    byte-order mark → strict UTF-8 → pattern of NUL bytes (UTF-16/32 without mark) → binary?
    → what the HTML head or XML line declares → East Asian encodings, scored by how ordinary
    their characters are (GB18030 accepts almost any bytes, so "it decodes" proves nothing)
    → charset-normalizer for the one-byte pages → UTF-8 with the broken bytes replaced
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

from sparrowlm.foundation.errors import SettingError
from sparrowlm.text.east_asian import best_east_asian

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its first two bytes are the same
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# First bytes of files that are never text, with the name shown to the user.
_SIGNATURES = (
    (b"%PDF-", "PDF"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"PK\x03\x04", "ZIP / DOCX / XLSX / EPUB"),
    (b"\xd0\xcf\x11\xe0", "DOC / XLS"),
    (b"\x7fELF", "ELF"),
    (b"MZ\x90", "EXE"),
    (b"SQLite format 3\0", "SQLite"),
    (b"GGUF", "GGUF"),
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"PAR1", "Parquet"),
    (b"ID3", "MP3"),
    (b"OggS", "Ogg"),
    (b"RIFF", "WAV / AVI"),
    (b"fLaC", "FLAC"),
)
_DECLARED = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]+)"""
    rb"""|<\?xml[^>]{0,100}?encoding\s*=\s*["']([A-Za-z0-9_:.-]+)""",
    re.IGNORECASE,
)
# What browsers read when these names are declared (WHATWG encoding standard, labels).
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "euc-kr": "cp949", "ks_c_5601-1987": "cp949"}
_WIDER |= {"shift_jis": "cp932", "iso-8859-1": "cp1252", "big5": "big5hkscs", "us-ascii": "cp1252"}
_WIDER |= {"shift-jis": "cp932", "x-sjis": "cp932", "tis-620": "cp874", "iso-8859-9": "cp1254"}
# One-byte pages that people's files really have; the first are tried before the rarer ones.
_ONE_BYTE_PAGES = (
    "cp1252", "cp1251", "cp1250", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257",
    "cp1258", "cp866", "iso8859_2", "iso8859_5", "iso8859_7", "iso8859_15", "koi8_u", "cp874",
    "mac_cyrillic", "mac_roman", "cp437", "cp850", "cp852", "johab",
)  # fmt: skip
_WESTERN = frozenset(
    "àáâãäåæçèéêëìíîïñòóôõöøœùúûüßÿÀÁÂÄÅÆÇÈÉÊËÎÏÑÓÔÖØŒÙÚÛÜ«»“”„‘’‚…–—·•©®°§£€º¡\xa0¿"
)
# Pages of the same alphabet that statistics alone do not always tell apart.
_SIBLINGS = {
    "cp1250": ("iso8859-2",),
    "iso8859-2": ("cp1250",),
    "cp1251": ("mac-cyrillic",),
    "mac-cyrillic": ("cp1251",),
}
# A sign beyond ASCII before a small letter, unless signs of that kind do stand there.
_SIGN_IN_WORD = re.compile(r"[^\w\s\x00-\x7f«»„“”‘’‚‹›—–…№](?=[^\W\d_A-Z])")
_FOREIGN_RUN = re.compile("[^\\W\\d_A-Za-z]{3,}")
_WESTERN_SHARE = 0.95
# What letters of DOS turn into: these never stand between two letters.
_DOS_LETTER = re.compile(r"[^\W\d_][‚„†‡‰][^\W\d_]")
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_COMMON_HANZI_SHARE = 0.8
_HEAD_BYTES = 1 << 16
# Above this share of control bytes a file is not text in any one-byte encoding.
_BINARY_SHARE = 0.02
# A file is damaged UTF-8, not another encoding, when most of its non-ASCII sequences are whole.
_DAMAGED_UTF8_SHARE = 0.9
_CONTROL_BYTES = bytes([*range(9), 14, 15, *range(16, 27), *range(28, 32), 127])


@dataclass(frozen=True)
class Decoded:
    """Text with the story of its bytes.

    Args:
        text: the decoded text, without byte-order mark; "" for a binary file.
        encoding: Python's name of the encoding, "binary" when refused.
        evidence: why: "mark", "utf-8", "nul-pattern", "declared", "escape", "characters",
            "statistics", "damaged-utf-8", or for binaries what was recognised.
        num_broken: byte sequences replaced by U+FFFD.
    """

    text: str
    encoding: str
    evidence: str
    num_broken: int = 0

    @property
    def is_binary(self) -> bool:
        """Whether the bytes are no text."""
        return self.encoding == "binary"


def named_encoding(name: str) -> str:
    """Return Python's name of an encoding that a person named.

    Args:
        name: "gbk", "GB18030", "latin-1", "mac-cyrillic", …

    Raises:
        SettingError: there is no such encoding.

    >>> named_encoding("GBK"), named_encoding("Latin-1")
    ('gbk', 'iso8859-1')
    """
    try:
        b"".decode(name)  # refuses codecs that make no text, such as "hex"
        return codecs.lookup(name).name
    except (LookupError, ValueError) as error:
        raise SettingError("text.encoding-unknown", received=name) from error


def decode_bytes(data: bytes) -> Decoded:
    """Detect the encoding of data and decode it.

    Args:
        data: a whole file, or a part that begins and ends at character boundaries.

    Returns:
        The text and what was detected; never raises on any bytes.
    """
    encoding, evidence = detect_encoding(data)
    if encoding == "binary":
        return Decoded("", encoding, evidence)
    for mark, name in _MARKS:
        if evidence == "mark" and encoding == name and data.startswith(mark):
            data = data[len(mark) :]
            break
    try:
        return Decoded(data.decode(encoding), encoding, evidence)
    except UnicodeDecodeError:
        text = data.decode(encoding, errors="replace")
        return Decoded(text, encoding, evidence, text.count("\ufffd"))


def detect_encoding(data: bytes) -> tuple[str, str]:
    """Name the encoding of data and the evidence for it (see Decoded)."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name, "mark"
    for magic, name in _SIGNATURES:
        if data.startswith(magic):
            return "binary", name
    if _is_utf8(data):
        return _seven_bit(data)
    return _from_nul_pattern(data) or _from_declaration(data) or _from_content(data)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _seven_bit(data: bytes) -> tuple[str, str]:
    """Tell plain UTF-8 from encodings that switch alphabets by escape sequences, and binaries."""
    head = data[:_HEAD_BYTES]
    if b"\x1b$)C" in head:
        return "iso2022_kr", "escape"
    if b"\x1b$B" in head or b"\x1b$@" in head:
        return "iso2022_jp", "escape"
    if b"~{" in head and re.search(rb"~\{(?:[!-w][!-~]){2,}~\}", head) and head.isascii():
        return "hz", "escape"
    by_nul = _from_nul_pattern(data)
    if by_nul is not None:
        return by_nul
    if _control_share(head) > _BINARY_SHARE:
        return "binary", "control bytes"
    return "utf-8", "utf-8"


def _control_share(head: bytes) -> float:
    controls = len(head) - len(head.translate(None, _CONTROL_BYTES))
    # A few stray signs in a short text are dirt, not proof: they are cleaned away later.
    return controls / len(head) if controls > 4 else 0.0


def _from_nul_pattern(data: bytes) -> tuple[str, str] | None:
    """Recognise UTF-16/32 without a mark by where the zero bytes stand, and refuse other NULs."""
    head = data[: _HEAD_BYTES & ~3]
    if b"\0" not in head:
        return None
    size = max(len(head) // 4, 1)
    zeros = [head[offset::4].count(0) / size for offset in range(4)]
    guesses = {
        "utf-32-le": zeros[3] > 0.95 and zeros[2] > 0.95 and zeros[0] < 0.3,
        "utf-32-be": zeros[0] > 0.95 and zeros[1] > 0.95 and zeros[3] < 0.3,
        "utf-16-le": (zeros[1] + zeros[3]) > 5 * (zeros[0] + zeros[2]) + 0.05,
        "utf-16-be": (zeros[0] + zeros[2]) > 5 * (zeros[1] + zeros[3]) + 0.05,
    }
    for name, fits in guesses.items():
        if fits and _decodes(head, name):
            return name, "nul-pattern"
    # One forgotten NUL in a text is dirt; many are a binary file.
    return ("binary", "NUL bytes") if head.count(0) > 4 + len(head) // 1000 else None


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        return error.start > len(data) - 4  # the head may end inside a character
    controls = sum(c < " " and c not in "\t\n\r\f" for c in text[:4096])
    return controls <= len(text[:4096]) // 50


def declared_encoding(data: bytes) -> str | None:
    """Return the encoding that an HTML or XML head declares, by Python's name, if it exists."""
    found = _DECLARED.search(data[:4096])
    if found is None:
        return None
    label = (found.group(1) or found.group(2)).decode("ascii").lower()
    try:
        return codecs.lookup(_WIDER.get(label, label)).name
    except LookupError:
        return None


def _from_declaration(data: bytes) -> tuple[str, str] | None:
    name = declared_encoding(data)
    if name is None or name.startswith(("utf-16", "utf-32")):
        return None
    broken = data.decode(name, errors="replace").count("\ufffd")
    return (name, "declared") if broken <= len(data) // 200 else None


def _from_content(data: bytes) -> tuple[str, str]:
    # A long plain beginning says nothing: look from the first byte beyond ASCII on.
    first = _HIGH_RUN.search(data)
    start = max(first.start() - _HEAD_BYTES // 2, 0) if first else 0
    head = data[start : start + _HEAD_BYTES]
    if _control_share(head) > _BINARY_SHARE:
        return "binary", "control bytes"
    if _damaged_utf8(head):
        return "utf-8", "damaged-utf-8"
    name = best_east_asian(head)
    if name is not None:
        return name, "characters"
    if _is_common_hanzi(head):
        return "gb18030", "characters"
    return _from_statistics(head)


def _damaged_utf8(head: bytes) -> bool:
    text = head[:-4].decode("utf-8", errors="replace")
    broken = text.count("\ufffd")
    whole = sum(1 for c in text if c > "\x7f") - broken
    return whole > 0 and whole / (whole + broken) >= _DAMAGED_UTF8_SHARE


def _is_common_hanzi(head: bytes) -> bool:
    """Recognise Chinese word lists and names, which have few of the commonest characters.

    There are whole pairs of bytes, nearly all in the part of GB 2312 that holds the 3,755
    characters of level one.
    """
    runs: list[bytes] = _HIGH_RUN.findall(head)
    if not runs or any(len(run) % 2 for run in runs[:-1]):  # the head may end inside a character
        return False
    pairs = [run[i : i + 2] for run in runs for i in range(0, len(run) - 1, 2)]
    common = sum(0xB0 <= pair[0] <= 0xD7 and pair[1] >= 0xA1 for pair in pairs)
    return common >= _COMMON_HANZI_SHARE * max(len(pairs), 1)


def _is_western(head: bytes) -> bool:
    """Recognise Western European text: single accented letters among plain ones.

    In any other page the same bytes are signs inside words, or letters in long runs.
    """
    text = head.decode("cp1252", errors="replace")
    if _DOS_LETTER.search(text):
        return False
    foreign = [c for c in text if c > "\x7f"]
    western = sum(c in _WESTERN for c in foreign)
    plain = sum("a" <= c <= "z" or "A" <= c <= "Z" for c in text)
    in_runs = sum(len(run) for run in _FOREIGN_RUN.findall(text))
    enough = western >= _WESTERN_SHARE * len(foreign) and plain > 2 * len(foreign)
    return enough and in_runs <= (1 - _WESTERN_SHARE) * len(foreign)


def _from_statistics(head: bytes) -> tuple[str, str]:
    if _is_western(head):
        return "cp1252", "statistics"
    from charset_normalizer import from_bytes

    found = from_bytes(head, threshold=0.3, cp_isolation=list(_ONE_BYTE_PAGES))
    if not found:
        return "utf-8", "damaged-utf-8"
    names = [codecs.lookup(one.encoding).name for one in found]
    # min() keeps the first of equals: what the statistics say.
    pages = (names[0], *_SIBLINGS.get(names[0], ()), *names[1:])
    return min(pages, key=lambda page: _signs_in_words(head, page)), "statistics"


def _signs_in_words(head: bytes, page: str) -> int:
    """Count signs that open a word or stand inside one, as the wrong page of two alike shows."""
    text = head.decode(page, errors="replace")
    return len(_SIGN_IN_WORD.findall(text)) + len(_DOS_LETTER.findall(text))
