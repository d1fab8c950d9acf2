from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.corpora.story_world import (
    check_sentence,
    check_story,
    generate_stories,
    split_sentences,
)


def sentences_of(language, num_stories, seed=21):
    stories = generate_stories(num_stories, language, seed)
    return [sentence for story in stories for sentence in split_sentences(story)]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_story_world_checker_swapped_words_are_invalid(language):
    for sentence in sentences_of(language, num_stories=12):
        words = sentence.split(" ") if language == "en" else list(sentence)
        for at in range(len(words) - 1):
            if words[at] != words[at + 1]:
                swapped = [*words[:at], words[at + 1], words[at], *words[at + 2 :]]
                text = (" " if language == "en" else "").join(swapped)
                assert not check_sentence(text).is_valid, text


@pytest.mark.parametrize("language", ["en", "zh"])
def test_story_world_checker_truncated_sentences_are_invalid(language):
    for sentence in sentences_of(language, num_stories=4):
        for length in range(1, len(sentence)):
            assert not check_sentence(sentence[:length], language).is_valid


@pytest.mark.parametrize("language", ["en", "zh"])
def test_story_world_checker_missing_words_are_mostly_invalid(language):
    # "He put on the (red) hat" may lose its colour; nothing else may go.
    chance = random.Random(4)
    survivors = 0
    sentences = sentences_of(language, num_stories=100)
    for sentence in sentences:
        words = sentence.split(" ") if language == "en" else list(sentence)
        del words[chance.randrange(len(words))]
        text = (" " if language == "en" else "").join(words)
        survivors += check_sentence(text).is_valid
    assert survivors < 0.05 * len(sentences)


@given(st.text(max_size=60))
def test_story_world_checker_any_text_has_a_verdict(text):
    verdict = check_sentence(text)
    assert not verdict.is_valid
    assert verdict.faults
    check_story(text)


WRONG_SENTENCES = [
    ("Mia the bear was in the garden.", "no pattern"),
    ("One morning, Mia the bear was in the garden.", "wrong species"),
    ("One sunny night, Mia the fox was in the garden.", "no pattern"),
    ("Once upon a time there was a old owl called Otto.", "no pattern"),
    ("Once upon a time there was an old fox called Otto.", "wrong species"),
    ("Mia flew to the garden.", "unable"),
    ("Otto walked to the garden.", "unable"),
    ("Mia found a orange kite under a rock.", "no pattern"),
    ("Mia found an sweet apple under a rock.", "no pattern"),
    ("Mia found a red apple under a rock.", "no pattern"),
    ("Mia gave the kite to Mia.", "same person twice"),
    ("Mia was hungry, so he ate the apple.", "wrong pronoun"),
    ("Mia was hungry, so she read the book.", "wrong need"),
    ("Mia ate the kite.", "no pattern"),
    ("In the library, Ollie swam in the cool water.", "wrong place"),
    ("By the lake, Mia swam in the cool water.", "unable"),
    ("The moon shone over the kitchen.", "wrong place"),
    ("mia found a red kite under a rock.", "no pattern"),
    ("Then She found a red kite under a rock.", "no pattern"),
    ("一天早晨，熊米亚在花园里。", "wrong species"),
    ("从前有一头善良的狐狸，名叫米亚。", "no pattern"),
    ("米亚飞到了花园。", "unable"),
    ("米亚在一块岩石下发现了一本红色的风筝。", "no pattern"),
    ("米亚饿了，于是他吃掉了那个苹果。", "wrong pronoun"),
    ("米亚饿了，于是她读起了那本书。", "wrong need"),
    ("“谢谢你，米亚！”米亚说。", "same person twice"),
    ("在图书馆里，欧力在清凉的水里游泳。", "wrong place"),
    ('"谢谢你，米亚！"汤姆说。', "no pattern"),
]


@pytest.mark.parametrize(("sentence", "fault"), WRONG_SENTENCES)
def test_story_world_checker_wrong_sentence(sentence, fault):
    assert fault in check_sentence(sentence).faults


START = "One windy morning, Mia the fox was in the garden. "
ANFANG = "一个刮风的早晨，狐狸米亚在花园里。"
GOOD_STORIES = [
    START + "She met Tom the turtle there. Mia found a red kite behind a tree. "
    "She gave the red kite to Tom. \"Thank you, Mia!\" said Tom. He flew the kite.",
    START + "Tom the turtle was in the garden too. Then Mia found a sweet apple behind a tree. "
    "\"May I have the apple?\" asked Tom. Mia gave the apple to Tom. Tom ate the apple.",
    START + "She met Tom the turtle there. Mia met Hugo the elephant there. Hugo walked to "
    'the farm. "Where is Hugo?" asked Mia. "He is on the farm," said Tom. Soon it was night. '
    "At last he went home and fell asleep.",
    START + "She found a big ball under a rock. She put the ball behind a bush. "
    "Tom the turtle was in the garden too. \"Who has the ball?\" asked Tom. "
    '"It is behind a bush," said Mia. Tom picked up the big ball.',
    ANFANG + "她在那里遇见了乌龟汤姆。米亚在一棵树后面发现了一架红色的风筝。"
    "她把那架红色的风筝送给了汤姆。汤姆说：“谢谢你，米亚！”他放飞了那架风筝。",
]  # fmt: skip
GOOD_STORIES[2] = GOOD_STORIES[2].replace("At last he went", "At last Tom went")


