"""A world of little stories, in Chinese and English, whose sentences can be checked.

vocabulary   who and what there is
grammar      sentence patterns; parse_sentence is the inverse of tell
laws         what one sentence may say
world        the state of a story
story_laws   what may follow what
proposals    what could be told next
generator    stories by chance within the laws
checker      verdicts on sentences and stories
copies       how much was copied from the training text
"""

from __future__ import annotations

from sparrowlm.corpora.story_world.checker import (
    SentenceVerdict,
    StoryReport,
    check_sentence,
    check_story,
    split_sentences,
)
from sparrowlm.corpora.story_world.copies import CopyReport, copied_share, longest_common_run
from sparrowlm.corpora.story_world.generator import StoryLanguage, generate_stories

__all__ = [
    "CopyReport",
    "SentenceVerdict",
    "StoryLanguage",
    "StoryReport",
    "check_sentence",
    "check_story",
    "copied_share",
    "generate_stories",
    "longest_common_run",
    "split_sentences",
]
