"""What fewer bits cost: bits per byte of a text with all matrices in 8, 6, 5, 4 and 3 bits.

    python -m benchmarks.rounding_loss MODEL TEXT --on TRAINING_TEXT [--bytes 200000]

MODEL is a directory with a Transformer (or a mixture, whose network is taken alone), TEXT one it
has not seen; TRAINING_TEXT is looked at while rounding. Every line: the weights alone rounded,
computed in float32; the file itself in the compiled engine, which rounds activations too, with the
95 % interval of the difference; the same with the embedding in at least 6 bits, as most programs
keep it; what `sparrow compress` would choose for as many bytes as the latter; and, for comparison,
weights rounded one by one to the nearest code of the best scale.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from sparrowlm.compression.choices import best_choices
from sparrowlm.compression.code_ways import CodeWays
from sparrowlm.compression.inputs import EMBEDDING
from sparrowlm.compression.matrices import matrix_ways
from sparrowlm.compression.samples import windows
from sparrowlm.export.gguf_file import GgufNetwork, GgufParts, write_gguf
from sparrowlm.export.gguf_model import network_of
from sparrowlm.foundation.progress import SilentProgress
from sparrowlm.models.block_codes import CODE_BITS, BlockCodes, rounded_blocks
from sparrowlm.runtime.engines import ScoresInPieces
from sparrowlm.runtime.gguf_files import model_files
from sparrowlm.runtime.loading import open_model
from sparrowlm.runtime.transformer_engine import TransformerEngine
from sparrowlm.tasks.complete.metric import ratio_interval

_LOOKED_AT = 65_536
_KEPT_BITS = 6
_BLOCK_TOKENS = 256
Tensors = Mapping[str, np.ndarray[Any, np.dtype[np.float32]]]
Codes = Mapping[str, BlockCodes]
Nats = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Rounding:
    """A network, what it costs in fewer bits, and what that is measured on.

    Attributes:
        network: in float32.
        manifest: of the model.
        text: to measure on.
        seen: to look at while rounding.
    """

    network: GgufNetwork
    manifest: Mapping[str, Any]
    text: str
    seen: str

    def ids(self, text: str) -> np.ndarray[Any, np.dtype[np.int64]]:
        return np.array([0, *self.network.codec.encode(text)], dtype=np.int64)

    @cached_property
    def ways(self) -> CodeWays:
        context = self.network.shape.context_tokens
        looked_at = windows([self.ids(self.seen)], context, _LOOKED_AT)
        return matrix_ways(self.network.shape, self.network.tensors, looked_at, SilentProgress())

    def codes(self, bits: int) -> dict[str, BlockCodes]:
        return {name: self.ways.codes[name, bits] for name in self.ways.choices}

    def chosen(self, codes: Codes) -> dict[str, BlockCodes]:
        """Return the best mixture of bits that takes no more bytes."""
        choices = self.ways.choices
        taken = [
            choice.num_bytes
            for name, ways in choices.items()
            for choice in ways
            if choice.way == codes[name].bits
        ]
        return self.ways.chosen(best_choices(choices, sum(taken)))

    def nats_of_blocks(self, engine: ScoresInPieces) -> Nats:
        nats = engine.surprisals(self.ids(self.text)).astype(np.float64)
        summed: Nats = np.add.reduceat(nats, np.arange(0, len(nats), _BLOCK_TOKENS))
        return summed

    def in_float32(self, codes: Codes) -> Nats:
        rounded = {name: code.plain() for name, code in codes.items()}
        tensors = {**self.network.tensors, **rounded}
        return self.nats_of_blocks(TransformerEngine(self.network.shape, tensors, ""))

    def in_engine(self, codes: Codes) -> tuple[Nats, int]:
        """Return losses of the blocks and the bytes of the file."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.gguf"
            network = replace(self.network, codes=codes)
            manifest = {**self.manifest, "kind": "transformer"}
            write_gguf(path, GgufParts(network=network, manifest=manifest))
            return self.nats_of_blocks(open_model(path).engine), path.stat().st_size


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
    text = options.text.read_bytes()[: options.bytes].decode("utf-8", errors="ignore")
    seen = options.on.read_text(encoding="utf-8")
    show(Rounding(network, files.manifest, text, seen))


def show(rounding: Rounding) -> None:
    """Print the table."""
    tensors = rounding.network.tensors
    num_bytes = len(rounding.text.encode())
    plain = rounding.in_float32({})
    sizes = np.full(len(plain), num_bytes / len(plain))
    parameters = sum(tensor.size for tensor in tensors.values())
    print(
        f"{parameters:,} parameters, embedding {tensors[EMBEDDING].size:,}; {num_bytes:,} bytes:"
        f" {ratio_interval(plain, sizes)[0]:.5f} bits per byte in float32"
    )
    print(
        "bits  weights   in the engine        bytes      embedding 6 bits     bytes"
        "      chosen               bytes  one by one"
    )
    for bits in sorted(CODE_BITS, reverse=True):
        codes = rounding.codes(bits)
        kept = {**codes, EMBEDDING: rounding.codes(max(bits, _KEPT_BITS))[EMBEDDING]}
        nearest = {name: rounded_blocks(tensors[name], bits) for name in codes}
        weights, one_by_one = (
            f"{ratio_interval(rounding.in_float32(one) - plain, sizes)[0]:+.5f}"
            for one in (codes, nearest)
        )
        in_engine = []
        for nats, size in map(rounding.in_engine, (codes, kept, rounding.chosen(kept))):
            mean, half_width = ratio_interval(nats - plain, sizes)
            in_engine.append(f"{mean:+.5f} ± {half_width:.5f}  {size:9,}")
        print(f"{bits:4d}  {weights}  {'   '.join(in_engine)}  {one_by_one}", flush=True)


if __name__ == "__main__":
    main()
