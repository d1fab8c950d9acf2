"""What could be told next, drawn by chance: one proposer per kind of event.

A proposer returns the slot values of a likely event, with full names and no pronouns, or None when
nothing of its kind comes to mind. The laws have the last word.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from sparrowlm.corpora.story_world.grammar import Value, slot_texts
from sparrowlm.corpora.story_world.laws import GENDER_OF, HOURS_OF_LIGHT, PURPOSE_OF, SPECIES_OF
from sparrowlm.corpora.story_world.story_laws import GREETING_OF_HOUR, RANK_OF_HOUR
from sparrowlm.corpora.story_world.vocabulary import (
    ACTIVITIES,
    CHARACTERS,
    FEELINGS,
    GOINGS,
    HOURS,
    MANNERS,
    PLACES,
    SPOTS,
    THINGS,
    TRAITS,
)
from sparrowlm.corpora.story_world.world import World

Item = TypeVar("Item")
Values = dict[str, Value]

_MOST_CHARACTERS = 3
_NAMES = tuple(character.en for character in CHARACTERS)
_PLACES = tuple(place.en for place in PLACES)
_SPOTS_AT = {
    place.en: tuple(spot.en for spot in SPOTS if spot.needs in place.traits) for place in PLACES
}
_ACTIVITIES_AT = {
    place.en: tuple(a.en for a in ACTIVITIES if not a.place or a.place in place.traits)
    for place in PLACES
}
_GOINGS_OF = {
    name: tuple(going for going in GOINGS if going in SPECIES_OF[name].abilities) for name in _NAMES
}
_FINDS = tuple((thing.en, quality.en) for thing in THINGS for quality in thing.qualities)
_WHENS = tuple(slot_texts("en")["when"])
# Half of the sentences that may carry a connective do without.
_THENS = ("", "", *(value for value in slot_texts("en")["then"] if value))
_MANNERS = ("", "", *(manner.en for manner in MANNERS))


class Chance:
    """Draws on random.random alone: its sequence is the same in every version of Python."""

    def __init__(self, source: random.Random) -> None:
        self._draw = source.random

    def below(self, limit: int) -> int:
        """Draw a whole number from 0 to below limit."""
        return int(self._draw() * limit)

    def one_of(self, items: Sequence[Item]) -> Item:
        """Draw one of the items."""
        return items[int(self._draw() * len(items))]

    def happens(self, probability: float) -> bool:
        """Draw yes with the given probability."""
        return self._draw() < probability

    def actor(self, world: World) -> str:
        """Draw who acts: mostly whoever acted last, never somebody asleep."""
        if world.last_actor and world.last_actor not in world.asleep and self.happens(0.55):
            return world.last_actor
        return self.one_of([name for name in world.place_of if name not in world.asleep])

    def companion(self, world: World, actor: str) -> str:
        """Draw somebody who is with actor, "" when actor is alone."""
        company = world.company(actor)
        return self.one_of(company) if company else ""

    def held_thing(self, world: World, actor: str) -> str:
        """Draw a thing in actor's hands, "" when they are empty."""
        held = [thing for thing, holder in world.holder_of.items() if holder == actor]
        return self.one_of(held) if held else ""

    def spoken_thing(self, world: World, thing: str) -> tuple[str, str]:
        """Speak of a known thing, with its quality or without."""
        return (thing, world.quality_of[thing] if self.happens(0.4) else "")


Proposer = Callable[[Chance, World], Values | None]


def propose_open(chance: Chance, _world: World) -> Values:
    """Begin with somebody somewhere."""
    name = chance.one_of(_NAMES)
    return {
        "when": chance.one_of(_WHENS),
        "name": name,
        "species": SPECIES_OF[name].en,
        "place_at": chance.one_of(_PLACES),
    }


def propose_once(chance: Chance, _world: World) -> Values:
    """Begin with somebody's character."""
    name = chance.one_of(_NAMES)
    return {"described": (chance.one_of(TRAITS).en, SPECIES_OF[name].en), "name": name}


def propose_arrival(chance: Chance, world: World) -> Values:
    """Bring the one just described somewhere."""
    actor = world.last_actor
    return {
        "when": chance.one_of(_WHENS),
        "subject": actor,
        "go": chance.one_of(_GOINGS_OF[actor]),
        "place_to": chance.one_of(_PLACES),
    }


def propose_thanks(_chance: Chance, world: World) -> Values | None:
    """Thank for the gift just given."""
    if world.previous is None:
        return None
    return {"other": world.previous_actor, "name": world.previous.values["other"]}


