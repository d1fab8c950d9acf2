"""The dials of writing, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparrowlm.foundation.errors import DependencyError, SettingError

if TYPE_CHECKING:
    from sparrowlm.runtime.continuation import DecodingSettings
    from sparrowlm.runtime.grammar_guides import Grammar
    from sparrowlm.text.patterns import Automaton


def decoding_settings(  # noqa: PLR0913 - the public dials, each with its default
    *,
    max_tokens: int = 200,
    temperature: float | int = 1.0,
    top_k: int | None = None,
    top_p: float | int | None = None,
    min_p: float | int | None = None,
    repetition_penalty: float | int = 1.0,
    stop: Sequence[str] = (),
    seed: int | None = None,
    choices: Sequence[str] = (),
    pattern: str | None = None,
    json_schema: Mapping[str, Any] | bool | None = None,
    grammar: str | None = None,
) -> DecodingSettings:
    """Check the dials of sampling.

    Args:
        max_tokens: most tokens to add, >= 0.
        temperature: 0 takes the likeliest; below 1 safer, above 1 bolder.
        top_k: only the k likeliest; None for all.
        top_p: only the likeliest that together reach this probability; None for all.
        min_p: nothing less likely than this share of the likeliest; None for all.
        repetition_penalty: above 1 makes what was said already less likely.
        stop: the text ends before the first of these.
        seed: same seed, same text; None differs from run to run.
        choices: the text is one of these.
        pattern: the whole text matches this regular expression.
        json_schema: the text is JSON of this schema, {} for any value.
        grammar: the text is one of this Lark grammar's; of these four one at most.

    Raises:
        SettingError: a dial is out of its range.
        DependencyError: grammar, without the package llguidance.
    """
    from sparrowlm.runtime.continuation import DecodingSettings
    from sparrowlm.runtime.sampling import SamplingSettings

    sampling = SamplingSettings(
        temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p,
        repetition_penalty=repetition_penalty, seed=seed,
    )  # fmt: skip
    form = _form(choices, pattern, json_schema, grammar)
    return DecodingSettings(
        sampling=sampling, max_tokens=max_tokens, stop=tuple(stop), pattern=form
    )


def _form(
    choices: Sequence[str],
    pattern: str | None,
    json_schema: Mapping[str, Any] | bool | None,
    grammar: str | None,
) -> Automaton | Grammar | None:
    given = [bool(choices), *(form is not None for form in (pattern, json_schema, grammar))]
    if sum(given) > 1:
        raise SettingError("api.several-forms")
    if grammar is not None:
        from sparrowlm.runtime.grammar_guides import Grammar

        return Grammar(grammar)
    if json_schema is not None:
        return _schema_form(json_schema)
    if not any(given):
        return None
    from sparrowlm.text import patterns

    wanted = patterns.choice(choices) if pattern is None else patterns.parse_pattern(pattern)
    return patterns.Automaton(wanted)


def _schema_form(schema: Mapping[str, Any] | bool) -> Automaton | Grammar:
    """Return the form of a schema: our own automaton, llguidance where a part holds itself.

    Raises:
        SettingError: neither can follow it.
    """
    from sparrowlm.text import patterns

    try:
        return patterns.Automaton(patterns.json_pattern(schema))
    except SettingError as refusal:
        if isinstance(schema, bool) or not _has_references(schema):
            raise
        whole = patterns.without_references(schema)
        if whole is not None:
            return patterns.Automaton(patterns.json_pattern(whole))
        from sparrowlm.runtime.grammar_guides import schema_grammar

        try:
            return schema_grammar(schema)
        except DependencyError as missing:
            command = missing.fields["command"]
            raise SettingError("api.schema-references", command=command) from refusal


def _has_references(schema: Mapping[str, Any]) -> bool:
    parts: list[Any] = [schema]
    while parts:
        part = parts.pop()
        if isinstance(part, Mapping):
            # A property may be called $ref: then a schema stands behind it, and not a place.
            if isinstance(part.get("$ref"), str):
                return True
            parts += part.values()
        elif isinstance(part, list):
            parts += part
    return False
