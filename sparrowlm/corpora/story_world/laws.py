"""What one sentence may say, whatever stands around it: who can fly, what grows where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from sparrowlm.corpora.story_world.grammar import Event, Value
from sparrowlm.corpora.story_world.vocabulary import (
    ACTIVITIES,
    CHARACTERS,
    LIGHTS,
    PLACES,
    SPOTS,
    THINGS,
)

SPECIES_OF = {character.en: character.species for character in CHARACTERS}
GENDER_OF = {character.en: character.gender for character in CHARACTERS}
TRAITS_OF = {place.en: place.traits | {""} for place in PLACES}
PURPOSE_OF = {thing.en: thing.purpose for thing in THINGS}
TRAIT_OF_SPOT = {spot.en: spot.needs for spot in SPOTS}
ACTIVITY_OF = {activity.en: activity for activity in ACTIVITIES}
HOURS_OF_LIGHT = {word.en: hours for word, hours in LIGHTS}

_NEWCOMER_SLOT = {"open": "name", "once": "name", "meet": "other", "also": "name"}


def text_value(values: Mapping[str, Value], slot: str) -> str:
    """Return a slot's simple value, "" when the sentence has no such slot."""
    return cast("str", values.get(slot, ""))


def pair_value(values: Mapping[str, Value], slot: str) -> tuple[str, str]:
    """Return a slot's pair, such as (thing, quality); two empty texts when it has none."""
    return cast("tuple[str, str]", values.get(slot, ("", "")))


def newcomer_of(event: Event) -> str:
    """Name the character that a sentence introduces, "" when it introduces nobody."""
    slot = _NEWCOMER_SLOT.get(event.kind)
    return text_value(event.values, slot) if slot else ""


def people_of(event: Event) -> list[str]:
    """List the names standing in a sentence, pronouns left out."""
    present = (text_value(event.values, slot) for slot in ("subject", "name", "other"))
    return [name for name in present if name in SPECIES_OF]


def _wrong_species(event: Event) -> bool:
    newcomer = newcomer_of(event)
    species = text_value(event.values, "species") or pair_value(event.values, "described")[1]
    return bool(newcomer) and SPECIES_OF[newcomer].en != species


def _same_person_twice(event: Event) -> bool:
    people = people_of(event)
    return len(people) != len(set(people))


def needed_abilities(event: Event) -> frozenset[str]:
    """Name what the people of a sentence must be able to do."""
    activity = ACTIVITY_OF.get(text_value(event.values, "activity"))
    needed = (text_value(event.values, "go"), activity.ability if activity else "")
    return frozenset(ability for ability in needed if ability)


def _unable(event: Event) -> bool:
    needed = needed_abilities(event)
    return any(not needed <= SPECIES_OF[name].abilities for name in people_of(event))


def _wrong_place(event: Event) -> bool:
    place = text_value(event.values, "place_at")
    activity = ACTIVITY_OF.get(text_value(event.values, "activity"))
    if activity and place:
        return activity.place not in TRAITS_OF[place]
    if event.kind == "sky":
        return "outdoors" not in TRAITS_OF[text_value(event.values, "place_to")]
    return False


def _wrong_pronoun(event: Event) -> bool:
    pronoun = text_value(event.values, "pronoun")
    subject = text_value(event.values, "subject")
    return bool(pronoun) and GENDER_OF.get(subject, subject) != pronoun


def _wrong_need(event: Event) -> bool:
    need = text_value(event.values, "need")
    return bool(need) and PURPOSE_OF[pair_value(event.values, "use")[0]].en_need != need


_LAWS: dict[str, Callable[[Event], bool]] = {
    "wrong species": _wrong_species,
    "same person twice": _same_person_twice,
    "unable": _unable,
    "wrong place": _wrong_place,
    "wrong pronoun": _wrong_pronoun,
    "wrong need": _wrong_need,
}


def sentence_faults(event: Event) -> list[str]:
    """List the laws that a sentence breaks on its own; empty when it is valid."""
    return [fault for fault, is_broken in _LAWS.items() if is_broken(event)]
