"""Text that arrives token by token, shown without ever splitting a character.

A token may be one byte of a Chinese character; printing it alone would show a broken sign.
The decoder holds such bytes back until the character is complete.
"""

from __future__ import annotations

import codecs


class StreamingDecoder:
    r"""Turn a stream of UTF-8 bytes into text, whole characters only.

    >>> decoder = StreamingDecoder()
    >>> [decoder.feed(b"\xe4"), decoder.feed(b"\xbd\xa0"), decoder.feed(b"!"), decoder.finish()]
    ['', '你', '!', '']
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, token_bytes: bytes) -> str:
        """Add the bytes of one token.

        Args:
            token_bytes: any number of bytes, also part of a character, also none.

        Returns:
            The text that became complete; "" while a character is still open. Bytes that can
            never become a character come out as U+FFFD.
        """
        return self._decoder.decode(token_bytes)

    def finish(self) -> str:
        """Close the stream: an unfinished character comes out as U+FFFD; then start anew."""
        rest = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return rest
