"""`sparrow search`: stored answers to a question."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from sparrowlm.cli.output import JsonFlag, ModelPath, visible, write_json, write_line
from sparrowlm.foundation.messages import say


def search_command(
    model: ModelPath,
    question: Annotated[
        str, Parameter(name="QUESTION", help=say("cli.search-question"), allow_leading_hyphen=True)
    ],
    *,
    k: Annotated[int, Parameter(name=("-k", "--k"), help=say("cli.search-k"))] = 3,
    json: JsonFlag = False,
) -> None:
    """Print the answers that belong to a question, best first."""
    from sparrowlm import api

    found = api.load(model).search(question, k)
    if json:
        answers = [asdict(answer) for answer in found.answers]
        write_json({"is_known": found.is_known, "answers": answers})
        return
    if not found.is_known:
        write_line(say("cli.search-unknown"))
    for answer in found.answers:
        write_line(f"{100 * answer.probability:5.1f} %  {visible(answer.question)}")
        write_line(f"         {visible(answer.answer)}")
