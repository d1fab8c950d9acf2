"""`sparrow compress`: as small as was asked for, as good as can be, measured before and after."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sparrowlm.api.benching import bench_apart
from sparrowlm.api.compressing_tasks import TaskCompression
from sparrowlm.api.compressing_text import TextCompression
from sparrowlm.api.compression_figures import Figures
from sparrowlm.api.exporting import tested
from sparrowlm.api.model import TASK_KINDS
from sparrowlm.compression.choices import Choice, best_choices, least_bytes
from sparrowlm.compression.counts import NGRAM
from sparrowlm.compression.matrices import FLOAT16
from sparrowlm.export.compression_page import compression_page
from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import ModelError, SettingError
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress, SilentProgress
from sparrowlm.foundation.quantities import format_size, parse_size
from sparrowlm.runtime.directory import CRF_FILE, LINEAR_FILE, ModelFiles
from sparrowlm.runtime.gguf_files import model_files
from sparrowlm.runtime.gguf_reading import SUFFIX
from sparrowlm.tasks.complete.examples import read_documents

_MOST_TRIES, _PLOTTED_SIZES = 7, 6
# Room for the facts that are written in the end.
_FACTS_BYTES = 2048
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
    """

    model: Path
    output: Path
    most_bytes: int | None = None
    max_loss: float | None = None
    on: tuple[Path, ...] = ()
    encoding: str | None = None
    is_common: bool = False
    report: Path | None = None


