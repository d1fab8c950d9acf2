"""The dials of writing, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparrowlm.foundation.errors import SettingError

if TYPE_CHECKING:
    from sparrowlm.runtime.decoding import DecodingSettings
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
        json_schema: the text is JSON of this schema, {} for any value; one of these three at most.

    Raises:
        SettingError: a dial is out of its range.
    """
    from sparrowlm.runtime.decoding import DecodingSettings
    from sparrowlm.runtime.sampling import SamplingSettings

    sampling = SamplingSettings(
        temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p,
        repetition_penalty=repetition_penalty, seed=seed,
    )  # fmt: skip
    form = _form(choices, pattern, json_schema)
    return DecodingSettings(
        sampling=sampling, max_tokens=max_tokens, stop=tuple(stop), pattern=form
    )


def _form(
    choices: Sequence[str], pattern: str | None, json_schema: Mapping[str, Any] | bool | None
) -> Automaton | None:
    if bool(choices) + (pattern is not None) + (json_schema is not None) > 1:
        raise SettingError("api.several-forms")
    if not choices and pattern is None and json_schema is None:
        return None
    from sparrowlm.text import patterns

    if choices:
        return patterns.Automaton(patterns.choice(choices))
    if pattern is not None:
        return patterns.Automaton(patterns.parse_pattern(pattern))
    return patterns.Automaton(patterns.json_pattern({} if json_schema is None else json_schema))
