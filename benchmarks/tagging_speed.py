"""A tagger's network beside onnxruntime, and whole tagging: the same text, one thread.

    OMP_NUM_THREADS=1 python -m benchmarks.tagging_speed MODEL.gguf TEXT [--bytes 1000000]

MODEL is a tagger with a network that sparrow export wrote, TEXT has one text a line, read again
from its beginning until there are enough bytes. onnxruntime gets the same weights, ids and sums of
columns, and answers with the states of every unit, text by text: in float32 and, after its own
dynamic quantisation, in 8 bits. Ours answers the same question in 8 bits. All take turns, the best
of three rounds counts. Below stands tagging from text to spans: units, columns, field, network, the
best path and how sure it is; in Python, and with sparrow-run, start included.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from itertools import chain, cycle, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

import sparrowlm as sp
from benchmarks.encoder_speed import best_times, quantized_sessions
from sparrowlm.export.onnx_graph import OnnxGraph
from sparrowlm.export.onnx_transformer import TransformerGraph
from sparrowlm.runtime.encoder_files import COLUMN_TABLE, load_encoder, transformer_tensors
from sparrowlm.runtime.gguf_files import model_files
from sparrowlm.tasks.tag.decoding import blocks

_ROUNDS = 3


class Chain(NamedTuple):
    """What the network reads at once: ids, and what is added to what enters."""

    ids_T: np.ndarray
    added_TD: np.ndarray


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--bytes", type=int, default=1_000_000, dest="num_bytes")
    options = parser.parse_args()
    texts = some_texts(options.text, options.num_bytes)
    model = sp.load(options.model)
    chains = list(chains_of(model._tagger, texts))
    native = model._tagger.network.encoder.engine._native

    def ours() -> list[np.ndarray]:
        return [
            native.read(ids, np.array([len(ids)], dtype=np.int32), added) for ids, added in chains
        ]

    ways: dict[str, Callable[[], list[np.ndarray]]] = {f"ours, {native.kernels}": ours}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label, session in quantized_sessions(write_onnx(options.model, folder), folder).items():
            ways[label] = lambda session=session: [
                session.run(["states"], fed(one))[0][0] for one in chains
            ]
        times = best_times(ways, _ROUNDS)
    states = {label: np.concatenate(way()) for label, way in ways.items()}
    first, size = next(iter(ways)), sum(len(text.encode()) + 1 for text in texts)
    print(f"{size} bytes, {len(texts)} texts, {len(states[first])} units, one thread")
    print("the network alone, chain by chain")
    for label, seconds in times.items():
        far = np.abs(states[label] - states[first]).mean()
        print(
            f"{label:32s} {size / seconds / 1e6:6.3f} MB/s, {seconds / times[first]:5.2f} x ours,"
            f" states differ by {far:.4f}"
        )
    print("from text to spans")
    whole = {"Python": lambda: model.predict(texts)}
    program = shutil.which("sparrow-run")
    if program is not None:
        whole["sparrow-run"] = lambda: run(program, options.model, texts)
    for label, seconds in best_times(whole, _ROUNDS).items():
        print(
            f"{label:32s} {size / seconds / 1e6:6.3f} MB/s, onnxruntime's network alone takes"
            f" {list(times.values())[-1] / seconds:.2f} x as long"
        )


def some_texts(path: Path, num_bytes: int) -> list[str]:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    texts: list[str] = []
    for line in cycle(lines):
        if num_bytes <= 0:
            return texts
        texts.append(line)
        num_bytes -= len(line.encode()) + 1
    raise SystemExit(f"{path} has no text.")


def chains_of(tagger: object, texts: list[str]) -> chain:
    """Return what the network of a tagger reads of some texts."""
    network, floor = tagger.network, tagger.floor
    head = network.encoder.head
    for units, _own in blocks(texts, None, None, joins_runs=floor.joins_runs):
        inputs = network.inputs.of(units)
        sums_NW = head[COLUMN_TABLE][inputs.rows_NC].sum(axis=1)
        added_ND = sums_NW @ head["columns.up"].T
        nothing_1D = np.zeros((1, added_ND.shape[1]), dtype=np.float32)
        for ids_T, (a, b) in zip(inputs.ids, pairwise(units.chains.tolist()), strict=True):
            yield Chain(ids_T.astype(np.int32), np.concatenate([nothing_1D, added_ND[a:b]]))


def write_onnx(model: Path, folder: Path) -> Path:
    files, graph = model_files(model), OnnxGraph()
    loaded = load_encoder(files)
    writer = TransformerGraph(graph, loaded.engine.shape, transformer_tensors(files))
    states, _pooled = writer.encoder(loaded.engine.tables, has_added=True)
    graph.output("states", states, np.float32, ("batch", "time", loaded.engine.shape.width))
    path = folder / "plain.onnx"
    graph.save(path, {})
    return path


def fed(one: Chain) -> dict[str, np.ndarray]:
    return {
        "input_ids": one.ids_T[None].astype(np.int64),
        "lengths": np.array([len(one.ids_T)], dtype=np.int64),
        "added": one.added_TD[None],
    }


def run(program: str, model: Path, texts: list[str]) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [program, str(model)], input="\n".join(texts).encode(), capture_output=True,
        check=True, env=environment,
    )  # fmt: skip
    answers = done.stdout.count(b"\n")
    if answers != len(texts):
        raise SystemExit(f"sparrow-run answered {answers} of {len(texts)} texts.")


if __name__ == "__main__":
    main()