def propose_answers(world: World, question: str) -> Iterator[tuple[str, Values]]:
    """List true answers to the question just asked, told by those who heard it."""
    if world.previous is None:
        return
    values = world.previous.values
    thing = str(values["thing"][0]) if question == "ask_thing" else ""
    holder = world.holder_of.get(thing, "")
    for name in world.company(world.previous_actor):
        if question == "ask_where":
            asked = str(values["other"])
            yield (
                "answer_where",
                {
                    "Pronoun": GENDER_OF[asked],
                    "place_at": world.place_of[asked],
                    "name": name,
                },
            )
        elif holder == name:
            yield "answer_self", {"name": name}
        elif holder:
            yield "answer_holder", {"other": holder, "name": name}
        else:
            yield "answer_lies", {"spot": world.lying[thing][1], "name": name}


def _meet(chance: Chance, world: World) -> Values | None:
    if len(world.place_of) >= _MOST_CHARACTERS:
        return None
    name = chance.one_of(_NAMES)
    return {
        "then": chance.one_of(_THENS),
        "subject": chance.actor(world),
        "other": name,
        "species": SPECIES_OF[name].en,
    }


def _also(chance: Chance, world: World) -> Values | None:
    place = world.place_of.get(world.previous_actor, "")
    if len(world.place_of) >= _MOST_CHARACTERS or not place:
        return None
    name = chance.one_of(_NAMES)
    return {"name": name, "species": SPECIES_OF[name].en, "place_at": place}


def _go(chance: Chance, world: World) -> Values:
    actor = chance.actor(world)
    return {
        "then": chance.one_of(_THENS),
        "subject": actor,
        "go": chance.one_of(_GOINGS_OF[actor]),
        "place_to": chance.one_of(_PLACES),
    }


def _go_with(chance: Chance, world: World) -> Values | None:
    values = _go(chance, world)
    other = chance.companion(world, str(values["subject"]))
    return {**_named(values), "other": other} if other else None


def _find(chance: Chance, world: World) -> Values:
    actor = chance.actor(world)
    return {
        "then": chance.one_of(_THENS),
        "subject": actor,
        "thing_new": chance.one_of(_FINDS),
        "spot": chance.one_of(_SPOTS_AT[world.place_of[actor]]),
    }


def _give(chance: Chance, world: World) -> Values | None:
    actor = chance.actor(world)
    thing, other = chance.held_thing(world, actor), chance.companion(world, actor)
    if not thing or not other:
        return None
    return {
        "then": chance.one_of(_THENS),
        "subject": actor,
        "thing": chance.spoken_thing(world, thing),
        "other": other,
    }


def _put(chance: Chance, world: World) -> Values | None:
    actor = chance.actor(world)
    thing = chance.held_thing(world, actor)
    if not thing:
        return None
    return {
        "then": chance.one_of(_THENS),
        "subject": actor,
        "thing": chance.spoken_thing(world, thing),
        "spot": chance.one_of(_SPOTS_AT[world.place_of[actor]]),
    }


def _pick(chance: Chance, world: World) -> Values | None:
    if not world.lying:
        return None
    thing = chance.one_of(list(world.lying))
    return {
        "then": chance.one_of(_THENS),
        "subject": chance.actor(world),
        "thing": chance.spoken_thing(world, thing),
    }


def _use(chance: Chance, world: World) -> Values | None:
    actor = chance.actor(world)
    thing = chance.held_thing(world, actor)
    if not thing:
        return None
    used = chance.spoken_thing(world, thing)
    return {"then": chance.one_of(_THENS), "subject": actor, "use": used}


def _need_use(chance: Chance, world: World) -> Values | None:
    values = _use(chance, world)
    if values is None:
        return None
    actor, thing = str(values["subject"]), str(values["use"][0])
    need = PURPOSE_OF[thing].en_need
    return {"subject": actor, "need": need, "pronoun": GENDER_OF[actor], "use": values["use"]}


def _act(chance: Chance, world: World) -> Values:
    actor = chance.actor(world)
    here = world.place_of[actor]
    activity = chance.one_of(_ACTIVITIES_AT[here])
    return {
        "then": chance.one_of(_THENS),
        "subject": actor,
        "activity": activity,
        "manner": chance.one_of(_MANNERS),
        "place_at": here,
    }


