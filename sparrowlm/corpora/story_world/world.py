"""The state of a story: who is where, who holds what, what time it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sparrowlm.corpora.story_world.grammar import Event
from sparrowlm.corpora.story_world.laws import (
    GENDER_OF,
    PURPOSE_OF,
    SPECIES_OF,
    newcomer_of,
    pair_value,
    text_value,
)

ENDINGS = frozenset(("end_everyone", "end_day"))
# After these nobody in particular is meant by "she" or "he".
_WITHOUT_ONE_ACTOR = ENDINGS | {"go_with", "act_with", "time", "sky"}


@dataclass
class World:
    """A story as far as it has been told.

    Attributes:
        hour: time of day, "" before anybody said.
        weather: weather of the day, "" when it was not mentioned.
        place_of: character -> place; "" when not yet told.
        holder_of: thing -> the character that holds it.
        lying: thing -> (place, spot) where somebody put it.
        quality_of: thing -> its quality; every thing ever mentioned is here.
        asleep: characters that went home.
        last_actor: whom "she" or "he" would mean now, "" for nobody.
        previous: the event before, with its actor; None at the start.
        is_over: True after an ending.
    """

    hour: str = ""
    weather: str = ""
    place_of: dict[str, str] = field(default_factory=dict)
    holder_of: dict[str, str] = field(default_factory=dict)
    lying: dict[str, tuple[str, str]] = field(default_factory=dict)
    quality_of: dict[str, str] = field(default_factory=dict)
    asleep: set[str] = field(default_factory=set)
    last_actor: str = ""
    previous: Event | None = None
    previous_actor: str = ""
    is_over: bool = False

    def actor_of(self, event: Event) -> str:
        """Name who acts or speaks; "" when nobody does or a pronoun hangs in the air."""
        subject = text_value(event.values, "subject") or text_value(event.values, "name")
        if subject in SPECIES_OF:
            return subject
        if subject and self.last_actor and GENDER_OF[self.last_actor] == subject:
            return self.last_actor
        return ""

    def apply(self, event: Event) -> None:
        """Let event happen, lawful or not, as far as it can."""
        actor = self.actor_of(event)
        if event.kind in _CHANGES:
            _CHANGES[event.kind](self, event, actor)
        self.last_actor = "" if event.kind in _WITHOUT_ONE_ACTOR else actor
        self.previous, self.previous_actor = event, actor
        self.is_over = self.is_over or event.kind in ENDINGS

    def company(self, character: str) -> list[str]:
        """List the others who are where character is."""
        here = self.place_of.get(character, "")
        return [other for other, place in self.place_of.items()
                if place == here and here and other != character]  # fmt: skip


def _open(world: World, event: Event, _actor: str) -> None:
    name = text_value(event.values, "name")
    world.place_of[name] = text_value(event.values, "place_at")
    world.hour, world.weather = pair_value(event.values, "when")


def _arrive(world: World, event: Event, actor: str) -> None:
    world.place_of[actor] = text_value(event.values, "place_to")
    world.hour, world.weather = pair_value(event.values, "when")


def _meet(world: World, event: Event, actor: str) -> None:
    world.place_of[newcomer_of(event)] = world.place_of.get(actor, "")


def _also(world: World, event: Event, actor: str) -> None:
    world.place_of[actor] = text_value(event.values, "place_at")


def _go(world: World, event: Event, actor: str) -> None:
    place = text_value(event.values, "place_to")
    for mover in (actor, text_value(event.values, "other")):
        if mover:
            world.place_of[mover] = place


def _find(world: World, event: Event, actor: str) -> None:
    thing, quality = pair_value(event.values, "thing_new")
    world.quality_of[thing] = quality
    world.holder_of[thing] = actor


def _give(world: World, event: Event, _actor: str) -> None:
    thing = pair_value(event.values, "thing")[0]
    world.holder_of[thing] = text_value(event.values, "other")


def _put(world: World, event: Event, actor: str) -> None:
    thing = pair_value(event.values, "thing")[0]
    world.holder_of.pop(thing, None)
    world.lying[thing] = (world.place_of.get(actor, ""), text_value(event.values, "spot"))


def _pick(world: World, event: Event, actor: str) -> None:
    thing = pair_value(event.values, "thing")[0]
    world.lying.pop(thing, None)
    world.holder_of[thing] = actor


def _use(world: World, event: Event, _actor: str) -> None:
    thing = pair_value(event.values, "use")[0]
    if PURPOSE_OF[thing].is_used_up:
        world.holder_of.pop(thing, None)


def _time(world: World, event: Event, _actor: str) -> None:
    world.hour = text_value(event.values, "hour")


def _sleep(world: World, _event: Event, actor: str) -> None:
    world.asleep.add(actor)
    world.place_of[actor] = ""


_CHANGES: dict[str, Callable[[World, Event, str], None]] = {
    "open": _open,
    "once": _open,
    "arrive": _arrive,
    "meet": _meet,
    "also": _also,
    "go": _go,
    "go_with": _go,
    "find": _find,
    "give": _give,
    "put": _put,
    "pick": _pick,
    "use": _use,
    "need_use": _use,
    "time": _time,
    "sleep": _sleep,
}
