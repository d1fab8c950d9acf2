"""Stories told by chance within the laws of the story world."""

from __future__ import annotations

import random
from typing import Literal

from sparrowlm.corpora.story_world.grammar import Event, tell, template_slots
from sparrowlm.corpora.story_world.laws import GENDER_OF
from sparrowlm.corpora.story_world.proposals import (
    ENDING_PROPOSALS,
    PROPOSALS,
    Chance,
    Proposer,
    Values,
    propose_answers,
    propose_arrival,
    propose_once,
    propose_open,
    propose_thanks,
)
from sparrowlm.corpora.story_world.story_laws import ANSWERS_TO, ending_faults, story_faults
from sparrowlm.corpora.story_world.world import World
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.messages import Language
from sparrowlm.foundation.randomness import derive_seed

StoryLanguage = Literal["zh", "en", "both"]

_SHORTEST_STORY, _LONGEST_STORY = 4, 9
_KINDS_BY_WEIGHT = tuple(kind for kind, (weight, _proposer) in PROPOSALS.items()
                         for _share in range(weight))  # fmt: skip


def generate_stories(
    num_stories: int, language: StoryLanguage = "both", seed: int = 0
) -> list[str]:
    """Tell stories of four to nine sentences, all valid, the same ones for the same arguments.

    Args:
        num_stories: how many, >= 0.
        language: "zh", "en", or "both" for a story in either by chance.
        seed: 0 to 2**63 - 1.

    Returns:
        One paragraph per story.

    Raises:
        SettingError: a negative number or another language.
    """
    if num_stories < 0:
        raise SettingError(
            "foundation.number-range", name="num_stories", minimum=0, received=num_stories
        )
    if language not in ("zh", "en", "both"):
        raise SettingError(
            "foundation.unknown-choice", name="language", received=language, choices="zh, en, both"
        )
    chance = Chance(random.Random(derive_seed(seed, f"story world {language}")))
    return [_tell_story(chance, language) for _story in range(num_stories)]


def _tell_story(chance: Chance, language: StoryLanguage) -> str:
    spoken: Language = "zh"
    if language == "en" or (language == "both" and chance.happens(0.5)):
        spoken = "en"
    num_sentences = _SHORTEST_STORY + chance.below(_LONGEST_STORY - _SHORTEST_STORY + 1)
    sentences: list[str] = []
    story = _Story(chance, spoken, sentences)
    story.begin()
    while len(sentences) < num_sentences or ending_faults(story.world):
        story.go_on(is_last=len(sentences) == num_sentences - 1)
    return ("" if spoken == "zh" else " ").join(sentences)


class _Story:
    """One story while it is being told: proposals come by chance, the laws decide."""

    def __init__(self, chance: Chance, language: Language, sentences: list[str]) -> None:
        self.world = World()
        self._chance = chance
        self._language: Language = language
        self._sentences = sentences

    def begin(self) -> None:
        """Tell who is where and when."""
        if self._chance.happens(0.7):
            self._tell("open", propose_open)
        else:
            self._tell("once", propose_once)
            self._tell("arrive", propose_arrival)

    def go_on(self, *, is_last: bool) -> None:
        """Tell one more event (two, for a question with its answer)."""
        previous = self.world.previous
        if previous is not None and previous.kind in ANSWERS_TO:
            self._tell_answer(previous.kind)
            return
        if previous is not None and previous.kind == "give" and self._chance.happens(0.5):
            self._tell("thank", propose_thanks)
            return
        if (
            is_last
            and self._chance.happens(0.6)
            and self._try(*self._chance.one_of(ENDING_PROPOSALS))
        ):
            return
        kind = self._chance.one_of(_KINDS_BY_WEIGHT)
        if is_last and kind in ANSWERS_TO:
            return
        self._try(kind, PROPOSALS[kind][1])

    def _tell_answer(self, question: str) -> None:
        answers = list(propose_answers(self.world, question))
        self._accept(*self._chance.one_of(answers))

    def _tell(self, kind: str, proposer: Proposer) -> None:
        while not self._try(kind, proposer):
            continue

    def _try(self, kind: str, proposer: Proposer) -> bool:
        values = proposer(self._chance, self.world)
        return values is not None and self._accept(kind, values)

    def _accept(self, kind: str, values: Values) -> bool:
        variant = self._chance.below(2)
        told = template_slots(kind, self._language, variant)
        values = {slot: value for slot, value in values.items() if slot in told}
        last_actor = self.world.last_actor
        if values.get("subject") == last_actor and last_actor and self._chance.happens(0.7):
            values["subject"] = GENDER_OF[last_actor]
        event = Event(kind, values)
        if story_faults(self.world, event):
            return False
        self.world.apply(event)
        self._sentences.append(tell(event, self._language, variant))
        return True
