"""The tagging floor: F1, size, seconds, megabytes of text per second; CRFsuite and jieba beside it.

    python -m benchmarks.tagging_floor weibo atis gsd [--test] [--peer] [--sizes 5 1] [--numpy]

Everything is chosen on the dev part. --test looks at the test part: once, at the end. --peer trains
CRFsuite in the same run: on the very features of the floor (same c2), and for gsd also on plain
character windows. Seconds are of one thread; compare them only within a run.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.tagging_data import PARTS, WORD, read_part
from sparrowlm.corpora.labelled.examples import Span, TaggedText
from sparrowlm.models.hmm import HiddenMarkovModel, levels_of
from sparrowlm.tasks.tag.features import Features
from sparrowlm.tasks.tag.floor import TagFloor
from sparrowlm.tasks.tag.floor_training import FloorFit, FloorSettings, fit_floor
from sparrowlm.tasks.tag.metric import SpanScore, WordScore
from sparrowlm.tasks.tag.units import Units, spans_to_units, units_of

Examples = list[TaggedText]


def score(examples: Examples, found: list[list[Span]]) -> SpanScore:
    total = SpanScore()
    for example, spans in zip(examples, found, strict=True):
        total.add(example.spans, spans)
    return total


def tagged(floor: TagFloor, examples: Examples) -> list[list[Span]]:
    return floor.tag([e.text for e in examples], tokens=[e.tokens for e in examples])


def show(name: str, total: SpanScore) -> None:
    micro = total.micro
    print(
        f"  {name}: F1 {100 * micro.f1:.2f} (P {100 * micro.precision:.2f},"
        f" R {100 * micro.recall:.2f}), macro {100 * total.macro_f1:.2f}",
        flush=True,
    )


def show_words(name: str, train: Examples, examples: Examples, found: list[list[Span]]) -> None:
    known = {e.text[s.start : s.end] for e in train for s in e.spans}
    total = WordScore(known)
    for example, spans in zip(examples, found, strict=True):
        total.add(example.text, [s[:2] for s in example.spans], [s[:2] for s in spans])
    result = total.result()
    print(
        f"  {name}: word F1 {100 * result['f1']:.2f}, recall of unknown words"
        f" {100 * result['oov_recall']:.2f} ({100 * result['oov_share']:.1f} % of all)",
        flush=True,
    )


def spans_of_words(words: list[str]) -> list[Span]:
    ends = np.cumsum([len(word) for word in words]).tolist()
    return [Span(e - len(w), e, WORD) for w, e in zip(words, ends, strict=True)]


def speed(floor: TagFloor, examples: Examples) -> float:
    texts = [e.text for e in examples]
    repeated = texts * max(1, 1_000_000 // max(sum(map(len, texts)), 1))
    work = floor.words if floor.labels.scheme == "BMES" else floor.tag
    work(texts[:50])
    began = time.process_time()
    work(repeated)
    return sum(len(t.encode()) for t in repeated) / 1e6 / (time.process_time() - began)


def show_speed(floor: TagFloor, examples: Examples) -> None:
    print(f"  decoding: {speed(floor, examples):.2f} MB of UTF-8 per CPU second, one thread")
    os.environ["SPARROW_NATIVE"] = "0"
    print(f"  decoding in NumPy: {speed(floor, examples[:200]):.2f} MB per CPU second", flush=True)
    del os.environ["SPARROW_NATIVE"]


def peer(fit: FloorFit, train: Examples, dev: Examples) -> None:
    """CRFsuite on the floor's features, with the floor's c2."""
    floor = fit.floor
    began = time.process_time()
    labels, train_sets = attributes(floor, train, with_own=True)
    _, dev_sets = attributes(floor, dev, with_own=False)
    print(f"  CRFsuite: features as text in {time.process_time() - began:.1f} s")
    found = crfsuite(train_sets, labels, dev_sets, fit.cost)
    print(f"  {peer_score(floor, dev, found)}", flush=True)


def attributes(
    floor: TagFloor, examples: Examples, with_own: bool
) -> tuple[list[list[str]], list[list[list[str]]]]:
    units = units_of(
        [e.text for e in examples], [e.tokens for e in examples], joins_runs=floor.joins_runs
    )
    spans = spans_to_units(units, [e.spans for e in examples])
    numbers = {kind: n for n, kind in enumerate(floor.labels.types)}
    own = [(a, b, numbers[k]) for a, b, k in spans] if with_own else []
    hashes = floor.features.templates().hashes(floor.features.columns(units, own), units.chains)
    known = [span for span in spans if span[2] in numbers]
    labels = floor.labels.encode(known, len(units), units.chains.tolist())
    rows = [[f"{value:x}" for value in row if value] for row in hashes.tolist()]
    bounds = list(zip(units.chains[:-1].tolist(), units.chains[1:].tolist(), strict=True))
    names = [floor.labels.names[n] for n in labels]
    return [names[a:b] for a, b in bounds], [rows[a:b] for a, b in bounds]


def crfsuite(
    train: list[list[list[str]]], labels: list[list[str]], dev: list[list[list[str]]], c2: float
) -> list[list[str]]:
    import pycrfsuite

    trainer = pycrfsuite.Trainer(
        algorithm="lbfgs", params={"c2": c2, "max_iterations": 100}, verbose=False
    )
    for features, names in zip(train, labels, strict=True):
        trainer.append(features, names)
    with tempfile.TemporaryDirectory() as directory:
        path = str(Path(directory) / "model")
        began = time.process_time()
        trainer.train(path)
        size = Path(path).stat().st_size / 1e6
        print(f"  CRFsuite: {time.process_time() - began:.1f} s to train, {size:.2f} MB")
        tagger = pycrfsuite.Tagger()
        tagger.open(path)
        return [tagger.tag(features) for features in dev]


def peer_score(floor: TagFloor, dev: Examples, found: list[list[str]]) -> str:
    from sparrowlm.tasks.tag.schemes import spans_of_names

    units = units_of([e.text for e in dev], [e.tokens for e in dev], joins_runs=floor.joins_runs)
    gold = [
        {(a, b, k) for a, b, k in spans_to_units(units, [e.spans for e in dev])},
    ][0]
    given = set()
    for start, names in zip(units.chains.tolist(), found, strict=False):
        given |= {(start + a, start + b, kind) for a, b, kind in spans_of_names(names)}
    f1 = 2 * len(gold & given) / max(len(gold) + len(given), 1)
    return f"CRFsuite on the same features, dev: F1 {100 * f1:.2f}"


def windows(text: str) -> list[list[str]]:
    """Characters -2 to +2 and their pairs: the plain CRF."""
    padded = f"<<{text}>>"
    return [
        [f"{o}{padded[i + 2 + o]}" for o in range(-2, 3)]
        + [f"p{o}{padded[i + 2 + o : i + 4 + o]}" for o in range(-2, 2)]
        for i in range(len(text))
    ]


def plain_segmenter(train: Examples, others: list[Examples]) -> list[list[list[Span]]]:
    def names(example: TaggedText) -> list[str]:
        found = []
        for span in example.spans:
            size = span.end - span.start
            found += ["S"] if size == 1 else ["B", *["M"] * (size - 2), "E"]
        return found

    every = [windows(e.text) for examples in others for e in examples]
    labels = crfsuite([windows(e.text) for e in train], [names(e) for e in train], every, 0.1)
    spans = []
    for tags in labels:
        ends = [i + 1 for i, tag in enumerate(tags) if tag in "ES" or i + 1 == len(tags)]
        spans.append([Span(a, b, WORD) for a, b in zip([0, *ends], ends, strict=False)])
    result, start = [], 0
    for examples in others:
        result.append(spans[start : start + len(examples)])
        start += len(examples)
    return result


def segmentation_peers(train: Examples, parts: dict[str, Examples]) -> None:
    import rjieba

    for name, examples in parts.items():
        found = [spans_of_words(rjieba.cut(e.text)) for e in examples]
        show_words(f"jieba, {name}", train, examples, found)
    plain = plain_segmenter(train, list(parts.values()))
    for (name, examples), found in zip(parts.items(), plain, strict=True):
        show_words(f"plain CRF, {name}", train, examples, found)


def markov(floor: TagFloor, train: Examples, parts: dict[str, Examples]) -> None:
    """The cheapest tagger, on the unit, its shape and its kind."""

    def observed(examples: Examples) -> tuple[Units, np.ndarray]:
        texts, tokens = [e.text for e in examples], [e.tokens for e in examples]
        units = units_of(texts, tokens, joins_runs=floor.joins_runs)
        columns = Features("words").columns(units)
        return units, levels_of([columns[:, 1], columns[:, 11], columns[:, 3], columns[:, 2]])

    began = time.process_time()
    units, observations = observed(train)
    spans = spans_to_units(units, [e.spans for e in train])
    labels = floor.labels.encode(spans, len(units), units.chains.tolist())
    model = HiddenMarkovModel.train(observations, units.chains, labels, len(floor.labels))
    seconds = time.process_time() - began
    for name, examples in parts.items():
        units, observations = observed(examples)
        labels = model.decode(observations, units.chains, floor.labels.constraints())
        found: list[list[Span]] = [[] for _ in examples]
        for first, stop, kind in floor.labels.decode(labels):
            begin, end = int(units.begins[first]), int(units.ends[stop - 1])
            owner = int(np.searchsorted(units.text_starts, begin, side="right")) - 1
            shift = int(units.text_starts[owner])
            found[owner].append(Span(begin - shift, end - shift, kind))
        show(f"hidden Markov model ({seconds:.1f} s), {name}", score(examples, found))


def report(name: str, options: argparse.Namespace) -> None:
    train, dev, test = (part and read_part(part) for part in PARTS[name])
    assert train is not None and dev is not None
    parts = {"dev": dev} | ({"test": test} if options.test and test else {})
    print(f"\n{name}: {len(train)} / {len(dev)} examples")
    began, wall = time.process_time(), time.perf_counter()
    fit = fit_floor(train, dev, FloorSettings(costs=tuple(options.costs)))
    print(
        f"  fitted in {time.process_time() - began:.1f} CPU s ({time.perf_counter() - wall:.1f} s):"
        f" {fit.floor.features.profile}, {fit.floor.labels.scheme}, {len(fit.floor.labels)} labels,"
        f" c2 {fit.cost}, {fit.num_passes} passes, bias {fit.bias}, {fit.num_features:,} features,"
        f" {fit.size_bytes / 1e6:.2f} MB int8 (dev F1 {100 * fit.f1_float32:.2f} ->"
        f" {100 * fit.f1:.2f})",
        flush=True,
    )
    for part, examples in parts.items():
        found = tagged(fit.floor, examples)
        show(part, score(examples, found))
        if fit.floor.labels.scheme == "BMES":
            show_words(part, train, examples, found)
    for size in options.sizes:
        small = fit.floor.shrunk(int(size * 1e6))
        for part, examples in parts.items():
            total = score(examples, tagged(small, examples))
            show(f"{small.size_bytes() / 1e6:.2f} MB, {part}", total)
    markov(fit.floor, train, parts)
    if name == "gsd":
        segmentation_peers(train, parts)
    show_speed(fit.floor, dev)
    if options.peer:
        peer(fit, train, dev)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(PARTS))
    parser.add_argument("--test", action="store_true")
    parser.add_argument("--peer", action="store_true")
    parser.add_argument("--sizes", type=float, nargs="*", default=[])
    parser.add_argument("--costs", type=float, nargs="*", default=list(FloorSettings().costs))
    options = parser.parse_args()
    for name in options.names:
        report(name, options)


if __name__ == "__main__":
    main()
