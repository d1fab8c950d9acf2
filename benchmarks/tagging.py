"""Tagging: floor, network and blend of one training; F1, size, seconds.

    python -m benchmarks.tagging snips atis gsd [--test] [--seeds 0 1 2] [--minutes 10] [--size 5]

The dev part chooses (for CLUENER a tenth of train does, and dev is looked at once). --test looks at
the test part: once, at the end. Seconds are of this machine; compare them only within a run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.tagging_data import PARTS, further_texts, read_part
from sparrowlm.api.encoder_start import encoder_start
from sparrowlm.corpora.labelled.examples import TaggedText
from sparrowlm.foundation.interrupts import StopRequest
from sparrowlm.foundation.progress import Progress, SilentProgress
from sparrowlm.models.encoder import NgramTableShape
from sparrowlm.runtime.encoder_files import parts_bytes
from sparrowlm.tasks.tag.evaluation import TaggerFigures
from sparrowlm.tasks.tag.floor_training import choose_profile
from sparrowlm.tasks.tag.inputs import CONTEXT_TOKENS
from sparrowlm.tasks.tag.model import Tagger
from sparrowlm.tasks.tag.settings import TaggerTrainingSettings
from sparrowlm.tasks.tag.task import evaluate_parts, known_words_of
from sparrowlm.tasks.tag.training import TaggerTraining, TrainedTagger
from sparrowlm.tasks.tag.units import units_of
from sparrowlm.text.tokenizers import TokenCodec, load_tokenizer, train_tokenizer
from sparrowlm.text.width import narrowed
from sparrowlm.training.encoder_stage import EncoderSize, StagePlace

Examples = list[TaggedText]


class Loud(SilentProgress):
    def note(self, text: str) -> None:
        print(f"    {text}", flush=True)


def tokenizer(examples: Examples, further: list[str]) -> TokenCodec:
    texts = [narrowed(one.text) for one in examples] + [narrowed(text) for text in further]
    is_words = choose_profile(units_of(texts), "BIO") == "words"
    kind = "word" if is_words else "character"
    return train_tokenizer(kind, lambda: iter(texts), sum(map(len, texts)))


def trained_on(
    train: Examples, dev: Examples | None, options: argparse.Namespace, seed: int
) -> TrainedTagger:
    further = further_texts(options.unlabelled)
    settings = TaggerTrainingSettings(
        unlabelled=further,
        hidden_spans=options.hidden,
        seconds=options.minutes * 60 if options.minutes else None,
        most_bytes=int(options.size * 1e6),
        parts=options.parts,
        seed=seed,
        tagging_epochs=options.epochs,
        pretraining_epochs=options.pretraining,
        column_rows=1 << options.rows,
        size=EncoderSize(
            width=options.width, num_layers=options.layers,
            tables=NgramTableShape(num_buckets=1 << options.buckets), context_tokens=CONTEXT_TOKENS,
        ),
    )  # fmt: skip
    if options.start is not None:
        start = encoder_start(options.start)
        size = replace(start.size, context_tokens=CONTEXT_TOKENS)
        settings = replace(settings, size=size, start=start.tensors)
    progress: Progress = Loud() if options.verbose else SilentProgress()
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory) if options.work is None else options.work
        place = StagePlace(work, "benchmark", progress, StopRequest(lambda _text: None))
        codec = load_tokenizer(options.start) if options.start else tokenizer(train, further)
        training = TaggerTraining(train, dev, codec, settings, place)
        return training.finished(training.run())


def network_bytes(trained: TrainedTagger) -> int:
    return parts_bytes(trained.model_arrays) if trained.model_arrays else 0


def show(part: str, name: str, one: TaggerFigures) -> None:
    low, high = one.f1_interval
    intent = ""
    if one.intent_accuracy is not None:
        intent = f", intent {100 * one.intent_accuracy:.2f}, both {100 * one.text_accuracy:.2f}"
    words = "" if one.words is None else f", unknown words {100 * one.words['oov_recall']:.2f}"
    print(
        f"  {part} {name}: F1 {100 * one.f1:.2f} [{100 * low:.1f}, {100 * high:.1f}]"
        f" (P {100 * one.precision:.2f}, R {100 * one.recall:.2f}), macro {100 * one.macro_f1:.2f},"
        f" calibration error {one.calibration_error:.3f}{intent}{words}",
        flush=True,
    )


def speed(tagger: Tagger, examples: Examples) -> float:
    texts = [one.text for one in examples][:300]
    tagger.tag(texts[:20])
    began = time.process_time()
    tagger.tag(texts)
    return sum(len(text.encode()) for text in texts) / 1e3 / (time.process_time() - began)


def report(name: str, options: argparse.Namespace, seed: int) -> None:
    train, dev, test = (part and read_part(part) for part in PARTS[name])
    assert train is not None and dev is not None
    if options.first:
        train = train[: options.first]
    began, processor = time.perf_counter(), time.process_time()
    chooses = dev if test is not None else None
    if options.pages:
        train, chooses = train[: -options.pages], train[-options.pages :]
    trained = trained_on(train, chooses, options, seed)
    tagger = trained.tagger
    print(
        f"\n{name}, seed {seed}: {len(train)} examples, {len(tagger.labels)} labels,"
        f" {time.perf_counter() - began:.0f} s ({time.process_time() - processor:.0f} CPU s);"
        f" floor {tagger.floor.size_bytes() / 1e6:.2f} MB (whole"
        f" {trained.whole_floor.size_bytes() / 1e6:.2f}), network"
        f" {network_bytes(trained) / 1e6:.2f} MB; {tagger.settings.blend}",
        f"\n  held out: { {n: round(100 * f1, 2) for n, f1 in trained.facts['f1'].items()} }",
        flush=True,
    )
    known = known_words_of(train) if tagger.is_segmenter else None
    parts = {"dev": dev} | ({"test": test} if options.test and test else {})
    for part, examples in parts.items():
        for which, figures in evaluate_parts(trained, examples, known).items():
            show(part, which, figures)
    print(f"  {speed(tagger, dev):.0f} kB of UTF-8 per CPU second", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(PARTS))
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--size", type=float, default=5.0)
    parser.add_argument("--parts", default="auto")
    parser.add_argument("--epochs", type=float)
    parser.add_argument("--pretraining", type=float)
    parser.add_argument("--rows", type=int, default=13)
    parser.add_argument("--buckets", type=int, default=13)
    parser.add_argument("--width", type=int, default=EncoderSize().width)
    parser.add_argument("--layers", type=int, default=EncoderSize().num_layers)
    parser.add_argument("--from", dest="start", type=Path, help="an encoder that has read")
    parser.add_argument("--first", type=int)
    parser.add_argument("--pages", type=int, help="the last examples of train choose, not dev")
    parser.add_argument("--unlabelled", nargs="*", default=[], help="files of further texts")
    parser.add_argument("--hidden", type=float, default=TaggerTrainingSettings().hidden_spans)
    parser.add_argument("--work", type=Path, help="keeps checkpoints; a stopped run goes on")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    for name in options.names:
        for seed in options.seeds:
            report(name, options, seed)


if __name__ == "__main__":
    main()
