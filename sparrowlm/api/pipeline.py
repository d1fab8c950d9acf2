"""From a request to a finished model directory: the stages of `train`, in order.

corpus      read, clean, divide, tokenize            (corpora)
n-gram      count; the floor, and half of the model  (models.ngram)
plan        probe machine and data, decide, tell     (planner)
network     the loop, with checkpoints               (training)
mixture     learn whom to trust, choose what ships   (training.mixture)
directory   written whole, in place of what was there (export)
"""

from __future__ import annotations

import dataclasses
import shutil
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from sparrowlm.api import neural_stage
from sparrowlm.api.assembly import FinishedModel, is_finished, write_directory
from sparrowlm.api.encoder_start import known_codec
from sparrowlm.api.mixture_stage import (
    LEAST_GATE_TOKENS,
    MOST_GATE_TOKENS,
    Verdict,
    count_ngrams,
    held_out_nats,
    recent_text_gain,
    recount_everything,
    weigh,
)
from sparrowlm.api.needs import needs_torch
from sparrowlm.api.request import TrainRequest, split_data
from sparrowlm.api.run_record import model_bytes
from sparrowlm.corpora.preparation import Corpus, prepare_corpus
from sparrowlm.corpora.settings import PreparationSettings
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.hardware import Machine, probe_machine
from sparrowlm.foundation.interrupts import StoppedBySignal, StopRequest, stop_on_signal
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress
from sparrowlm.foundation.quantities import format_duration, format_size
from sparrowlm.planner.plan import Budget, Plan
from sparrowlm.runtime.scoring import BITS_PER_NAT

if TYPE_CHECKING:
    from sparrowlm.models.network import Network
    from sparrowlm.models.ngram import NgramModel
    from sparrowlm.training.loop import CurvePoint, LoopResult, Observer

# What the end of a training takes: gate, recount, writing. Seconds, and a share of the whole.
_CLOSING_SECONDS, _CLOSING_SHARE = 3.0, 0.06
_SHORTEST_LOOP_SECONDS = 2.0
_SAMPLE_TOKENS = 60
_SMALL_FILES_BYTES = 14_000  # gate.safetensors and the configurations


def run_training(request: TrainRequest, progress: Progress) -> None:
    """Train and write the model directory.

    Raises:
        StoppedBySignal: after a signal; everything done so far is kept for --resume.
        SparrowError: anything the user can mend.
    """
    run = _Training(request, progress)
    with stop_on_signal() as stop:
        try:
            run.run(stop)
        finally:
            progress.finish()


