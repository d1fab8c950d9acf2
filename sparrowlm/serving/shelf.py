"""The models of a server: loaded when somebody asks for them, put away when memory is short."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sparrowlm.api.model import Model
from sparrowlm.cooperation.cascade import Cascade
from sparrowlm.foundation.errors import SettingError
from sparrowlm.runtime.batching import BatchDecoder
from sparrowlm.runtime.gguf_files import model_files
from sparrowlm.serving.complaints import Refusal
from sparrowlm.serving.worker import ModelWorker

# Kinds of models that continue texts.
WRITERS = ("ngram", "vectors", "rnn", "lstm", "transformer", "mixture")
_JOIN_SECONDS = 5.0


@dataclass(eq=False)
class ServedModel:
    """A model that is loaded.

    Attributes:
        name: by which clients ask for it.
        model: itself.
        worker: its thread.
        cascade: that passes on what the model is not sure of; None where it answers everything.
        num_users: requests that are being answered.
        used_at: when it was asked last.
    """

    name: str
    model: Model
    worker: ModelWorker
    cascade: Cascade | None = None
    num_users: int = 0
    used_at: float = field(default_factory=time.monotonic)

    @property
    def writes(self) -> bool:
        """Whether it continues texts."""
        return self.worker.decoder is not None


class Shelf:
    """All models that clients may ask for.

    Args:
        paths: name -> model directory or file.
        most_waiting: requests that may wait for one model.
        memory_bytes: that loaded models may take together, by the size of their files; None for no
            limit. One model is always loaded, whatever its size.
        cascades: name -> what makes a cascade of a loaded model.

    Raises:
        ModelError: there is no model in a path.
    """

    def __init__(
        self,
        paths: Mapping[str, Path],
        most_waiting: int,
        memory_bytes: int | None = None,
        cascades: Mapping[str, Callable[[Model], Cascade]] | None = None,
    ) -> None:
        self.paths = dict(paths)
        # Read now, so that what is missing is known before anybody asks.
        self._kinds = {
            name: str(model_files(path).manifest["kind"]) for name, path in paths.items()
        }
        self._most_waiting = most_waiting
        self._memory_bytes = memory_bytes
        self._cascades = cascades or {}
        self._loaded: dict[str, ServedModel] = {}
        self._locks = {name: asyncio.Lock() for name in self.paths}

    @property
    def loaded(self) -> list[ServedModel]:
        """The models that are in memory."""
        return list(self._loaded.values())

    def name_of(self, wanted: str, kinds: Collection[str] = ()) -> str:
        """Return the name of the model that a request means.

        Args:
            wanted: "" where the request names none.
            kinds: that can answer it; () for any.

        Raises:
            Refusal: 404, there is none of that name; 400, several could answer and none is named.
        """
        if wanted in self.paths:
            return wanted
        known = ", ".join(self.paths)
        fitting = [name for name, kind in self._kinds.items() if kind in kinds or not kinds]
        if not wanted and len(self.paths) == 1:
            return next(iter(self.paths))
        if not wanted and len(fitting) == 1:
            return fitting[0]
        if not wanted:
            raise Refusal(400, "serving.which-model", param="model", known=known)
        raise Refusal(
            404, "serving.model-not-found", param="model", received=wanted[:100], known=known
        )

    @asynccontextmanager
    async def use(self, wanted: str, kinds: Collection[str] = ()) -> AsyncIterator[ServedModel]:
        """Hold a model for as long as a request needs it.

        Args:
            wanted: see name_of.
            kinds: see name_of.

        Raises:
            Refusal: see name_of.
            ModelError: the model cannot be loaded.
        """
        name = self.name_of(wanted, kinds)
        served = self._loaded.get(name) or await self._load(name)
        served.num_users += 1
        try:
            yield served
        finally:
            served.num_users -= 1
            served.used_at = time.monotonic()

    async def preload(self) -> None:
        """Load every model that has room, in order."""
        used = 0
        for name in self.paths:
            if self._memory_bytes is not None and used >= self._memory_bytes:
                break
            used += (await self._load(name)).model.num_bytes()

    async def close(self) -> None:
        """Let all threads end when their work is done."""
        for served in self.loaded:
            served.worker.close()
        for served in self.loaded:
            await asyncio.to_thread(served.worker.join, _JOIN_SECONDS)
        self._loaded.clear()

    async def _load(self, name: str) -> ServedModel:
        async with self._locks[name]:
            if name in self._loaded:
                return self._loaded[name]
            served = await asyncio.to_thread(self._opened, name)
            self._make_room(served.model.num_bytes())
            self._loaded[name] = served
            return served

    def _opened(self, name: str) -> ServedModel:
        model = Model(self.paths[name])
        decoder = None
        if model.kind in WRITERS:
            decoder = BatchDecoder(model.engine, model.codec)
        make = self._cascades.get(name)
        cascade = None if make is None else make(model)
        return ServedModel(name, model, ModelWorker(name, decoder, self._most_waiting), cascade)

    def _make_room(self, num_bytes: int) -> None:
        """Put away what was not used for longest, until another model has room."""
        if self._memory_bytes is None:
            return
        idle = sorted(
            (one for one in self.loaded if not one.num_users and one.worker.is_idle),
            key=lambda one: one.used_at,
        )
        total = num_bytes + sum(one.model.num_bytes() for one in self.loaded)
        for served in idle:
            if total <= self._memory_bytes:
                break
            served.worker.close()
            del self._loaded[served.name]
            total -= served.model.num_bytes()


def named_paths(given: list[str]) -> dict[str, Path]:
    """Return the models of a command line by name.

    Args:
        given: paths, or "name=path"; a path's own name is that of its directory or file.

    Raises:
        SettingError: two models have one name.
    """
    found: dict[str, Path] = {}
    for word in given:
        name, is_named, rest = word.partition("=")
        path = Path(rest)
        if not is_named or Path(word).exists():
            path = Path(word)
            name = path.resolve().name.removesuffix(".gguf")
        if name in found:
            raise SettingError("serving.same-name", name=name, path=path)
        found[name] = path
    return found
