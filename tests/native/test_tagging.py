"""Taggers without Python: sparrow-run and the C API find what the house finds."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save as to_bytes
from small_taggers import codec_of, place, requests, save, small_settings
from sparrow_programs import needs_program, run

import sparrowlm as sp
from sparrowlm.corpora.labelled.examples import Span, TaggedText
from sparrowlm.export.gguf_file import GgufParts, write_gguf
from sparrowlm.export.gguf_model import listed, other_files
from sparrowlm.foundation import atomic
from sparrowlm.foundation.mapped_bytes import MappedBytes
from sparrowlm.models.array_file import read_arrays
from sparrowlm.runtime.directory import ENCODER_FILE, TENSORS_FILE
from sparrowlm.runtime.encoder_files import KIND, body_tensors, plain_weights, write_parts
from sparrowlm.runtime.gguf_files import model_files
from sparrowlm.runtime.native_engine import kernel_names
from sparrowlm.tasks.tag.training import TaggerTraining

pytestmark = needs_program
CLOSE = {"rel": 2e-4, "abs": 2e-5}
ROUNDED = {"rel": 0.05, "abs": 0.02}
SLOW = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
PEOPLE, PLACES = ("张小凡", "欧阳锋", "李建国", "苏三"), ("北京", "天墟市", "长江三峡", "吴家庄")
WORDS = ("我", "喜欢", "北京", "人工智能", "的", "天气", "模型", "iPhone15", "２０２４年")
TEXTS = [
    "", " ", "\n", "😀👨‍👩‍👧 play 🎵", "weather in Paris now", "please play Nina Simone now",
    "巴黎的天气 now", "a" * 3000, "play songs by Björk now" * 40, "欧阳锋去长江三峡",
    "张小凡在天墟市买了iPhone15和3.14个", "研究生命起源，卡拉OK和ＡＢ１２", "İstanbul ΟΔΟΣ ΣΑΣ",
    "人工智能  模型\u3000我喜欢", "C++ and AT&T 3.5%", "我喜欢北京的天气。" * 80,
    "哈哈哈 abab 高高兴兴", "\ufeff\u200b零\r\n行", "小龙女杨过魑魅魍魉",
    "in San Marino, 卡拉OK小龙女",
]  # fmt: skip
PIECES = [*PEOPLE, *PLACES, *WORDS, "在", "，", "。", " ", "New York", "3.5%", "Σ", "\n"]
UNICODE = st.lists(
    st.one_of(
        st.sampled_from(PIECES),
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
        st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), max_size=8),
    ),
    max_size=14,
).map("".join)


def names(count: int) -> list[TaggedText]:
    """Return Chinese sentences with names of people and places."""
    generator, found = random.Random(3), []
    for number in range(count):
        person, city = generator.choice(PEOPLE), generator.choice(PLACES)
        text = f"{person}在{city}住了{number}天"
        spans = (
            Span(0, len(person), "PER"),
            Span(len(person) + 1, len(person) + 1 + len(city), "LOC"),
        )
        found.append(TaggedText(text, spans))
    return found


def words(count: int) -> list[TaggedText]:
    """Return Chinese sentences cut into words."""
    generator, found = random.Random(1), []
    for _ in range(count):
        chosen = generator.choices(WORDS, k=6)
        ends = np.cumsum([len(word) for word in chosen]).tolist()
        spans = tuple(Span(e - len(w), e, "word") for w, e in zip(chosen, ends, strict=True))
        found.append(TaggedText("".join(chosen), spans))
    return found


EXAMPLES = {"requests": (requests(1, 120), "word"), "names": (names(120), "character"),
            "words": (words(120), "character")}  # fmt: skip
PARTS = {
    "floor": {"floor": 1.0},
    "network": {"network": 1.3},
    "both": {"network": 0.7, "floor": 1.1},
}


@pytest.fixture(scope="module")
def directories(tmp_path_factory) -> dict[str, Path]:
    found = {}
    for name, (examples, kind) in EXAMPLES.items():
        folder = tmp_path_factory.mktemp(name)
        entries = (
            {"San Marino": "city", "小龙女": "PER", "卡拉OK": "nobody"} if name != "words" else {}
        )
        chosen = small_settings(entries=entries)
        held_out = examples[:30] if name == "requests" else None
        done = TaggerTraining(
            examples, held_out, codec_of(examples, kind), chosen, place(folder)
        ).run()
        save(done, folder / "model")
        found[name] = folder / "model"
    return found


@pytest.fixture(
    scope="module", params=[(name, part) for name in EXAMPLES for part in PARTS], ids="-".join
)
def tagger(request, directories) -> tuple[Path, sp.Model]:
    path = written(directories[request.param[0]], request.param[1], is_float=True)
    return path, sp.load(path)


def in_floats(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files with a Transformer in float16: whole numbers round where tails differ."""
    content = np.frombuffer(files[ENCODER_FILE], dtype=np.uint8)
    file = read_arrays(MappedBytes(Path(ENCODER_FILE), content), KIND)
    weights = plain_weights(file.arrays)
    orders = tuple(file.metadata["orders"])
    parts = atomic.saved_bytes(lambda path: write_parts(path, orders, weights, has_body=False))
    return {**files, ENCODER_FILE: parts, TENSORS_FILE: to_bytes(body_tensors(weights))}