class _Training:
    """One training, stage after stage."""

    def __init__(self, request: TrainRequest, progress: Progress) -> None:
        self._request = request
        self._progress = progress
        self._began = time.monotonic()
        self._samples: list[dict[str, Any]] = []
        self._room: int | None = None
        self._ngram_seconds = 0.0

    def run(self, stop: StopRequest) -> None:
        request = self._request
        if not request.resume and request.work.exists():
            shutil.rmtree(request.work, ignore_errors=True)
        corpus = self._corpus()
        fingerprint = request.fingerprint(corpus.fingerprint)
        if request.resume and is_finished(request.output, fingerprint):
            self._progress.note(say("api.already-finished", path=request.output))
            return
        self._pause(stop)
        finished = self._finished_model(corpus, fingerprint, stop)
        write_directory(request, finished, fingerprint)
        for line in closing_lines(finished):
            self._progress.note(line)
        shutil.rmtree(request.work, ignore_errors=True)

    def _corpus(self) -> Corpus:
        request = self._request
        kind = request.tokenizer
        if request.model == "vectors" and kind == "auto":
            kind = "word"
        settings = PreparationSettings(
            tokenizer=kind, seed=request.seed, user_dictionary=request.user_dictionary,
            encoding=request.encoding,
        )  # fmt: skip
        held_out = [] if request.held_out is None else [request.held_out]
        codec = None if request.start_from is None else known_codec(request.start_from)
        corpus = prepare_corpus(
            split_data(request.data),
            request.work / "corpus",
            settings,
            held_out=held_out,
            codec=codec,
            progress=self._progress,
        )
        for line in corpus.statistics.lines():
            self._progress.note(line)
        return corpus

    def _finished_model(self, corpus: Corpus, fingerprint: str, stop: StopRequest) -> FinishedModel:
        request = self._request
        if request.model == "vectors":
            return self._vectors(corpus, stop)
        self._room = room_for_weights(request, corpus)
        budget = Budget(size_bytes=self._room, seconds=None, steps=request.steps)
        has_network = request.model != "ngram"
        max_bytes = budget.ngram_bytes(has_network=has_network)
        began = time.monotonic()
        ngram = count_ngrams(
            corpus.train, corpus.held_out, corpus.codec.vocab_size, max_bytes, request.work,
            self._progress,
        )  # fmt: skip
        self._ngram_seconds = time.monotonic() - began
        self._pause(stop)
        floor = held_out_nats(ngram, corpus.held_out.ids) if len(corpus.held_out.ids) > 1 else None
        if not has_network:
            return FinishedModel(kind="ngram", corpus=corpus, ngram=ngram, floor_nats=floor,
                                 seconds=self._seconds())  # fmt: skip
        return self._with_network(corpus, ngram, floor, fingerprint, max_bytes, stop)

    def _with_network(
        self, corpus: Corpus, ngram: NgramModel, floor: float | None, fingerprint: str,
        max_bytes: int | None, stop: StopRequest,
    ) -> FinishedModel:  # fmt: skip
        needs_torch()
        from sparrowlm.training.threads import threads

        machine = probe_machine()
        task = self._neural_task(corpus, ngram, floor, machine)
        plan = neural_stage.kept_plan(self._request.work, fingerprint)
        if plan is None:
            gain = self._recent_gain(corpus, ngram, floor)
            plan = neural_stage.make_plan(dataclasses.replace(task, recent_gain=gain))
            neural_stage.keep_plan(self._request.work, fingerprint, plan)
        self._tell(plan)
        trained = neural_stage.train_network(
            task, plan, self._request.work / "network", fingerprint, self._progress, stop,
            self._observer(corpus),
        )  # fmt: skip
        verdict = None
        if len(corpus.held_out.ids) > 1:
            with threads(trained.result.num_threads):
                verdict = weigh(
                    ngram, trained.network, corpus.held_out, self._request.seed,
                    is_training_text=corpus.is_held_out_training_text,
                    most_tokens=self._gate_tokens(trained.result),
                )  # fmt: skip
        kind = self._chosen_kind(plan, verdict, corpus)
        if kind in ("mixture", "ngram") and not corpus.is_held_out_training_text:
            ngram = recount_everything(
                ngram, corpus.train, corpus.held_out, max_bytes, self._request.work, self._progress
            )
        return FinishedModel(
            kind=kind, corpus=corpus, ngram=ngram, network=trained.network, plan=plan,
            verdict=verdict, result=trained.result, floor_nats=floor, machine=machine,
            samples=self._samples, seconds=self._seconds(),
        )  # fmt: skip

    def _neural_task(
        self, corpus: Corpus, ngram: NgramModel, floor: float | None, machine: Machine
    ) -> neural_stage.NeuralTask:
        request = self._request
        seconds = None
        if request.minutes is not None:
            whole = request.minutes * 60
            closing = _CLOSING_SECONDS + _CLOSING_SHARE * whole + self._ngram_seconds
            seconds = max(whole - self._seconds() - closing, _SHORTEST_LOOP_SECONDS)
        held_out = corpus.held_out
        characters = held_out.num_characters / max(len(held_out.ids) - 1, 1)
        kind = request.model if request.model in ("rnn", "lstm") else "transformer"
        start = None
        if request.start_from is not None:
            from sparrowlm.api.assembly import start_weights

            start = start_weights(request.start_from)
        return neural_stage.NeuralTask(
            kind=kind, train=corpus.train, held_out=held_out, vocab_size=corpus.codec.vocab_size,
            budget=Budget(size_bytes=self._room, seconds=seconds, steps=request.steps),
            seed=request.seed, machine=machine, characters_per_token=characters or 1.0,
            floor_nats=floor, ngram_bytes=ngram.size_bytes(), start=start,
        )  # fmt: skip

    def _recent_gain(self, corpus: Corpus, ngram: NgramModel, floor: float | None) -> float:
        is_mixed = self._request.model in ("auto", "mixture")
        if not is_mixed or not floor or corpus.is_held_out_training_text:
            return 0.0
        return recent_text_gain(ngram, corpus.held_out.ids)

    def _gate_tokens(self, result: LoopResult) -> int:
        """Return how much held-out text can be looked at in the time kept for the closing."""
        if self._request.minutes is None:
            return MOST_GATE_TOKENS
        # A forward pass is a third of a step, and windows overlap by half.
        tokens_per_second = 1.5 * result.curve[-1].tokens / max(result.seconds, 1e-3)
        affordable = int(_CLOSING_SHARE * self._request.minutes * 60 * tokens_per_second)
        return min(max(affordable, LEAST_GATE_TOKENS), MOST_GATE_TOKENS)

    def _chosen_kind(self, plan: Plan, verdict: Verdict | None, corpus: Corpus) -> str:
        if self._request.model not in ("auto", "mixture"):
            return plan.kind
        if self._request.model == "mixture" or verdict is None:
            return "mixture"
        if corpus.is_held_out_training_text:
            # What was learnt by heart says nothing about who would do better elsewhere.
            return "mixture"
        winner = verdict.winner()
        return plan.kind if winner == "neural" else winner

    def _observer(self, corpus: Corpus) -> Observer:
        from sparrowlm.api.samples import sample_of_network

        codec = corpus.codec
        bits_per_nat = BITS_PER_NAT * max(len(corpus.held_out.ids) - 1, 1)
        per_character = bits_per_nat / max(corpus.held_out.num_characters, 1)

        def observe(point: CurvePoint, network: Network) -> None:
            text = sample_of_network(network, codec, _SAMPLE_TOKENS, self._request.seed)
            self._samples.append({"seconds": point.seconds, "step": point.step, "text": text})
            if point.held_out_nats is not None:
                bits = point.held_out_nats * per_character
                self._progress.note(
                    say("api.evaluation", step=point.step, bits=f"{bits:.3f}", text=_line(text))
                )

        return observe

    def _vectors(self, corpus: Corpus, stop: StopRequest) -> FinishedModel:
        from sparrowlm.models.word_vectors import WordVectorSettings, train_word_vectors

        codec = corpus.codec
        vectors = train_word_vectors(
            np.asarray(corpus.train.ids),
            codec.vocab_size,
            WordVectorSettings(seed=self._request.seed),
            token_bytes=[codec.token_bytes(i) for i in range(codec.vocab_size)],
            progress=self._progress,
            checkpoint_directory=self._request.work / "vectors",
        )
        self._pause(stop)
        return FinishedModel(kind="vectors", corpus=corpus, vectors=vectors,
                             seconds=self._seconds())  # fmt: skip

    def _tell(self, plan: Plan) -> None:
        self._progress.note(say("planner.title"))
        for name, value in plan.facts().items():
            self._progress.note(f"  {say('planner.' + name)}: {value}")

    def _pause(self, stop: StopRequest) -> None:
        """End here when a signal came during a stage that could not look."""
        if stop.is_requested:
            raise StoppedBySignal(stop.signal_number, self._request.output)

    def _seconds(self) -> float:
        return time.monotonic() - self._began