@dataclass(frozen=True)
class _Found:
    chosen: Mapping[str, Choice]
    losses: Figures
    num_bytes: int


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
        is_common: only forms that llama.cpp opens as well (4, 5 and 8 bits).
        report: page to write, with figures and a plot; further sizes are tried for it.
        progress: told about everything; None is silent.

    Returns:
        "bytes_before", "bytes", "download_bytes" (with Zstandard); "before", "after" and
        "difference" (bits per character with 95 % intervals), "loss_share", "measured_on",
        "forms", "self_test"; "speed" before and after, see api.benching; "tried", the sizes that
        were measured with what they lose.

    Raises:
        SettingError: a dial is wrong, or the size cannot be reached.
        ModelError: there is no model.
        DataError: the texts cannot be used.
        DependencyError: the package gguf is missing, or a form needs the compiled part.
        ResourceError: disk full or not writable.
    """
    if to is not None and max_loss is not None:
        raise SettingError("api.compress-both")
    share = parse_share(_DEFAULT_MAX_LOSS if max_loss is None else max_loss)
    request = CompressRequest(
        model=Path(model), output=_checked_output(Path(output)),
        most_bytes=None if to is None else parse_size(to), max_loss=share if to is None else None,
        on=tuple(map(Path, on)), encoding=encoding, is_common=is_common,
        report=None if report is None else Path(report),
    )  # fmt: skip
    return _Compressing(request, progress or SilentProgress()).run()


def _opened(
    request: CompressRequest, files: ModelFiles, progress: Progress
) -> TextCompression | TaskCompression:
    """Find out what can be chosen about a model."""
    kind = files.manifest["kind"]
    if kind in TASK_KINDS:
        return TaskCompression(files, request.on, request.encoding, progress)
    if kind in ("transformer", "mixture", "ngram"):
        texts = list(read_documents(request.on, request.encoding)) if request.on else []
        return TextCompression(files, texts, progress, is_common=request.is_common)
    raise ModelError("api.compress-kind", path=request.model, kind=kind)


def _checked_output(output: Path) -> Path:
    if output.suffix != SUFFIX:
        raise SettingError("api.export-ending", received=output)
    if not output.parent.is_dir():
        raise SettingError("api.compress-folder", path=output.parent)
    return output


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
        progress: told about everything.
    """

    def __init__(self, request: CompressRequest, progress: Progress) -> None:
        self._request, self._progress = request, progress
        self._tries: list[_Found] = []
        files = model_files(request.model)
        self._bytes_before = files.num_bytes()
        self._model = _opened(request, files, progress)

    def run(self) -> dict[str, Any]:
        with TemporaryDirectory(dir=self._request.output.parent) as folder:
            self._place = Path(folder) / f"try{SUFFIX}"
            self._before = self._model.losses()
            self._fixed_bytes = self._bytes_of_the_rest()
            found = self._smallest_good() if self._request.most_bytes is None else self._best()
            if self._request.report is not None:
                self._try_further_sizes()
            facts = self._facts(found)
            self._model.write(self._place, found.chosen, facts)
            facts |= tested(self._place) | _sizes(self._place)
            with atomic.replaced(self._request.output) as temporary:
                self._place.replace(temporary)
        facts = {"bytes_before": self._bytes_before, **facts, **self._further_facts()}
        if self._request.report is not None:
            page = compression_page(facts, self._request.model.name)
            atomic.write_text(self._request.report, page)
        return facts

    def _further_facts(self) -> dict[str, Any]:
        """Return what is not written into the file: it is true of this machine, or of others."""
        places = {"before": self._request.model, "after": self._request.output}
        tried = sorted((found.num_bytes, self._share(found)) for found in self._tries)
        return {
            "speed": {name: bench_apart(place) for name, place in places.items()},
            "tried": [{"bytes": size, "loss_share": share} for size, share in tried],
        }

    def _try_further_sizes(self) -> None:
        low, high = self._extremes()
        steps = range(1, _PLOTTED_SIZES)
        sizes = [low, *(round(low * (high / low) ** (n / _PLOTTED_SIZES)) for n in steps), high]
        self._progress.start(say("compression.trying"), len(sizes), say("compression.unit-tries"))
        for size in sizes:
            self._tried(size)
        self._progress.finish()

    def _extremes(self) -> tuple[int, int]:
        """Return the sizes of the files with the least and with the most of everything."""
        choices = self._model.choices.values()
        most = sum(max(choice.num_bytes for choice in ways) for ways in choices)
        return self._fixed_bytes + least_bytes(self._model.choices), self._fixed_bytes + most

    def _bytes_of_the_rest(self) -> int:
        """Return what the file takes beside what can be chosen."""
        choices = self._model.choices
        smallest = best_choices(choices, least_bytes(choices))
        self._model.write(self._place, smallest, {})
        taken = sum(choice.num_bytes for choice in smallest.values())
        return self._place.stat().st_size - taken + _FACTS_BYTES

    def _best(self) -> _Found:
        """Return the best that fits into the size that was asked for."""
        most_bytes = self._request.most_bytes or 0
        least = self._fixed_bytes + least_bytes(self._model.choices)
        if most_bytes < least:
            needed, received = format_size(least), format_size(most_bytes)
            raise SettingError("api.compress-too-small", received=received, needed=needed)
        return self._tried(most_bytes)

    def _smallest_good(self) -> _Found:
        """Return the smallest that loses no more than was allowed, between the two extremes."""
        allowed = self._request.max_loss or 0.0
        low, high = self._extremes()
        self._progress.start(
            say("compression.trying"), _MOST_TRIES + 2, say("compression.unit-tries")
        )
        best = self._tried(low)
        if self._share(best) > allowed:
            best = self._tried(high)
            for _ in range(_MOST_TRIES):
                if high - low < max(high // 100, _FACTS_BYTES):
                    break
                middle = (low + high) // 2
                found = self._tried(middle)
                if self._share(found) <= allowed:
                    best, high = found, middle
                else:
                    low = middle
        self._progress.finish()
        return best

    def _tried(self, most_bytes: int) -> _Found:
        chosen = best_choices(self._model.choices, most_bytes - self._fixed_bytes)
        self._model.write(self._place, chosen, {})
        losses = self._model.losses(self._place)
        self._progress.advance(1)
        found = _Found(chosen, losses, self._place.stat().st_size)
        self._tries.append(found)
        return found

    def _share(self, found: _Found) -> float:
        return found.losses.loss_share(self._before)

    def _facts(self, found: _Found) -> dict[str, Any]:
        return {
            "before": self._before.figures(),
            "after": found.losses.figures(),
            "difference": found.losses.difference(self._before),
            "loss_share": self._share(found),
            "measured_on": self._model.measured_on,
            "forms": _forms(found.chosen),
        }


def _forms(chosen: Mapping[str, Choice]) -> dict[str, int]:
    """Return how many matrices have how many bits, and the percentage of a table that is left."""
    ways = [choice.way for name, choice in chosen.items() if name not in _TABLES]
    matrices = Counter("float16" if way == FLOAT16 else f"int{way}" for way in ways)
    forms = dict(sorted(matrices.items()))
    for name, form in _TABLES.items():
        way = chosen[name].way if name in chosen else None
        if isinstance(way, tuple):
            forms[f"{form}_percent"], forms[f"{form}_bits"] = way
        elif way is not None:
            forms[f"{form}_percent"] = way
    return forms


def _sizes(path: Path) -> dict[str, int]:
    """Return what a file takes on disk, and what it takes when it is fetched (Zstandard)."""
    import zstandard

    content = path.read_bytes()
    packed = zstandard.ZstdCompressor(level=19).compress(content)
    return {"bytes": len(content), "download_bytes": len(packed)}
