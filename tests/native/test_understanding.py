"""Classifiers and encoders without Python: sparrow-run and the C API answer as the house does."""

from __future__ import annotations

import ctypes
import json
from pathlib import Path

import numpy as np
import pytest
from compiled_parts import compiled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sparrow_programs import needs_program, run

import sparrowlm as sp
from sparrowlm.api.exporting import export_model
from sparrowlm.export.gguf_file import GgufParts, write_gguf
from sparrowlm.export.gguf_model import listed, other_files
from sparrowlm.export.gguf_tasks import WORDS_TENSOR
from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import DataError
from sparrowlm.models.array_file import write_arrays
from sparrowlm.models.block_codes import rounded_blocks
from sparrowlm.runtime.directory import ModelDirectory
from sparrowlm.runtime.encoder_files import (
    KIND,
    encoder_parts,
    encoder_tensors,
    parts,
    stored_codes,
    without,
)
from sparrowlm.runtime.gguf_files import GgufModelFiles, model_files
from sparrowlm.runtime.native_engine import kernel_names
from sparrowlm.text.segmentation import WordSegmenter

ROOT = Path(__file__).parents[2]
pytestmark = needs_program
CLOSE = {"rel": 1e-5, "abs": 2e-6}
SLOW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

GOOD, BAD = ("干净", "舒服", "满意", "lovely"), ("脏乱", "吵闹", "失望", "Dirty")
THINGS = ("房间", "酒店", "早餐", "前台", "Room", "the TV")
VERSES = ("床前明月光，疑是地上霜。", "举头望明月，低头思故乡。", "春眠不觉晓，处处闻啼鸟。")
TEXTS = [
    "", " ", "前台很热情，早餐很实惠", "床单脏乱，让人失望", "THE ROOM was lovely, it's DIRTY",
    "研究生命起源，卡拉OK和ＡＢ１２", "李小福是创新办主任也是云计算方面的专家", "İstanbul ΟΔΟΣ ΣΑΣ",
    "a\u3000b\tc  d", "🙂 カラオケ ひらがな", "长" * 3000, "x'y’z 12'3 can't",
    "永和服装饰品有限公司",
]  # fmt: skip
# Texts of all that is cut in a way of its own, and anything else.
UNICODE = st.lists(
    st.one_of(
        st.sampled_from(
            [*GOOD, *BAD, *THINGS, "研究", "生命", "的", "，", "OK", "3.5%", "’s", "Σ"]
        ),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
        st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), max_size=8),
    ),
    max_size=12,
).map("".join)


def reviews(count: int, seed: int = 0) -> list[tuple[str, str]]:
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        verdict, label = (GOOD, "好评") if random.random() < 0.5 else (BAD, "差评")
        things = random.choice(THINGS, 2)
        rows.append((f"{things[0]}很{random.choice(verdict)}，{things[1]}{number}天", label))
    return rows


