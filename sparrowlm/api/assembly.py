"""What a training ends with: one directory, and everything that is known about it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sparrowlm.api.mixture_stage import Verdict
from sparrowlm.api.request import TrainRequest
from sparrowlm.corpora.preparation import Corpus
from sparrowlm.export.model_directory import ModelParts, write_model
from sparrowlm.foundation.errors import ModelError, SparrowError
from sparrowlm.foundation.hardware import Machine
from sparrowlm.models.architectures import RecurrentShape, TransformerShape
from sparrowlm.models.ngram import NgramModel
from sparrowlm.planner.plan import Plan
from sparrowlm.runtime.directory import ModelDirectory, has_model
from sparrowlm.runtime.scoring import BITS_PER_NAT

if TYPE_CHECKING:
    import torch

    from sparrowlm.models.network import Network
    from sparrowlm.models.word_vectors import WordVectors
    from sparrowlm.training.loop import LoopResult


@dataclass(frozen=True, kw_only=True)
class FinishedModel:
    """Everything a training has made.

    Attributes:
        kind: what ships: "ngram", "vectors", "rnn", "lstm", "transformer" or "mixture".
        corpus: what it was made from.
        seconds: wall time so far.
        ngram: the counting model; the floor where it does not ship.
        network: trained weights; None for counting models and vectors.
        vectors: word vectors.
        plan: what was foretold.
        verdict: what the parts are worth on held-out text.
        result: the loop's curve.
        floor_nats: the n-gram alone on held-out text, before everything was counted.
        machine: measured abilities.
        samples: texts the network wrote while it learnt.
    """

    kind: str
    corpus: Corpus
    seconds: float
    ngram: NgramModel | None = None
    network: Network | None = None
    vectors: WordVectors | None = None
    plan: Plan | None = None
    verdict: Verdict | None = None
    result: LoopResult | None = None
    floor_nats: float | None = None
    machine: Machine | None = None
    samples: list[dict[str, Any]] = field(default_factory=list)

    def bits(self, nats_per_token: float | None) -> float | None:
        """Turn nats per token of the held-out text into bits per character."""
        held_out = self.corpus.held_out
        if nats_per_token is None or held_out.num_characters == 0:
            return None
        tokens = len(held_out.ids) - 1
        return nats_per_token * BITS_PER_NAT * tokens / held_out.num_characters


def facts_of(finished: FinishedModel, request: TrainRequest, fingerprint: str) -> dict[str, Any]:
    """Gather what sparrow.json says beside the files."""
    verdict, result = finished.verdict, finished.result
    measured: dict[str, Any] = {"seconds": finished.seconds}
    measured["bits_per_character"] = {
        "ngram": finished.bits(verdict.ngram_nats if verdict else finished.floor_nats),
        "neural": finished.bits(verdict.neural_nats if verdict else None),
        "mixture": finished.bits(verdict.mixture_nats if verdict else None),
    }
    measured["held_out_is_training_text"] = finished.corpus.is_held_out_training_text
    curve = [] if result is None else [dataclasses.asdict(point) for point in result.curve]
    if result is not None:
        measured["training_seconds"] = result.seconds
        measured["steps"] = result.num_steps
        measured["flattened_at_step"] = result.flattened_at_step
    return {
        "fingerprint": fingerprint,
        "recipe": _recipe(request),
        "data": finished.corpus.statistics.as_json(),
        "plan": None if finished.plan is None else finished.plan.record(),
        "machine": None if finished.machine is None else dataclasses.asdict(finished.machine),
        "measured": measured,
        "curve": curve,
        "samples": finished.samples,
    }


def _recipe(request: TrainRequest) -> dict[str, Any]:
    return {
        "model": request.model,
        "tokenizer": request.tokenizer,
        "size_bytes": request.size_bytes,
        "minutes": request.minutes,
        "steps": request.steps,
        "seed": request.seed,
        "from": str(request.start_from) if request.start_from else None,
    }


def write_directory(request: TrainRequest, finished: FinishedModel, fingerprint: str) -> None:
    """Write the model directory, replacing what was there only when all of it is written.

    Raises:
        ResourceError: disk full or not writable; the old model is intact.
    """
    facts = json.loads(json.dumps(facts_of(finished, request, fingerprint), default=str))
    has_ngram = finished.kind in ("ngram", "mixture")
    has_network = finished.kind not in ("ngram", "vectors")
    shape, tensors = None, {}
    if has_network and finished.network is not None:
        shape, tensors = shape_of(finished.network), stored_tensors(finished.network)
    parts = ModelParts(
        kind=finished.kind,
        codec=finished.corpus.codec,
        shape=shape,
        tensors=tensors,
        ngram=finished.ngram if has_ngram else None,
        gate=finished.verdict.gate if finished.kind == "mixture" and finished.verdict else None,
        vectors=finished.vectors,
        texts=texts_of(finished, facts, request.output.name),
        facts=facts,
    )
    write_model(request.output, parts)


def texts_of(finished: FinishedModel, facts: dict[str, Any], name: str) -> dict[str, str]:
    """Write the files for people: the card and the report."""
    from sparrowlm.api.run_record import record_of
    from sparrowlm.export.model_card import model_card
    from sparrowlm.export.report import report_page

    record = record_of(finished, facts, name)
    return {"README.md": model_card(record), "report.html": report_page(record)}


def shape_of(network: Network) -> TransformerShape | RecurrentShape:
    """Return the sizes of a network."""
    shape = getattr(network, "shape", None)
    if not isinstance(shape, (TransformerShape, RecurrentShape)):
        raise TypeError(type(network))
    return shape


def stored_tensors(network: Network) -> dict[str, np.ndarray[Any, np.dtype[np.float16]]]:
    """Return the weights as they are stored: float16; the stage has rounded them already."""
    return {n: t.detach().numpy().astype(np.float16) for n, t in network.tensors().items()}


def start_weights(
    path: Path,
) -> tuple[TransformerShape | RecurrentShape, dict[str, torch.Tensor]]:
    """Read the network of a finished model, to go on from it; of an encoder its Transformer.

    Raises:
        ModelError: there is no model, or none with a network.
        DamagedFileError: a file fails its checks.
    """
    import torch

    from sparrowlm.models.architectures import shape_from_config
    from sparrowlm.runtime.directory import CONFIG_FILE, ENCODER_FILE, TENSORS_FILE
    from sparrowlm.runtime.encoder_files import transformer_tensors
    from sparrowlm.runtime.weights import read_tensors

    directory = ModelDirectory(path)
    kind = directory.manifest.get("kind")
    if directory.holds(TENSORS_FILE):
        arrays = read_tensors(directory.read(TENSORS_FILE), path / TENSORS_FILE)
    elif directory.holds(ENCODER_FILE):
        arrays = transformer_tensors(directory)
    else:
        raise ModelError("api.from-other-kind", path=path, kind=kind)
    shape = shape_from_config(json.loads(directory.read(CONFIG_FILE)), path / CONFIG_FILE)
    if isinstance(shape, TransformerShape):
        shape = dataclasses.replace(shape, is_causal=True)  # an encoder has read in both ways
    tensors = {n: torch.from_numpy(np.asarray(a, dtype=np.float32)) for n, a in arrays.items()}
    return shape, tensors


def is_finished(output: Path, fingerprint: str) -> bool:
    """Say whether a directory holds the finished model of just this request."""
    if not has_model(output):
        return False
    try:
        return ModelDirectory(output).manifest.get("fingerprint") == fingerprint
    except SparrowError:
        return False  # damaged: training again is the way to mend it
