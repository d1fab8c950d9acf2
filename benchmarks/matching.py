"""Matching: python -m benchmarks.matching [pairs] [encoder] [faq] [speed] [atec] [--seconds S]

    pairs     ATEC, LCQMC, BQ: comparison without a network, three seeds, test part once
    encoder   the same with a two-tower network on a clock (240 s for ATEC, half for the others)
    faq       Egret: paraphrased questions (benchmarks/paraphrases.py), BM25 and TF-IDF over several
              n-grams beside the learnt search, three seeds; questions that have no answer there
    speed     100,000 questions and answers: milliseconds per search, memory of the process

Development parts choose, test parts are looked at once.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.data import read_text
from benchmarks.paraphrases import Paraphraser, harvest, words_of
from sparrowlm.corpora.labelled import TextPair
from sparrowlm.export.hugging_face import write_network
from sparrowlm.foundation.interrupts import StopRequest
from sparrowlm.foundation.progress import SilentProgress
from sparrowlm.runtime.directory import MANIFEST_FILE, ModelDirectory, manifest_bytes
from sparrowlm.tasks.calibration import calibration_error
from sparrowlm.tasks.match.floors import BM25, TF_IDF, floor_index
from sparrowlm.tasks.match.metric import (
    best_threshold,
    f1,
    pair_figures,
    search_figures,
)
from sparrowlm.tasks.match.model import COSINE, load_matcher
from sparrowlm.tasks.match.search_training import IndexData
from sparrowlm.tasks.match.self_training import chosen_index, places
from sparrowlm.tasks.match.settings import MatcherTrainingSettings
from sparrowlm.tasks.match.training import TrainedMatcher, files, train_matcher
from sparrowlm.text.ngram_features import NgramFeatures, NgramFeatureSettings
from sparrowlm.text.tokenizers.training import train_tokenizer
from sparrowlm.training.encoder_stage import StagePlace

ROOT = "customer_service"
SEEDS = (0, 1, 2)
SETS: dict[str, tuple[str, str | None, str]] = {
    "atec": (
        "atec_question_pairs/train",
        "atec_question_pairs/dev",
        "atec_question_pairs/test",
    ),
    "lcqmc": ("lcqmc_dev_test_only/dev", None, "lcqmc_dev_test_only/test"),
    "bq": ("bq_dev_test_only/dev", None, "bq_dev_test_only/test"),
}
KEYS = ((0, 1), (2, 0), (2, 1), (3, 1), (4, 2))


def main() -> None:
    arguments = sys.argv[1:]
    seconds = 240.0
    if "--seconds" in arguments:
        place = arguments.index("--seconds")
        seconds = float(arguments[place + 1])
        del arguments[place : place + 2]
    chosen_sets = [name for name in arguments if name in SETS] or list(SETS)
    arguments = [name for name in arguments if name not in SETS]
    for name in arguments or ["pairs", "encoder", "faq", "speed"]:
        print(f"\n== {name}", flush=True)
        if name in ("pairs", "encoder"):
            pairs(chosen_sets, seconds if name == "encoder" else None)
        else:
            {"faq": faq, "speed": speed}[name]()


def read_pairs(name: str) -> list[TextPair]:
    rows = [line.split("\t") for line in read_text(f"{ROOT}/{name}.tsv.xz").split("\n")[1:] if line]
    return [TextPair(first, second, label) for label, first, second in rows]


def read_answers() -> list[tuple[str, str]]:
    text = read_text(f"{ROOT}/egret_faq_zh/qa.tsv.xz")
    rows = [line.split("\t") for line in text.split("\n")[1:] if line]
    return [(row[1], row[2]) for row in rows]


def pairs(names: list[str], seconds: float | None) -> None:
    print("set    seed  floor F1  F1      interval        accuracy  AP      ECE    MB    seconds")
    for name in names:
        train, dev, test = SETS[name]
        clock = None if seconds is None else seconds if name == "atec" else seconds / 2
        for seed in SEEDS:
            one_set(name, read_pairs(train), dev and read_pairs(dev), read_pairs(test), seed, clock)


def one_set(
    name: str,
    train: list[TextPair],
    dev: list[TextPair] | None,
    test: list[TextPair],
    seed: int,
    seconds: float | None,
) -> None:
    codec = None
    if seconds is not None:
        texts = [text for pair in train for text in (pair.first, pair.second)]
        codec = train_tokenizer("character", lambda: iter(texts), sum(map(len, texts)))
    settings = MatcherTrainingSettings(seconds=seconds, most_bytes=5_000_000, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        place = StagePlace(Path(folder) / "work", name, SilentProgress(), StopRequest(print))
        trained = train_matcher(train, dev, codec, settings, place)
        directory = write(trained, Path(folder) / "model", codec)
        matcher = load_matcher(ModelDirectory(directory), codec)
        size = sum(path.stat().st_size for path in directory.iterdir())
    firsts, seconds_ = [pair.first for pair in test], [pair.second for pair in test]
    is_same = np.array([pair.label == matcher.settings.labels[1] for pair in test])
    probabilities = matcher.probabilities(firsts, seconds_)
    found = pair_figures(is_same, probabilities, matcher.settings.threshold)
    floor_at = best_threshold(*labels_and_cosines(matcher, dev or train))
    floor_is, floor_scores = labels_and_cosines(matcher, test)
    floor = f1(floor_is, floor_scores >= floor_at)
    low, high = found.f1_interval
    print(
        f"{name:6} {seed}     {100 * floor:6.2f}    {100 * found.f1:6.2f}  "
        f"{100 * low:.2f}-{100 * high:.2f}     {100 * found.accuracy:6.2f}    "
        f"{100 * found.average_precision:6.2f}  {found.calibration_error:.3f}  {size / 1e6:.2f}  "
        f"{trained.seconds:.0f}   {sorted(matcher.settings.blend.weights)}",
        flush=True,
    )


def labels_and_cosines(matcher, some: list[TextPair]):  # noqa: ANN001, ANN201
    firsts, seconds = [pair.first for pair in some], [pair.second for pair in some]
    measures = matcher.comparison.features.measures(firsts, seconds)
    is_same = np.array([pair.label == matcher.settings.labels[1] for pair in some])
    return is_same, {COSINE: measures.cosine()}[COSINE]


def write(trained: TrainedMatcher, directory: Path, codec) -> Path:  # noqa: ANN001
    """Write a model directory as the export room would."""
    directory.mkdir()
    for name, put in files(trained).items():
        put(directory / name)
    if trained.model_arrays:
        encoder = trained.matcher.encoder
        write_network(directory, encoder.encoder.engine.shape, {})
        codec.save(directory)
    listed = {
        path.name: {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in sorted(directory.iterdir())
    }
    content = {"kind": "match", "task": trained.matcher.settings.as_json(), "files": listed}
    (directory / MANIFEST_FILE).write_bytes(manifest_bytes(content))
    return directory


def paraphrased(questions: list[str], part: str, seed: int) -> list[str]:
    found = [p for p in read_pairs(f"atec_question_pairs/{part}") if p.label == "1"]
    known = frozenset(word for question in questions for word in words_of(question))
    maker = Paraphraser(harvest([(p.first, p.second) for p in found]), known, seed)
    return [maker.paraphrase(question) for question in questions]


def faq() -> None:
    entries = read_answers()
    questions = [question for question, _ in entries]
    every = np.arange(len(entries))
    asked = {part: paraphrased(questions, part, 7) for part in ("dev", "test")}
    print("search             part  hit@1  interval      hit@5  hit@10  MRR")

    def show(label: str, part: str, index) -> float:  # noqa: ANN001
        found = search_figures(places(index, asked[part], every))
        low, high = (100 * end for end in found.hit_1_interval)
        print(
            f"{label:18} {part:4}  {100 * found.hit_1:.2f}  {low:.2f}-{high:.2f}  "
            f"{100 * found.hit_5:.2f}  {100 * found.hit_10:.2f}   "
            f"{100 * found.reciprocal_rank:.2f}",
            flush=True,
        )
        return found.hit_1

    for kind in (BM25, TF_IDF):
        for characters, words in KEYS:
            settings = NgramFeatureSettings(most_characters=characters, most_words=words)
            index = floor_index(kind, questions, [a for _, a in entries], NgramFeatures(settings))
            for part in ("dev", "test"):
                show(f"{kind} {characters},{words}", part, index)
    others = [p.first for p in read_pairs("atec_question_pairs/test")][:1000]
    for seed in SEEDS:
        began = time.monotonic()
        features = MatcherTrainingSettings().index_features
        data = IndexData.of(entries, features, (), seed)
        chosen = chosen_index(data)
        took = time.monotonic() - began
        for part in ("dev", "test"):
            show(f"learnt, seed {seed}", part, chosen.index)
        doubt(chosen, asked["test"], others, took)


def doubt(chosen, asked: list[str], others: list[str], took: float) -> None:  # noqa: ANN001
    """Print how well the search knows when it has no answer."""
    index, twins = chosen.index, chosen.index.postings.twins_N
    best = [index.search(question, 1)[0] for question in asked]
    sure = np.array([hit.probability for hit in best])
    right = np.array([twins[hit.entry] == twins[n] for n, hit in enumerate(best)])
    foreign = np.array([index.search(question, 1)[0].probability for question in others])
    both = np.concatenate([sure, foreign[: len(sure)]])
    truth = np.concatenate([right, np.zeros(len(foreign), dtype=bool)])
    print(
        f"   kept {chosen.kind}, {took:.0f} s, {index.size_bytes() / 1e6:.2f} MB; right answers "
        f"withheld {100 * (sure[right] < chosen.threshold).mean():.1f} %, wrong ones withheld "
        f"{100 * (sure[~right] < chosen.threshold).mean():.1f} %, foreign questions refused "
        f"{100 * (foreign < chosen.threshold).mean():.1f} %, ECE (with foreign ones) "
        f"{calibration_error(both, truth):.3f}",
        flush=True,
    )


def speed() -> None:
    names = ("atec_question_pairs/train", "bq_dev_test_only/dev", "bq_dev_test_only/test")
    names += ("lcqmc_dev_test_only/dev", "lcqmc_dev_test_only/test", "atec_question_pairs/dev")
    questions = dict.fromkeys(
        text for name in names for pair in read_pairs(name) for text in (pair.first, pair.second)
    )
    answers = [answer for _, answer in read_answers()]
    chosen = list(questions)[:100_000]
    stored = [TextPair(q, answers[n % len(answers)]) for n, q in enumerate(chosen)]
    with tempfile.TemporaryDirectory() as folder:
        place = StagePlace(Path(folder) / "work", "speed", SilentProgress(), StopRequest(print))
        trained = train_matcher(stored, None, None, MatcherTrainingSettings(), place)
        directory = write(trained, Path(folder) / "model", None)
        size = sum(path.stat().st_size for path in directory.iterdir())
        print(f"{len(stored)} entries: {trained.seconds:.0f} s to train, {size / 1e6:.1f} MB")
        for kind, figures in trained.search_figures.items():
            print(f"   own noise, {kind}: hit@1 {100 * figures.hit_1:.1f}")
        asked = [text + "怎么办" for text in chosen[::500]]
        (directory.parent / "asked.json").write_text(json.dumps(asked), encoding="utf-8")
        command = [sys.executable, "-m", "benchmarks.matching_search", folder]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
