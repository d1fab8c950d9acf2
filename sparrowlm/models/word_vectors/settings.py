"""Settings of word vectors, checked when they are made."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from sparrowlm.foundation.errors import SettingError


@dataclass(frozen=True, kw_only=True, slots=True)
class WordVectorSettings:
    """How word vectors are learnt.

    Attributes:
        method: "skip-gram" predicts a word from each neighbour, "cbow" from their mean.
        width: D, numbers per vector.
        window: neighbours on each side, at most; for every word a reach from 1 to window is drawn.
        num_negatives: words drawn as counterexamples for every word.
        epochs: passes over the text.
        learning_rate: at the start; it falls to a two-hundred-and-fiftieth in a straight line.
        frequent_share: words more frequent than this share of the text are left out now and then;
            0 keeps all.
        noise_power: counterexamples are drawn by count to this power.
        subword_buckets: rows for parts of words; 0 for none. Needs the bytes of every id.
        shortest_subword: characters, the marks at both ends of a word included.
        longest_subword: characters.
        seed: decides start and draws; 0 to 2**63 - 1.
    """

    method: Literal["skip-gram", "cbow"] = "skip-gram"
    width: int = 100
    window: int = 5
    num_negatives: int = 5
    epochs: int = 5
    learning_rate: float = 0.025
    frequent_share: float = 1e-3
    noise_power: float = 0.75
    subword_buckets: int = 0
    shortest_subword: int = 3
    longest_subword: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in ("skip-gram", "cbow"):
            choices = "skip-gram, cbow"
            raise SettingError(
                "foundation.unknown-choice", name="method", received=self.method, choices=choices
            )
        lowest = {"width": 1, "window": 1, "num_negatives": 1, "epochs": 1, "shortest_subword": 1}
        lowest |= {"subword_buckets": 0, "longest_subword": self.shortest_subword}
        for name, minimum in lowest.items():
            self._check(name, minimum)
        for name in ("learning_rate", "frequent_share", "noise_power"):
            self._check(name, 0)

    def _check(self, name: str, minimum: int) -> None:
        received = getattr(self, name)
        if not received >= minimum:
            raise SettingError(
                "foundation.number-range", name=name, received=received, minimum=minimum
            )

    def as_json(self) -> dict[str, Any]:
        """Return the settings as a JSON object."""
        return asdict(self)
