"""The sentence patterns of the story world, and the words that may stand in each slot.

A pattern is a template per language whose slots are filled from closed tables, so every sentence
can be taken apart again: parse_sentence is the inverse of tell, and knows nothing of chance.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product

from sparrowlm.corpora.story_world.vocabulary import (
    ACTIVITIES,
    CHARACTERS,
    FEELINGS,
    GOINGS,
    HOURS,
    LIGHTS,
    MANNERS,
    PLACES,
    SPOTS,
    THINGS,
    TRAITS,
    WEATHERS,
    Word,
    english_article,
    is_weather_possible,
)
from sparrowlm.foundation.messages import Language

Value = str | tuple[str, str]
"""What a slot stands for: an English key, or a pair such as (thing, quality)."""

PATTERNS: dict[str, dict[Language, tuple[str, ...]]] = {
    "open": {
        "en": ("{when}, {name} the {species} was {place_at}.",),
        "zh": ("{when}，{species}{name}在{place_at}。",),
    },
    "once": {
        "en": ("once upon a time there was {described} called {name}.",),
        "zh": ("从前有{described}，名叫{name}。",),
    },
    "arrive": {
        "en": ("{when}, {subject} {go} {place_to}.",),
        "zh": ("{when}，{subject}{go}{place_to}。",),
    },
    "meet": {
        "en": ("{then}{subject} met {other} the {species} there.",),
        "zh": ("{then}{subject}在那里遇见了{species}{other}。",),
    },
    "also": {
        "en": ("{name} the {species} was {place_at} too.",),
        "zh": ("{species}{name}也在{place_at}。",),
    },
    "go": {
        "en": ("{then}{subject} {go} {place_to}.",),
        "zh": ("{then}{subject}{go}{place_to}。",),
    },
    "go_with": {
        "en": ("{then}{name} and {other} {go} {place_to} together.",),
        "zh": ("{then}{name}和{other}一起{go}{place_to}。",),
    },
    "find": {
        "en": ("{then}{subject} found {thing_new} {spot}.",),
        "zh": ("{then}{subject}在{spot}发现了{thing_new}。",),
    },
    "give": {
        "en": (
            "{then}{subject} gave {thing} to {other}.",
            "{then}{subject} handed {other} {thing}.",
        ),
        "zh": (
            "{then}{subject}把{thing}送给了{other}。",
            "{then}{subject}把{thing}交给了{other}。",
        ),
    },
    "put": {
        "en": ("{then}{subject} put {thing} {spot}.",),
        "zh": ("{then}{subject}把{thing}放在了{spot}。",),
    },
    "pick": {
        "en": ("{then}{subject} picked up {thing}.",),
        "zh": ("{then}{subject}捡起了{thing}。",),
    },
    "use": {"en": ("{then}{subject} {use}.",), "zh": ("{then}{subject}{use}。",)},
    "need_use": {
        "en": ("{subject} was {need}, so {pronoun} {use}.",),
        "zh": ("{subject}{need}，于是{pronoun}{use}。",),
    },
    "act": {
        "en": ("{then}{subject} {activity}{manner}.", "{place_at}, {subject} {activity}."),
        "zh": ("{then}{subject}{manner}{activity}。", "在{place_at}，{subject}{activity}。"),
    },
    "act_with": {
        "en": ("{then}{name} and {other} {activity} together.",),
        "zh": ("{then}{name}和{other}一起{activity}。",),
    },
    "glad_thing": {
        "en": ("{subject} was {feeling} because {pronoun} had {thing_new}.",),
        "zh": ("{subject}很{feeling}，因为{pronoun}有{thing_new}。",),
    },
    "glad_friend": {
        "en": ("{subject} was {feeling} because {other} was there.",),
        "zh": ("{subject}很{feeling}，因为{other}也在这里。",),
    },
    "lonely": {
        "en": ("{subject} felt lonely because nobody else was there.",),
        "zh": ("{subject}觉得孤单，因为这里没有别人。",),
    },
    "greet": {
        "en": ('"{greeting}, {other}!" said {name}.',),
        "zh": ("“{greeting}，{other}！”{name}说。", "{name}说：“{greeting}，{other}！”"),
    },
    "thank": {
        "en": ('"Thank you, {other}!" said {name}.',),
        "zh": ("“谢谢你，{other}！”{name}说。", "{name}说：“谢谢你，{other}！”"),
    },
    "bye": {
        "en": ('"See you tomorrow, {other}!" said {name}.',),
        "zh": ("“明天见，{other}！”{name}说。", "{name}说：“明天见，{other}！”"),
    },
    "say_have": {
        "en": ('"I have {thing_new}," said {name}.', '{name} said, "I have {thing_new}."'),
        "zh": ("“我有{thing_new}。”{name}说。", "{name}说：“我有{thing_new}。”"),
    },
    "request": {
        "en": ('"May I have {thing}?" asked {name}.',),
        "zh": ("“可以把{thing}给我吗？”{name}问。", "{name}问：“可以把{thing}给我吗？”"),
    },
    "ask_thing": {
        "en": ('"Who has {thing}?" asked {name}.',),
        "zh": ("“{thing}在谁那里？”{name}问。", "{name}问：“{thing}在谁那里？”"),
    },
    "answer_holder": {
        "en": ('"{other} has it," said {name}.',),
        "zh": ("“在{other}那里。”{name}说。", "{name}说：“在{other}那里。”"),
    },
    "answer_self": {
        "en": ('"I have it," said {name}.',),
        "zh": ("“在我这里。”{name}说。", "{name}说：“在我这里。”"),
    },
    "answer_lies": {
        "en": ('"It is {spot}," said {name}.',),
        "zh": ("“它在{spot}。”{name}说。", "{name}说：“它在{spot}。”"),
    },
    "ask_where": {
        "en": ('"Where is {other}?" asked {name}.',),
        "zh": ("“{other}在哪里？”{name}问。", "{name}问：“{other}在哪里？”"),
    },
    "answer_where": {
        "en": ('"{Pronoun} is {place_at}," said {name}.',),
        "zh": ("“{Pronoun}在{place_at}。”{name}说。", "{name}说：“{Pronoun}在{place_at}。”"),
    },
    "time": {"en": ("soon it was {hour}.",), "zh": ("转眼就到了{hour}。",)},
    "sky": {"en": ("{light} shone over {place_to}.",), "zh": ("{light}照着{place_to}。",)},
    "sleep": {
        "en": ("at last {subject} went home and fell asleep.",),
        "zh": ("最后，{subject}回家睡着了。",),
    },
    "end_everyone": {"en": ("everyone was happy.",), "zh": ("大家都很开心。",)},
    "end_day": {"en": ("it had been a wonderful day.",), "zh": ("这真是美好的一天。",)},
}

_THEN = (Word("then ", "然后，"), Word("after that, ", "接着，"), Word("next, ", "随后，"))
_GREETINGS = (
    Word("Good morning", "早上好"),
    Word("Good afternoon", "下午好"),
    Word("Good evening", "晚上好"),
)
_SLOT = re.compile(r"\{(\w+)\}")
_NAMES = frozenset(character.en for character in CHARACTERS)


@dataclass(frozen=True, slots=True)
class Event:
    """What one sentence tells.

    Attributes:
        kind: name of the pattern, a key of PATTERNS.
        values: slot -> what stands there, as language-free keys ("Mia", ("kite", "red")).
    """

    kind: str
    values: Mapping[str, Value]


def _words(words: tuple[Word, ...], language: Language) -> dict[Value, str]:
    return {word.en.strip(): getattr(word, language) for word in words}


def _who(language: Language) -> dict[str, dict[Value, str]]:
    is_english = language == "en"
    names: dict[Value, str] = {c.en: getattr(c, language) for c in CHARACTERS}
    pronouns: dict[Value, str] = (
        {"she": "she", "he": "he"} if is_english else {"she": "她", "he": "他"}
    )
    species = {character.species.en: character.species for character in CHARACTERS}
    described: dict[Value, str] = {}
    for trait, kind in product(TRAITS, species.values()):
        english = f"{english_article(trait.en)} {trait.en} {kind.en}"
        chinese = f"一{kind.measure}{trait.zh}的{kind.zh}"
        described[trait.en, kind.en] = english if is_english else chinese
    return {
        "name": names,
        "other": names,
        "subject": names | pronouns,
        "pronoun": pronouns,
        "Pronoun": {key: text.capitalize() for key, text in pronouns.items()},
        "species": {key: getattr(kind, language) for key, kind in species.items()},
        "described": described,
    }


def _things(language: Language) -> dict[str, dict[Value, str]]:
    is_english = language == "en"
    new: dict[Value, str] = {}
    known: dict[Value, str] = {}
    use: dict[Value, str] = {}
    for thing in THINGS:
        verb = thing.purpose.en_verb if is_english else thing.purpose.zh_verb
        for quality in (None, *thing.qualities):
            key = (thing.en, quality.en if quality else "")
            english = f"{quality.en} {thing.en}" if quality else thing.en
            chinese = f"{thing.measure}{quality.zh if quality else ''}{thing.zh}"
            known[key] = f"the {english}" if is_english else f"那{chinese}"
            use[key] = f"{verb} {known[key]}" if is_english else f"{verb}{known[key]}"
            if quality:
                new[key] = f"{english_article(english)} {english}" if is_english else f"一{chinese}"
    needs = {thing.purpose.en_need: thing.purpose.zh_need for thing in THINGS}
    needed: dict[Value, str] = {en: en if is_english else zh for en, zh in needs.items()}
    return {"thing_new": new, "thing": known, "use": use, "need": needed}


def _when(language: Language) -> dict[Value, str]:
    texts: dict[Value, str] = {}
    for hour in HOURS:
        texts[hour.en, ""] = f"one {hour.en}" if language == "en" else f"一天{hour.zh}"
        for weather in WEATHERS:
            if is_weather_possible(weather.en, hour.en):
                english = f"one {weather.en} {hour.en}"
                texts[hour.en, weather.en] = (
                    english if language == "en" else f"一个{weather.zh}的{hour.zh}"
                )
    return texts


@cache
def slot_texts(language: Language) -> dict[str, dict[Value, str]]:
    """List what can stand in each slot: slot -> value -> text in the language."""
    manners: dict[Value, str] = {"": ""}
    for manner in MANNERS:
        manners[manner.en] = f" {manner.en}" if language == "en" else manner.zh
    return {
        **_who(language),
        **_things(language),
        "when": _when(language),
        "hour": _words(HOURS, language),
        "then": {"": "", **_words(_THEN, language)},
        "place_at": {place.en: getattr(place, f"{language}_at") for place in PLACES},
        "place_to": {place.en: getattr(place, language) for place in PLACES},
        "spot": {spot.en: getattr(spot, language) for spot in SPOTS},
        "go": {key: getattr(word, language) for key, word in GOINGS.items()},
        "activity": {activity.en: getattr(activity, language) for activity in ACTIVITIES},
        "manner": manners,
        "feeling": _words(FEELINGS, language),
        "greeting": _words(_GREETINGS, language),
        "light": {word.en: getattr(word, language) for word, _hours in LIGHTS},
    }


def tell(event: Event, language: Language, variant: int = 0) -> str:
    """Write an event as a sentence.

    Args:
        event: what happens; values of slots that the chosen template lacks are left untold.
        language: "zh" or "en".
        variant: which of the pattern's templates, counted around.

    >>> tell(Event("sleep", {"subject": "she"}), "en")
    'At last she went home and fell asleep.'
    """
    templates = PATTERNS[event.kind][language]
    texts = slot_texts(language)
    filled = {slot: texts[slot][value] for slot, value in event.values.items()}
    sentence = templates[variant % len(templates)].format_map(filled)
    return sentence[0].upper() + sentence[1:]


@cache
def template_slots(kind: str, language: Language, variant: int) -> frozenset[str]:
    """Name the slots of one template."""
    templates = PATTERNS[kind][language]
    return frozenset(_SLOT.findall(templates[variant % len(templates)]))


@dataclass(frozen=True, slots=True)
class _Slot:
    """A slot ready for parsing: text -> value, and the lengths that occur, longest first."""

    name: str
    values: dict[str, Value]
    lengths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Template:
    kind: str
    literals: tuple[str, ...]
    slots: tuple[_Slot, ...]
    longest_literal: str


@cache
def _templates(language: Language) -> tuple[_Template, ...]:
    slots: dict[str, _Slot] = {}
    for name, texts in slot_texts(language).items():
        values = {text: value for value, text in texts.items()}
        lengths = sorted({len(text) for text in values}, reverse=True)
        slots[name] = _Slot(name, values, tuple(lengths))
    found = []
    for kind, by_language in PATTERNS.items():
        for template in by_language[language]:
            pieces = _SLOT.split(template)
            literals = tuple(pieces[0::2])
            inside = tuple(slots[name] for name in pieces[1::2])
            found.append(_Template(kind, literals, inside, max(literals, key=len)))
    return tuple(found)


def _filled(template: _Template, text: str, index: int, at: int) -> Iterator[dict[str, Value]]:
    """Fill the slots from number index on, given that the text matched up to position at."""
    literal = template.literals[index]
    if not text.startswith(literal, at):
        return
    at += len(literal)
    if index == len(template.slots):
        if at == len(text):
            yield {}
        return
    slot = template.slots[index]
    for length in slot.lengths:
        value = slot.values.get(text[at : at + length])
        if value is not None and at + length <= len(text):
            for rest in _filled(template, text, index + 1, at + length):
                yield {slot.name: value, **rest}


def parse_sentence(sentence: str, language: Language) -> list[Event]:
    """Take a sentence apart.

    Args:
        sentence: one sentence with its full stop, no white space around it.
        language: "zh" or "en".

    Returns:
        Every event that the sentence can tell: none when it matches no pattern, and one for
        every sentence of the world (a test holds that no sentence is ambiguous).
    """
    text = sentence
    if language == "en":
        first = re.match(r"[A-Za-z]+", text)
        if first and first[0] not in _NAMES:
            if not text[0].isupper():
                return []
            text = text[0].lower() + text[1:]
    return [
        Event(template.kind, values)
        for template in _templates(language)
        if template.longest_literal in text
        for values in _filled(template, text, 0, 0)
    ]
