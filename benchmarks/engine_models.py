"""Models of random weights for benchmarks.engines, in the files of every engine.

    python benchmarks/engine_models.py FOLDER        (what other engines need; started by engines)

The speed of a network does not depend on what it has learnt.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparrowlm.text.tokenizers import TokenCodec

BITS = (8, 4)
_CONTEXT = 1024
_SIZES = {
    "1M": {
        "width": 128, "num_layers": 4, "num_heads": 4, "num_kv_heads": 2, "head_width": 32,
        "feed_forward_width": 352,
    },
    "10M": {
        "width": 320, "num_layers": 6, "num_heads": 5, "num_kv_heads": 5, "head_width": 64,
        "feed_forward_width": 864,
    },
    "15M": {
        "width": 384, "num_layers": 7, "num_heads": 6, "num_kv_heads": 6, "head_width": 64,
        "feed_forward_width": 1024,
    },
    "60M": {
        "width": 640, "num_layers": 10, "num_heads": 10, "num_kv_heads": 10, "head_width": 64,
        "feed_forward_width": 1728,
    },
}  # fmt: skip
_VOCABULARIES = {"1M": 2048, "10M": 8192, "15M": 8192, "60M": 16384}
# Those that engines are compared on.
NAMES = ("1M", "15M", "60M")


def make(folder: Path, name: str) -> None:
    """Write int8.gguf, int4.gguf and the Hugging Face directory of one size, if missing."""
    from sparrowlm.export.from_gguf import export_directory
    from sparrowlm.export.gguf_file import GgufNetwork, GgufParts, write_gguf
    from sparrowlm.runtime.gguf_files import model_files

    if (folder / "hf").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    codec = tokenizer(_VOCABULARIES[name])
    shape, tensors = network(name, codec.vocab_size)
    parts = {"shape": shape, "tensors": tensors, "codec": codec}
    for bits in BITS:
        stored = GgufNetwork(**parts, form=f"int{bits}")
        write_gguf(folder / f"int{bits}.gguf", GgufParts(network=stored))
    plain = folder / "float.gguf"
    write_gguf(plain, GgufParts(network=GgufNetwork(**parts, form="float32")))
    export_directory(model_files(plain), folder / "hf")
    plain.unlink()


def tokenizer(vocab_size: int) -> TokenCodec:
    """Learn byte pairs from invented words: any text with enough different ones would do."""
    from sparrowlm.text.tokenizers import train_tokenizer

    rows = [" ".join(word(n) for n in range(i, i + 200)) for i in range(0, 60_000, 200)]
    return train_tokenizer("bpe", lambda: iter(rows), sum(map(len, rows)), vocab_size)


def word(number: int) -> str:
    """Return three syllables out of a hundred, two or three times each word of a row."""
    mixed = number // 3 * 7919 % 1_000_003
    parts = (mixed % 100, mixed // 100 % 100, mixed // 10_000)
    return "".join("bcdfghjklmnpqrstvwxz"[part % 20] + "aeiou"[part // 20 % 5] for part in parts)


def network(name: str, vocab_size: int) -> tuple:
    import torch

    from sparrowlm.models.architectures import TransformerShape
    from sparrowlm.models.transformer import TransformerModel, hugging_face_tensors

    shape = TransformerShape(vocab_size=vocab_size, context_tokens=_CONTEXT, **_SIZES[name])
    model = TransformerModel(shape, torch.Generator().manual_seed(1), residual_init=0.02)
    return shape, {key: value.detach().numpy() for key, value in hugging_face_tensors(model)}


def convert(folder: Path) -> None:
    """Write the files of CTranslate2 and ONNX Runtime GenAI, as far as they are installed."""
    for name, work in (("ctranslate2", _to_ctranslate2), ("onnxruntime_genai", _to_genai)):
        try:
            __import__(name)
        except ImportError:
            continue
        work(folder)


def _to_ctranslate2(folder: Path) -> None:
    from ctranslate2.converters import TransformersConverter

    to = folder / "ctranslate2-int8"
    if not to.exists():
        TransformersConverter(str(folder / "hf")).convert(str(to), quantization="int8")


def _to_genai(folder: Path) -> None:
    from onnxruntime_genai.models import builder

    for bits in BITS:
        to = folder / f"genai-int{bits}"
        if to.exists():
            continue
        common = ("random", str(folder / "hf"), str(to), f"int{bits}", "cpu", str(folder / "cache"))
        # The head in the same bits as everything else; activations in 8 bits.
        wishes = ["accuracy_level=4", "block_size=32"]
        wishes += ["matmul_mixed_precision=last_matmul:int4"] if bits == 4 else []
        found = builder.parse_extra_options(*common, wishes)
        builder.create_model(*common, **(found[0] if isinstance(found, tuple) else found))


if __name__ == "__main__":
    convert(Path(sys.argv[1]))
