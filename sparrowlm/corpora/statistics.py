"""What was read, dropped and why: numbers for machines, a page for people."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sparrowlm.corpora.collecting import CollectionCounts
from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.foundation.messages import Language, render
from sparrowlm.foundation.quantities import format_size

# Words of the page by their short names.
_WORDS = {
    code.partition(".")[2]: code
    for code in (
        "corpora.skipped-binary",
        "corpora.skipped-empty",
        "corpora.skipped-unreadable",
        "corpora.skipped-damaged",
        "corpora.skipped-no-field",
        "corpora.skipped-nested",
        "corpora.skipped-packed-parquet",
        "corpora.skipped-not-labelled",
        "corpora.dropped-empty",
        "corpora.dropped-exact",
        "corpora.dropped-near",
        "corpora.dropped-held-out",
        "corpora.repair-line-ends",
        "corpora.repair-control",
        "corpora.repair-invisible",
        "corpora.repair-broken",
        "corpora.repair-mojibake",
        "corpora.repair-composed",
        "corpora.repair-boilerplate",
        "corpora.repair-repeated-lines",
        "corpora.repair-long-lines",
        "corpora.tokenizer-character",
        "corpora.tokenizer-bpe",
        "corpora.tokenizer-word",
        "corpora.side-train",
        "corpora.side-held-out",
    )
}


@dataclass(frozen=True)
class ReadingStatistics:
    """What came out of the files of one side.

    Args:
        num_files: files and archive members that gave text.
        num_bytes: their bytes, unpacked.
        num_broken: byte sequences that were no character.
        num_bad_records: rows or lines that were no record.
        num_documents_read: documents found.
        num_characters_read: their characters before cleaning.
        num_documents: documents kept.
        num_characters: characters kept.
        encodings: files per encoding.
        skipped: files per reason.
        skipped_examples: (file, reason) of the first ones.
        dropped_documents: documents per reason.
        dropped_characters: characters per reason.
        repairs: repairs per kind.
    """

    num_files: int = 0
    num_bytes: int = 0
    num_broken: int = 0
    num_bad_records: int = 0
    num_documents_read: int = 0
    num_characters_read: int = 0
    num_documents: int = 0
    num_characters: int = 0
    encodings: Mapping[str, int] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    skipped_examples: tuple[tuple[str, str], ...] = ()
    dropped_documents: Mapping[str, int] = field(default_factory=dict)
    dropped_characters: Mapping[str, int] = field(default_factory=dict)
    repairs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class SplitStatistics:
    """One side of the finished corpus.

    Args:
        num_documents: documents, parts of divided ones counted each.
        num_characters: characters behind the ids.
        num_tokens: ids, separators included.
        num_byte_tokens: ids that stand for one byte of a character outside the vocabulary.
    """

    num_documents: int
    num_characters: int
    num_tokens: int
    num_byte_tokens: int

    @property
    def tokens_per_character(self) -> float:
        """Tokens per character, separators left out."""
        separators = self.num_documents + (self.num_documents > 0)
        return (self.num_tokens - separators) / max(self.num_characters, 1)


@dataclass(frozen=True)
class CorpusStatistics:
    """Everything that is known about a prepared corpus.

    Args:
        reading: the inputs.
        held_out_reading: the user's held-out files; None when the split was made here.
        tokenizer: "character", "bpe" or "word".
        vocabulary_size: number of ids.
        tokens_per_word: tokens per word of the segmentation (fertility), on a sample.
        train: the training side.
        held_out: the held-out side.
        is_held_out_training_text: the corpus is too small to be divided.
        frequent_tokens: (text, occurrences) of the commonest tokens of the training side.
    """

    reading: ReadingStatistics
    held_out_reading: ReadingStatistics | None
    tokenizer: str
    vocabulary_size: int
    tokens_per_word: float
    train: SplitStatistics
    held_out: SplitStatistics
    is_held_out_training_text: bool
    frequent_tokens: tuple[tuple[str, int], ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return JSON values; from_json is the inverse."""
        return dataclasses.asdict(self)

    def lines(self, language: Language | None = None) -> list[str]:
        """Return a readable page.

        Args:
            language: "zh" or "en"; None means the user's own.
        """
        page = _Page(language)
        page.add("corpora.page-title")
        page.reading(self.reading)
        if self.held_out_reading is not None:
            page.add("corpora.page-held-out-files")
            page.reading(self.held_out_reading)
        page.tokens(self)
        return page.lines


def reading_statistics(report: ReadingReport, counts: CollectionCounts) -> ReadingStatistics:
    """Freeze what was counted while reading."""
    return ReadingStatistics(
        num_files=report.num_files,
        num_bytes=report.num_bytes,
        num_broken=report.num_broken,
        num_bad_records=report.num_bad_records,
        num_documents_read=counts.num_documents_read,
        num_characters_read=counts.num_characters_read,
        num_documents=counts.num_documents,
        num_characters=counts.num_characters,
        encodings=dict(sorted(report.encodings.items())),
        skipped=dict(sorted(report.skipped.items())),
        skipped_examples=tuple(report.skipped_examples),
        dropped_documents=dict(sorted(counts.dropped_documents.items())),
        dropped_characters=dict(sorted(counts.dropped_characters.items())),
        repairs={name: number for name, number in sorted(counts.repairs.items()) if number},
    )


