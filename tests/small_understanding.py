"""An encoder, a classifier and a tagger that nobody trained, as GGUF files of a few kilobytes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import numpy as np
from small_models import small_codec, small_shape, transformer_tensors

from sparrowlm.export import gguf_tag, gguf_tasks
from sparrowlm.export.gguf_file import GgufParts, write_gguf
from sparrowlm.export.gguf_model import listed
from sparrowlm.foundation import atomic
from sparrowlm.models.array_file import write_arrays
from sparrowlm.models.crf.compression import quantized
from sparrowlm.models.crf.rows import RowIndex
from sparrowlm.models.crf.weights import CrfWeights
from sparrowlm.models.sparse_linear import SparseLinear, Vocabulary
from sparrowlm.runtime.encoder_files import write_parts
from sparrowlm.tasks.classify.blending import Blend
from sparrowlm.tasks.classify.model import ClassifierSettings
from sparrowlm.tasks.tag.blending import TagBlend
from sparrowlm.tasks.tag.dictionary import UserDictionary
from sparrowlm.tasks.tag.features import Features, UnitColumns
from sparrowlm.tasks.tag.floor import TagFloor
from sparrowlm.tasks.tag.gazetteer import Gazetteer
from sparrowlm.tasks.tag.inputs import CONTEXT_TOKENS
from sparrowlm.tasks.tag.model import TaggerSettings
from sparrowlm.tasks.tag.schemes import LabelSet
from sparrowlm.tasks.tag.units import units_of
from sparrowlm.text.ngram_features import NgramFeatures

WORDS = {"研究": 30, "研究生": 20, "生命": 25, "生": 5, "命": 3, "别的": 4, "你": 9}
LABELS = ("cat", "dog", "其他")
TAGS = LabelSet("BIOES", ("PER", "LOC"))
CLASSIFIER_HEAD = {"head.weight": (len(LABELS), 64), "head.bias": (len(LABELS),)}
TAGGER_HEAD = {
    "columns.table": (16, 8), "columns.up": (32, 8), "head.weight": (len(TAGS), 40),
    "head.bias": (len(TAGS),), "chain.edges": (len(TAGS) * (len(TAGS) + 2),),
    "intent.weight": (2, 64), "intent.bias": (2,),
}  # fmt: skip


def encoder_files(*heads: str) -> dict[str, bytes]:
    """Return the files of an encoder, with the heads of some tasks: "classify", "tag"."""
    random = np.random.default_rng(3)
    codec = small_codec("word")
    shape = small_shape(
        codec.vocab_size, width=32, num_layers=1, num_heads=2, num_kv_heads=1, head_width=16,
        is_causal=False, context_tokens=CONTEXT_TOKENS,
    )  # fmt: skip
    weights = dict(transformer_tensors(shape))
    weights |= {
        f"ngrams.table.{n}": random.normal(0, 1, (16, 8)).astype(np.float32) for n in range(2)
    }
    weights["ngrams.up"] = random.normal(0, 1, (32, 8)).astype(np.float32)
    sizes = {"classify": CLASSIFIER_HEAD, "tag": TAGGER_HEAD}
    for name, size in (pair for head in heads for pair in sizes[head].items()):
        weights[name] = random.normal(0, 1, size).astype(np.float32)
    with TemporaryDirectory() as name:
        folder = Path(name)
        codec.save(folder)
        write_parts(folder / "encoder.bin", (2, 3), weights)
        atomic.write_json(folder / "config.json", shape.hugging_face_config())
        return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def small_encoder(path: Path) -> Path:
    """Write an encoder alone."""
    content = encoder_files()
    write_gguf(
        path, GgufParts(files=content, manifest={"kind": "encoder", "files": listed(content)})
    )
    return path


def small_words(path: Path) -> Path:
    """Write a dictionary of a few Chinese words."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "native"))
    from make_chinese_words import KIND, frequencies, tree

    hidden = {
        "signs": np.array([ord("你"), ord("命")], dtype=np.uint16),
        "emissions": np.full((2, 4), -5_000_000, dtype=np.int32),
        "begins": np.array([-0.3, -3.14e100, -3.14e100, -1.5]),
        "moves": np.full((4, 4), -0.7),
    }
    found = tree(WORDS)
    arrays = found.arrays | frequencies([WORDS[word] for word in found.order])
    write_arrays(path, KIND, {"source": "few"}, arrays | hidden)
    return path


def small_tags(path: Path) -> Path:
    """Write the parts of speech of those words."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "native"))
    from make_chinese_tags import KIND, of_signs, of_states, of_words
    from make_chinese_words import tree

    tags = ["nr" if len(word) > 2 else "n" for word in tree(WORDS).order]
    model = {"@START": ["0,0,-1.5", "3,0,-0.5"], "@TRANS": ["0,0|2,1,-0.2", "2,1|0,0,-1.0"]}
    emitted = {"你": {0: -2.0, 192: -1.0}, "命": {129: -2.5}}
    arrays = of_words(tags, ["n", "ns"] * 32) | of_signs(emitted) | of_states(model)
    write_arrays(path, KIND, {"source": "few"}, arrays)
    return path


def small_floor() -> TagFloor:
    """Return a conditional random field that nobody trained."""
    units = units_of(["张小凡去北京", "The cat 研究生命", "你别的"])
    gazetteer = Gazetteer.of(UnitColumns(units).lower(), [(0, 3, 0), (4, 6, 1)])
    features = Features("characters", gazetteer)
    rows = RowIndex.of(features.templates().hashes(features.columns(units), units.chains))
    random, count = np.random.default_rng(5), len(rows)
    weights = CrfWeights(
        np.arange(count + 1, dtype=np.int64),
        random.integers(0, len(TAGS), count).astype(np.uint16),
        random.normal(0, 1, count).astype(np.float32),
        np.ones(len(TAGS), dtype=np.float32),
        random.normal(0, 1, len(TAGS) * (len(TAGS) + 2)),
    )
    return TagFloor(TAGS, features, rows, quantized(weights))


def small_tagger(path: Path) -> Path:
    """Write a tagger of a field and an encoder, with intents, entries and few Chinese words."""
    content = encoder_files("tag")
    content["crf.bin"] = atomic.saved_bytes(small_floor().save)
    content["dictionary.json"] = UserDictionary({"研究生": "LOC", "c 1": "PER"}).as_bytes()
    blend = TagBlend({"floor": 0.8, "network": 0.4}, bias=0.2)
    task = TaggerSettings(blend=blend, intents=("ask", "go")).as_json()
    manifest = {"kind": "intent", "task": task, "files": listed(content)}
    with TemporaryDirectory() as name:
        words, tags = small_words(Path(name) / "words.bin"), small_tags(Path(name) / "tags.bin")
        with mock.patch.multiple(gguf_tag, WORDS_FILE=words, TAGS_FILE=tags):
            write_gguf(path, GgufParts(files=content, manifest=manifest, has_words=True))
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
        content = encoder_files("classify")
        content["linear.bin"] = (Path(name) / "linear.bin").read_bytes()
    blend = Blend({"linear": 1.0, "encoder": 0.5})
    task = ClassifierSettings(labels=LABELS, blend=blend, words=("研究生",)).as_json()
    manifest = json.loads(json.dumps({"kind": "classify", "task": task, "files": listed(content)}))
    with TemporaryDirectory() as name:
        words = small_words(Path(name) / "words.bin")
        with mock.patch.object(gguf_tasks, "WORDS_FILE", words):
            write_gguf(path, GgufParts(files=content, manifest=manifest, has_words=True))
    return path
