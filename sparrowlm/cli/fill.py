"""`sparrow fill`: what may stand in the gaps of a text."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from sparrowlm.cli.output import JsonFlag, ModelPath, visible, write_json, write_line
from sparrowlm.foundation.messages import say


def fill_command(
    model: ModelPath,
    text: Annotated[
        str, Parameter(name="TEXT", help=say("cli.fill-text"), allow_leading_hyphen=True)
    ],
    *,
    k: Annotated[int, Parameter(name=("-k", "--k"), help=say("cli.fill-k"))] = 5,
    json: JsonFlag = False,
) -> None:
    """Print the likeliest fillings of every gap."""
    from sparrowlm import api

    gaps = api.load(model).fill(text, k)
    if json:
        write_json([[filling._asdict() for filling in gap] for gap in gaps])
        return
    for number, gap in enumerate(gaps, 1):
        if len(gaps) > 1:
            write_line(say("cli.fill-gap", number=number))
        for filling in gap:
            write_line(f"{100 * filling.probability:6.2f} %  {visible(filling.piece)}")