def _act_with(chance: Chance, world: World) -> Values | None:
    values = _act(chance, world)
    other = chance.companion(world, str(values["subject"]))
    if not other:
        return None
    return {**_named(values), "other": other}


def _glad_thing(chance: Chance, world: World) -> Values | None:
    actor = chance.actor(world)
    thing = chance.held_thing(world, actor)
    if not thing:
        return None
    return {
        "subject": actor,
        "feeling": chance.one_of(FEELINGS).en,
        "pronoun": GENDER_OF[actor],
        "thing_new": (thing, world.quality_of[thing]),
    }


def _glad_friend(chance: Chance, world: World) -> Values | None:
    actor = chance.actor(world)
    other = chance.companion(world, actor)
    feeling = chance.one_of(FEELINGS).en
    return {"subject": actor, "feeling": feeling, "other": other} if other else None


def _lonely(chance: Chance, world: World) -> Values | None:
    return {"subject": chance.actor(world)}


def _greet(chance: Chance, world: World) -> Values | None:
    values = _bye(chance, world)
    greeting = GREETING_OF_HOUR.get(world.hour)
    return {**values, "greeting": greeting} if values and greeting else None


def _bye(chance: Chance, world: World) -> Values | None:
    actor = chance.actor(world)
    other = chance.companion(world, actor)
    return {"other": other, "name": actor} if other else None


def _say_have(chance: Chance, world: World) -> Values | None:
    actor = chance.actor(world)
    thing = chance.held_thing(world, actor)
    return {"thing_new": (thing, world.quality_of[thing]), "name": actor} if thing else None


def _request(chance: Chance, world: World) -> Values | None:
    actor = chance.actor(world)
    other = chance.companion(world, actor)
    thing = chance.held_thing(world, other)
    return {"thing": chance.spoken_thing(world, thing), "name": actor} if thing else None


def _ask_thing(chance: Chance, world: World) -> Values | None:
    actor = chance.actor(world)
    answerable = [t for t, holder in world.holder_of.items() if holder not in world.asleep]
    answerable += [t for t, (place, _s) in world.lying.items() if place == world.place_of[actor]]
    if not answerable:
        return None
    return {"thing": chance.spoken_thing(world, chance.one_of(answerable)), "name": actor}


def _ask_where(chance: Chance, world: World) -> Values | None:
    actor = chance.actor(world)
    absent = [name for name, place in world.place_of.items()
              if place not in ("", world.place_of[actor])]  # fmt: skip
    return {"other": chance.one_of(absent), "name": actor} if absent else None


def _time(chance: Chance, world: World) -> Values | None:
    later = [hour.en for hour in HOURS if RANK_OF_HOUR[hour.en] > RANK_OF_HOUR[world.hour]]
    return {"hour": chance.one_of(later)} if later else None


def _sky(chance: Chance, world: World) -> Values | None:
    lights = [light for light, hours in HOURS_OF_LIGHT.items() if world.hour in hours]
    return {"light": chance.one_of(lights), "place_to": world.place_of[chance.actor(world)]}


def _sleep(chance: Chance, world: World) -> Values:
    return {"subject": chance.actor(world)}


def _ending(_chance: Chance, _world: World) -> Values:
    return {}


def _named(values: Values) -> Values:
    """Tell of two people by name: "Mia and Tom", never "she and Tom"."""
    return {"name" if slot == "subject" else slot: value for slot, value in values.items()}


PROPOSALS: dict[str, tuple[int, Proposer]] = {
    "meet": (4, _meet),
    "also": (2, _also),
    "go": (4, _go),
    "go_with": (4, _go_with),
    "find": (5, _find),
    "give": (22, _give),
    "put": (3, _put),
    "pick": (20, _pick),
    "use": (9, _use),
    "need_use": (9, _need_use),
    "act": (6, _act),
    "act_with": (5, _act_with),
    "glad_thing": (3, _glad_thing),
    "glad_friend": (2, _glad_friend),
    "lonely": (1, _lonely),
    "greet": (3, _greet),
    "say_have": (4, _say_have),
    "request": (9, _request),
    "ask_thing": (9, _ask_thing),
    "ask_where": (12, _ask_where),
    "time": (2, _time),
    "sky": (2, _sky),
}
"""Kind -> how often it is proposed (a share), and its proposer."""

ENDING_PROPOSALS: tuple[tuple[str, Proposer], ...] = (
    ("sleep", _sleep),
    ("sleep", _sleep),
    ("bye", _bye),
    ("end_everyone", _ending),
    ("end_day", _ending),
)
