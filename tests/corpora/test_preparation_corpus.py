"""From files to ids and back: exact, repeatable, no leaks, a clear word about the rest."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sparrowlm.corpora.preparation import open_corpus, prepare_corpus
from sparrowlm.corpora.settings import PreparationSettings
from sparrowlm.corpora.statistics import statistics_from_json
from sparrowlm.foundation.errors import DamagedFileError, DataError, ResourceError, SettingError
from sparrowlm.text.tokenizers import TOKENIZER_KINDS, train_tokenizer

SENTENCES = ["你好，我是人工智能模型。", "我喜欢学习新技术。", "人工智能将改变世界。"]
WORDS = [
    *("river", "mountain", "paper", "lantern", "walks", "sings", "under", "slowly"),
    *("春天", "河流", "山路", "灯笼", "安静", "地", "走", "唱歌"),
]


def novel(seed, num_lines=400):
    random = np.random.default_rng(seed)
    lines = [" ".join(random.choice(WORDS, size=random.integers(3, 18))) for _ in range(num_lines)]
    return "".join(f"{line}.\n" for line in lines)


def texts_of(corpus, side):
    """Decode every document of a side."""
    split = getattr(corpus, side)
    ends = [*split.document_starts[1:], len(split.ids) - 1]
    return [
        corpus.codec.decode(split.ids[start + 1 : end].tolist())
        for start, end in zip(split.document_starts, ends, strict=True)
    ]


@pytest.mark.parametrize("tokenizer", TOKENIZER_KINDS)
def test_preparation_everything_comes_back_from_the_ids(tmp_path, tokenizer):
    text = novel(1)
    (tmp_path / "novel.txt").write_text(text, "utf-8")
    corpus = prepare_corpus(
        [tmp_path / "novel.txt"], tmp_path / "corpus", PreparationSettings(tokenizer=tokenizer)
    )
    parts = texts_of(corpus, "train") + texts_of(corpus, "held_out")
    assert sorted("".join(parts)) == sorted(text)
    assert all(part in text for part in parts)
    assert corpus.train.num_characters + corpus.held_out.num_characters == len(text)
    assert 0.05 < corpus.held_out.num_characters / len(text) < 0.2
    assert not corpus.is_held_out_training_text
    for split in (corpus.train, corpus.held_out):
        assert split.ids[0] == split.ids[-1] == 0
        assert np.flatnonzero(split.ids[:-1] == 0).tolist() == split.document_starts.tolist()
        assert int(split.ids.max()) < corpus.codec.vocab_size


DOCUMENTS = st.lists(st.text(st.sampled_from("ab我们 \n。"), max_size=120), min_size=1, max_size=40)


# Five copies count as short beside the target, the sixth, one space longer, as long.
COPIES_AROUND_THE_LIMIT = ["", "", "", "", "", " "]


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENTS, st.sampled_from([None, 0.1, 0.3, 0.5]), st.integers(0, 3), st.booleans())
@example(COPIES_AROUND_THE_LIMIT, 0.5, 0, False)
def test_preparation_no_document_stands_on_both_sides(tmp_path_factory, texts, share, seed, drops):
    directory = tmp_path_factory.mktemp("corpus")
    wanted = PreparationSettings(
        held_out_share=share, seed=seed, exact_duplicates=drops, near_duplicates=False,
        tokenizer="character", cleaning="off",
    )  # fmt: skip
    try:
        corpus = prepare_corpus([text + "x" * 40 for text in texts], directory, wanted)
    except DataError:
        assert not any(text.strip() for text in texts)
        return
    train, held_out = texts_of(corpus, "train"), texts_of(corpus, "held_out")
    if corpus.is_held_out_training_text:
        assert train == held_out
    else:
        assert held_out
        assert not {text.strip() for text in train} & {text.strip() for text in held_out}
        kept = {(text + "x" * 40).strip() for text in texts}
        assert sum(map(len, train)) + sum(map(len, held_out)) >= sum(map(len, kept))


def test_preparation_copies_are_dropped_and_one_is_kept(tmp_path):
    text = novel(2, 12)
    near = text.replace("river", "stream", 1)
    inputs = [text, novel(3, 12), text, "  " + text + "\n", near, " \n "]
    corpus = prepare_corpus(inputs, tmp_path)
    reading = corpus.statistics.reading
    assert reading.num_documents_read == 6
    assert reading.num_documents == 2
    assert reading.dropped_documents == {"empty": 1, "exact": 2, "near": 1}
    kept = prepare_corpus(inputs, tmp_path, PreparationSettings(exact_duplicates=False))
    assert kept.statistics.reading.num_documents == 5


def test_preparation_long_files_are_compared_as_a_whole_and_line_by_line(tmp_path):
    text = novel(4, 30_000)
    assert len(text) > 1 << 20
    paragraph = "一段很长的文字" * 40 + "。\n"
    for name, content in (("a", text), ("b", paragraph + text), ("c", text), ("d", paragraph * 9)):
        (tmp_path / f"{name}.txt").write_text(content, "utf-8")
    files = [tmp_path / f"{name}.txt" for name in "abcd"]
    corpus = prepare_corpus(files, tmp_path / "corpus", PreparationSettings(held_out_share=0))
    reading = corpus.statistics.reading
    assert reading.dropped_documents == {"exact": 2}  # c, and d whose only line stands in b
    assert "".join(texts_of(corpus, "train")) == text + paragraph + text


def test_preparation_a_line_repeated_for_ever_stays_once(tmp_path):
    (tmp_path / "a.txt").write_text(SENTENCES[0] + "\n" + (SENTENCES[1] + "\n") * 5000, "utf-8")
    corpus = prepare_corpus([tmp_path / "a.txt"], tmp_path / "corpus")
    assert texts_of(corpus, "train") == [SENTENCES[0] + "\n" + SENTENCES[1] + "\n"]
    assert corpus.statistics.reading.repairs["repeated-lines"] == 4999


@pytest.mark.parametrize(
    ("inputs", "train"),
    [(SENTENCES, SENTENCES), (["a"], ["a"]), (["我"] * 9, ["我"]), (["one line"], ["one line"])],
)
def test_preparation_the_smallest_corpora_work_and_say_so(tmp_path, inputs, train):
    corpus = prepare_corpus(inputs, tmp_path)
    assert texts_of(corpus, "train") == texts_of(corpus, "held_out") == train
    assert corpus.is_held_out_training_text
    assert "memorised" in corpus.statistics.lines("en")[-2]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "corpora.nothing-readable"),
        (b" \n\n ", "corpora.empty"),
        (bytes(range(256)) * 9, "corpora.nothing-readable"),
        (b'{"a": 1}\n', "corpora.no-record"),
    ],
)
def test_preparation_nothing_to_learn_from_is_said_in_one_sentence(tmp_path, content, code):
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(DataError) as caught:
        prepare_corpus([tmp_path / "a.jsonl"], tmp_path / "corpus")
    assert caught.value.code == code
    for language in ("en", "zh"):
        assert "a.jsonl" in caught.value.sentence(language)


def test_preparation_wrong_calls_are_refused(tmp_path):
    with pytest.raises(DataError, match="no-such-file"):
        prepare_corpus([tmp_path / "no-such-file"], tmp_path / "corpus")
    with pytest.raises(SettingError, match="No text was given"):
        prepare_corpus([], tmp_path / "corpus")
    with pytest.raises(DataError, match="no finished corpus"):
        open_corpus(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ResourceError):
        prepare_corpus(["text"], tmp_path / "file" / "corpus")
    with pytest.raises(SettingError, match="held_out_share"):
        PreparationSettings(held_out_share=0.9)


def test_preparation_folders_are_walked_in_order_and_without_hidden_files(tmp_path):
    data = tmp_path / "data"
    for name in ("b/2.txt", "a/1.txt", ".git/x.txt", "b/.hidden.txt", "3.md", "model/README.md"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text(f"this is {name}, and it is long enough", "utf-8")
    (data / "model" / "sparrow.json").write_text("{}")
    (data / "link").symlink_to(data)
    corpus = prepare_corpus([data, data / "3.md"], data / "corpus")
    names = [text.split(",")[0] for text in texts_of(corpus, "train")]
    assert names == ["this is 3.md", "this is a/1.txt", "this is b/2.txt"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_preparation_files_without_permission_are_skipped(tmp_path):
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text(novel(5, 20))
    (tmp_path / "a.txt").chmod(0)
    corpus = prepare_corpus([tmp_path], tmp_path / "corpus")
    assert corpus.statistics.reading.skipped == {"skipped-unreadable": 1}


def test_preparation_standard_input_is_read_once_and_kept(tmp_path, monkeypatch):
    text = novel(6)
    for name in ("-", "./-"):
        stdin = io.TextIOWrapper(io.BytesIO(text.encode("gb18030")))
        monkeypatch.setattr(sys, "stdin", stdin)
        corpus = prepare_corpus([Path(name)], tmp_path)
        assert corpus.statistics.reading.encodings == {"gb18030": 1}
        assert corpus.train.num_characters + corpus.held_out.num_characters == len(text)


def test_preparation_held_out_files_are_the_held_out_side_and_nothing_of_them_trains(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    held_out = "".join(f"held out line number {n} 留出\n" for n in range(30)) + "长" * 300 + "\n"
    (data / "val.txt").write_text(held_out, "utf-8")
    (data / "train.txt").write_text(novel(7) + "长" * 300 + "\n", "utf-8")
    (data / "copy.txt").write_text(held_out, "utf-8")
    corpus = prepare_corpus([data], tmp_path / "corpus", held_out=[data / "val.txt"])
    assert texts_of(corpus, "held_out") == [held_out]
    assert texts_of(corpus, "train") == [novel(7)]
    assert corpus.statistics.reading.dropped_documents == {"held-out": 1}
    assert corpus.statistics.held_out_reading.num_documents == 1
    same = prepare_corpus([data / "val.txt"], tmp_path / "same", held_out=[data / "val.txt"])
    assert same.is_held_out_training_text
    assert texts_of(same, "train") == texts_of(same, "held_out") == [held_out]


def test_preparation_a_given_tokenizer_is_used(tmp_path):
    codec = train_tokenizer("character", lambda: ["abc"], 3)
    corpus = prepare_corpus(["abcd 你好"], tmp_path, codec=codec)
    assert corpus.codec.vocab_size == codec.vocab_size
    assert texts_of(corpus, "train") == ["abcd 你好"]
    assert corpus.statistics.train.num_byte_tokens == 1 + 1 + 6


def contents(directory):
    names = ("train.ids", "held-out.ids", "corpus.json", "tokenizer/tokenizer.json")
    return {name: (directory / name).read_bytes() for name in names}


def test_preparation_equal_inputs_give_equal_bytes_wherever_they_lie(tmp_path):
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "n.txt").write_text(novel(8), "utf-8")
        prepare_corpus([tmp_path / place], tmp_path / f"corpus-{place}")
    one, two = contents(tmp_path / "corpus-one"), contents(tmp_path / "corpus-two")
    assert one == two
    other = prepare_corpus([tmp_path / "one"], tmp_path / "other", PreparationSettings(seed=1))
    assert (tmp_path / "other" / "train.ids").read_bytes() != one["train.ids"]
    assert other.fingerprint != open_corpus(tmp_path / "corpus-one").fingerprint


def test_preparation_finished_stages_are_used_again_and_changed_inputs_noticed(tmp_path):
    path = tmp_path / "n.txt"
    path.write_text(novel(9), "utf-8")
    directory = tmp_path / "corpus"
    first = prepare_corpus([path], directory)
    before = {name: os.stat(directory / name).st_ino for name in contents(directory)}
    again = prepare_corpus([path], directory)
    assert {name: os.stat(directory / name).st_ino for name in before} == before
    assert again.fingerprint == first.fingerprint
    spool = os.stat(directory / "spool" / "text.bin").st_mtime_ns
    prepare_corpus([path], directory, PreparationSettings(tokenizer="bpe"))
    assert os.stat(directory / "spool" / "text.bin").st_mtime_ns == spool
    path.write_text(novel(9) + "a new line\n", "utf-8")
    changed = prepare_corpus([path], directory)
    assert changed.fingerprint != first.fingerprint
    parts = texts_of(changed, "train") + texts_of(changed, "held_out")
    assert any("a new line" in text for text in parts)


@pytest.mark.parametrize("name", ["train.ids", "held-out.ids", "corpus.json", "spool/text.bin"])
@pytest.mark.parametrize("damage", ["truncate", "flip", "remove"])
def test_preparation_damage_is_refused_and_repaired_by_preparing_again(tmp_path, name, damage):
    prepare_corpus([novel(10)], tmp_path)
    wanted = contents(tmp_path)
    path = tmp_path / name
    data = bytearray(path.read_bytes())
    if damage == "remove":
        path.unlink()
    elif damage == "flip":
        data[len(data) // 2] ^= 4
        path.write_bytes(data)
    else:
        path.write_bytes(data[:-3])
    if not name.startswith("spool"):
        with pytest.raises((DamagedFileError, DataError)):
            open_corpus(tmp_path)
    prepare_corpus([novel(10)], tmp_path)
    assert contents(tmp_path) == wanted


def test_preparation_statistics_are_complete_in_both_languages(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.html").write_text(f"<html><body><p>{novel(11, 50)}</p></body></html>", "utf-8")
    (data / "b.txt").write_bytes("中文的网页，是用旧编码写的。".encode("gb18030"))
    (data / "c.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (data / "d.jsonl").write_text('{"text": "a\\u200bb c"}\n{"text"\n{"text": "a\\u200bb c"}\n')
    corpus = prepare_corpus([data], tmp_path / "corpus")
    statistics = corpus.statistics
    assert statistics_from_json(json.loads(json.dumps(statistics.as_json()))) == statistics
    reading = statistics.reading
    assert reading.encodings == {"gb18030": 1, "utf-8": 2}
    assert reading.skipped == {"skipped-binary": 1}
    assert reading.skipped_examples == (("c.png", "skipped-binary:PNG"),)
    assert reading.num_bad_records == 1
    assert reading.dropped_documents == {"exact": 1}
    assert reading.repairs["invisible"] == 2
    assert statistics.train.num_tokens == len(corpus.train.ids)
    assert statistics.held_out.num_tokens == len(corpus.held_out.ids)
    english, chinese = statistics.lines("en"), statistics.lines("zh")
    assert len(english) == len(chinese)
    assert any("c.png: not text (PNG)" in line for line in english)
    assert any("c.png：不是文本 (PNG)" in line for line in chinese)