def lines(path: Path, rows: list[tuple[str, str]]) -> Path:
    path.write_text("\n".join(f"{label}\t{text}" for text, label in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("understanding")
    sp.train(lines(folder / "reviews.tsv", reviews(400)), output=folder / "reviews", steps=4)
    export_model(folder / "reviews", folder / "reviews.gguf")
    verses = [f"{VERSES[i % 3]}{i}{VERSES[i * i % 3]}" for i in range(180)]
    (folder / "poems.txt").write_text("\n\n".join(verses), encoding="utf-8")
    sp.train(folder / "poems.txt", output=folder / "poems", model="encoder", steps=60)
    export_model(folder / "poems", folder / "poems.gguf")
    return folder


def with_network(home: Path, num_labels: int, *, has_few_bits: bool) -> dict[str, bytes]:
    """Return the files of an encoder with a head that nobody trained: its scores are any."""
    poems = ModelDirectory(home / "poems")
    shape, orders, _arrays = encoder_parts(poems)
    random = np.random.default_rng(5)
    head = random.normal(0, 0.3, (num_labels, 2 * shape.width)).astype(np.float32)
    weights = {**encoder_tensors(poems), "head.weight": head}
    weights["head.bias"] = random.normal(0, 0.3, num_labels).astype(np.float32)
    arrays = parts(weights)
    for name, weight in weights.items() if has_few_bits else ():
        if weight.ndim == 2 and name.startswith(("model.", "ngrams.table")):
            arrays = without(arrays, [name]) | stored_codes(name, rounded_blocks(weight, 4))
    content = {
        name: (home / "poems" / name).read_bytes()
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json")
    }
    content["encoder.bin"] = atomic.saved_bytes(
        lambda place: write_arrays(place, KIND, {"orders": list(orders)}, arrays)
    )
    return content


def changed(
    home: Path, name: str, directory: str = "reviews", *, has_words: bool = True, **task
) -> Path:
    """Write a classifier with a network and other settings: those that few texts cannot teach."""
    files = model_files(home / directory)
    labels = files.manifest["task"]["labels"]
    network = with_network(home, len(labels), has_few_bits=name == "both")
    content = {**other_files(files, has_network=False), **network}
    manifest = {**files.manifest, "files": listed(content)}
    manifest["task"] = {**manifest["task"], **task}
    path = home / f"{name}.gguf"
    write_gguf(path, GgufParts(files=content, manifest=manifest, has_words=has_words))
    return path


DETECTOR = {
    "label": 2, "means": [-0.2, 0.5, 0.3, 1.0, -1.0, 0.5, 0.1],
    "scales": [0.1, 0.3, 0.2, 0.6, 0.7, 0.5, 0.4],
    "weights": [-0.5, -0.3, 0.4, -0.3, 0.9, -0.3, 0.6], "offset": 0.05, "threshold": 0.4,
}  # fmt: skip
KINDS = {
    "linear": {"blend": {"weights": {"linear": 1.7}, "offset": 0.0, "multi_label": False}},
    "encoder": {"blend": {"weights": {"encoder": 2.5}, "offset": 0.0, "multi_label": False}},
    "both": {
        "blend": {"weights": {"linear": 0.8, "encoder": 1.1}, "offset": 0.0, "multi_label": False},
        "threshold": 0.6, "words": ["小福", "AB", "生命起源", "lovely"],
    },
    "several": {
        "blend": {"weights": {"encoder": 0.8, "linear": 1.3}, "offset": -0.2, "multi_label": True},
        "threshold": 0.45,
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=["reviews", *KINDS])
def classifier(request, home) -> Path:
    if request.param in KINDS:
        return changed(home, request.param, **KINDS[request.param])
    return home / "reviews.gguf"


def assert_same(found: dict, text: str, expected) -> None:
    assert found["text"] == text
    assert found["probabilities"] == pytest.approx(expected.probabilities, **CLOSE)
    assert found["probability"] == pytest.approx(expected.probability, **CLOSE)
    shares = sorted(expected.probabilities.values())
    if len(shares) > 1 and shares[-1] - shares[-2] > 1e-5:
        assert found["label"] == expected.label
        assert found["labels"] == list(expected.labels)


def test_it_classifies_as_the_house_does(classifier):
    model = sp.load(classifier)
    for text, expected in zip(TEXTS, model.predict(TEXTS), strict=True):
        assert_same(json.loads(run(str(classifier), "--", text)), text, expected)


def test_standard_input_holds_a_text_a_line(home):
    path = home / "both.gguf"
    changed(home, "both", **KINDS["both"])
    texts = [text for text, _label in reviews(50, 3)]
    found = run(str(path), given="\n".join(texts) + "\r\n").splitlines()
    for line, text, expected in zip(found, texts, sp.load(path).predict(texts), strict=True):
        assert_same(json.loads(line), text, expected)


@SLOW
@given(text=UNICODE)
def test_any_text_is_classified_as_the_house_does(classifier, text):
    expected = sp.load(classifier).predict(text)[0]
    assert_same(json.loads(run(str(classifier), "--", text)), text, expected)


def test_all_instruction_sets_give_the_same_bits(classifier):
    answers = {
        run(str(classifier), "--kernels", name, given="\n".join(TEXTS)) for name in kernel_names()
    }
    assert len(answers) == 1


def test_a_third_label_refuses_what_belongs_nowhere(home):
    rows = [*reviews(300), *[(f"天气{n}如何 where {n}", "其他") for n in range(100)]]
    sp.train(lines(home / "three.tsv", rows), output=home / "three", steps=4)
    blend = {"weights": {"linear": 1.0, "encoder": 0.5}, "offset": 0.0, "multi_label": False}
    path = changed(home, "three-labels", "three", blend=blend, detector=DETECTOR)
    model, texts = sp.load(path), [*TEXTS, *(text for text, _label in rows[::9])]
    refused = 0
    for text, expected in zip(texts, model.predict(texts), strict=True):
        found = json.loads(run(str(path), text))
        assert_same(found, text, expected)
        refused += found["label"] == model.labels[2]
    assert 0 < refused < len(texts)


def test_it_makes_vectors_as_the_house_does(home):
    network = changed(home, "both", **KINDS["both"])
    for path in (home / "poems.gguf", network):
        vectors = sp.load(path).embed(TEXTS)
        for text, expected in zip(TEXTS, vectors, strict=True):
            found = json.loads(run(str(path), text, "--embed"))
            np.testing.assert_allclose(found["vector"], expected, rtol=1e-5, atol=2e-6)


@SLOW
@given(text=UNICODE)
def test_any_text_becomes_the_vector_of_the_house(home, text):
    path = home / "poems.gguf"
    found = json.loads(run(str(path), "--embed", "--", text))["vector"]
    np.testing.assert_allclose(found, sp.load(path).embed(text)[0], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize(
    "text", ["床前明[MASK]光", "举头望[MASK][MASK]，低头", "[MASK]", "a [MASK] b[MASK]"]
)
def test_it_fills_gaps_as_the_house_does(home, text):
    path = home / "poems.gguf"
    expected = sp.load(path).fill(text, 7)
    found = json.loads(run(str(path), text, "-k", "7"))
    for own, house in zip(found, expected, strict=True):
        assert [one["probability"] for one in own] == pytest.approx(
            [one.probability for one in house], **CLOSE
        )
        assert [one["piece"] for one in own][:2] == [one.piece for one in house][:2]


def test_chinese_words_need_a_dictionary_and_export_brings_it(home):
    path = changed(home, "without", has_words=False, **KINDS["linear"])
    assert "sparrow export" in run(str(path), "房间很干净", code=1)
    text = "it's lovely"
    assert_same(json.loads(run(str(path), text)), text, sp.load(path).predict(text)[0])
    export_model(path, home / "with.gguf")
    assert_same(
        json.loads(run(str(home / "with.gguf"), "房间很干净")), "房间很干净",
        sp.load(path).predict("房间很干净")[0],
    )  # fmt: skip
    assert (home / "with.gguf").stat().st_size > path.stat().st_size + 1_800_000


def test_an_english_classifier_brings_no_chinese_dictionary(tmp_path):
    rows = [(f"the {t} is {'good' if n % 2 else 'bad'} {n}", str(n % 2)) for n, t in
            enumerate(["room", "bed", "food"] * 40)]  # fmt: skip
    sp.train(lines(tmp_path / "rows.tsv", rows), output=tmp_path / "model", steps=2)
    export_model(tmp_path / "model", tmp_path / "model.gguf")
    assert WORDS_TENSOR not in GgufModelFiles(tmp_path / "model.gguf").file.tensors
    text = "the food is good"
    expected = sp.load(tmp_path / "model").predict(text)[0]
    assert_same(json.loads(run(str(tmp_path / "model.gguf"), text)), text, expected)


def test_a_matcher_is_refused_in_one_sentence(home, tmp_path):
    files = model_files(home / "poems")
    content = other_files(files, has_network=False)
    manifest = {**files.manifest, "kind": "match", "files": listed(content)}
    write_gguf(tmp_path / "matcher.gguf", GgufParts(files=content, manifest=manifest))
    assert "sparrow predict" in run(str(tmp_path / "matcher.gguf"), "text", code=1)


def test_mistakes_get_one_sentence(home):
    path = str(home / "poems.gguf")
    assert "[MASK]" in run(path, "床前", code=1)
    with pytest.raises(DataError):
        sp.load(home / "poems.gguf").fill("月" * 500 + "[MASK]")
    assert "longer" in run(path, "月" * 500 + "[MASK]", code=1)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """What cuts words, as a shared library."""
    names = ("unicode", "unicode_classes", "array_file", "gguf", "chinese_words", "segmenter")
    found = compiled(tmp_path_factory.mktemp("library"), CUTTER, *names)
    found.cut.restype = ctypes.c_long
    words = (ROOT / "sparrowlm" / "text" / "chinese_words.bin").read_bytes()
    kept = ctypes.create_string_buffer(words, len(words))
    assert found.begin(kept, ctypes.c_size_t(len(words))) == 1
    return found, kept


CUTTER = """
#include "segmenter.h"
namespace { engine::ChineseWords words; engine::Segmenter segmenter; }
extern "C" int begin(const unsigned char* bytes, std::size_t size) {
  engine::Complaint complaint;
  engine::Room<engine::Text> none;
  return words.open(bytes, size, complaint) && segmenter.open(none, &words);
}
extern "C" long cut(const std::uint32_t* codes, std::size_t count, std::size_t* lengths, int all) {
  engine::Lengths found;
  const bool is_done = all ? words.cut(codes, count, found) : segmenter.cut(codes, count, found);
  for (std::size_t i = 0; i < found.size(); ++i) lengths[i] = found[i];
  return is_done ? static_cast<long>(found.size()) : -1;
}
"""


def cut_in_c(library, text: str, *, is_whole: bool) -> list[str]:
    codes = np.frombuffer(text.encode("utf-32-le"), dtype="<u4").copy()
    lengths = np.zeros(len(codes) + 1, dtype=np.uintp)
    count = library[0].cut(
        ctypes.c_void_p(codes.ctypes.data), ctypes.c_size_t(len(codes)),
        ctypes.c_void_p(lengths.ctypes.data), int(is_whole),
    )  # fmt: skip
    assert count >= 0
    ends = np.cumsum(lengths[:count]).tolist()
    return [text[a:b] for a, b in zip([0, *ends], ends, strict=False)]


def assert_cut(library, text: str) -> None:
    import rjieba

    assert cut_in_c(library, text, is_whole=True) == rjieba.cut(text)
    assert cut_in_c(library, text, is_whole=False) == WordSegmenter().words(text)


@pytest.mark.parametrize(
    "text", [*TEXTS, "3.5%的AT&T和C++", "a\r\nb", "(1927-1994)a_b.c%d-", "㐀㐁𠀀𠀁叚𪜀"]
)
def test_words_are_those_of_rjieba(library, text):
    assert_cut(library, text)


@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=UNICODE)
def test_words_of_any_text_are_those_of_rjieba(library, text):
    assert_cut(library, text)
