"""Reading, cleaning and the search for duplicates in one pass; what is kept goes to the spool."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sparrowlm.corpora.deduplication import DigestSet
from sparrowlm.corpora.documents import Piece
from sparrowlm.corpora.frames import Refined
from sparrowlm.corpora.refinery import refinery
from sparrowlm.corpora.refining import Refining
from sparrowlm.corpora.settings import PreparationSettings
from sparrowlm.corpora.spool import SpoolWriter

_BATCH_CHARACTERS = 1 << 20
_BATCH_PIECES = 8192


@dataclass
class CollectionCounts:
    """What became of the documents of one side.

    Args:
        num_documents_read: documents in the files.
        num_characters_read: characters before cleaning.
        num_documents: documents kept.
        num_characters: characters kept.
        dropped_documents: documents per reason: "empty", "exact", "near", "held-out".
        dropped_characters: characters per reason; "long-line" are lines inside documents.
        repairs: see clean_text, html_to_text and "repeated-lines".
    """

    num_documents_read: int = 0
    num_characters_read: int = 0
    num_documents: int = 0
    num_characters: int = 0
    dropped_documents: Counter[str] = field(default_factory=Counter)
    dropped_characters: Counter[str] = field(default_factory=Counter)
    repairs: Counter[str] = field(default_factory=Counter)


class SeenTexts:
    """Digests of everything kept so far.

    Args:
        directory: for digests beyond the limit.
        settings: which duplicates are searched, and the limit.
        name: prefix of the files.
    """

    def __init__(self, directory: Path, settings: PreparationSettings, name: str) -> None:
        limit = settings.memory_limit_documents
        self.exact = DigestSet(directory, limit, f"{name}-exact")
        self.near = DigestSet(directory, limit, f"{name}-near")

    def close(self) -> None:
        """Remove the files."""
        self.exact.close()
        self.near.close()


@dataclass(frozen=True)
class Side:
    """Where the documents of one side go, and what they must not repeat.

    Args:
        spool: the open spool.
        seen: duplicates of these are dropped, and kept texts are added; None drops nothing.
        registry: kept texts are added here too (held-out side).
        forbidden: texts of the other side, which are dropped.
    """

    spool: SpoolWriter
    seen: SeenTexts | None = None
    registry: SeenTexts | None = None
    forbidden: SeenTexts | None = None


def collect(
    pieces: Iterable[Piece],
    settings: PreparationSettings,
    side: Side,
    counts: CollectionCounts,
    jobs: int = 1,
) -> None:
    """Send pieces through cleaning and deduplication into a spool.

    Args:
        pieces: from the readers.
        settings: cleaning and duplicates.
        side: the destination.
        counts: what happened.
        jobs: processes that clean; the result does not depend on it.
    """
    refining = Refining(
        settings.cleaning,
        finds_duplicates=settings.exact_duplicates,
        finds_near_duplicates=settings.exact_duplicates and settings.near_duplicates,
    )
    collector = _Collector(side, counts)
    with refinery(refining, jobs) as place:
        for batch in place.refine(_batches(pieces), counts.repairs):
            for piece in batch:
                collector.add(piece)
    collector.finish()
    counts.num_documents = side.spool.num_documents
    counts.num_characters = side.spool.num_characters


def _batches(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    batch: list[Piece] = []
    filled = 0
    for piece in pieces:
        batch.append(piece)
        filled += len(piece.text)
        if filled >= _BATCH_CHARACTERS or len(batch) >= _BATCH_PIECES:
            yield batch
            batch, filled = [], 0
    if batch:
        yield batch


class _Collector:
    """Decides document by document; one piece is held back until it is known to be whole."""

    def __init__(self, side: Side, counts: CollectionCounts) -> None:
        self._side = side
        self._counts = counts
        self._held: Refined | None = None
        self._long: _LongDocument | None = None

    def add(self, piece: Refined) -> None:
        """Take the next piece."""
        self._counts.num_characters_read += piece.num_raw_characters
        if piece.is_start:
            self.finish()
            self._counts.num_documents_read += 1
            self._held = piece
            return
        if self._held is not None:
            first, self._held = self._held, None
            self._long = _LongDocument(self._side.spool.mark(), first.digest)
            self._continue(first)
        self._continue(piece)

    def finish(self) -> None:
        """Decide about the document that is open."""
        if self._held is not None:
            piece, self._held = self._held, None
            self._decide(piece)
        elif self._long is not None:
            document, self._long = self._long, None
            self._decide_long(document)

    def _decide(self, piece: Refined) -> None:
        reason = self._refusal(piece.digest, piece.bands, piece.text)
        if reason is None:
            text = self._without_known_lines(piece)
            if text.strip():
                self._side.spool.write(text, piece.digest, is_start=True)
                return
            reason = "exact"
        self._drop(reason, len(piece.text))

    def _refusal(self, digest: int, bands: list[int], text: str) -> str | None:
        """Return why a whole document is dropped; None keeps it and remembers it."""
        if not text or text.isspace():
            return "empty"
        side = self._side
        if side.registry is not None:
            side.registry.exact.add(digest)
            for band in bands:
                side.registry.near.add(band)
        if side.forbidden is not None and (
            digest in side.forbidden.exact or any(band in side.forbidden.near for band in bands)
        ):
            return "held-out"
        if side.seen is None:
            return None
        if not side.seen.exact.add(digest):
            return "exact"
        is_new = [side.seen.near.add(band) for band in bands]
        return None if all(is_new) else "near"

    def _without_known_lines(self, piece: Refined) -> str:
        """Drop the long lines that stand in an earlier document."""
        side = self._side
        kept: list[str] = []
        position = 0
        for start, end, digest in piece.long_lines:
            if side.registry is not None:
                side.registry.exact.add(digest)
            is_known = side.forbidden is not None and digest in side.forbidden.exact
            if side.seen is not None and not is_known:
                is_known = not side.seen.exact.add(digest)
            if is_known:
                kept.append(piece.text[position:start])
                position = end + 1
                self._counts.dropped_characters["long-line"] += end - start
                self._counts.repairs["long-lines"] += 1
        return "".join([*kept, piece.text[position:]]) if position else piece.text

    def _continue(self, piece: Refined) -> None:
        document = self._long
        if document is None:
            return
        document.extend(piece)
        text = self._without_known_lines(piece)
        if text:
            self._side.spool.write(text, document.key, is_start=not document.is_written)
            document.is_written = True

    def _decide_long(self, document: _LongDocument) -> None:
        reason = self._refusal(document.digest(), [], "x" if document.has_text else "")
        if reason is not None or not document.is_written:
            self._side.spool.take_back(document.mark)
            self._drop(reason or "exact", document.num_characters)

    def _drop(self, reason: str, num_characters: int) -> None:
        self._counts.dropped_documents[reason] += 1
        self._counts.dropped_characters[reason] += num_characters


class _LongDocument:
    """A document of several pieces: written as it comes, taken back if it was seen before."""

    def __init__(self, mark: tuple[int, int, int, int], key: int) -> None:
        self.mark = mark
        self.key = key
        self.is_written = False
        self.has_text = False
        self.num_characters = 0
        self._hash = hashlib.blake2b(digest_size=8)

    def extend(self, piece: Refined) -> None:
        self._hash.update(piece.digest.to_bytes(8, "little"))
        self.num_characters += len(piece.text)
        self.has_text = self.has_text or not (piece.text.isspace() or not piece.text)

    def digest(self) -> int:
        return int.from_bytes(self._hash.digest(), "little")
