"""What a large model may cost: reserved before every request, settled after it.

The most a request can cost is added to what was spent, in one transaction on disk, before its first
byte leaves; afterwards the difference to what it did cost is taken back. Whoever is killed between
the two leaves the reservation standing: a cap is never exceeded, whatever happens.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sparrowlm.cooperation.large.database import Database
from sparrowlm.cooperation.large.failures import LargeFailure
from sparrowlm.foundation.errors import SettingError

NANO = 1_000_000_000
_LAYOUT = """
CREATE TABLE IF NOT EXISTS spent (
    run TEXT NOT NULL, day TEXT NOT NULL, calls INTEGER NOT NULL, cost_nano INTEGER NOT NULL,
    tokens INTEGER NOT NULL, milliseconds INTEGER NOT NULL, PRIMARY KEY (run, day)
);
CREATE INDEX IF NOT EXISTS spent_day ON spent (day);
"""
_SUMS = "SELECT SUM(calls), SUM(cost_nano), SUM(tokens), SUM(milliseconds) FROM spent WHERE "
_ADD = """
INSERT INTO spent VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (run, day) DO UPDATE SET
    calls = calls + excluded.calls, cost_nano = cost_nano + excluded.cost_nano,
    tokens = tokens + excluded.tokens, milliseconds = milliseconds + excluded.milliseconds
"""


@dataclass(frozen=True, slots=True)
class Prices:
    """What tokens cost, in the currency of the caps.

    Attributes:
        per_million_read: for 1,000,000 tokens of requests, >= 0.
        per_million_written: for 1,000,000 tokens of answers, >= 0.
    """

    per_million_read: float = 0.0
    per_million_written: float = 0.0

    def __post_init__(self) -> None:
        """Refuse prices below 0."""
        for name in ("per_million_read", "per_million_written"):
            _not_negative(name, getattr(self, name))

    def cost_nano(self, num_read: int, num_written: int) -> int:
        """Return the price in billionths of the currency, rounded up."""
        thousandfold = num_read * self.per_million_read + num_written * self.per_million_written
        return math.ceil(thousandfold * 1000)


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that may be spent; None: no limit.

    Attributes:
        calls: requests sent, second attempts and hedges included.
        cost: in the currency of the prices.
        tokens: read and written together.
        milliseconds: from request to answer, all requests together.
    """

    calls: int | None = None
    cost: float | None = None
    tokens: int | None = None
    milliseconds: int | None = None

    def __post_init__(self) -> None:
        """Refuse caps below 0."""
        for name in ("calls", "cost", "tokens", "milliseconds"):
            _not_negative(name, getattr(self, name) or 0)


@dataclass(frozen=True, slots=True)
class Spending:
    """What was, or may be, spent.

    Attributes:
        calls: requests.
        cost_nano: billionths of the currency.
        tokens: read and written together.
        milliseconds: from request to answer.
    """

    calls: int = 0
    cost_nano: int = 0
    tokens: int = 0
    milliseconds: int = 0

    def __add__(self, other: Spending) -> Spending:
        return Spending(*(a + b for a, b in zip(self.values(), other.values(), strict=True)))

    def __sub__(self, other: Spending) -> Spending:
        return Spending(*(a - b for a, b in zip(self.values(), other.values(), strict=True)))

    def values(self) -> tuple[int, int, int, int]:
        """Return the four numbers in the order of the table."""
        return self.calls, self.cost_nano, self.tokens, self.milliseconds

    @property
    def cost(self) -> float:
        """In the currency of the prices."""
        return self.cost_nano / NANO


@dataclass(frozen=True, slots=True)
class Budget:
    """Whose money it is, how much of it there is, and what tokens cost.

    Attributes:
        run: name of a piece of work; a later process that gives the same name goes on with it.
        per_run: caps of the run, over all days.
        per_day: caps of a day (UTC), over all runs of the ledger.
        prices: needed where a cap is on cost.
    """

    run: str = "run"
    per_run: Caps = field(default_factory=Caps)
    per_day: Caps = field(default_factory=Caps)
    prices: Prices = field(default_factory=Prices)

    def __post_init__(self) -> None:
        """Refuse a cap on cost where everything is free.

        Raises:
            SettingError: "cooperation.large-no-prices".
        """
        has_cost = self.per_run.cost is not None or self.per_day.cost is not None
        if has_cost and self.prices == Prices():
            raise SettingError("cooperation.large-no-prices")


