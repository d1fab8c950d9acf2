"""Stage 1 of the preparation: inputs to spools, or the spools of an earlier run if they fit."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sparrowlm.corpora.collecting import CollectionCounts, SeenTexts, Side, collect
from sparrowlm.corpora.documents import Piece, ReadingReport
from sparrowlm.corpora.readers import read_source
from sparrowlm.corpora.refinery import derived_jobs
from sparrowlm.corpora.settings import PreparationSettings
from sparrowlm.corpora.sources import Source, find_sources, sources_digest
from sparrowlm.corpora.spool import SpoolWriter, spool_digest
from sparrowlm.corpora.statistics import (
    ReadingStatistics,
    describe_reason,
    reading_from_json,
    reading_statistics,
)
from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import DamagedFileError, DataError
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress

READING_VERSION = 1
_MARK_FILE = "reading.json"
_SETTINGS_THAT_MATTER = (
    "cleaning", "exact_duplicates", "near_duplicates", "document_unit", "text_field",
    "encoding",
)  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """The result of stage 1.

    Args:
        fingerprint: 16 bytes that cover the content of all inputs and the settings.
        spool: directory of the cleaned text.
        held_out_spool: the same of the user's held-out files.
        statistics: what was read.
        held_out_statistics: the same of the user's held-out files.
        repeats_held_out: all text to learn from also stands in the held-out files.
    """

    fingerprint: bytes
    spool: Path
    held_out_spool: Path | None
    statistics: ReadingStatistics
    held_out_statistics: ReadingStatistics | None
    repeats_held_out: bool


def read_inputs(
    inputs: Sequence[Path | str],
    held_out: Sequence[Path | str],
    directory: Path,
    settings: PreparationSettings,
    progress: Progress,
    jobs: int | None = None,
) -> Reading:
    """Read all inputs into spools, or find that this was done before.

    Args:
        inputs: see prepare_corpus.
        held_out: see prepare_corpus.
        directory: existing directory of the preparation.
        settings: see prepare_corpus.
        progress: told about every megabyte read.
        jobs: see prepare_corpus.

    Raises:
        DataError: a path is missing, or nothing readable was found.
    """
    return _ReadingStage(directory, settings, progress, jobs).run(inputs, held_out)


class _ReadingStage:
    def __init__(
        self, directory: Path, settings: PreparationSettings, progress: Progress, jobs: int | None
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._progress = progress
        self._jobs = jobs
        self._num_jobs = 1
        self._spool = directory / "spool"
        self._held_out_spool = directory / "held-out-spool"

    def run(self, inputs: Sequence[Path | str], held_out: Sequence[Path | str]) -> Reading:
        held_report = ReadingReport()
        report = ReadingReport()
        held_sources: list[Source] = []
        if held_out:
            held_sources = find_sources(held_out, held_report, self._directory)
        excluded = frozenset(s.path.resolve() for s in held_sources if s.path)
        sources = find_sources(inputs, report, self._directory, excluded)
        if not sources and excluded:  # the same files on both sides: memorising is the wish
            sources = find_sources(inputs, report, self._directory)
        fingerprint = self._fingerprint(sources, held_sources)
        done = self._done_before(fingerprint, bool(held_sources))
        if done is not None:
            return done
        (self._directory / _MARK_FILE).unlink(missing_ok=True)
        self._start_progress([*sources, *held_sources], (report, held_report))
        return self._read(sources, report, held_sources, held_report, fingerprint)

    def _fingerprint(self, sources: list[Source], held_sources: list[Source]) -> bytes:
        values = self._settings.as_json()
        matter = {name: values[name] for name in _SETTINGS_THAT_MATTER}
        text = json.dumps([READING_VERSION, matter], ensure_ascii=False, sort_keys=True)
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16)
        digest.update(sources_digest(sources))
        digest.update(sources_digest(held_sources))
        return digest.digest()

    def _start_progress(
        self, sources: list[Source], reports: tuple[ReadingReport, ReadingReport]
    ) -> None:
        total_bytes = sum(source.size_bytes for source in sources)
        self._num_jobs = derived_jobs(total_bytes) if self._jobs is None else self._jobs
        self._progress.start(say("corpora.stage-reading"), total_bytes // 1_000_000, "MB")
        done = [0]

        def on_bytes(number: int) -> None:
            before = done[0] // 1_000_000
            done[0] += number
            if done[0] // 1_000_000 > before:
                self._progress.advance(done[0] // 1_000_000 - before)

        for report in reports:
            report.on_bytes = on_bytes

    def _read(
        self,
        sources: list[Source],
        report: ReadingReport,
        held_sources: list[Source],
        held_report: ReadingReport,
        fingerprint: bytes,
    ) -> Reading:
        forbidden = SeenTexts(self._directory, self._settings, "held-out")
        held_statistics = None
        if held_sources:
            counts = CollectionCounts()
            with SpoolWriter(self._held_out_spool) as spool:
                side = Side(spool, registry=forbidden)
                collect(
                    self._pieces(held_sources, held_report),
                    self._settings,
                    side,
                    counts,
                    self._num_jobs,
                )
            held_statistics = self._checked(held_sources, held_report, counts)
        use_forbidden = forbidden if held_sources and self._settings.exact_duplicates else None
        statistics, repeats = self._read_training(sources, report, use_forbidden)
        forbidden.close()
        reading = Reading(
            fingerprint,
            self._spool,
            self._held_out_spool if held_sources else None,
            statistics,
            held_statistics,
            repeats,
        )
        self._mark_done(reading)
        return reading

    def _read_training(
        self, sources: list[Source], report: ReadingReport, forbidden: SeenTexts | None
    ) -> tuple[ReadingStatistics, bool]:
        fresh = dataclasses.replace(
            report,
            skipped=report.skipped.copy(),
            skipped_examples=list(report.skipped_examples),
            encodings=report.encodings.copy(),
        )
        counts = self._collect_training(sources, report, forbidden)
        is_repetition = not counts.num_documents and counts.dropped_documents["held-out"] > 0
        if is_repetition:
            report, counts = fresh, self._collect_training(sources, fresh, None)
        return self._checked(sources, report, counts), is_repetition

    def _collect_training(
        self, sources: list[Source], report: ReadingReport, forbidden: SeenTexts | None
    ) -> CollectionCounts:
        counts = CollectionCounts()
        wants_seen = self._settings.exact_duplicates
        seen = SeenTexts(self._directory, self._settings, "seen") if wants_seen else None
        with SpoolWriter(self._spool) as spool:
            side = Side(spool, seen=seen, forbidden=forbidden)
            collect(self._pieces(sources, report), self._settings, side, counts, self._num_jobs)
        if seen is not None:
            seen.close()
        return counts

    def _pieces(self, sources: list[Source], report: ReadingReport) -> Iterator[Piece]:
        for source in sources:
            yield from read_source(source, self._settings, report)

    def _checked(
        self, sources: list[Source], report: ReadingReport, counts: CollectionCounts
    ) -> ReadingStatistics:
        """Freeze the counts; complain when there is no text.

        Raises:
            DataError: nothing is left.
        """
        if counts.num_characters:
            return reading_statistics(report, counts)
        if report.skipped_examples:
            file, reason = report.skipped_examples[0]
            raise DataError(
                "corpora.nothing-readable",
                num_files=len(sources),
                file=file,
                reason=describe_reason(reason),
            )
        if report.num_bad_records and not counts.num_documents_read:
            raise DataError(
                "corpora.no-record", number=report.num_bad_records, name=sources[0].name
            )
        name = sources[0].name if sources else ""
        raise DataError("corpora.empty", name=name, num_files=len(sources))

    def _mark_done(self, reading: Reading) -> None:
        held_out = reading.held_out_statistics
        atomic.write_json(
            self._directory / _MARK_FILE,
            {
                "fingerprint": reading.fingerprint.hex(),
                "spool": spool_digest(self._spool),
                "held_out_spool": spool_digest(self._held_out_spool) if held_out else None,
                "statistics": dataclasses.asdict(reading.statistics),
                "held_out_statistics": dataclasses.asdict(held_out) if held_out else None,
                "repeats_held_out": reading.repeats_held_out,
            },
        )

    def _done_before(self, fingerprint: bytes, has_held_out: bool) -> Reading | None:
        try:
            mark = atomic.read_json(self._directory / _MARK_FILE)
            if mark.get("fingerprint") != fingerprint.hex():
                return None
            if mark["spool"] != spool_digest(self._spool):
                return None
            if has_held_out and mark["held_out_spool"] != spool_digest(self._held_out_spool):
                return None
            held_out = mark["held_out_statistics"]
            return Reading(
                fingerprint,
                self._spool,
                self._held_out_spool if has_held_out else None,
                reading_from_json(mark["statistics"]),
                None if held_out is None else reading_from_json(held_out),
                bool(mark["repeats_held_out"]),
            )
        except (OSError, DamagedFileError, KeyError):
            return None
