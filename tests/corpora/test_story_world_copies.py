from __future__ import annotations

from difflib import SequenceMatcher

from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.corpora.story_world import copied_share, generate_stories, longest_common_run


def slow_longest(pieces, texts):
    best = 0
    for piece in pieces:
        for text in texts:
            match = SequenceMatcher(None, piece, text, autojunk=False).find_longest_match()
            best = max(best, match.size)
    return best


SMALL = st.lists(st.text(alphabet="ab我\U00020000", max_size=12), max_size=4)


@given(SMALL, SMALL)
def test_story_world_copies_longest_run_equals_a_slow_search(pieces, texts):
    run = longest_common_run(pieces, texts)
    assert len(run) == slow_longest(pieces, texts)
    assert run == "" or any(run in piece for piece in pieces)
    assert run == "" or any(run in text for text in texts)


def test_story_world_copies_share_and_run():
    report = copied_share(["Mia sang.", "Tom ran.", ""], ["Then Mia sang. Rex ran home."])
    assert report.copied_share == 0.5
    assert report.longest_run == "Mia sang."
    assert report.longest_run_characters == 9


def test_story_world_copies_nothing_to_compare():
    assert copied_share([], ["a"]).copied_share == 0.0
    assert copied_share(["a"], []).longest_run == ""


def test_story_world_copies_own_text_is_all_copied():
    stories = generate_stories(100, "both", 1)
    report = copied_share(stories[:50], stories)
    assert report.copied_share == 1.0
    assert report.longest_run == max(stories[:50], key=len)


def test_story_world_copies_new_stories_are_no_copies():
    report = copied_share(generate_stories(40, "zh", 1), generate_stories(200, "zh", 2))
    assert report.copied_share == 0.0
