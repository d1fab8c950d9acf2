"""`sparrow score`: how surprised a model is by a text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sparrowlm.cli.output import JsonFlag, ModelPath, read_text, write_fields, write_json
from sparrowlm.foundation.messages import say


def score_command(
    model: ModelPath,
    file: Annotated[
        Path, Parameter(name="FILE", help=say("cli.score-file"), allow_leading_hyphen=True)
    ],
    *,
    log_probabilities: Annotated[
        bool, Parameter(help=say("cli.score-log-probabilities"), negative="")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Print bits per character of a text; fewer is better."""
    from sparrowlm import api

    text = read_text(file)
    loaded = api.load(model)
    if log_probabilities:
        for token in loaded.scored_tokens(text):
            write_json(token.record())
    score = loaded.score(text)
    fields = {
        "bits_per_character": float(score.bits_per_character),
        "nats_per_character": float(score.nats_per_character),
        "perplexity_per_token": float(score.perplexity_per_token),
        "num_characters": int(score.num_characters),
        "num_tokens": int(score.num_tokens),
    }
    if json:
        write_json(fields)
    else:
        write_fields(fields)