def written(directory: Path, part: str, *, is_float: bool = False, has_words: bool = True) -> Path:
    """Write a tagger with a blend of its own, whatever the training found best."""
    files = model_files(directory)
    content = other_files(files, has_network=False)
    if is_float:
        content = in_floats(content)
    manifest = {**files.manifest, "files": listed(content)}
    blend = {**manifest["task"]["blend"], "weights": PARTS[part]}
    blend |= {"bias": 0.3, "slope": 1.2, "offset": -0.1}
    manifest["task"] = {**manifest["task"], "blend": blend}
    path = directory.with_name(f"{part}{is_float}{has_words}.gguf")
    write_gguf(path, GgufParts(files=content, manifest=manifest, has_words=has_words))
    return path


def assert_same(found: dict, text: str, expected, close: Mapping[str, float] = CLOSE) -> None:
    assert found["text"] == text
    assert [(one["start"], one["end"], one["label"], one["text"]) for one in found["spans"]] == [
        one[:4] for one in expected.spans
    ]
    assert [one["probability"] for one in found["spans"]] == pytest.approx(
        [one.probability for one in expected.spans], **close
    )
    if expected.intent is None:
        assert "intent" not in found
    else:
        assert found["intent"] == expected.intent.label
        assert found["intent_probability"] == pytest.approx(expected.intent.probability, **close)


def test_it_finds_what_the_house_finds(tagger):
    path, model = tagger
    for text, expected in zip(TEXTS, model.predict(TEXTS), strict=True):
        assert_same(json.loads(run(str(path), text)), text, expected)


@pytest.mark.parametrize("name", EXAMPLES)
def test_eight_bits_find_nearly_the_same(directories, name):
    path = written(directories[name], "both")
    texts = [one.text for one in EXAMPLES[name][0][:20]]
    for text, expected in zip(texts, sp.load(path).predict(texts), strict=True):
        assert_same(json.loads(run(str(path), text)), text, expected, ROUNDED)


@SLOW
@given(text=UNICODE)
def test_in_any_text_it_finds_what_the_house_finds(tagger, text):
    path, model = tagger
    assert_same(json.loads(run(str(path), "--", text)), text, model.predict(text)[0])


def test_standard_input_holds_a_text_a_line(directories):
    path = written(directories["names"], "both")
    texts = [one.text for one in names(40)]
    for line, text, expected in zip(
        run(str(path), given="\n".join(texts)).splitlines(),
        texts,
        sp.load(path).predict(texts),
        strict=True,
    ):
        assert_same(json.loads(line), text, expected)


def test_all_instruction_sets_give_the_same_bits(tagger):
    texts = "\n".join(text for text in TEXTS if "\n" not in text)
    answers = {run(str(tagger[0]), "--kernels", name, given=texts) for name in kernel_names()}
    assert len(answers) == 1


def test_chinese_words_need_a_dictionary_and_english_ones_none(directories):
    path = written(directories["names"], "floor", has_words=False)
    assert "sparrow export" in run(str(path), "张小凡", code=1)
    path = written(directories["requests"], "floor", has_words=False)
    text = "weather in Kyoto now"
    assert_same(json.loads(run(str(path), text)), text, sp.load(path).predict(text)[0])
