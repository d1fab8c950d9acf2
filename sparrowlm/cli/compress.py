"""`sparrow compress`: a model made small, with what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from sparrowlm.cli.output import JsonFlag, ModelPath, write_json, write_line
from sparrowlm.foundation.messages import say


def compress_command(  # noqa: PLR0913 - the dials, each with its default
    model: ModelPath,
    *,
    output: Annotated[Path, Parameter(name=("-o", "--output"), help=say("cli.export-output"))],
    to: Annotated[str | None, Parameter(help=say("cli.compress-to"))] = None,
    max_loss: Annotated[str | None, Parameter(help=say("cli.compress-max-loss"))] = None,
    on: Annotated[
        tuple[Path, ...], Parameter(consume_multiple=True, help=say("cli.compress-on"))
    ] = (),
    llama_cpp: Annotated[bool, Parameter(negative="", help=say("cli.compress-llama-cpp"))] = False,
    heal: Annotated[float | None, Parameter(help=say("cli.compress-heal"))] = None,
    report: Annotated[Path | None, Parameter(help=say("cli.compress-report"))] = None,
    encoding: Annotated[str | None, Parameter(help=say("cli.encoding"))] = None,
    json: JsonFlag = False,
) -> None:
    """Write a small model and say what it lost."""
    from sparrowlm.api.compressing import compress
    from sparrowlm.foundation.progress import watching_progress

    facts = compress(
        model, output, to=to, max_loss=max_loss, on=on, encoding=encoding,
        is_common=llama_cpp, report=report, heal=heal, progress=watching_progress(),
    )  # fmt: skip
    if json:
        write_json(facts)
    else:
        _write(facts)


def _write(facts: Mapping[str, Any]) -> None:
    from sparrowlm.foundation.quantities import format_size

    sizes = {name: format_size(facts[key]) for name, key in _SIZES.items()}
    write_line(say("cli.compress-sizes", **sizes))
    write_line(_loss(facts))
    for name, shown in _SPEEDS:
        before, after = (facts["speed"][when].get(name) for when in ("before", "after"))
        if before is not None and after is not None:
            write_line(say(f"cli.compress-{shown}", before=before, after=after))
    if "part" in facts:
        write_line(say("cli.compress-part-network"))
    if "dictionary_bytes" in facts:
        size = format_size(facts["dictionary_bytes"])
        write_line(say("cli.compress-dictionary", size=size))
    write_line(say(_MEASURED_ON[facts["measured_on"]]))
    forms = ", ".join(f"{name} {count}" for name, count in facts["forms"].items())
    write_line(say("cli.compress-forms", forms=forms))


def _loss(facts: Mapping[str, Any]) -> str:
    """Say the figure before and after."""
    before, after, difference = (facts[when] for when in ("before", "after", "difference"))
    name = next(iter(before))
    shown = {
        "name": name.replace("_", " "), "before": before[name], "after": after[name],
        "mean": difference[name], "share": facts["loss_share"],
    }  # fmt: skip
    if "interval_low" in difference:
        ends = {"low": difference["interval_low"], "high": difference["interval_high"]}
        return say("cli.compress-bits", **shown, **ends)
    return say("cli.compress-figure", **shown)


_MEASURED_ON = {
    "own text": "cli.compress-measured-own",
    "given text": "cli.compress-measured-given",
    "given data": "cli.compress-measured-data",
}
_SPEEDS = (
    ("tokens_per_second", "speed"), ("texts_per_second", "texts"), ("memory_mib", "memory"),
)  # fmt: skip
_SIZES = {"before": "bytes_before", "after": "bytes", "download": "download_bytes"}
