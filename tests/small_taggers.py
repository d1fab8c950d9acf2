"""Small taggers, trained in seconds on requests for songs and the weather."""

from __future__ import annotations

import random
from pathlib import Path

from sparrowlm.corpora.labelled.examples import Span, TaggedText
from sparrowlm.export.model_directory import ModelParts, write_model
from sparrowlm.foundation.interrupts import StopRequest
from sparrowlm.foundation.progress import SilentProgress
from sparrowlm.models.encoder import NgramTableShape
from sparrowlm.runtime.directory import ModelDirectory
from sparrowlm.tasks.tag.files import binaries
from sparrowlm.tasks.tag.floor_training import FloorSettings
from sparrowlm.tasks.tag.inputs import CONTEXT_TOKENS
from sparrowlm.tasks.tag.model import Tagger, load_tagger
from sparrowlm.tasks.tag.settings import TaggerTrainingSettings
from sparrowlm.tasks.tag.training import TaggerTraining, TrainedTagger
from sparrowlm.text.tokenizers import TokenCodec, train_tokenizer
from sparrowlm.text.tokenizers.files import load_tokenizer
from sparrowlm.training.encoder_stage import EncoderSize, StagePlace

ARTISTS = ["Adele", "Queen", "Miles Davis", "Nina Simone", "Björk"]
CITIES = ["Paris", "New York", "Kyoto", "St. Louis"]


def requests(seed: int, size: int) -> list[TaggedText]:
    generator = random.Random(seed)
    found = []
    for _ in range(size):
        value, kind = generator.choice(
            [(a, "artist") for a in ARTISTS] + [(c, "city") for c in CITIES]
        )
        before = generator.choice(
            ["play songs by ", "please play "] if kind == "artist" else ["weather in "]
        )
        intent = "play" if kind == "artist" else "weather"
        span = Span(len(before), len(before) + len(value), kind)
        found.append(TaggedText(f"{before}{value} now", (span,), (), intent))
    return found


def codec_of(examples: list[TaggedText], kind: str = "word") -> TokenCodec:
    texts = [one.text for one in examples]
    return train_tokenizer(kind, lambda: iter(texts), sum(map(len, texts)))


def small_settings(**changes) -> TaggerTrainingSettings:
    size = EncoderSize(
        width=64, num_layers=1, tables=NgramTableShape(num_buckets=64, width=8),
        context_tokens=CONTEXT_TOKENS,
    )  # fmt: skip
    chosen = {
        "size": size, "column_rows": 256, "steps": 40, "parts": "both",
        "floor": FloorSettings(costs=(0.1,), num_passes=3), "most_bytes": None,
    }  # fmt: skip
    return TaggerTrainingSettings(**{**chosen, **changes})


def place(directory: Path) -> StagePlace:
    return StagePlace(directory, "test", SilentProgress(), StopRequest(lambda _text: None))


def trained_in(directory: Path, **changes) -> TrainedTagger:
    train, held_out = requests(1, 120), requests(2, 40)
    chosen = small_settings(**changes)
    return TaggerTraining(train, held_out, codec_of(train), chosen, place(directory)).run()


def save(trained: TrainedTagger, directory: Path) -> None:
    network = trained.tagger.network
    parts = ModelParts(
        kind="intent",
        codec=network.inputs.codec if network else None,
        shape=network.encoder.engine.shape if network else None,
        binaries=binaries(trained),
        facts={"task": trained.tagger.settings.as_json()},
    )
    write_model(directory, parts)


def loaded(directory: Path) -> Tagger:
    return load_tagger(ModelDirectory(directory), load_tokenizer(directory))


class StopsAfter(StopRequest):
    """Asks to stop once it was looked at so often."""

    def __init__(self, num_looks: int) -> None:
        self._left = num_looks
        super().__init__(lambda _text: None)

    @property
    def is_requested(self) -> bool:
        self._left -= 1
        return self._left < 0

    @is_requested.setter
    def is_requested(self, _value: bool) -> None:
        pass