def closing_lines(finished: FinishedModel) -> list[str]:
    """Say what the parts are worth, and what became of the predictions."""
    lines = []
    verdict, plan, result = finished.verdict, finished.plan, finished.result
    if verdict is not None:
        parts = {
            "ngram": verdict.ngram_nats,
            "neural": verdict.neural_nats,
            "mixture": verdict.mixture_nats,
        }
        shown = {name: f"{finished.bits(nats) or 0:.3f}" for name, nats in parts.items()}
        lines.append(say("api.verdict", kind=finished.kind, **shown))
    if verdict is not None and plan is not None and result is not None:
        expected = plan.expected_bits_per_character
        lines.append(
            say(
                "api.predicted-measured",
                bits_predicted="–" if expected is None else f"{expected:.3f}",
                bits=f"{finished.bits(verdict.mixture_nats) or 0:.3f}",
                time_predicted=format_duration(plan.predicted_seconds),
                time=format_duration(result.seconds),
                size_predicted=format_size(plan.predicted_file_bytes),
                size=format_size(model_bytes(finished)),
            )
        )
    return lines


def room_for_weights(request: TrainRequest, corpus: Corpus) -> int | None:
    """Return what the size leaves for n-gram and network, beside tokenizer, gate and settings.

    Raises:
        SettingError: nothing is left.
    """
    if request.size_bytes is None:
        return None
    tokenizer = sum(path.stat().st_size for path in (corpus.directory / "tokenizer").iterdir())
    room = request.size_bytes - tokenizer - _SMALL_FILES_BYTES
    if room <= 0:
        raise SettingError(
            "planner.size-too-small",
            received=format_size(request.size_bytes),
            needed=format_size(2 * (tokenizer + _SMALL_FILES_BYTES)),
        )
    return room


def _line(text: str) -> str:
    return " ".join(text.split())[:40]
