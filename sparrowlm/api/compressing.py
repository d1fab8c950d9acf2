"""`sparrow compress`: as small as was asked for, as good as can be, measured before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sparrowlm.api.benching import bench_apart
from sparrowlm.api.compressing_encoder import EncoderCompression
from sparrowlm.api.compressing_search import Compressible, Found, Search
from sparrowlm.api.compressing_tasks import TaskCompression
from sparrowlm.api.compressing_text import (
    TextCompression,
    parts_of,
    text_samples,
    window_of,
)
from sparrowlm.api.compressing_training import Training, smallest_bytes
from sparrowlm.api.compressing_versions import Vocabularies
from sparrowlm.api.exporting import tested
from sparrowlm.api.model import TASK_KINDS
from sparrowlm.api.needs import TORCH_COMMAND
from sparrowlm.compression.choices import Choice
from sparrowlm.compression.counts import NGRAM
from sparrowlm.compression.matrices import FLOAT16
from sparrowlm.export.compression_page import compression_page
from sparrowlm.export.from_gguf import export_network
from sparrowlm.export.gguf_model import other_files
from sparrowlm.export.gguf_tasks import words_of
from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import DependencyError, ModelError, SettingError
from sparrowlm.foundation.progress import Progress, SilentProgress
from sparrowlm.foundation.quantities import format_size, parse_size
from sparrowlm.runtime.directory import CRF_FILE, LINEAR_FILE, ModelFiles
from sparrowlm.runtime.gguf_files import model_files
from sparrowlm.runtime.gguf_reading import SUFFIX
from sparrowlm.runtime.loading import open_model
from sparrowlm.tasks.complete.examples import read_documents

# Bits of numbers that are no codes.
_FLOATS = (FLOAT16, 32)
_TEXT_KINDS = ("transformer", "mixture", "ngram", "lstm", "rnn", "vectors")
_DEFAULT_MAX_LOSS = 0.005
# Parts of which a percentage is left.
_TABLES = {NGRAM: "ngram", LINEAR_FILE: "linear", CRF_FILE: "crf"}


@dataclass(frozen=True, kw_only=True)
class CompressRequest:
    """What a person asks for.

    Attributes:
        model: a model directory or a GGUF file.
        output: the GGUF file to write.
        most_bytes: of the file; None where max_loss decides.
        max_loss: how much worse it may get, as a share; None where most_bytes decides.
        on: texts to compress by and to measure on; none: what the model writes itself.
        encoding: of text files; None finds it for each.
        is_common: only forms that llama.cpp knows.
        report: page to write, with further sizes tried for its plot.
        heal_minutes: of every training; None trains only where a network had to be narrowed.
    """

    model: Path
    output: Path
    most_bytes: int | None = None
    max_loss: float | None = None
    on: tuple[Path, ...] = ()
    encoding: str | None = None
    is_common: bool = False
    report: Path | None = None
    heal_minutes: float | None = None


def compress(  # noqa: PLR0913 - the public dials, each with its default
    model: str | Path,
    output: str | Path,
    *,
    to: str | int | None = None,
    max_loss: str | float | int | None = None,
    on: Sequence[str | Path] = (),
    encoding: str | None = None,
    is_common: bool = False,
    report: str | Path | None = None,
    heal: float | int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Make a model small, as one GGUF file, and measure what that costs.

    Args:
        model: a model directory or a GGUF file.
        output: the file, its name ending with .gguf; replaced only in the end.
        to: largest size of the file, "2MB" or bytes.
        max_loss: how much worse the model may get, "0.5%" or 0.005; the default without `to`.
        on: texts that look like those to come, to compress by and to measure on; without them the
            model writes some itself.
        encoding: of text files; None finds it for each.
        is_common: only forms that llama.cpp opens as well (4, 5 and 8 bits); of a mixture the
            network alone, which all figures are then of.
        report: page to write, with figures and a plot; further sizes are tried for it.
        heal: minutes of every training of what was changed: matrices of less than 4 bits, or a
            narrower network, learn what the whole model predicts (needs torch). Both are then
            tried, and taken where they are better. 0 never trains; None trains 2 minutes, and only
            where the size cannot be reached without a narrower network.
        progress: told about everything; None is silent.

    Returns:
        "bytes_before", "bytes", "download_bytes" (with Zstandard); "before", "after" and
        "difference" (bits per character with 95 % intervals), "loss_share", "measured_on",
        "forms" (how many matrices have how many bits; what is left of tables, tokens and widths
        where something was left out), "self_test"; "speed" before and after, see api.benching;
        "tried", the sizes that were measured with what they lose; "versions", the best of the whole
        model and of those with something left out; "part" where the file holds a part alone.

    Raises:
        SettingError: a dial is wrong, or the size cannot be reached.
        ModelError: there is no model.
        DataError: the texts cannot be used.
        DependencyError: the package gguf is missing, or torch where `heal` asks for training, or a
            form needs the compiled part.
        ResourceError: disk full or not writable.
    """
    if to is not None and max_loss is not None:
        raise SettingError("api.compress-both")
    share = parse_share(_DEFAULT_MAX_LOSS if max_loss is None else max_loss)
    request = CompressRequest(
        model=Path(model), output=_checked_output(Path(output)),
        most_bytes=None if to is None else parse_size(to), max_loss=share if to is None else None,
        on=tuple(map(Path, on)), encoding=encoding, is_common=is_common,
        report=None if report is None else Path(report), heal_minutes=_checked_minutes(heal),
    )  # fmt: skip
    progress = progress or SilentProgress()
    files = model_files(request.model)
    if not (is_common and files.manifest["kind"] == "mixture"):
        return _Compressing(request, files, progress).run()
    # llama.cpp knows no counting model: what it opens is the network, so that is what is measured.
    with TemporaryDirectory(dir=request.output.parent) as folder:
        network = Path(folder) / request.model.stem
        export_network(files, network)
        alone = _Compressing(replace(request, model=network), model_files(network), progress)
        return {**alone.run(), "part": "network"}