def reading_from_json(values: Mapping[str, Any]) -> ReadingStatistics:
    """Rebuild ReadingStatistics from JSON values.

    Raises:
        DamagedFileError: a value is missing or unknown.
    """
    try:
        fields = dict(values)
        fields["skipped_examples"] = tuple((a, b) for a, b in values["skipped_examples"])
        return ReadingStatistics(**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(error) from error


def statistics_from_json(values: Mapping[str, Any]) -> CorpusStatistics:
    """Rebuild CorpusStatistics from JSON values.

    Raises:
        DamagedFileError: a value is missing or unknown.
    """
    try:
        fields = dict(values)
        held_out = fields["held_out_reading"]
        fields["reading"] = reading_from_json(fields["reading"])
        fields["held_out_reading"] = None if held_out is None else reading_from_json(held_out)
        fields["train"] = SplitStatistics(**fields["train"])
        fields["held_out"] = SplitStatistics(**fields["held_out"])
        fields["frequent_tokens"] = tuple((a, b) for a, b in fields["frequent_tokens"])
        return CorpusStatistics(**fields)
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(error) from error


def _damaged(error: Exception) -> DamagedFileError:
    return DamagedFileError("foundation.file-damaged", path="corpus.json", reason=error)


class _Page:
    def __init__(self, language: Language | None) -> None:
        self._language = language
        self.lines: list[str] = []

    def add(self, code: str, **fields: object) -> None:
        self.lines.append(render(code, fields, self._language))

    def _word(self, name: str) -> str:
        return render(_WORDS[name], {}, self._language)

    def _listed(self, counts: Mapping[str, int], prefix: str = "") -> str:
        return ", ".join(
            f"{self._word(prefix + name) if prefix else name} {number:,}"
            for name, number in counts.items()
        )

    def reading(self, reading: ReadingStatistics) -> None:
        self.add(
            "corpora.page-read",
            files=f"{reading.num_files:,}",
            size=format_size(reading.num_bytes),
            documents=f"{reading.num_documents_read:,}",
            characters=f"{reading.num_characters_read:,}",
        )
        if reading.encodings:
            self.add("corpora.page-encodings", list=self._listed(reading.encodings))
        if reading.num_broken:
            self.add("corpora.page-broken", number=f"{reading.num_broken:,}")
        if reading.num_bad_records:
            self.add("corpora.page-bad-records", number=f"{reading.num_bad_records:,}")
        for reason, number in reading.skipped.items():
            self.add("corpora.page-skipped", number=f"{number:,}", reason=self._word(reason))
        for file, reason in reading.skipped_examples:
            self.add("corpora.page-skipped-example", file=file, reason=self.reason(reason))
        if reading.repairs:
            self.add("corpora.page-repairs", list=self._listed(reading.repairs, "repair-"))
        for reason, number in reading.dropped_documents.items():
            self.add(
                "corpora.page-dropped",
                number=f"{number:,}",
                reason=self._word(f"dropped-{reason}"),
                characters=f"{reading.dropped_characters.get(reason, 0):,}",
            )
        self.add(
            "corpora.page-kept",
            documents=f"{reading.num_documents:,}",
            characters=f"{reading.num_characters:,}",
        )

    def reason(self, reason: str) -> str:
        name, _, detail = reason.partition(":")
        return f"{self._word(name)}{f' ({detail})' if detail else ''}"

    def tokens(self, statistics: CorpusStatistics) -> None:
        self.add(
            "corpora.page-tokenizer",
            kind=self._word(f"tokenizer-{statistics.tokenizer}"),
            size=f"{statistics.vocabulary_size:,}",
            per_word=f"{statistics.tokens_per_word:.2f}",
        )
        for name, side in (("train", statistics.train), ("held-out", statistics.held_out)):
            self.add(
                "corpora.page-side",
                side=self._word(f"side-{name}"),
                documents=f"{side.num_documents:,}",
                characters=f"{side.num_characters:,}",
                tokens=f"{side.num_tokens:,}",
                ratio=f"{side.tokens_per_character:.3f}",
                share=f"{side.num_byte_tokens / max(side.num_tokens, 1):.2%}",
            )
        if statistics.is_held_out_training_text:
            self.add("corpora.page-too-small")
        if statistics.frequent_tokens:
            shown = " ".join(repr(text) for text, _ in statistics.frequent_tokens)
            self.add("corpora.page-frequent", list=shown)


def describe_reason(reason: str, language: Language | None = None) -> str:
    """Say why a file was skipped.

    Args:
        reason: as in skipped_examples.
        language: "zh" or "en"; None means the user's own.
    """
    return _Page(language).reason(reason)
