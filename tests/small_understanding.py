"""An encoder and a classifier that nobody trained, as GGUF files of a few kilobytes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import numpy as np
from small_models import small_codec, small_shape, transformer_tensors

from sparrowlm.export import gguf_tasks
from sparrowlm.export.gguf_file import GgufParts, write_gguf
from sparrowlm.export.gguf_model import listed
from sparrowlm.foundation import atomic
from sparrowlm.models.array_file import write_arrays
from sparrowlm.models.sparse_linear import SparseLinear, Vocabulary
from sparrowlm.runtime.encoder_files import write_parts
from sparrowlm.tasks.classify.blending import Blend
from sparrowlm.tasks.classify.model import ClassifierSettings
from sparrowlm.text.ngram_features import NgramFeatures

LABELS = ("cat", "dog", "其他")


def encoder_files(*, has_head: bool) -> dict[str, bytes]:
    """Return the files of an encoder."""
    random = np.random.default_rng(3)
    codec = small_codec("word")
    shape = small_shape(
        codec.vocab_size, width=32, num_layers=1, num_heads=2, num_kv_heads=1, head_width=16,
        is_causal=False,
    )  # fmt: skip
    weights = dict(transformer_tensors(shape))
    weights |= {
        f"ngrams.table.{n}": random.normal(0, 1, (16, 8)).astype(np.float32) for n in range(2)
    }
    weights["ngrams.up"] = random.normal(0, 1, (32, 8)).astype(np.float32)
    if has_head:
        weights["head.weight"] = random.normal(0, 1, (len(LABELS), 64)).astype(np.float32)
        weights["head.bias"] = random.normal(0, 1, len(LABELS)).astype(np.float32)
    with TemporaryDirectory() as name:
        folder = Path(name)
        codec.save(folder)
        write_parts(folder / "encoder.bin", (2, 3), weights)
        atomic.write_json(folder / "config.json", shape.hugging_face_config())
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def small_encoder(path: Path) -> Path:
    """Write an encoder alone."""
    content = encoder_files(has_head=False)
    write_gguf(
        path, GgufParts(files=content, manifest={"kind": "encoder", "files": listed(content)})
    )
    return path


def small_words(path: Path) -> Path:
    """Write a dictionary of a few Chinese words."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "native"))
    from make_chinese_words import KIND, tree

    words = {"研究": 30, "研究生": 20, "生命": 25, "生": 5, "命": 3, "别的": 4, "你": 9}
    hidden = {
        "signs": np.array([ord("你"), ord("命")], dtype=np.uint16),
        "emissions": np.full((2, 4), -5_000_000, dtype=np.int32),
        "begins": np.array([-0.3, -3.14e100, -3.14e100, -1.5]),
        "moves": np.full((4, 4), -0.7),
    }
    write_arrays(path, KIND, {"source": "few"}, tree(words) | hidden)
    return path


def small_classifier(path: Path) -> Path:
    """Write a classifier of n-grams and an encoder, with a dictionary of a few Chinese words."""
    features = NgramFeatures()
    counts = features.counts(["The cat 研究生命", "a dog", "别的 other"])
    vocabulary = Vocabulary.of(counts.keys_N, counts.num_rows)
    random = np.random.default_rng(4)
    weights = random.normal(0, 1, (len(vocabulary.keys_F), len(LABELS))).astype(np.float32)
    linear = SparseLinear(vocabulary, weights, np.zeros(len(LABELS), np.float32)).compressed()
    with TemporaryDirectory() as name:
        linear.save(Path(name) / "linear.bin", features.settings.as_json())
        content = encoder_files(has_head=True)
        content["linear.bin"] = (Path(name) / "linear.bin").read_bytes()
    blend = Blend({"linear": 1.0, "encoder": 0.5})
    task = ClassifierSettings(labels=LABELS, blend=blend, words=("研究生",)).as_json()
    manifest = json.loads(json.dumps({"kind": "classify", "task": task, "files": listed(content)}))
    with TemporaryDirectory() as name:
        words = small_words(Path(name) / "words.bin")
        with mock.patch.object(gguf_tasks, "WORDS_FILE", words):
            write_gguf(path, GgufParts(files=content, manifest=manifest, has_words=True))
    return path
