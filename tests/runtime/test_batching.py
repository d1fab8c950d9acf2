"""Texts that join and leave a batch at any token are those of the decoder alone."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import KINDS, small_model

from sparrowlm.foundation.errors import SettingError
from sparrowlm.runtime.batching import BatchDecoder, Task
from sparrowlm.runtime.continuation import DecodingSettings
from sparrowlm.runtime.decoding import Decoder
from sparrowlm.runtime.loading import open_model
from sparrowlm.runtime.sampling import SamplingSettings
from sparrowlm.runtime.token_logs import scored_tokens
from sparrowlm.text.patterns import Automaton, parse_pattern

LANES = {"width": 32, "num_heads": 2, "num_kv_heads": 1, "head_width": 16}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    found = {kind: open_model(small_model(folder / kind, kind)) for kind in KINDS}
    for kind in ("transformer", "mixture"):  # the compiled engine runs these
        found[f"quick {kind}"] = open_model(small_model(folder / f"q{kind}", kind, **LANES))
    return found


def wishes(seed: int, **changes) -> DecodingSettings:
    chosen = random.Random(seed)
    sampling = SamplingSettings(
        temperature=chosen.choice([0, 0.7, 1.3]), top_k=chosen.choice([None, 9]), seed=seed,
        repetition_penalty=chosen.choice([1.0, 1.2]),
        frequency_penalty=chosen.choice([0.0, 0.5]),
    )  # fmt: skip
    return DecodingSettings(sampling=sampling, max_tokens=chosen.randrange(0, 25), **changes)


@pytest.mark.parametrize("kind", [*KINDS, "quick transformer", "quick mixture"])
def test_every_text_is_that_of_the_decoder_alone(loaded, kind):
    model = loaded[kind]
    batch, alone = BatchDecoder(model.engine, model.codec, 6), Decoder(model.engine, model.codec)
    prompts = ["", "The cat", "The dog sat on the log. " * 9, "你好，我", "一"]
    tasks = [
        Task(prompt=prompts[n % 5], settings=wishes(n), num_samples=1 + n % 3) for n in range(14)
    ]
    waiting, texts, joins = list(tasks), {}, random.Random(1)
    while waiting or batch.has_work():
        if waiting and (joins.random() < 0.3 or not batch.has_work()):
            writing = batch.prepare(waiting.pop(0))
            texts[writing.task.settings.sampling.seed] = [""] * writing.task.num_samples
            batch.add(writing)
        for writing, event in batch.step():
            texts[writing.task.settings.sampling.seed][event.sample] += event.token.text
        assert batch.num_writing <= 8
    for task in tasks:
        own = [
            "".join(alone.stream(task.prompt, task.settings, sample))
            for sample in range(task.num_samples)
        ]
        assert texts[task.settings.sampling.seed] == own


@settings(max_examples=20)
@given(seed=st.integers(0, 999))
def test_what_is_not_wanted_leaves_and_the_others_notice_nothing(loaded, seed):
    model = loaded["quick mixture"]
    batch, alone = BatchDecoder(model.engine, model.codec), Decoder(model.engine, model.codec)
    writings = [batch.prepare(Task(prompt="The", settings=wishes(seed + n))) for n in range(6)]
    texts = dict.fromkeys(writings, "")
    for writing in writings:
        batch.add(writing)
    leaving, steps = random.Random(seed), 0
    dropped = set(leaving.sample(writings, 3))
    while batch.has_work():
        steps += 1
        if steps == 3:
            for writing in dropped:
                writing.is_wanted = False
        for writing, event in batch.step():
            assert steps < 3 or writing not in dropped
            texts[writing] += event.token.text
    for writing in set(writings) - dropped:
        assert texts[writing] == "".join(alone.stream("The", writing.task.settings))


def test_a_prompt_is_echoed_with_the_logs_of_its_tokens(loaded):
    model = loaded["quick transformer"]
    batch = BatchDecoder(model.engine, model.codec)
    prompt = "The dog sat on the log. " * 5  # longer than a piece, and than the window
    writing = batch.prepare(
        Task(prompt=prompt, settings=wishes(1), likeliest=2, echoes=True, num_samples=2)
    )
    batch.add(writing)
    events = []
    while batch.has_work():
        events += [event for _writing, event in batch.step()]
    ids = model.codec.encode(prompt)
    for sample in range(2):
        given_ids = [e.token.id for e in events if e.sample == sample and e.is_prompt]
        assert given_ids == ids
    tokens = [event.token for event in events if event.sample == 0 and event.is_prompt]
    scored = [token.log_probability for token in scored_tokens(model.engine, model.codec, prompt)]
    assert [token.log_probability for token in tokens] == pytest.approx(scored, abs=1e-5)
    assert all(len(token.likeliest) == 2 for token in tokens)
    assert writing.num_prompt_tokens == len(ids)


def test_patterns_are_followed_side_by_side(loaded):
    model = loaded["quick transformer"]
    batch, alone = BatchDecoder(model.engine, model.codec), Decoder(model.engine, model.codec)
    form = Automaton(parse_pattern("[a-d]{3}(-[0-9]{2}){1,3}"))
    tasks = [
        Task(prompt="The", settings=DecodingSettings(
            sampling=SamplingSettings(seed=n), max_tokens=40, pattern=form))
        for n in range(8)
    ]  # fmt: skip
    writings = [batch.prepare(task) for task in tasks]
    texts = dict.fromkeys(writings, "")
    for writing in writings:
        batch.add(writing)
    while batch.has_work():
        for writing, event in batch.step():
            texts[writing] += event.token.text
    for writing in writings:
        assert form.matches(texts[writing])
        assert texts[writing] == "".join(alone.stream("The", writing.task.settings))


def test_ids_outside_of_the_vocabulary_are_refused(loaded):
    model = loaded["ngram"]
    batch = BatchDecoder(model.engine, model.codec)
    for ids in ([-1], [model.codec.vocab_size], [1, 2**40]):
        with pytest.raises(SettingError):
            batch.prepare(Task(prompt=ids, settings=wishes(1)))
