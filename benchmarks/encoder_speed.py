"""An encoder beside onnxruntime: the same weights, the same ids, one thread, one text at a time.

    python -m benchmarks.encoder_speed MODEL [--texts 1000] [--lines FILE]

MODEL is a classifier with a network. onnxruntime runs it in float32 and, after its own dynamic
quantisation, in 8 bits; ours multiplies the 8-bit codes of the file. All take turns, the best of
five rounds counts; ours reads them in one call as well (OMP_NUM_THREADS=1: one thread there too).
Below the network stand whole answers, from text to label.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path

import numpy as np

import sparrowlm as sp
from benchmarks.classification_data import SOURCES, rows_of
from sparrowlm.export.onnx_model import export_onnx
from sparrowlm.runtime.gguf_files import model_files
from sparrowlm.text.tokenizers.sequences import sequences_of

_ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--lines", type=Path, help="texts, one a line; else news titles")
    options = parser.parse_args()
    model = sp.load(options.model)
    part = model._predictor.encoder
    engine = part.encoder.engine
    texts = some_texts(options.lines, options.texts)
    sequences = sequences_of(part.codec, texts, engine.shape.context_tokens)
    ways: dict[str, Callable[[], np.ndarray]] = {
        f"ours, {engine.kernels}": lambda: np.concatenate([engine.pooled([s]) for s in sequences]),
        "ours, all in one call": lambda: engine.pooled(sequences),
    }
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.onnx"
        export_onnx(model_files(options.model), plain)
        for name, session in quantized_sessions(plain, Path(folder)).items():
            ways[name] = lambda session=session: np.concatenate(
                [session.run(["pooled"], one_text(ids))[0] for ids in sequences]
            )
        times = best_times(ways)
    states = {name: way() for name, way in ways.items()}
    first = next(iter(ways))
    tokens = sum(map(len, sequences))
    print(f"{len(texts)} texts, {tokens} tokens, one by one, one thread")
    for name, seconds in times.items():
        far = np.abs(states[name] - states[first]).max()
        print(
            f"{name:28s} {1e6 * seconds / len(texts):8.1f} us a text,"
            f" {seconds / times[first]:5.2f} x ours, states differ by up to {far:.3f}"
        )
    whole = best_times({"whole answers": lambda: [model.predict([text]) for text in texts]})
    print(
        f"whole answers, text to label {1e6 * whole['whole answers'] / len(texts):8.1f} us a text"
    )


def some_texts(lines: Path | None, count: int) -> list[str]:
    if lines is not None:
        return [line for line in lines.read_text(encoding="utf-8").splitlines() if line][:count]
    source = SOURCES["thucnews"]
    return [text for text, _label in islice(rows_of(source, source.train), count)]


def quantized_sessions(plain: Path, folder: Path) -> dict:
    """Return sessions of one thread: the network as it is, and in 8 bits."""
    import onnxruntime
    from onnxruntime.quantization import quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    ready, eight = (folder / f"{name}.onnx" for name in ("ready", "eight"))
    quant_pre_process(str(plain), str(ready), skip_symbolic_shape=True)
    quantize_dynamic(str(ready), str(eight), per_channel=True)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    return {
        f"onnxruntime {onnxruntime.__version__}, {name}": onnxruntime.InferenceSession(
            str(path), options, providers=providers
        )
        for name, path in (("float32", plain), ("8 bits", eight))
    }


def one_text(ids: np.ndarray) -> dict[str, np.ndarray]:
    return {
        "input_ids": np.asarray(ids, dtype=np.int64)[None],
        "lengths": np.array([len(ids)], dtype=np.int64),
    }


def best_times(ways: Mapping[str, Callable[[], object]], rounds: int = _ROUNDS) -> dict[str, float]:
    """Let all take turns; return the shortest time of each."""
    best = dict.fromkeys(ways, float("inf"))
    for _round in range(rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            best[name] = min(best[name], time.perf_counter() - began)
    return best


if __name__ == "__main__":
    main()
