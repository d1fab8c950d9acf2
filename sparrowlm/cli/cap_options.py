"""Options of every verb that asks a large model behind an address."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from sparrowlm.foundation.messages import say

if TYPE_CHECKING:
    from sparrowlm.cooperation.large import Budget


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class CapOptions:
    """What a large model behind an address may cost."""

    max_calls: Annotated[int | None, Parameter(help=say("cli.cooperate-max-calls"))] = None
    max_cost: Annotated[float | None, Parameter(help=say("cli.cooperate-max-cost"))] = None
    max_calls_per_day: Annotated[int | None, Parameter(help=say("cli.cap-calls-per-day"))] = None
    max_cost_per_day: Annotated[float | None, Parameter(help=say("cli.cap-cost-per-day"))] = None
    price_in: Annotated[float, Parameter(help=say("cli.label-price-in"))] = 0.0
    price_out: Annotated[float, Parameter(help=say("cli.label-price-out"))] = 0.0
    cache: Annotated[Path | None, Parameter(help=say("cli.cooperate-cache"))] = None

    def budget(self, run: str) -> Budget | None:
        """Return what may be spent; None where nothing was said about it.

        Args:
            run: name by which its spending is kept.
        """
        from sparrowlm.cooperation.large import Budget, Caps, Prices

        caps = Caps(calls=self.max_calls, cost=self.max_cost)
        daily = Caps(calls=self.max_calls_per_day, cost=self.max_cost_per_day)
        prices = Prices(self.price_in, self.price_out)
        if caps == Caps() and daily == Caps() and prices == Prices():
            return None
        return Budget(run, per_run=caps, per_day=daily, prices=prices)
