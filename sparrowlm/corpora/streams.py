"""Bytes on disk to text in blocks: decompression, encodings, constant memory."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from sparrowlm.text.encodings import detect_encoding

BLOCK_BYTES = 1 << 20
# Little packed at a time: it may unpack to a thousand times as much.
_PACKED_BYTES = 1 << 13
COMPRESSIONS = (".gz", ".xz", ".zst", ".bz2", ".lzma")
_MARK_BYTES = {"utf-8": 3, "utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}
_LONGEST_UTF8_BYTES = 4


class CountingFile(io.RawIOBase):
    """A file that tells how many bytes were read from it.

    Args:
        path: the file to open.
        on_bytes: told the number of bytes of every read.
    """

    def __init__(self, path: Path, on_bytes: Callable[[int], None]) -> None:
        self._file = path.open("rb", buffering=0)
        self._on_bytes = on_bytes

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say whether positions can be changed."""
        return self._file.seekable()

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Fill buffer and count."""
        number = self._file.readinto(buffer) or 0
        self._on_bytes(number)
        return number

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move, for archives."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file below."""
        self._file.close()
        super().close()


class ZstandardFile(io.RawIOBase):
    """A zstd stream that complains when it ends too early (the library's own reader does not).

    Args:
        handle: the packed bytes, one frame or several.
    """

    def __init__(self, handle: io.BufferedIOBase) -> None:
        import zstandard

        self._handle = handle
        self._unpacker = zstandard.ZstdDecompressor(max_window_size=1 << 31)
        self._frame: Any = None
        self._packed = b""
        self._text = b""

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer
        """Fill buffer.

        Raises:
            EOFError: the stream ends inside a frame.
        """
        while not self._text:
            self._packed = self._packed or self._handle.read(_PACKED_BYTES)
            if not self._packed:
                if self._frame is not None:
                    raise EOFError("ends too early")
                return 0
            if self._frame is None:
                self._frame = self._unpacker.decompressobj()
            self._text = self._frame.decompress(self._packed)
            self._packed = b""
            if self._frame.eof:
                self._packed, self._frame = self._frame.unused_data, None
        number = min(len(buffer), len(self._text))
        buffer[:number] = self._text[:number]
        self._text = self._text[number:]
        return number


def open_counted(path: Path, on_bytes: Callable[[int], None]) -> io.BufferedReader:
    """Open a file for reading with progress."""
    return io.BufferedReader(CountingFile(path, on_bytes), buffer_size=1 << 17)


def decompressed(handle: io.BufferedIOBase, suffix: str) -> io.BufferedIOBase:
    """Unpack a stream while it is read.

    Args:
        handle: the packed bytes.
        suffix: one of COMPRESSIONS, or anything else for bytes that are not packed.
    """
    raw: Any
    if suffix == ".gz":
        raw = gzip.GzipFile(fileobj=handle, mode="rb")
    elif suffix in (".xz", ".lzma"):
        raw = lzma.LZMAFile(cast("IO[bytes]", handle))  # noqa: SIM115 - closed with the stream around it
    elif suffix == ".bz2":
        raw = bz2.BZ2File(handle)
    elif suffix == ".zst":
        raw = ZstandardFile(handle)
    else:
        return handle
    return io.BufferedReader(raw, buffer_size=1 << 17)


def stream_errors() -> tuple[type[BaseException], ...]:
    """Return what a damaged or unreadable stream may raise."""
    import zipfile

    import zstandard

    return (
        OSError,
        EOFError,
        zlib.error,
        lzma.LZMAError,
        zstandard.ZstdError,
        zipfile.BadZipFile,
        NotImplementedError,  # a compression method of zip that Python does not know
        RuntimeError,  # a zip member that wants a password
    )


@dataclass
class Decoding:
    """What was found out about the encoding of one stream.

    Args:
        encoding: Python's name, "binary", or "" before the first block.
        evidence: why (see sparrowlm.text.encodings.Decoded).
        num_broken: sequences that were no character.
        num_bytes: bytes decoded.
    """

    encoding: str = ""
    evidence: str = ""
    num_broken: int = 0
    num_bytes: int = 0


def decode_stream(
    handle: io.BufferedIOBase, decoding: Decoding, encoding: str | None = None
) -> Iterator[str]:
    """Decode a stream in blocks of about one MiB, whatever its encoding.

    Args:
        handle: bytes of a text file.
        decoding: receives what was found.
        encoding: Python's name of it, where a person named it; None finds it.

    Yields:
        Text; nothing for a binary file.
    """
    block = handle.read(BLOCK_BYTES)
    ahead = handle.read(BLOCK_BYTES)
    whole = block if not ahead else _without_cut_character(block)
    decoding.encoding, decoding.evidence = detect_encoding(whole)
    # A mark and a binary's first bytes are surer than what anybody believes.
    if encoding is not None and decoding.evidence != "mark" and not _is_packed(decoding):
        decoding.encoding, decoding.evidence = encoding, "named"
    if decoding.encoding == "binary":
        return
    if decoding.evidence == "mark":
        block = block[_MARK_BYTES[decoding.encoding] :]
    decoder = _Decoder(decoding)
    while block:
        decoding.num_bytes += len(block)
        yield decoder.feed(block, is_last=not ahead)
        block, ahead = ahead, handle.read(BLOCK_BYTES) if ahead else b""


def _is_packed(decoding: Decoding) -> bool:
    """Say whether a binary is one by its first bytes, not by control bytes inside."""
    return decoding.encoding == "binary" and not decoding.evidence.endswith("bytes")


def _without_cut_character(block: bytes) -> bytes:
    """Drop the first bytes of a UTF-8 character at the end of block, if any."""
    for length in range(1, _LONGEST_UTF8_BYTES):
        byte = block[-length]
        if byte >= 0xC0:
            return block[:-length]
        if byte < 0x80:
            break
    return block


class _Decoder:
    """An incremental decoder that may change its mind once.

    A file can begin with a megabyte of plain ASCII and turn out to be GB18030 afterwards: as long
    as everything was ASCII, the encoding is looked for again at the first byte beyond it.
    """

    def __init__(self, decoding: Decoding) -> None:
        self._decoding = decoding
        self._only_ascii = decoding.evidence == "utf-8"
        is_strict = decoding.evidence in ("utf-8", "mark")
        self._errors = "strict" if is_strict else "replace"
        self._decoder = codecs.getincrementaldecoder(decoding.encoding)(self._errors)

    def feed(self, block: bytes, is_last: bool) -> str:
        if self._only_ascii and not block.isascii():
            self._only_ascii = False
            self._look_again(block if is_last else _without_cut_character(block))
        if self._errors == "replace":
            return self._replaced(block, is_last)
        state = self._decoder.getstate()
        try:
            return self._decoder.decode(block, is_last)
        except UnicodeDecodeError:
            self._errors = "replace"
            self._decoder = codecs.getincrementaldecoder(self._decoding.encoding)("replace")
            self._decoder.setstate(state)
            return self._replaced(block, is_last)

    def _look_again(self, block: bytes) -> None:
        encoding, evidence = detect_encoding(block)
        if encoding not in ("binary", "utf-8"):
            self._decoding.encoding, self._decoding.evidence = encoding, evidence
            self._errors = "replace"
            self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def _replaced(self, block: bytes, is_last: bool) -> str:
        text = self._decoder.decode(block, is_last)
        self._decoding.num_broken += text.count("\ufffd")
        return text
