"""What the engine needs to know of a model of a task that runs without Python.

    sparrow.task.*       what it was trained for: labels, blend, detector, as sparrow.json has them
                         (of a tagger: gguf_tag.py)
    sparrow.encoder.*    the encoder's sizes; its tokenizer stands where a decoder's does
    words/chinese        the dictionary that cuts Chinese words, where a model asks about words
    words/tags           their parts of speech, where a tagger asks about those

The files of the model directory stay beside them as they are, and Python reads those.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from sparrowlm.export.gguf_tag import (
    KINDS,
    WORDS_FILE,
    WORDS_TENSOR,
    Bytes,
    dictionaries_of,
    write_tagger,
)
from sparrowlm.foundation import atomic
from sparrowlm.foundation.mapped_bytes import MappedBytes
from sparrowlm.models.architectures import TransformerShape, shape_from_config
from sparrowlm.models.array_file import read_arrays
from sparrowlm.models.sorted_keys import unpacked_keys
from sparrowlm.models.sparse_linear import KIND as LINEAR_KIND
from sparrowlm.runtime.directory import CONFIG_FILE, CRF_FILE, ENCODER_FILE, LINEAR_FILE
from sparrowlm.runtime.encoder_files import KIND, table_width
from sparrowlm.tasks.classify.model import ClassifierSettings
from sparrowlm.tasks.classify.rejecting import Detector
from sparrowlm.tasks.tag.model import TaggerSettings
from sparrowlm.text.ngram_features import NgramFeatures, NgramFeatureSettings
from sparrowlm.text.tokenizers import TokenCodec
from sparrowlm.text.tokenizers.files import load_tokenizer

_FIRST_HAN, _LAST_HAN, _FEW = 0x4E00, 0x9FFF, 2
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")

Files = Mapping[str, bytes]


def words_of(files: Files) -> dict[str, Bytes]:
    """Return the dictionaries that a model asks about Chinese words, by the names of tensors."""
    if CRF_FILE in files:
        return dictionaries_of(files)
    if LINEAR_FILE not in files or not _knows_chinese(files):
        return {}
    return {WORDS_TENSOR: np.frombuffer(WORDS_FILE.read_bytes(), dtype=np.int8)}


def _knows_chinese(files: Files) -> bool:
    """Say whether a classifier knows Chinese n-grams.

    Whoever knows none of them is told the same by any cut of Chinese text.
    """
    keys_F = read_arrays(_saved(files[LINEAR_FILE]), LINEAR_KIND).arrays
    known_F = unpacked_keys(keys_F)
    characters = " ".join(map(chr, range(_FIRST_HAN, _LAST_HAN + 1)))
    found = NgramFeatures(NgramFeatureSettings(most_characters=1, most_words=0)).counts(
        [characters]
    )
    by_chance = len(found.keys_N) * len(known_F) / 2**31
    return bool(np.isin(found.keys_N, known_F).sum() > _FEW + 2 * by_chance)


def _saved(content: bytes) -> MappedBytes:
    return MappedBytes(Path(LINEAR_FILE), np.frombuffer(content, dtype=np.uint8))


def write_task(writer: Any, files: Files, manifest: Mapping[str, Any]) -> TokenCodec | None:  # noqa: ANN401 - GGUFWriter
    """Write settings; return the tokenizer of the encoder, where there is one.

    Args:
        writer: a GGUFWriter.
        files: of a model directory.
        manifest: the content of sparrow.json.
    """
    kind = str(manifest.get("kind", ""))
    writer.add_string("sparrow.task.kind", kind)
    if kind == "classify":
        _write_classifier(writer, ClassifierSettings.from_json(manifest["task"]))
    elif kind in KINDS and CRF_FILE in files:
        write_tagger(writer, files, TaggerSettings.from_json(manifest["task"]))
    if ENCODER_FILE not in files:
        return None
    with TemporaryDirectory() as folder:
        for name in (ENCODER_FILE, *_TOKENIZER_FILES):
            atomic.write_bytes(Path(folder) / name, files[name])
        _write_encoder(writer, files, Path(folder) / ENCODER_FILE)
        return load_tokenizer(Path(folder))


def _write_classifier(writer: Any, settings: ClassifierSettings) -> None:  # noqa: ANN401
    blend = settings.blend
    writer.add_array("sparrow.task.labels", list(settings.labels))
    writer.add_array("sparrow.task.parts", list(blend.weights))
    for name, weight in blend.weights.items():
        writer.add_float64(f"sparrow.task.weight.{name}", weight)
    writer.add_float64("sparrow.task.offset", blend.offset)
    writer.add_float64("sparrow.task.threshold", settings.threshold)
    writer.add_uint32("sparrow.task.several", int(blend.is_multi_label))
    if settings.words:
        writer.add_array("sparrow.task.words", list(settings.words))
    if settings.detector is not None:
        _write_detector(writer, settings.detector)


def _write_detector(writer: Any, detector: Detector) -> None:  # noqa: ANN401
    start = "sparrow.task.detector"
    writer.add_uint32(f"{start}.label", detector.label)
    writer.add_uint32(f"{start}.signs", len(detector.weights))
    writer.add_float64(f"{start}.offset", detector.offset)
    writer.add_float64(f"{start}.threshold", detector.threshold)
    rows = {"mean": detector.means, "scale": detector.scales, "weight": detector.weights}
    for name, values in rows.items():
        for number, value in enumerate(values):
            writer.add_float64(f"{start}.{name}.{number}", value)


def _write_encoder(writer: Any, files: Files, parts: Path) -> None:  # noqa: ANN401
    shape = shape_from_config(json.loads(files[CONFIG_FILE]), parts)
    assert isinstance(shape, TransformerShape)  # noqa: S101 - a recurrent network is no encoder
    file = read_arrays(parts, KIND)
    orders = [int(order) for order in file.metadata["orders"]]
    sizes = {
        "vocab_size": shape.vocab_size, "width": shape.width, "layers": shape.num_layers,
        "heads": shape.num_heads, "key_heads": shape.num_kv_heads, "head_width": shape.head_width,
        "inner_width": shape.feed_forward_width, "context": shape.context_tokens,
        "num_orders": len(orders), **{f"order.{n}": order for n, order in enumerate(orders)},
    }  # fmt: skip
    if orders:
        sizes["table_width"] = table_width(file.arrays)
    for name, size in sizes.items():
        writer.add_uint32(f"sparrow.encoder.{name}", size)
    writer.add_float64("sparrow.encoder.epsilon", shape.norm_epsilon)
    writer.add_float64("sparrow.encoder.rope_base", shape.rope_base)
