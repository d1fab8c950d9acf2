"""From files to a prepared corpus, stage by stage; a killed preparation goes on where it can.

    directory/
      standard-input.txt         what came through "-", kept because it comes only once
      reading.json               stage 1 is done: its fingerprint, its counts, checksums of
      spool/, held-out-spool/    the cleaned text without duplicates
      tokenizer.json             stage 2 is done
      tokenizer/                 the tokenizer
      train.ids, held-out.ids    stage 3, each checked and with the fingerprint inside
      corpus.json                all is done: statistics and fingerprint

Every stage's fingerprint covers the content of the inputs and every setting that matters to it, so
a stage is used again exactly when its result would be the same bytes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparrowlm.corpora import packing
from sparrowlm.corpora.packing import SideTexts
from sparrowlm.corpora.reading_stage import Reading, read_inputs
from sparrowlm.corpora.settings import PreparationSettings
from sparrowlm.corpora.splitting import Split, plan_split
from sparrowlm.corpora.spool import read_segments
from sparrowlm.corpora.statistics import CorpusStatistics, statistics_from_json
from sparrowlm.corpora.token_files import TokenSplit, read_tokens
from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import DamagedFileError, DataError, ModelError
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress, SilentProgress
from sparrowlm.text.tokenizers import TokenCodec, load_tokenizer

# Raised whenever the same input would give other bytes.
PREPARATION_VERSION = 1
_CORPUS_FILE = "corpus.json"
_TOKENIZER_MARK = "tokenizer.json"
_TOKENIZER_DIRECTORY = "tokenizer"
_SIDES = {"train": "train.ids", "held_out": "held-out.ids"}


@dataclass(frozen=True)
class Corpus:
    """A prepared corpus.

    Args:
        directory: where it lies.
        codec: its tokenizer.
        train: ids to learn from.
        held_out: ids to judge with; never in train, unless is_held_out_training_text.
        statistics: what was read, dropped and why.
        is_held_out_training_text: the corpus is too small to be divided.
        fingerprint: 16 bytes that name inputs, settings and tokenizer.
    """

    directory: Path
    codec: TokenCodec
    train: TokenSplit
    held_out: TokenSplit
    statistics: CorpusStatistics
    is_held_out_training_text: bool
    fingerprint: bytes


def prepare_corpus(
    inputs: Sequence[Path | str],
    directory: Path,
    settings: PreparationSettings | None = None,
    *,
    held_out: Sequence[Path | str] = (),
    codec: TokenCodec | None = None,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> Corpus:
    """Read, clean, deduplicate, divide, tokenize and pack inputs into directory.

    Args:
        inputs: files, folders and "-" (standard input) as paths; a str is itself a document.
        directory: receives the corpus; finished stages of a killed run are used again.
        settings: how; equal inputs and settings give equal bytes.
        held_out: files that become the held-out side; everything of inputs then trains, except
            what also stands in them.
        codec: a tokenizer to use instead of learning one.
        progress: told about stages.
        jobs: processes that clean; None takes what the machine and the amount of text suggest.
            The result does not depend on it.

    Returns:
        The corpus, mapped into memory.

    Raises:
        DataError: a path is missing, or nothing readable was found.
        DependencyError: a Parquet file, and pyarrow is not installed.
        ResourceError: disk full or not writable.
    """
    settings = settings or PreparationSettings()
    progress = progress or SilentProgress()
    directory = Path(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise atomic.resource_error(error, directory) from error
    atomic.remove_leftovers(directory)
    try:
        reading = read_inputs(inputs, held_out, directory, settings, progress, jobs)
        return _Preparation(directory, settings, progress, reading, codec).run()
    finally:
        progress.finish()


def open_corpus(directory: Path, fingerprint: bytes | None = None) -> Corpus:
    """Open what was prepared before.

    Args:
        directory: of prepare_corpus.
        fingerprint: when given, the corpus must carry it.

    Raises:
        DataError: there is no finished corpus.
        DamagedFileError: a file fails its checks.
    """
    directory = Path(directory)
    path = directory / _CORPUS_FILE
    if not path.is_file():
        raise DataError("corpora.not-prepared", path=directory)
    content = atomic.read_json(path)
    checksum = content.pop("checksum", None)
    if checksum != _checksum(content) or content.get("format") != PREPARATION_VERSION:
        raise DamagedFileError("foundation.file-damaged", path=path, reason="checksum differs")
    mark = bytes.fromhex(content["fingerprint"])
    if fingerprint is not None and mark != fingerprint:
        raise DamagedFileError(
            "foundation.file-damaged", path=path, reason="belongs to another corpus"
        )
    statistics = statistics_from_json(content["statistics"])
    return Corpus(
        directory=directory,
        codec=load_tokenizer(directory / _TOKENIZER_DIRECTORY),
        train=read_tokens(directory / _SIDES["train"], mark),
        held_out=read_tokens(directory / _SIDES["held_out"], mark),
        statistics=statistics,
        is_held_out_training_text=statistics.is_held_out_training_text,
        fingerprint=mark,
    )


def _checksum(content: dict[str, Any]) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class _Preparation:
    """The stages behind the reading."""

    def __init__(
        self,
        directory: Path,
        settings: PreparationSettings,
        progress: Progress,
        reading: Reading,
        codec: TokenCodec | None,
    ) -> None:
        self._directory = directory
        self._settings = settings
        self._progress = progress
        self._reading = reading
        self._given_codec = codec

    def run(self) -> Corpus:
        train, held_out, is_training_text = self._sides()
        tokenizer_mark = self._tokenizer_fingerprint()
        codec, codec_digest = self._codec(train, tokenizer_mark)
        mark = hashlib.blake2b(tokenizer_mark + codec_digest, digest_size=16).digest()
        finished = self._finished(mark)
        if finished is not None:
            return finished
        (self._directory / _CORPUS_FILE).unlink(missing_ok=True)
        splits = {}
        total = (train.num_bytes + held_out.num_bytes) // 1_000_000
        self._progress.start(say("corpora.stage-encoding"), total, "MB")
        for name, side in (("train", train), ("held_out", held_out)):
            path = self._directory / _SIDES[name]
            splits[name] = self._packed(path, side, codec, mark)
        self._finish(splits, codec, train, is_training_text, mark)
        return open_corpus(self._directory, mark)

    def _sides(self) -> tuple[SideTexts, SideTexts, bool]:
        segments = read_segments(self._reading.spool)
        if self._reading.held_out_spool is None:
            share = self._settings.held_out_share
            split = plan_split(segments, share, self._settings.seed)
            sides = [SideTexts(self._reading.spool, segments, split, s) for s in _SIDES]
            return sides[0], sides[1], split.is_training_text
        train = SideTexts(self._reading.spool, segments, Split.everything(segments), "train")
        other = read_segments(self._reading.held_out_spool)
        everything = Split.everything(other)
        held_out = SideTexts(self._reading.held_out_spool, other, everything, "train")
        return train, held_out, self._reading.repeats_held_out

    def _tokenizer_fingerprint(self) -> bytes:
        """Cover the inputs and every setting that decides about split and tokenizer."""
        values = self._settings.as_json()
        del values["memory_limit_documents"]
        values["user_dictionary"] = None  # its words count, not its place
        values["user_words"] = packing.user_words(self._settings)
        text = json.dumps([PREPARATION_VERSION, values], ensure_ascii=False, sort_keys=True)
        data = self._reading.fingerprint + text.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(data, digest_size=16).digest()

    def _codec(self, train: SideTexts, mark: bytes) -> tuple[TokenCodec, bytes]:
        place = self._directory / _TOKENIZER_DIRECTORY
        if self._given_codec is not None:
            self._given_codec.save(place)
            codec = load_tokenizer(place)
        else:
            codec = self._saved_codec(mark) or self._learnt_codec(train, mark)
        content = (place / "tokenizer.json").read_bytes()
        return codec, hashlib.blake2b(content, digest_size=16).digest()

    def _saved_codec(self, mark: bytes) -> TokenCodec | None:
        try:
            done = atomic.read_json(self._directory / _TOKENIZER_MARK)
            if done.get("fingerprint") != mark.hex():
                return None
            return load_tokenizer(self._directory / _TOKENIZER_DIRECTORY)
        except (OSError, ModelError):
            return None

    def _learnt_codec(self, train: SideTexts, mark: bytes) -> TokenCodec:
        self._progress.start(say("corpora.stage-tokenizer"), None, "")
        place = self._directory / _TOKENIZER_DIRECTORY
        (self._directory / _TOKENIZER_MARK).unlink(missing_ok=True)
        packing.learn_tokenizer(train, self._settings).save(place)
        atomic.write_json(self._directory / _TOKENIZER_MARK, {"fingerprint": mark.hex()})
        return load_tokenizer(place)

    def _finished(self, mark: bytes) -> Corpus | None:
        try:
            return open_corpus(self._directory, mark)
        except (DataError, ModelError):
            return None

    def _packed(self, path: Path, side: SideTexts, codec: TokenCodec, mark: bytes) -> TokenSplit:
        try:
            return read_tokens(path, mark)
        except DamagedFileError:
            packing.pack_side(path, side, codec, mark, self._progress)
            return read_tokens(path, mark)

    def _finish(
        self,
        splits: dict[str, TokenSplit],
        codec: TokenCodec,
        train: SideTexts,
        is_training_text: bool,
        mark: bytes,
    ) -> None:
        train_statistics, counts = packing.side_statistics(splits["train"], codec)
        statistics = CorpusStatistics(
            reading=self._reading.statistics,
            held_out_reading=self._reading.held_out_statistics,
            tokenizer=codec.kind,
            vocabulary_size=codec.vocab_size,
            tokens_per_word=packing.tokens_per_word(train, codec, self._settings),
            train=train_statistics,
            held_out=packing.side_statistics(splits["held_out"], codec)[0],
            is_held_out_training_text=is_training_text,
            frequent_tokens=packing.frequent_tokens(counts, codec),
        )
        content: dict[str, Any] = {
            "format": PREPARATION_VERSION,
            "fingerprint": mark.hex(),
            "statistics": dataclasses.asdict(statistics),
        }
        content = json.loads(json.dumps(content))
        atomic.write_json(
            self._directory / _CORPUS_FILE, {**content, "checksum": _checksum(content)}
        )
