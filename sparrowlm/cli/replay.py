"""`sparrow replay`: logged decisions are made again, by the policy that made them or by another."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from sparrowlm.cli.output import JsonFlag, write_json, write_line
from sparrowlm.foundation.messages import say

if TYPE_CHECKING:
    from sparrowlm.cooperation.decision_log import Disagreement, Outcome

_MOST_SHOWN = 10


def replay_command(
    log: Annotated[
        Path, Parameter(name="LOG", help=say("cli.replay-log"), allow_leading_hyphen=True)
    ],
    *,
    policy: Annotated[Path, Parameter(help=say("cli.replay-policy"))],
    json: JsonFlag = False,
) -> None:
    """Decide logged questions again."""
    from sparrowlm.cooperation.decision_log import read_log, replay, what_if
    from sparrowlm.cooperation.policy import load_policy

    chosen = load_policy(policy)
    records = list(read_log(log))
    own = [number for number, one in enumerate(records, 1) if one.policy == chosen.checksum]
    again = replay((records[number - 1] for number in own), chosen)
    differing = [replace(one, number=own[one.number - 1]) for one in again]
    outcome = what_if(records, chosen)
    if json:
        facts = {"num_of_policy": len(own), "differing": [asdict(one) for one in differing]}
        write_json({**facts, "what_if": asdict(outcome)})
    else:
        _write(len(own), differing, outcome)


def _write(num_own: int, differing: list[Disagreement], outcome: Outcome) -> None:
    own = {"number": f"{num_own:,}", "all": f"{outcome.num_questions:,}"}
    write_line(say("cli.replayed", same=f"{num_own - len(differing):,}", **own))
    for one in differing[:_MOST_SHOWN]:
        logged, replayed = (say(f"cli.replay-{d.action}") for d in (one.logged, one.replayed))
        write_line(
            "  " + say("cli.replay-line", number=one.number, logged=logged, replayed=replayed)
        )
    numbers = {action: f"{number:,}" for action, number in outcome.actions.items()}
    changed = f"{outcome.num_changed:,}"
    write_line(
        say("cli.replay-what-if", changed=changed, cost=f"{outcome.cost:g}", **numbers, **own)
    )
