from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparrowlm.corpora.story_world import check_story, generate_stories, split_sentences
from sparrowlm.corpora.story_world.grammar import parse_sentence, slot_texts, tell, template_slots
from sparrowlm.corpora.story_world.proposals import PROPOSALS
from sparrowlm.foundation.errors import SettingError

LANGUAGES = ("en", "zh")


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**63 - 1), language=st.sampled_from(["en", "zh", "both"]))
def test_story_world_generator_tells_only_valid_stories(seed, language):
    for story in generate_stories(5, language, seed):
        report = check_story(story)
        assert report.is_valid, (story, report.story_faults)
        assert report.num_valid_sentences == report.num_sentences
        assert 4 <= report.num_sentences <= 9


@pytest.mark.parametrize("language", LANGUAGES)
def test_story_world_generator_no_sentence_is_ambiguous(language):
    for story in generate_stories(40, language, 11):
        for sentence in split_sentences(story):
            events = parse_sentence(sentence, language)
            assert len(events) == 1
            event = events[0]
            told_again = {
                tell(event, language, variant)
                for variant in (0, 1)
                if set(event.values) == template_slots(event.kind, language, variant)
            }
            assert sentence in told_again


def test_story_world_generator_is_the_same_for_the_same_seed():
    assert generate_stories(50, "both", 3) == generate_stories(50, "both", 3)
    assert generate_stories(50, "both", 3) != generate_stories(50, "both", 4)
    # More stories begin with the same ones.
    assert generate_stories(80, "zh", 3)[:50] == generate_stories(50, "zh", 3)


def test_story_world_generator_both_languages_come():
    stories = generate_stories(100, "both", 0)
    chinese = [story for story in stories if any("一" <= c <= "鿿" for c in story)]
    assert 30 < len(chinese) < 70


@pytest.mark.parametrize("language", LANGUAGES)
def test_story_world_generator_tells_every_kind_of_event(language):
    told = {
        verdict.event.kind
        for story in generate_stories(400, language, 5)
        for verdict in check_story(story).verdicts
        if verdict.event is not None
    }
    assert set(PROPOSALS) <= told


@pytest.mark.parametrize("language", LANGUAGES)
def test_story_world_generator_is_rich(language):
    stories = generate_stories(300, language, 9)
    sentences = [sentence for story in stories for sentence in split_sentences(story)]
    assert len(set(stories)) == len(stories)
    assert len(set(sentences)) > 0.5 * len(sentences)


def test_story_world_generator_finds_alone_are_hundreds_of_thousands():
    texts = slot_texts("en")
    num_finds = len(texts["then"]) * len(texts["name"]) * len(texts["thing_new"])
    assert num_finds * len(texts["spot"]) > 300_000


def test_story_world_generator_is_quick():
    began = time.perf_counter()
    generate_stories(200, "both", 1)
    # About 0.06 s unchecked; the type checks of the tests and a busy machine cost the rest.
    assert time.perf_counter() - began < 8.0


def test_story_world_generator_chinese_quotes_are_full_width():
    text = "".join(generate_stories(200, "zh", 2))
    assert "“" in text and "”" in text
    assert not set(text) & set("\"',.!?:;")
    assert not any(character.isascii() for character in text)


@pytest.mark.parametrize(("num_stories", "language"), [(-1, "zh"), (1, "en")])
def test_story_world_generator_counts(num_stories, language):
    if num_stories < 0:
        with pytest.raises(SettingError):
            generate_stories(num_stories, language)
    else:
        assert len(generate_stories(num_stories, language)) == num_stories
