"""Where a large model is, and how long, how often and how much it may be asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from sparrowlm.cooperation.large.key import Key
from sparrowlm.foundation.errors import SettingError

_ENDPOINTS = ("/chat/completions", "/completions", "/embeddings", "/models")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited, in seconds, each > 0.

    Attributes:
        deadline_s: for a whole call, with retries and waits for a free place.
        connect_s: for a connection.
        first_byte_s: for the head of the answer after the request is sent.
        idle_s: between two pieces of the answer.
        hedge_after_s: after which a second, equal request is sent; None: after the time within
            which 95 % of the latest answers came, once twenty are known; 0: never.
    """

    deadline_s: float = 60.0
    connect_s: float = 5.0
    first_byte_s: float = 60.0
    idle_s: float = 20.0
    hedge_after_s: float | None = 0.0

    def __post_init__(self) -> None:
        """Refuse times that are not above 0."""
        for name in ("deadline_s", "connect_s", "first_byte_s", "idle_s"):
            _at_least(name, getattr(self, name), 0.001)
        if self.hedge_after_s is not None:
            _at_least("hedge_after_s", self.hedge_after_s, 0)


@dataclass(frozen=True, slots=True)
class Persistence:
    """How often a call is tried, and when a server is left alone.

    Attributes:
        max_attempts: of one call, >= 1.
        first_wait_s: longest wait before the second attempt; doubled for each further one.
        longest_wait_s: of the waits that nobody asked for.
        breaker_failures: one after another, after which the server is left alone, >= 1.
        breaker_rest_s: for how long; doubled, up to a minute, while probes fail.
    """

    max_attempts: int = 3
    first_wait_s: float = 0.5
    longest_wait_s: float = 8.0
    breaker_failures: int = 5
    breaker_rest_s: float = 5.0

    def __post_init__(self) -> None:
        """Refuse counts below 1 and times below 0."""
        for name in ("max_attempts", "breaker_failures"):
            _at_least(name, getattr(self, name), 1)
        for name in ("first_wait_s", "longest_wait_s", "breaker_rest_s"):
            _at_least(name, getattr(self, name), 0)


@dataclass(frozen=True, slots=True)
class LargeSettings:
    """One large model behind an OpenAI-style address.

    Attributes:
        url: "https://host/v1"; "/v1" is added to an address without a path, the end of a known
            path ("/chat/completions") taken away.
        model: the name the server knows it by.
        key: None where the server wants none.
        patience: times.
        persistence: attempts.
        max_concurrent: requests under way at once, >= 1.
        max_answer_bytes: an answer that grows longer is cut off while it is read.
        max_tokens_field: what the server calls the limit of an answer's length.
        is_model_strict: whether an answer of a model of another name is refused.
        uses_system_proxies: whether HTTP_PROXY and its like are followed.
    """

    url: str
    model: str
    key: Key | None = None
    patience: Patience = field(default_factory=Patience)
    persistence: Persistence = field(default_factory=Persistence)
    max_concurrent: int = 4
    max_answer_bytes: int = 4_000_000
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    is_model_strict: bool = False
    uses_system_proxies: bool = False

    def __post_init__(self) -> None:
        """Bring the address into its usual form; refuse what is none.

        Raises:
            SettingError: names what was wrong.
        """
        object.__setattr__(self, "url", usual_address(self.url))
        if not self.model:
            raise SettingError("cooperation.large-no-model")
        _at_least("max_concurrent", self.max_concurrent, 1)
        _at_least("max_answer_bytes", self.max_answer_bytes, 1)


def usual_address(url: str) -> str:
    """Return the address up to the version, without a slash at its end.

    >>> usual_address("http://127.0.0.1:8080/")
    'http://127.0.0.1:8080/v1'
    >>> usual_address("https://example.org/v1/chat/completions")
    'https://example.org/v1'

    Raises:
        SettingError: it is no http address, or holds a password or a query.
    """
    try:
        parts = urlsplit(url.strip())
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        is_usable = False
    if not is_usable:
        raise SettingError("cooperation.large-address", received=url)
    if "@" in parts.netloc or parts.query or parts.fragment:
        # The received address is not repeated: what stands there is often a secret.
        raise SettingError("cooperation.large-address-secret", host=parts.hostname)
    path = parts.path.rstrip("/")
    for endpoint in _ENDPOINTS:
        path = path.removesuffix(endpoint)
    return f"{parts.scheme}://{parts.netloc}{path or '/v1'}"


def _at_least(name: str, value: float | int, minimum: float | int) -> None:
    if not value >= minimum:
        raise SettingError("foundation.number-range", name=name, received=value, minimum=minimum)