@pytest.mark.parametrize("story", GOOD_STORIES)
def test_story_world_checker_handwritten_story_is_valid(story):
    report = check_story(story)
    assert report.is_valid, report.story_faults


WRONG_STORIES = [
    ("Mia ran to the farm.", "no opening"),
    (START + "Tom ran to the farm.", "unable"),
    (START + "Rex ran to the farm.", "unknown character"),
    (START + "He ran to the farm.", "unclear pronoun"),
    (START + "Mia ran to the garden.", "already there"),
    (START + "Mia built a sandcastle.", "wrong place"),
    (START + "In the forest, Mia sang a song.", "wrong place"),
    (START + "Mia counted the stars.", "wrong hour"),
    (START + "Mia built a snowman.", "wrong weather"),
    (START + "Mia found a red hat on the table.", "wrong place"),
    (START + "Mia put on the hat.", "unknown thing"),
    (START + "She found a red hat under a rock. She put on the blue hat.", "wrong quality"),
    (START + "She found a sweet pear under a rock. She ate the pear. "
     "She sang a song. Then she ate the pear.",
     "thing is gone"),
    (START + "She met Rex the dog there. She found a red hat under a rock. Rex put on the hat.",
     "not held"),
    (START + "She met Rex the dog there. Rex gave the hat to Mia.", "unknown thing"),
    (START + "She met Rex the dog there. Rex ran to the farm. Mia found a red hat under a rock. "
     "She gave the hat to Rex.", "not together"),
    (START + '"Thank you, Mia!" said Rex.', "unknown character"),
    (START + 'She met Rex the dog there. "Thank you, Mia!" said Rex.', "thanks for nothing"),
    (START + 'She met Rex the dog there. "Good evening, Mia!" said Rex.', "wrong hour"),
    (START + "She met Rex the dog there. She felt lonely because nobody else was there.",
     "not alone"),
    (START + 'She met Rex the dog there. "I have a red hat," said Rex.', "unknown thing"),
    (START + 'She met Rex the dog there. Mia found a red hat under a rock. '
     '"Who has the hat?" asked Rex.', "question without answer"),
    (START + 'She met Rex the dog there. Mia found a red hat under a rock. '
     '"Who has the hat?" asked Rex. "Rex has it," said Mia.', "untrue"),
    (START + '"I have it," said Mia.', "answer without question"),
    (START + "Soon it was night. Mia sang a song. Soon it was afternoon.", "time runs backwards"),
    (START + "The moon shone over the garden.", "wrong hour"),
    (START + "At last she went home and fell asleep.", "wrong hour"),
    (START + "Soon it was night. At last Mia went home and fell asleep. Mia sang a song.",
     "asleep"),
    (START + "Everyone was happy. Mia sang a song.", "after the end"),
    (START + "One night, Rex the dog was on the farm.", "opening in the middle"),
    ("Once upon a time there was a kind fox called Mia. She found a red hat under a rock.",
     "nowhere"),
    (START + "She met Mia the fox there.", "introduced twice"),
    (START + "Mia lrrrp.", "no pattern"),
    (ANFANG + "他跑到了农场。", "unclear pronoun"),
    (ANFANG + "她戴上了那顶帽子。", "unknown thing"),
    (ANFANG + "米亚堆沙堡。", "wrong place"),
]  # fmt: skip


@pytest.mark.parametrize(("story", "fault"), WRONG_STORIES)
def test_story_world_checker_wrong_story(story, fault):
    report = check_story(story)
    assert not report.is_valid
    assert fault in {found for faults in report.story_faults for found in faults}


def test_story_world_checker_mixed_up_sentences_are_noticed():
    chance = random.Random(7)
    stories = generate_stories(100, "en", 8)
    noticed = 0
    for story in stories:
        first, *rest = split_sentences(story)
        other = chance.choice(split_sentences(chance.choice(stories))[1:])
        rest[chance.randrange(len(rest))] = other
        noticed += not check_story(" ".join([first, *rest])).is_valid
    assert noticed > 0.8 * len(stories)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  \n ", []),
        ("Mia sang.", ["Mia sang."]),
        ("Mia sang. Tom", ["Mia sang.", "Tom"]),
        ('"Hi, Tom!" said Mia. Tom sang.', ['"Hi, Tom!" said Mia.', "Tom sang."]),
        ('Mia said, "I sing." Tom sang.', ['Mia said, "I sing."', "Tom sang."]),
        ("米亚说：“谢谢你，汤姆！”汤姆走了。", ["米亚说：“谢谢你，汤姆！”", "汤姆走了。"]),
        ("“谢谢你。”米亚说。汤姆走了。", ["“谢谢你。”米亚说。", "汤姆走了。"]),
        ("“谢谢你。\n汤姆走了。", ["“谢谢你。", "汤姆走了。"]),
    ],
)
def test_story_world_checker_splits_sentences(text, expected):
    assert split_sentences(text) == expected
