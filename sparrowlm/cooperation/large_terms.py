"""On which terms a large model behind an address is asked: what it may cost, and how long it takes.

A file holds the answers that were paid for, another beside it (".spent") what was spent, so that
caps hold, and nothing is paid for twice, over restarts and among processes. They are two because
the ledger waits for the disk at every request, and an answer must not wait for the ledger.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sparrowlm.cooperation.addressed_large import AddressedLarge, open_address
from sparrowlm.cooperation.large import AnswerCache, Budget, Ledger, Patience


@dataclass(frozen=True, kw_only=True, slots=True)
class LargeTerms:
    """Where a large model is known by which name, and what may be spent on it.

    Attributes:
        model: the name that the server knows it by; None takes the server's first.
        key_variable: environment variable that holds the server's key; None for no key.
        cost_per_call: in any currency, >= 0; only where the budget has no prices.
        budget: caps of the run and of the day, and prices; the defaults are no limits.
        patience: times; None for the usual ones.
        kept_in: file of answers; None keeps none, and spending for as long as it is open.
    """

    model: str | None = None
    key_variable: str | None = None
    cost_per_call: float = 0.0
    budget: Budget = field(default_factory=Budget)
    patience: Patience | None = None
    kept_in: Path | None = None

    @contextmanager
    def opened(self, url: str) -> Iterator[AddressedLarge]:
        """Yield the large model behind an address, and close it and its file afterwards.

        Args:
            url: "http://host/v1".

        Raises:
            DependencyError: httpx2 is not installed.
            LargeFailure: the server cannot be asked for its models.
            SettingError: address or key are none.
            DamagedFileError, ResourceError: the file is damaged or cannot be written.
        """
        with ExitStack() as parts:
            spent_in = cache = None
            if self.kept_in is not None:
                spent_in = self.kept_in.with_name(self.kept_in.name + ".spent")
                cache = parts.enter_context(closing(AnswerCache(self.kept_in)))
            ledger = parts.enter_context(closing(Ledger(self.budget, spent_in)))
            large = open_address(
                url, self.model, self.key_variable, self.cost_per_call,
                ledger=ledger, cache=cache, patience=self.patience,
            )  # fmt: skip
            yield parts.enter_context(large)
