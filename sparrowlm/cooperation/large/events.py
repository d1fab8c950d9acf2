"""Server-sent events out of bytes, however they are cut.

httpx2 has a reader of its own. This one is told bytes: what a server does to the end of a stream
(no last line end, no last empty line) loses nothing, and a character may arrive in pieces.

Source: WHATWG HTML, "Server-sent events", section 9.2.6.
"""

from __future__ import annotations

from collections.abc import Iterator


class EventReader:
    r"""Collects bytes and gives the data of every finished event.

    >>> reader = EventReader()
    >>> list(reader.take(b'data: {"a"')), list(reader.take(b': 1}\r\n\r\n'))
    ([], ['{"a": 1}'])
    """

    def __init__(self) -> None:
        self._line = bytearray()
        self._data: list[str] = []
        self._after_return = False

    def take(self, piece: bytes) -> Iterator[str]:
        """Yield the data of the events that a piece finishes.

        Args:
            piece: the next bytes, at least one.
        """
        if self._after_return and piece.startswith(b"\n"):
            # The second half of a CRLF that was cut in two.
            piece = piece[1:]
        self._after_return = False
        if not piece:
            return
        self._after_return = piece.endswith(b"\r")
        *lines, rest = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for line in lines:
            whole = bytes(self._line) + line
            self._line.clear()
            yield from self._take_line(whole)
        self._line += rest

    def end(self) -> Iterator[str]:
        """Yield what the stream ended in the middle of."""
        if self._line:
            yield from self._take_line(bytes(self._line))
            self._line.clear()
        yield from self._take_line(b"")

    def _take_line(self, line: bytes) -> Iterator[str]:
        if not line:
            if self._data:
                yield "\n".join(self._data)
                self._data = []
            return
        name, _, value = line.removeprefix(b"\xef\xbb\xbf").partition(b":")
        # Comments have no name; event, id and retry say nothing to us.
        if name == b"data":
            self._data.append(value.removeprefix(b" ").decode("utf-8", "replace"))
