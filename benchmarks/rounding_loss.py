"""What fewer bits cost: bits per byte of a text with all matrices in 8, 6, 5, 4 and 3 bits.

    python -m benchmarks.rounding_loss MODEL TEXT --on TRAINING_TEXT [--bytes 200000]

MODEL is a directory with a Transformer (or a mixture, whose network is taken alone), TEXT one it
has not seen; TRAINING_TEXT is looked at while rounding. Every line: the weights alone rounded,
computed in float32; the file itself in the compiled engine, which rounds activations too; and, for
comparison, weights rounded one by one to the nearest code of the best scale.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.compression.matrices import matrix_ways
from sparrowlm.compression.samples import windows
from sparrowlm.export.gguf_file import GgufParts, write_gguf
from sparrowlm.export.gguf_model import network_of
from sparrowlm.foundation.progress import SilentProgress
from sparrowlm.models.block_codes import CODE_BITS, rounded_blocks
from sparrowlm.runtime.engines import ScoresInPieces
from sparrowlm.runtime.gguf_files import model_files
from sparrowlm.runtime.loading import open_model
from sparrowlm.runtime.transformer_engine import TransformerEngine

_LOOKED_AT = 65_536
Tensors = Mapping[str, np.ndarray[Any, np.dtype[np.float32]]]


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--on", type=Path, required=True)
    parser.add_argument("--bytes", type=int, default=200_000)
    return parser.parse_args()


def main() -> None:
    options = read_options()
    files = model_files(options.model)
    network = network_of(files)
    if network is None:
        raise SystemExit("The model has no Transformer.")
    codec, shape, tensors = network.codec, network.shape, network.tensors
    text = options.text.read_bytes()[: options.bytes].decode("utf-8", errors="ignore")
    ids = np.array([0, *codec.encode(text)], dtype=np.int64)
    seen = options.on.read_text(encoding="utf-8")
    looked_at = np.array([0, *codec.encode(seen)], dtype=np.int64)
    ways = matrix_ways(
        shape, tensors, windows([looked_at], shape.context_tokens, _LOOKED_AT), SilentProgress()
    )
    num_bytes = len(text.encode())

    def measured(engine: ScoresInPieces) -> float:
        return float(engine.surprisals(ids).sum()) / np.log(2.0) / num_bytes

    plain = measured(TransformerEngine(shape, tensors, ""))
    parameters = sum(tensor.size for tensor in tensors.values())
    print(f"{parameters:,} parameters, {num_bytes:,} bytes: {plain:.5f} bits per byte in float32")
    print("bits   weights   in the engine   one by one      bytes of the file")
    for bits in sorted(CODE_BITS, reverse=True):
        codes = {name: ways.codes[name, bits] for name in ways.choices}
        rounded = {**tensors, **{name: code.plain() for name, code in codes.items()}}
        nearest = {
            name: rounded_blocks(tensor, bits).plain() if name in codes else tensor
            for name, tensor in tensors.items()
        }
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.gguf"
            stored = replace(network, codes=codes)
            write_gguf(
                path, GgufParts(network=stored, manifest={**files.manifest, "kind": "transformer"})
            )
            figures = [
                measured(TransformerEngine(shape, rounded, "")),
                measured(open_model(path).engine),
                measured(TransformerEngine(shape, nearest, "")),
            ]
            size = path.stat().st_size
        row = "  ".join(f"{figure - plain:+.5f}     " for figure in figures)
        print(f"{bits:4d}  {row}  {size:,}", flush=True)


if __name__ == "__main__":
    main()