def _opened(request: CompressRequest, files: ModelFiles, progress: Progress) -> Compressible:
    """Find out what can be chosen about a model."""
    kind = files.manifest["kind"]
    if kind in TASK_KINDS:
        return TaskCompression(files, request.on, request.encoding, progress)
    if kind not in (*_TEXT_KINDS, "encoder"):
        raise ModelError("api.compress-kind", path=request.model, kind=kind)
    texts = list(read_documents(request.on, request.encoding)) if request.on else []
    if kind == "encoder":
        return EncoderCompression(files, texts, progress)
    model = open_model(files.path)
    parts = parts_of(files, model)
    samples = text_samples(model, window_of(parts), texts, progress)
    is_common = request.is_common
    return TextCompression(files, parts, model.engine, samples, progress, is_common=is_common)


def _checked_output(output: Path) -> Path:
    if output.suffix != SUFFIX:
        raise SettingError("api.export-ending", received=output)
    if not output.parent.is_dir():
        raise SettingError("api.compress-folder", path=output.parent)
    return output


def _checked_minutes(received: float | int | None) -> float | None:
    if received is None:
        return None
    if not 0.0 <= received < float("inf"):
        raise SettingError("api.compress-heal", received=received)
    if received > 0.0 and find_spec("torch") is None:
        raise DependencyError("compression.needs-torch", command=TORCH_COMMAND)
    return float(received)


def parse_share(received: str | float | int) -> float:
    """Read a share: a number, or per cent.

    Raises:
        SettingError: not one from 0 to 1.

    >>> parse_share("0.5%"), parse_share(0.1), parse_share("1")
    (0.005, 0.1, 1.0)
    """
    text = str(received).strip()
    try:
        share = float(text.removesuffix("%")) / (100.0 if text.endswith("%") else 1.0)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise SettingError("api.compress-share", received=received)
    return share


