"""What can go wrong between here and a large model: one class, a kind for every cause.

A failure says whether the same request may be sent again, whether it speaks against the server
(the circuit breaker counts it), and whether the server may have charged for it (the budget then
keeps what was reserved).
"""

from __future__ import annotations

from typing import Literal, get_args

from sparrowlm.foundation.errors import ResourceError

FailureKind = Literal[
    "connect", "timeout", "deadline", "unauthorised", "not-found", "bad-request", "rate-limited",
    "server", "redirect", "cut-off", "broken", "empty", "too-large", "in-stream", "schema",
    "wrong-model", "breaker", "budget",
]  # fmt: skip
FAILURE_KINDS: tuple[FailureKind, ...] = get_args(FailureKind)

_PREFIX = "cooperation.large-"
_AGAIN = frozenset((
    "connect", "timeout", "rate-limited", "server", "cut-off", "broken", "empty", "in-stream",
))  # fmt: skip
# These say something about one request or about us, and nothing about the server's health.
_NOT_THE_SERVER = frozenset(("bad-request", "schema", "breaker", "budget", "deadline"))
# The request never arrived, or was turned away before any work.
_FREE = frozenset((
    "connect", "unauthorised", "not-found", "bad-request", "rate-limited", "server", "redirect",
    "breaker", "budget",
))  # fmt: skip


class LargeFailure(ResourceError):
    """A large model gave no answer that can be used.

    Args:
        code: "cooperation.large-" and the kind.
        **fields: values of the sentence; retry_after_s where the server asked for patience.
    """

    @staticmethod
    def of(kind: FailureKind, **fields: object) -> LargeFailure:
        """Return the failure of a kind, with the values of its sentence."""
        return LargeFailure(f"cooperation.large-{kind}", **fields)

    @property
    def kind(self) -> FailureKind:
        """The cause."""
        found: FailureKind = self.code.removeprefix(_PREFIX)  # type: ignore[assignment]
        return found

    @property
    def is_retryable(self) -> bool:
        """Whether the same request may succeed a moment later."""
        return self.kind in _AGAIN

    @property
    def is_the_server(self) -> bool:
        """Whether the circuit breaker counts it."""
        return self.kind not in _NOT_THE_SERVER

    @property
    def is_free(self) -> bool:
        """Whether the server surely did not charge for it."""
        return self.kind in _FREE

    @property
    def retry_after_s(self) -> float:
        """Seconds the server asked to wait, 0 where it did not."""
        asked = self.fields.get("retry_after_s", 0.0)
        return float(asked) if isinstance(asked, int | float) else 0.0
