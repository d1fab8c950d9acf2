"""The thread that a model works in: everything that it computes happens here, in turns.

Texts are written side by side (runtime.batching); whatever else is asked of the model is done
between two steps. Callers wait in the event loop and hear of every step at once.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sparrowlm.foundation.memory import give_memory_back
from sparrowlm.runtime.batching import BatchDecoder, Event, Task, Writing
from sparrowlm.runtime.grammar_guides import Grammar
from sparrowlm.serving.complaints import Refusal

# Characters or ids that are encoded faster than a thread is asked to.
_SHORT_PROMPT = 2000

# Nobody reads fifty pieces a second, and every piece costs several times what drawing a token does:
# the more texts are being written, the larger their pieces are, down to ten a second.
_HAND_OVER_SECONDS, _HAND_OVER_SECONDS_A_TEXT, _MOST_HAND_OVER_SECONDS = 0.02, 0.003, 0.1

# One at a time: encoding takes about a hundred bytes for every token.
ENCODING = ThreadPoolExecutor(1, thread_name_prefix="sparrow-encoding")
# Without work, after which memory is given back.
_REST_SECONDS = 1.0

_Result = TypeVar("_Result")


class Stream:
    """The events of one task, as they come.

    Args:
        writing: the task.
        loop: of the caller.
        wake: tells the worker that something changed.
        is_live: whether pieces are wanted before the end.

    Attributes:
        writing: the task.
        pending: what the worker has not handed over yet.
        handed_over_at: when it last did, by time.monotonic().
    """

    def __init__(
        self,
        writing: Writing,
        loop: asyncio.AbstractEventLoop,
        wake: Callable[[], None],
        *,
        is_live: bool,
    ) -> None:
        self.writing = writing
        self._is_live = is_live
        self._loop = loop
        self._wake = wake
        self._events: deque[Event | BaseException] = deque()
        self._arrived = asyncio.Event()
        self._num_left = writing.task.num_samples
        self.pending: list[Event | BaseException] = []
        self.handed_over_at = 0.0

    async def events(self) -> AsyncGenerator[list[Event], None]:
        """Yield what happened since the last time, until every sample has ended."""
        while self._num_left:
            await self._arrived.wait()
            self._arrived.clear()
            found = []
            while self._events:
                event = self._events.popleft()
                if isinstance(event, BaseException):
                    raise event
                found.append(event)
                self._num_left -= event.ending is not None
            if found:
                yield found

    def cancel(self) -> None:
        """Let the worker drop the task before its next step."""
        self.writing.is_wanted = False
        self._wake()

    def is_due(self, now: float, apart: float) -> bool:
        """Say whether it is time to hand over what was written: the first piece is at once."""
        is_first = self.handed_over_at == 0.0
        return is_first or (self._is_live and now - self.handed_over_at >= apart)

    def take(self, events: list[Event | BaseException]) -> None:
        """Receive events; in the event loop only."""
        self._events += events
        self._arrived.set()


class ModelWorker:
    """Works for one model.

    Args:
        name: of the thread.
        decoder: of a model that writes text; None for others.
        most_waiting: tasks that may wait, writing ones not counted.
    """

    def __init__(self, name: str, decoder: BatchDecoder | None, most_waiting: int) -> None:
        self.decoder = decoder
        self._most_waiting = most_waiting
        self._changed = threading.Condition()
        self._calls: deque[Callable[[], None]] = deque()
        self._new: deque[Stream] = deque()
        self._streams: dict[Writing, Stream] = {}
        self._has_worked = False
        self._is_closing = False
        self._thread = threading.Thread(target=self._run, name=f"sparrow-{name}", daemon=True)
        self._thread.start()

    @property
    def num_waiting(self) -> int:
        """How many tasks and calls have not begun."""
        waiting = self.decoder.num_waiting if self.decoder is not None else 0
        return waiting + len(self._new) + len(self._calls)

    @property
    def num_writing(self) -> int:
        """How many texts are being written."""
        return self.decoder.num_writing if self.decoder is not None else 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to do."""
        return not (self._streams or self._new or self._calls)

    def check_room(self) -> None:
        """Refuse what would wait too long.

        Raises:
            Refusal: 429, too much waits already.
        """
        if self.num_waiting >= self._most_waiting:
            raise Refusal(429, "serving.busy", retry_after_seconds=1, received=self.num_waiting)

    async def prepare(self, task: Task) -> Writing:
        """Encode a prompt, a long one beside the event loop.

        Args:
            task: what is to be written.

        Raises:
            RuntimeError: the model writes no text.
            SettingError: see BatchDecoder.prepare.
        """
        decoder = self.decoder
        if decoder is None:
            raise RuntimeError("a model that writes no text was asked for some")
        # An automaton has been made already; a grammar is made now.
        is_grammar = isinstance(task.settings.pattern, Grammar)
        if len(task.prompt) <= _SHORT_PROMPT and not is_grammar:
            return decoder.prepare(task)
        return await asyncio.get_running_loop().run_in_executor(ENCODING, decoder.prepare, task)

    def start(self, writing: Writing, *, is_live: bool) -> Stream:
        """Let a prepared task begin as soon as there is room.

        Args:
            writing: prepared.
            is_live: see Stream.

        Raises:
            Refusal: 429, too much waits already; 503, the server is about to end.
        """
        self.check_room()
        stream = Stream(writing, asyncio.get_running_loop(), self._wake, is_live=is_live)
        with self._changed:
            self._refuse_when_closing()
            self._new.append(stream)
            self._changed.notify()
        return stream

    async def call(self, function: Callable[[], _Result]) -> _Result:
        """Return what a function returns, called in the model's thread.

        Raises:
            Refusal: 429, too much waits already.
        """
        self.check_room()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_Result] = loop.create_future()

        def work() -> None:
            if future.cancelled():
                return
            try:
                result = function()
            except BaseException as error:  # whatever it is belongs to the caller
                loop.call_soon_threadsafe(_fail, future, error)
            else:
                loop.call_soon_threadsafe(_succeed, future, result)

        with self._changed:
            self._refuse_when_closing()
            self._calls.append(work)
            self._changed.notify()
        return await future

    def close(self) -> None:
        """End the thread when its work is done."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()

    def join(self, timeout_seconds: float) -> None:
        """Wait until the thread has ended."""
        self._thread.join(timeout_seconds)

    def _refuse_when_closing(self) -> None:
        if self._is_closing:
            raise Refusal(503, "serving.closing", retry_after_seconds=1)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def _run(self) -> None:
        while self._wait():
            self._has_worked = True
            if self._calls:
                self._calls.popleft()()
            if self.decoder is not None and self.decoder.has_work():
                self._step(self.decoder)

    def _wait(self) -> bool:
        """Sleep until there is work; return whether there will be any."""
        with self._changed:
            while not (self._new or self._calls or self._has_texts()):
                if self._is_closing:
                    return False
                if not self._changed.wait(_REST_SECONDS if self._has_worked else None):
                    self._has_worked = False
                    give_memory_back()
            while self._new and self.decoder is not None:
                stream = self._new.popleft()
                self._streams[stream.writing] = stream
                self.decoder.add(stream.writing)
        return True

    def _has_texts(self) -> bool:
        return self.decoder is not None and self.decoder.has_work()

    def _step(self, decoder: BatchDecoder) -> None:
        try:
            happened = decoder.step()
        except Exception as error:  # a fault of ours: those who wait must hear of it
            self._fail_all(error)
            return
        self._deliver(happened)
        for writing in [w for w in self._streams if not (w.is_wanted and w.num_unfinished)]:
            del self._streams[writing]

    def _deliver(self, happened: list[tuple[Writing, Event]]) -> None:
        """Hand events over: the first and the last of a text at once, others a few at a time.

        Every text has its own time for it: all together would keep the event loop busy, and this
        thread waiting for it.
        """
        now = time.monotonic()
        wanted = _HAND_OVER_SECONDS_A_TEXT * len(self._streams)
        apart = min(max(_HAND_OVER_SECONDS, wanted), _MOST_HAND_OVER_SECONDS)
        due: dict[Stream, list[Event | BaseException]] = {}
        for writing, event in happened:
            stream = self._streams[writing]
            stream.pending.append(event)
            if event.ending is not None or stream.is_due(now, apart):
                due[stream] = stream.pending
        for stream in due:
            stream.pending, stream.handed_over_at = [], now
        if due:
            _hand_over(due)

    def _fail_all(self, error: Exception) -> None:
        _hand_over({stream: [error] for stream in self._streams.values()})
        for writing in self._streams:
            writing.is_wanted = False
        self._streams.clear()


def _hand_over(found: dict[Stream, list[Event | BaseException]]) -> None:
    loops: dict[asyncio.AbstractEventLoop, dict[Stream, list[Event | BaseException]]] = {}
    for stream, events in found.items():
        loops.setdefault(stream._loop, {})[stream] = events
    for loop, several in loops.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_take_all, several)


def _take_all(found: dict[Stream, list[Event | BaseException]]) -> None:
    for stream, events in found.items():
        stream.take(events)


def _succeed(future: asyncio.Future[Any], result: object) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
