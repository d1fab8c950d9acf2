"""`sparrow generate`: text from a model, as it comes."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from sparrowlm.cli.output import JsonFlag, ModelPath, write_json, write_line, write_piece
from sparrowlm.foundation.messages import say

if TYPE_CHECKING:
    from sparrowlm import api


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingOptions:
    """How the next word is drawn, and when to stop."""

    max_tokens: Annotated[int, Parameter(help=say("cli.generate-max-tokens"))] = 200
    temperature: Annotated[float, Parameter(help=say("cli.generate-temperature"))] = 1.0
    top_k: Annotated[int | None, Parameter(help=say("cli.generate-top-k"))] = None
    top_p: Annotated[float | None, Parameter(help=say("cli.generate-top-p"))] = None
    min_p: Annotated[float | None, Parameter(help=say("cli.generate-min-p"))] = None
    repetition_penalty: Annotated[float, Parameter(help=say("cli.generate-repetition"))] = 1.0
    stop: Annotated[
        tuple[str, ...],
        Parameter(help=say("cli.generate-stop"), negative="", consume_multiple=False),
    ] = ()
    seed: Annotated[int | None, Parameter(help=say("cli.generate-seed"))] = None
    num_samples: Annotated[int, Parameter(help=say("cli.generate-num-samples"))] = 1


def generate_command(
    model: ModelPath,
    *,
    prompt: Annotated[
        str, Parameter(help=say("cli.generate-prompt"), allow_leading_hyphen=True)
    ] = "",
    options: SamplingOptions = SamplingOptions(),
    stream: Annotated[bool | None, Parameter(help=say("cli.generate-stream"))] = None,
    json: JsonFlag = False,
) -> None:
    """Continue the prompt; on a terminal the text appears while it is made."""
    from sparrowlm import api

    loaded = api.load(model)
    is_streaming = sys.stdout.isatty() if stream is None else stream
    if is_streaming and not json and options.num_samples == 1:
        _stream(loaded, prompt, options)
        return
    samples = loaded.generate(prompt, **asdict(options))
    if json:
        write_json([{"prompt": prompt, "text": sample} for sample in samples])
        return
    for number, sample in enumerate(samples):
        if number:
            write_line("")
        write_line(prompt + sample)


def _stream(model: api.Model, prompt: str, options: SamplingOptions) -> None:
    write_piece(prompt)
    for piece in model.stream(prompt, **asdict(options)):
        write_piece(piece)
    write_line("")
