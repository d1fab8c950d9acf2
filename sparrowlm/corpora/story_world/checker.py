"""Is it a valid story? Decided by taking the sentences apart, never by how they were made.

A sentence is valid when it matches a pattern and breaks no law on its own; a story when, besides,
its sentences agree with each other (places, possession, hours, pronouns, answers).
"""

from __future__ import annotations

from dataclasses import dataclass

from sparrowlm.corpora.story_world.grammar import Event, parse_sentence
from sparrowlm.corpora.story_world.laws import sentence_faults
from sparrowlm.corpora.story_world.story_laws import ending_faults, story_faults
from sparrowlm.corpora.story_world.world import World
from sparrowlm.foundation.messages import Language

_STOPS = frozenset(".!?。！？")
_OPENING_QUOTES = frozenset("“「")
_CLOSING_QUOTES = frozenset("”」")


@dataclass(frozen=True, kw_only=True, slots=True)
class SentenceVerdict:
    """Whether a sentence is valid on its own.

    Attributes:
        sentence: the sentence as given.
        faults: what is wrong, e.g. "no pattern" or "unable"; empty for a valid one.
        event: what the sentence tells; None when it matches no pattern.
    """

    sentence: str
    faults: tuple[str, ...]
    event: Event | None

    @property
    def is_valid(self) -> bool:
        """True when nothing is wrong."""
        return not self.faults


@dataclass(frozen=True, kw_only=True, slots=True)
class StoryReport:
    """What the checker found in one story.

    Attributes:
        verdicts: each sentence on its own.
        story_faults: for each sentence, what is wrong with it in its place (its own faults
            included); the last entry also says what is missing at the end.
    """

    verdicts: tuple[SentenceVerdict, ...]
    story_faults: tuple[tuple[str, ...], ...]

    @property
    def num_sentences(self) -> int:
        """Number of sentences found."""
        return len(self.verdicts)

    @property
    def num_valid_sentences(self) -> int:
        """Number of sentences valid on their own."""
        return sum(verdict.is_valid for verdict in self.verdicts)

    @property
    def num_consistent_sentences(self) -> int:
        """Number of sentences valid where they stand."""
        return sum(not faults for faults in self.story_faults)

    @property
    def is_valid(self) -> bool:
        """True when every sentence is valid where it stands and nothing is missing."""
        return bool(self.verdicts) and not any(self.story_faults)


def language_of(text: str) -> Language:
    """Tell Chinese from English by the first Chinese character."""
    return "zh" if any("一" <= character <= "鿿" for character in text) else "en"


def split_sentences(text: str) -> list[str]:
    """Cut a text into sentences; quoted speech stays with who says it.

    Args:
        text: any text, Chinese or English.

    Returns:
        Sentences without the white space around them; a last one without its full stop is kept.

    >>> split_sentences('Mia sang. "Who has it?" asked Tom. Tom said, "I do."')
    ['Mia sang.', '"Who has it?" asked Tom.', 'Tom said, "I do."']
    """
    sentences: list[str] = []
    begin = 0
    is_quoted = is_led_by_quote = False
    for at, character in enumerate(text):
        is_end = character == "\n"
        if character in _CLOSING_QUOTES or (character == '"' and is_quoted):
            is_quoted = False
            # 米亚说：“好。” ends with its quote; “好。”米亚说。 does not.
            is_end = text[at - 1 : at] in _STOPS and not is_led_by_quote
        elif character in _OPENING_QUOTES or character == '"':
            is_quoted = True
            is_led_by_quote = not text[begin:at].strip()
        elif character in _STOPS:
            is_end = not is_quoted
        if is_end:
            sentences.append(text[begin : at + 1].strip())
            begin = at + 1
            is_quoted = False
    sentences.append(text[begin:].strip())
    return [sentence for sentence in sentences if sentence]


def check_sentence(sentence: str, language: Language | None = None) -> SentenceVerdict:
    """Judge one sentence on its own.

    Args:
        sentence: one sentence with its full stop.
        language: "zh" or "en"; None looks at the characters.
    """
    events = parse_sentence(sentence, language or language_of(sentence))
    best: SentenceVerdict | None = None
    for event in events:
        faults = tuple(sentence_faults(event))
        verdict = SentenceVerdict(sentence=sentence, faults=faults, event=event)
        if verdict.is_valid:
            return verdict
        best = best or verdict
    return best or SentenceVerdict(sentence=sentence, faults=("no pattern",), event=None)


def check_story(text: str) -> StoryReport:
    """Judge a whole story, sentence by sentence, each on its own and in its place."""
    language = language_of(text)
    verdicts = tuple(check_sentence(sentence, language) for sentence in split_sentences(text))
    world = World()
    in_place: list[tuple[str, ...]] = []
    for verdict in verdicts:
        if verdict.event is None:
            in_place.append(verdict.faults)
            continue
        in_place.append(tuple(story_faults(world, verdict.event)))
        world.apply(verdict.event)
    if in_place:
        in_place[-1] += tuple(ending_faults(world))
    return StoryReport(verdicts=verdicts, story_faults=tuple(in_place))