class _Compressing:
    """One run.

    Args:
        request: what is asked for.
        files: of its model.
        progress: told about everything.
    """

    def __init__(self, request: CompressRequest, files: ModelFiles, progress: Progress) -> None:
        self._request, self._progress = request, progress
        self._bytes_before = files.num_bytes()
        self._model = _opened(request, files, progress)
        self._best_of_versions: list[dict[str, Any]] = []
        self._leader: tuple[Search, Found] | None = None

    def run(self) -> dict[str, Any]:
        with TemporaryDirectory(dir=self._request.output.parent) as folder:
            place = Path(folder) / f"try{SUFFIX}"
            self._before = self._model.losses()
            search = Search(self._model, self._before, place, self._progress)
            search, found = self._best(search)
            if self._request.report is not None:
                search.try_further_sizes()
            facts = self._facts(found, search)
            search.model.write(place, found.chosen, facts)
            facts |= tested(place) | _sizes(place) | _left_out(place)
            with atomic.replaced(self._request.output) as temporary:
                place.replace(temporary)
        facts = {"bytes_before": self._bytes_before, **facts, **self._further_facts(search)}
        if self._request.report is not None:
            page = compression_page(facts, self._request.model.name)
            atomic.write_text(self._request.report, page)
        return facts

    def _best(self, whole: Search) -> tuple[Search, Found]:
        """Return the best of all versions of the model."""
        least = [whole.extremes()[0]]
        for search in self._versions(whole):
            found = search.reached(self._request.most_bytes, self._request.max_loss)
            least += [search.extremes()[0], smallest_bytes(search)]
            if found is None:
                continue
            self._keep_figures(search, found)
            if self._leader is None or self._is_better(found, self._leader[1]):
                self._leader = search, found
        if self._leader is None:
            needed, received = format_size(min(least)), format_size(self._request.most_bytes or 0)
            raise SettingError("api.compress-too-small", received=received, needed=needed)
        return self._leader

    def _versions(self, whole: Search) -> Iterator[Search]:
        """Yield the whole model, then those with something changed that promise more."""
        yield whole
        if not isinstance(whole.model, TextCompression):
            return
        last = whole
        fewer = self._fewer_tokens(whole, whole.model)
        if fewer is not None:
            last = whole.of(fewer)
            yield last
        yield from self._trained(whole, last)

    def _trained(self, whole: Search, last: Search) -> Iterator[Search]:
        """Yield versions that had to learn again.

        A narrower network is compared with the wider one in fewer bits after both were trained, for
        training on given texts makes any network better on such texts.
        """
        training = Training(self._request.heal_minutes, self._progress)
        plain = self._leader
        if plain is not None:
            yield from map(whole.of, training.as_wide(*plain))
        search, found = plain or (last, None)
        yield from map(whole.of, training.narrower(search, found, self._request.most_bytes))
        if self._leader is not None:
            yield from map(whole.of, training.rounded(*self._leader))

    def _fewer_tokens(self, whole: Search, model: TextCompression) -> TextCompression | None:
        vocabularies = Vocabularies(model, self._progress)
        if self._request.most_bytes is None:
            return vocabularies.smallest(self._request.max_loss or 0.0)
        return vocabularies.best(self._request.most_bytes, whole.fixed_bytes)

    def _is_better(self, found: Found, than: Found) -> bool:
        shares = found.loss_share(self._before), than.loss_share(self._before)
        if self._request.max_loss is None:
            return shares[0] < shares[1]
        are_good = [share <= self._request.max_loss for share in shares]
        if all(are_good):
            return found.num_bytes < than.num_bytes
        return are_good[0] or (not are_good[1] and shares[0] < shares[1])

    def _keep_figures(self, search: Search, found: Found) -> None:
        loss_share = found.loss_share(self._before)
        record = {"bytes": found.num_bytes, "loss_share": loss_share}
        self._best_of_versions.append({"changes": _changes(search), **record})

    def _further_facts(self, search: Search) -> dict[str, Any]:
        """Return what is not written into the file: it is true of this machine, or of others."""
        places = {"before": self._request.model, "after": self._request.output}
        tried = sorted((found.num_bytes, found.loss_share(self._before)) for found in search.tries)
        return {
            "speed": {name: bench_apart(place) for name, place in places.items()},
            "tried": [{"bytes": size, "loss_share": share} for size, share in tried],
            "versions": self._best_of_versions,
        }

    def _facts(self, found: Found, search: Search) -> dict[str, Any]:
        return {
            "before": self._before.figures(),
            "after": found.losses.figures(),
            "difference": found.losses.difference(self._before),
            "loss_share": found.loss_share(self._before),
            "measured_on": search.model.measured_on,
            "forms": {**_forms(found.chosen), **_changes(search)},
        }


def _changes(search: Search) -> dict[str, int]:
    """Return what was left out of a version."""
    return dict(search.model.changes) if isinstance(search.model, TextCompression) else {}


def _forms(chosen: Mapping[str, Choice]) -> dict[str, int]:
    """Return how many matrices have how many bits, and the percentage of a table that is left."""
    ways = [choice.way for name, choice in chosen.items() if name not in _TABLES]
    matrices = Counter(f"float{way}" if way in _FLOATS else f"int{way}" for way in ways)
    forms = dict(sorted(matrices.items()))
    for name, form in _TABLES.items():
        way = chosen[name].way if name in chosen else None
        if isinstance(way, tuple):
            forms[f"{form}_percent"], forms[f"{form}_bits"] = way
        elif way is not None:
            forms[f"{form}_percent"] = way
    return forms


def _left_out(path: Path) -> dict[str, int]:
    """Return how large the Chinese dictionaries are that programs without Python miss."""
    words = words_of(other_files(model_files(path), has_network=False))
    size = sum(dictionary.nbytes for dictionary in words.values())
    return {"dictionary_bytes": size} if size else {}


def _sizes(path: Path) -> dict[str, int]:
    """Return what a file takes on disk, and what it takes when it is fetched (Zstandard)."""
    import zstandard

    content = path.read_bytes()
    packed = zstandard.ZstdCompressor(level=19).compress(content)
    return {"bytes": len(content), "download_bytes": len(packed)}