@dataclass(frozen=True, slots=True)
class Reservation:
    """What was set aside for one request.

    Attributes:
        day: the day it counts for.
        most: what was added to the ledger.
    """

    day: str
    most: Spending


class Ledger:
    """Keeps the caps of a budget, among any number of processes.

    Args:
        budget: caps and prices.
        path: SQLite file; None keeps it in memory, for this process alone.
        today: names the day, replaced in tests.

    Raises:
        DamagedFileError: the file is damaged.
        ResourceError: it cannot be written.
    """

    def __init__(
        self,
        budget: Budget,
        path: Path | None = None,
        today: Callable[[], str] = lambda: datetime.now(UTC).date().isoformat(),
    ) -> None:
        self.budget = budget
        self._today = today
        self._database = Database(path, _LAYOUT)

    def spent(self) -> Spending:
        """Return what the run has spent, reservations included."""
        with self._database.reading() as connection:
            return _sum(connection, "run = ?", self.budget.run)

    def spent_today(self) -> Spending:
        """Return what all runs have spent today (UTC), reservations included."""
        with self._database.reading() as connection:
            return _sum(connection, "day = ?", self._today())

    def reserve(self, num_read: int, num_written: int, milliseconds: int) -> Reservation:
        """Set aside the most that one request can cost.

        Args:
            num_read: most tokens of the request.
            num_written: most tokens of the answer.
            milliseconds: longest wait; shortened to what is left, where something is left.

        Raises:
            LargeFailure: "budget", where it is not covered.
        """
        cost_nano = self.budget.prices.cost_nano(num_read, num_written)
        day = self._today()
        with self._database.transaction() as connection:
            in_run = _sum(connection, "run = ?", self.budget.run)
            in_day = _sum(connection, "day = ?", day)
            milliseconds = min(
                milliseconds, _left_ms(self.budget.per_run, in_run),
                _left_ms(self.budget.per_day, in_day),
            )  # fmt: skip
            most = Spending(1, cost_nano, num_read + num_written, max(milliseconds, 1))
            _refuse_beyond(self.budget.per_run, in_run, most)
            _refuse_beyond(self.budget.per_day, in_day, most)
            connection.execute(_ADD, (self.budget.run, day, *most.values()))
        return Reservation(day, most)

    def settle(self, reservation: Reservation, actual: Spending) -> None:
        """Take back what a request did not cost.

        Args:
            reservation: of the request.
            actual: what it cost; all 0 where it was never sent.
        """
        difference = (actual - reservation.most).values()
        with self._database.transaction() as connection:
            connection.execute(_ADD, (self.budget.run, reservation.day, *difference))

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _sum(connection: sqlite3.Connection, condition: str, value: str) -> Spending:
    row: tuple[Any, ...] = connection.execute(_SUMS + condition, (value,)).fetchone()
    return Spending(*(int(number or 0) for number in row))


def _left_ms(caps: Caps, spent: Spending) -> int:
    if caps.milliseconds is None:
        return 1 << 62
    return caps.milliseconds - spent.milliseconds


def _refuse_beyond(caps: Caps, spent: Spending, most: Spending) -> None:
    after = spent + most
    limits: dict[str, tuple[float | int | None, float | int, float | int]] = {
        "calls": (caps.calls, after.calls, spent.calls),
        "cost": (caps.cost, after.cost, spent.cost),
        "tokens": (caps.tokens, after.tokens, spent.tokens),
        "ms": (caps.milliseconds, after.milliseconds, spent.milliseconds),
    }
    for name, (cap, would_be, so_far) in limits.items():
        if cap is not None and would_be > cap:
            needed = f"{would_be - so_far:.6g}"
            raise LargeFailure.of(
                "budget", name=name, cap=f"{cap:g}", spent=f"{so_far:.6g}", needed=needed
            )


def _not_negative(name: str, value: float | int) -> None:
    if not 0 <= value < math.inf:
        raise SettingError("foundation.number-range", name=name, received=value, minimum=0)
