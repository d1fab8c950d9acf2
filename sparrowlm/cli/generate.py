"""`sparrow generate`: text from a model, as it comes."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from sparrowlm.cli.output import JsonFlag, ModelPath, write_json, write_line, write_piece
from sparrowlm.foundation.errors import SettingError
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
    choices: Annotated[
        tuple[str, ...],
        Parameter(help=say("cli.generate-choices"), negative="", consume_multiple=True),
    ] = ()
    pattern: Annotated[str | None, Parameter(help=say("cli.generate-pattern"))] = None
    json_schema: Annotated[str | None, Parameter(help=say("cli.generate-json-schema"))] = None
    grammar: Annotated[Path | None, Parameter(help=say("cli.generate-grammar"))] = None
    draft: Annotated[Path | None, Parameter(help=say("cli.generate-draft"))] = None

    def dials(self) -> dict[str, Any]:
        """Return them as the API takes them."""
        found = asdict(self)
        if self.draft is None:
            del found["draft"]
        if self.json_schema is not None:
            found["json_schema"] = _schema(self.json_schema)
        if self.grammar is not None:
            found["grammar"] = _grammar(self.grammar)
        return found


def _schema(given: str) -> Any:  # noqa: ANN401 - any JSON value
    """Read a JSON schema: a file, or the schema itself.

    Raises:
        SettingError: neither.
    """
    from json import loads

    try:
        is_file = Path(given).is_file()
        return loads(Path(given).read_text(encoding="utf-8") if is_file else given)
    except (OSError, ValueError) as error:
        raise SettingError("cli.generate-schema-unreadable", received=given) from error


def _grammar(path: Path) -> str:
    """Read a grammar.

    Raises:
        SettingError: the file cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise SettingError("cli.generate-grammar-unreadable", received=path) from error


def generate_command(
    model: ModelPath,
    *,
    prompt: Annotated[
        str, Parameter(help=say("cli.generate-prompt"), allow_leading_hyphen=True)
    ] = "",
    options: SamplingOptions = SamplingOptions(),
    log_probabilities: Annotated[
        int | bool, Parameter(help=say("cli.generate-log-probabilities"), negative="")
    ] = False,
    stream: Annotated[bool | None, Parameter(help=say("cli.generate-stream"))] = None,
    json: JsonFlag = False,
) -> None:
    """Continue the prompt; on a terminal the text appears while it is made."""
    from sparrowlm import api

    loaded = api.load(model)
    if log_probabilities is not False:  # 0 is a number
        likeliest = 0 if log_probabilities is True else int(log_probabilities)
        _write_tokens(loaded, prompt, options, likeliest)
        return
    is_streaming = sys.stdout.isatty() if stream is None else stream
    if is_streaming and not json and options.num_samples == 1:
        _stream(loaded, prompt, options)
        return
    samples = loaded.generate(prompt, **options.dials())
    if json:
        write_json([{"prompt": prompt, "text": sample} for sample in samples])
        return
    for number, sample in enumerate(samples):
        if number:
            write_line("")
        write_line(prompt + sample)


def _write_tokens(model: api.Model, prompt: str, options: SamplingOptions, likeliest: int) -> None:
    """Write a line of JSON for every token.

    Raises:
        SettingError: more than one text is asked for.
    """
    dials = options.dials()
    if "draft" in dials:
        raise SettingError("cli.generate-draft-tokens")
    if (num_samples := dials.pop("num_samples")) != 1:
        raise SettingError(
            "runtime.setting-range", name="num_samples", received=num_samples, allowed="1"
        )
    for token in model.tokens(prompt, likeliest, **dials):
        write_json(token.record())
        sys.stdout.flush()


def _stream(model: api.Model, prompt: str, options: SamplingOptions) -> None:
    dials = options.dials()
    del dials["num_samples"]  # one, and a stream takes no number
    write_piece(prompt)
    for piece in model.stream(prompt, **dials):
        write_piece(piece)
    write_line("")
