"""What may follow what in a story: places, possession, hours, answers, pronouns."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sparrowlm.corpora.story_world.grammar import Event
from sparrowlm.corpora.story_world.laws import (
    ACTIVITY_OF,
    GENDER_OF,
    HOURS_OF_LIGHT,
    PURPOSE_OF,
    SPECIES_OF,
    TRAIT_OF_SPOT,
    TRAITS_OF,
    needed_abilities,
    newcomer_of,
    pair_value,
    people_of,
    sentence_faults,
    text_value,
)
from sparrowlm.corpora.story_world.vocabulary import (
    DARK_HOURS,
    HOURS,
    Activity,
    Purpose,
    has_hours,
    has_weather,
)
from sparrowlm.corpora.story_world.world import ENDINGS, World

RANK_OF_HOUR = {hour.en: rank for rank, hour in enumerate(HOURS)}
OPENINGS = frozenset(("open", "once"))
ANSWERS_TO = {
    "ask_thing": frozenset(("answer_holder", "answer_self", "answer_lies")),
    "ask_where": frozenset(("answer_where",)),
}
ANSWERS = frozenset(answer for answers in ANSWERS_TO.values() for answer in answers)
GREETING_OF_HOUR = {
    "morning": "Good morning",
    "afternoon": "Good afternoon",
    "evening": "Good evening",
}
# Kinds told of two people: they must stand in the same place.
_NEEDS_COMPANY = frozenset((
    "go_with", "act_with", "give", "glad_friend", "greet", "thank", "bye",
))  # fmt: skip
# The same person does not say or feel the same thing in two sentences running.
_NEVER_TWICE = frozenset((
    "use", "need_use", "lonely", "glad_thing", "glad_friend", "greet", "say_have", "request",
    "time", "sky",
))  # fmt: skip


def story_faults(world: World, event: Event) -> list[str]:
    """List everything wrong with telling event now; empty when it may be told."""
    found = [*sentence_faults(event), *_order_faults(world, event)]
    actor = world.actor_of(event)
    has_subject = "subject" in event.values or "name" in event.values
    if has_subject and not actor:
        return [*found, "unclear pronoun"]
    found += _people_faults(world, event, actor)
    if not found:
        found += _STATE_LAWS.get(event.kind, _no_faults)(world, event, actor)
    return found


def ending_faults(world: World) -> list[str]:
    """List what is missing when the story stops here."""
    if world.previous is None:
        return ["empty story"]
    return ["question without answer"] if world.previous.kind in ANSWERS_TO else []


def _order_faults(world: World, event: Event) -> Iterator[str]:
    if world.is_over:
        yield "after the end"
    if (world.previous is None) != (event.kind in OPENINGS):
        yield "opening in the middle" if world.previous else "no opening"
    before = world.previous.kind if world.previous else ""
    if before in ANSWERS_TO:
        if event.kind not in ANSWERS_TO[before]:
            yield "question without answer"
    elif event.kind in ANSWERS:
        yield "answer without question"
    if world.previous is None and text_value(event.values, "then"):
        yield "then without before"
    if event.kind in ENDINGS and not world.hour:
        yield "nothing happened"
    is_same = before == event.kind and world.actor_of(event) == world.previous_actor
    if is_same and event.kind in _NEVER_TWICE:
        yield "told twice"


def _people_faults(world: World, event: Event, actor: str) -> Iterator[str]:
    newcomer = newcomer_of(event)
    other = text_value(event.values, "other")
    for name in sorted({actor, *people_of(event)} - {"", newcomer}):
        if name not in world.place_of:
            yield "unknown character"
        elif name in world.asleep:
            yield "asleep"
        elif not world.place_of[name] and event.kind != "arrive":
            yield "nowhere"
    if newcomer in world.place_of:
        yield "introduced twice"
    if other and other == actor:
        yield "same person twice"
    if event.kind in _NEEDS_COMPANY and other not in world.company(actor):
        yield "not together"
    # A pronoun hides the species from the laws of one sentence: here it is known.
    needed = needed_abilities(event)
    if actor and needed and not needed <= SPECIES_OF[actor].abilities:
        yield "unable"


def _conditions(world: World, wanted: Activity | Purpose, place: str) -> Iterator[str]:
    if wanted.place not in TRAITS_OF.get(place, frozenset()):
        yield "wrong place"
    if not has_hours(wanted.hours, world.hour):
        yield "wrong hour"
    if not has_weather(wanted.weather, world.weather):
        yield "wrong weather"


def _thing(world: World, thing: str, quality: str) -> Iterator[str]:
    if thing not in world.quality_of:
        yield "unknown thing"
    elif thing not in world.holder_of and thing not in world.lying:
        yield "thing is gone"
    elif quality and world.quality_of[thing] != quality:
        yield "wrong quality"


def _no_faults(_world: World, _event: Event, _actor: str) -> Iterator[str]:
    yield from ()


def _held(world: World, event: Event, actor: str, slot: str) -> Iterator[str]:
    thing, quality = pair_value(event.values, slot)
    yield from _thing(world, thing, quality)
    if world.holder_of.get(thing) != actor:
        yield "not held"


def _also(world: World, event: Event, _actor: str) -> Iterator[str]:
    here = world.place_of.get(world.previous_actor or world.last_actor, "")
    if text_value(event.values, "place_at") != here:
        yield "wrong place"


def _arrive(world: World, _event: Event, actor: str) -> Iterator[str]:
    if world.place_of[actor] or world.hour:
        yield "already somewhere"


def _go(world: World, event: Event, actor: str) -> Iterator[str]:
    if world.place_of[actor] == text_value(event.values, "place_to"):
        yield "already there"


def _find(world: World, event: Event, actor: str) -> Iterator[str]:
    if pair_value(event.values, "thing_new")[0] in world.quality_of:
        yield "found twice"
    yield from _spot(world, event, actor)


def _spot(world: World, event: Event, actor: str) -> Iterator[str]:
    needed = TRAIT_OF_SPOT[text_value(event.values, "spot")]
    if needed not in TRAITS_OF[world.place_of[actor]]:
        yield "wrong place"


def _give(world: World, event: Event, actor: str) -> Iterator[str]:
    yield from _held(world, event, actor, "thing")


def _put(world: World, event: Event, actor: str) -> Iterator[str]:
    yield from _held(world, event, actor, "thing")
    yield from _spot(world, event, actor)


def _pick(world: World, event: Event, actor: str) -> Iterator[str]:
    thing, quality = pair_value(event.values, "thing")
    yield from _thing(world, thing, quality)
    if world.lying.get(thing, ("", ""))[0] != world.place_of[actor]:
        yield "not lying here"


def _use(world: World, event: Event, actor: str) -> Iterator[str]:
    yield from _held(world, event, actor, "use")
    purpose = PURPOSE_OF[pair_value(event.values, "use")[0]]
    yield from _conditions(world, purpose, world.place_of[actor])


def _act(world: World, event: Event, actor: str) -> Iterator[str]:
    activity = ACTIVITY_OF[text_value(event.values, "activity")]
    here = world.place_of[actor]
    yield from _conditions(world, activity, here)
    if text_value(event.values, "place_at") not in ("", here):
        yield "wrong place"


def _has_thing(world: World, event: Event, actor: str) -> Iterator[str]:
    yield from _held(world, event, actor, "thing_new")


def _lonely(world: World, _event: Event, actor: str) -> Iterator[str]:
    if world.company(actor):
        yield "not alone"


def _greet(world: World, event: Event, _actor: str) -> Iterator[str]:
    if text_value(event.values, "greeting") != GREETING_OF_HOUR.get(world.hour):
        yield "wrong hour"


def _thank(world: World, event: Event, actor: str) -> Iterator[str]:
    gift = world.previous
    is_due = (
        gift is not None
        and gift.kind == "give"
        and text_value(gift.values, "other") == actor
        and world.previous_actor == text_value(event.values, "other")
    )
    if not is_due:
        yield "thanks for nothing"


def _request(world: World, event: Event, actor: str) -> Iterator[str]:
    thing, quality = pair_value(event.values, "thing")
    yield from _thing(world, thing, quality)
    if world.holder_of.get(thing) not in world.company(actor):
        yield "asked of nobody"


def _ask_thing(world: World, event: Event, actor: str) -> Iterator[str]:
    thing, quality = pair_value(event.values, "thing")
    yield from _thing(world, thing, quality)
    if world.holder_of.get(thing) == actor:
        yield "asked for what is held"
    if not world.company(actor):
        yield "asked of nobody"


def _answer(world: World, event: Event, actor: str) -> Iterator[str]:
    question = world.previous
    if question is None or actor not in world.company(world.previous_actor):
        yield "not together"
        return
    thing = pair_value(question.values, "thing")[0]
    holder = world.holder_of.get(thing, "")
    lying_place, spot = world.lying.get(thing, ("", ""))
    is_true = {
        "answer_self": holder == actor,
        "answer_holder": bool(holder) and holder == text_value(event.values, "other"),
        "answer_lies": lying_place == world.place_of[actor]
        and spot == text_value(event.values, "spot"),
    }
    if not is_true[event.kind]:
        yield "untrue"


def _answer_holder(world: World, event: Event, actor: str) -> Iterator[str]:
    yield from _answer(world, event, actor)
    if text_value(event.values, "other") == world.previous_actor:
        yield "told to the holder"


def _ask_where(world: World, event: Event, actor: str) -> Iterator[str]:
    asked = text_value(event.values, "other")
    if asked in world.company(actor):
        yield "asked for who is here"
    if not world.company(actor):
        yield "asked of nobody"


def _answer_where(world: World, event: Event, actor: str) -> Iterator[str]:
    if world.previous is None or actor not in world.company(world.previous_actor):
        yield "not together"
        return
    asked = text_value(world.previous.values, "other")
    if GENDER_OF[asked] != text_value(event.values, "Pronoun"):
        yield "wrong pronoun"
    if world.place_of.get(asked, "") != text_value(event.values, "place_at"):
        yield "untrue"


def _time(world: World, event: Event, _actor: str) -> Iterator[str]:
    if not world.hour:
        yield "no time yet"
    elif RANK_OF_HOUR[text_value(event.values, "hour")] <= RANK_OF_HOUR[world.hour]:
        yield "time runs backwards"


def _sky(world: World, event: Event, _actor: str) -> Iterator[str]:
    if world.hour not in HOURS_OF_LIGHT[text_value(event.values, "light")]:
        yield "wrong hour"
    if not has_weather("dry", world.weather):
        yield "wrong weather"
    if text_value(event.values, "place_to") not in world.place_of.values():
        yield "nobody there"


def _sleep(world: World, _event: Event, _actor: str) -> Iterator[str]:
    if world.hour not in DARK_HOURS:
        yield "wrong hour"


_STATE_LAWS: dict[str, Callable[[World, Event, str], Iterator[str]]] = {
    "also": _also,
    "arrive": _arrive,
    "go": _go,
    "go_with": _go,
    "find": _find,
    "give": _give,
    "put": _put,
    "pick": _pick,
    "use": _use,
    "need_use": _use,
    "act": _act,
    "act_with": _act,
    "glad_thing": _has_thing,
    "say_have": _has_thing,
    "lonely": _lonely,
    "greet": _greet,
    "thank": _thank,
    "request": _request,
    "ask_thing": _ask_thing,
    "answer_holder": _answer_holder,
    "answer_self": _answer,
    "answer_lies": _answer,
    "ask_where": _ask_where,
    "answer_where": _answer_where,
    "time": _time,
    "sky": _sky,
    "sleep": _sleep,
}
