"""From a person's own text to an encoder, which fills gaps and turns texts into vectors."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from sparrowlm.api.assembly import is_finished
from sparrowlm.api.encoder_start import encoder_start, known_codec
from sparrowlm.api.request import TrainRequest, split_data
from sparrowlm.api.task_parts import most_ids, seconds_left
from sparrowlm.corpora.preparation import Corpus, prepare_corpus
from sparrowlm.corpora.settings import PreparationSettings
from sparrowlm.corpora.token_files import TokenSplit
from sparrowlm.export.encoder_card import encoder_card
from sparrowlm.export.model_directory import ModelParts, write_model
from sparrowlm.foundation.interrupts import StopRequest, stop_on_signal
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress
from sparrowlm.runtime.directory import ENCODER_FILE
from sparrowlm.runtime.encoder_files import body_tensors, write_parts

if TYPE_CHECKING:
    from sparrowlm.models.encoder import EncoderModel
    from sparrowlm.training.loop import CurvePoint, LoopResult

_MOST_TOKENS_READ = 400_000_000
_LEAST_EPOCHS, _MOST_EPOCHS = 1.0, 40.0


def run_encoder_training(request: TrainRequest, progress: Progress) -> None:
    """Train an encoder on text without labels and write the model directory.

    Raises:
        StoppedBySignal: after a signal; what was learnt is kept for --resume.
        SparrowError: anything the user can mend.
    """
    began = time.monotonic()
    with stop_on_signal() as stop:
        try:
            _run(request, progress, stop, began)
        finally:
            progress.finish()


def _run(request: TrainRequest, progress: Progress, stop: StopRequest, began: float) -> None:
    if not request.resume and request.work.exists():
        shutil.rmtree(request.work, ignore_errors=True)
    corpus = _corpus(request, progress)
    fingerprint = request.fingerprint(corpus.fingerprint)
    if request.resume and is_finished(request.output, fingerprint):
        progress.note(say("api.already-finished", path=request.output))
        return
    model, result = _trained(request, corpus, fingerprint, progress, stop, began)
    arrays = {name: tensor.detach().numpy() for name, tensor in model.tensors().items()}
    facts = _facts(request, corpus, result, fingerprint)
    orders = model.table_shape.orders
    parts = ModelParts(
        kind="encoder",
        codec=corpus.codec,
        shape=model.shape,
        tensors=body_tensors(arrays),
        binaries={ENCODER_FILE: lambda path: write_parts(path, orders, arrays, has_body=False)},
        texts={"README.md": encoder_card(facts, request.output.name)},
        facts=facts,
    )
    write_model(request.output, parts)
    progress.note(say("api.encoder-written", path=request.output))
    shutil.rmtree(request.work, ignore_errors=True)


def _corpus(request: TrainRequest, progress: Progress) -> Corpus:
    codec = None if request.start_from is None else known_codec(request.start_from)
    corpus = prepare_corpus(
        split_data(request.data),
        request.work / "corpus",
        PreparationSettings(
            tokenizer=request.tokenizer, purpose="understanding", most_ids=most_ids(request),
            document_unit="line", seed=request.seed, user_dictionary=request.user_dictionary,
            encoding=request.encoding,
        ),
        held_out=[] if request.held_out is None else [request.held_out],
        codec=codec,
        progress=progress,
    )  # fmt: skip
    for line in corpus.statistics.lines():
        progress.note(line)
    return corpus


def _trained(
    request: TrainRequest, corpus: Corpus, fingerprint: str, progress: Progress,
    stop: StopRequest, began: float,
) -> tuple[EncoderModel, LoopResult]:  # fmt: skip
    from sparrowlm.foundation.randomness import torch_generator
    from sparrowlm.models.encoder import EncoderModel
    from sparrowlm.training.encoder_stage import EncoderSize, StagePlace, StageSettings, pretrain
    from sparrowlm.training.precision import fastest_precision
    from sparrowlm.training.transfer import begin_with, going_on, has_read

    size, start = EncoderSize(), None
    if request.start_from is not None:
        begun = encoder_start(request.start_from, (), progress)
        size, start = begun.size, begun.tensors
    generator = torch_generator(request.seed, "weights of the encoder")
    model = EncoderModel(size.shape(corpus.codec.vocab_size), size.tables, generator)
    if start is not None:
        begin_with(model, start)
    num_tokens = max(len(corpus.train.ids), 1)
    epochs = min(max(_MOST_TOKENS_READ / num_tokens, _LEAST_EPOCHS), _MOST_EPOCHS)
    settings = StageSettings(
        most_epochs=epochs,
        most_steps=request.steps,
        seconds=seconds_left(request, began),
        seed=request.seed,
        precision=fastest_precision(),
    )
    if has_read(start):
        settings = going_on(settings)

    def note(point: CurvePoint) -> None:
        if point.held_out_nats is not None:
            nats = f"{point.held_out_nats:.4f}"
            progress.note(say("tasks.classify-pretraining-point", step=point.step, nats=nats))

    place = StagePlace(request.work / "network", fingerprint, progress, stop, note)
    result = pretrain(model, documents_of(corpus.train), settings, place)
    return model, result


def documents_of(split: TokenSplit) -> list[np.ndarray[Any, np.dtype[Any]]]:
    """Return the ids of every document, without separators."""
    ids = np.asarray(split.ids)
    borders = np.append(split.document_starts, len(ids) - 1)
    return [ids[start + 1 : end] for start, end in pairwise(borders)]


def _facts(
    request: TrainRequest, corpus: Corpus, result: LoopResult, fingerprint: str
) -> dict[str, Any]:
    facts = {
        "fingerprint": fingerprint,
        "recipe": {"model": "encoder", "minutes": request.minutes, "steps": request.steps,
                   "tokenizer": request.tokenizer, "seed": request.seed,
                   "from": None if request.start_from is None else str(request.start_from)},
        "data": corpus.statistics.as_json(),
        "measured": {
            "held_out_nats_per_hidden_token": result.best.held_out_nats,
            "training_seconds": result.seconds,
            "steps": result.num_steps,
        },
        "curve": [dataclasses.asdict(point) for point in result.curve],
    }  # fmt: skip
    found: dict[str, Any] = json.loads(json.dumps(facts, default=str))
    return found
