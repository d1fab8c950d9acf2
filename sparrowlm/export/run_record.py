"""Everything a card or a report says about one training, gathered in one plain record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sparrowlm.runtime.scoring import BITS_PER_NAT


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """One training. Only kind, tokenizer and vocabulary are needed; what is unknown is left out.

    Attributes:
        kind: what ships: "ngram", "vectors", "rnn", "lstm", "transformer" or "mixture".
        tokenizer: "character", "bpe" or "word".
        vocab_size: number of ids.
        name: what the model is called, e.g. the name of its directory.
        version: of Sparrow.
        neural: "rnn", "lstm", "transformer", or None.
        shape: sizes of the network, or the content of config.json.
        num_parameters: of the network.
        num_bytes: of the files that loading reads.
        data: CorpusStatistics.as_json().
        plan: Plan.record(): predicted_seconds, predicted_ram_mib, predicted_file_bytes,
            expected_bits_per_character, num_tokens, num_epochs, precision.
        measured: seconds, training_seconds, ram_mib, file_bytes, steps, flattened_at_step, and
            bits_per_character {"ngram": x, "neural": y, "mixture": z} on held-out text.
        curve: {"seconds", "step", "tokens", "train_nats", "held_out_nats"} per evaluation, losses
            in nats per token; held_out_nats may be None.
        floor_nats: the n-gram alone on held-out text, nats per token.
        characters_per_token: of the held-out text; turns nats per token into bits per character.
        samples: {"seconds", "text"} in the order of time.
        machine: measured abilities: num_cores, instruction_sets, float32_gflops, precision, ...
        settings: what the user asked for.
    """

    kind: str
    tokenizer: str
    vocab_size: int
    name: str = "sparrow-model"
    version: str = ""
    neural: str | None = None
    shape: Mapping[str, Any] = field(default_factory=dict)
    num_parameters: int | None = None
    num_bytes: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    measured: Mapping[str, Any] = field(default_factory=dict)
    curve: Sequence[Mapping[str, Any]] = ()
    floor_nats: float | None = None
    characters_per_token: float = 1.0
    samples: Sequence[Mapping[str, Any]] = ()
    machine: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def bits(self, nats_per_token: float | None) -> float | None:
        """Turn a loss per token into bits per character."""
        if nats_per_token is None:
            return None
        return nats_per_token * BITS_PER_NAT / max(self.characters_per_token, 1e-9)

    def curve_points(self, loss: str) -> list[tuple[float, float]]:
        """Return (seconds, bits per character) for "train_nats" or "held_out_nats"."""
        points = []
        for row in self.curve:
            bits = self.bits(row.get(loss))
            if bits is not None:
                points.append((float(row["seconds"]), bits))
        return points

    def part_bits(self) -> dict[str, float]:
        """Return bits per character by part on held-out text, as far as they were measured."""
        parts = self.measured.get("bits_per_character") or {}
        found = {name: float(value) for name, value in parts.items() if value is not None}
        floor = self.bits(self.floor_nats)
        if "ngram" not in found and floor is not None:
            found["ngram"] = floor
        return found

    def comparisons(self) -> list[tuple[str, float | int | None, float | int | None]]:
        """Return (message name, predicted, measured) for everything that was foretold."""
        bits = self.part_bits()
        best = bits.get("mixture", bits.get("neural"))
        size = self.measured.get("file_bytes", self.num_bytes)
        seconds = self.measured.get("training_seconds", self.measured.get("seconds"))
        rows: list[tuple[str, Any, Any]] = [
            ("seconds", self.plan.get("predicted_seconds"), seconds),
            ("ram", self.plan.get("predicted_ram_mib"), self.measured.get("ram_mib")),
            ("size", self.plan.get("predicted_file_bytes"), size),
            ("bits", self.plan.get("expected_bits_per_character"), best),
        ]
        return [row for row in rows if row[1] is not None]
