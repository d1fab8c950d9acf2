"""How far a small model's promise goes, and what asking a larger one is worth.

    python -m benchmarks.cooperation FOLDER [NAME ...] [--splits 200] [--max-error 5%] [--json FILE]

FOLDER keeps the trained models: a second run trains nothing. Every set has texts that no model saw
(the pool); each split draws half of them to calibrate and measures on the other half.

broken      share of splits in which more of the answers given on the other half were wrong than
            promised. The other half is a sample too: it counts a promise as broken where only its
            own luck was bad, and what is luck for one half is bad luck for the other.
exact       the same where rows are drawn with replacement from the pool and the pool is the truth:
            what the promise is about, without a second sample's luck.
coverage    share of the other half that is answered: of a naive threshold, and of a proven one.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cooperation_data import MODELS, SETS, kept_or_trained, read_set
from sparrowlm.api.model import Model
from sparrowlm.cooperation.asking import LargeAnswer, LargeRequest, Question
from sparrowlm.cooperation.calibrating import (
    CalibrationSettings,
    calibrated,
    divided,
)
from sparrowlm.cooperation.calibrators import chosen_ranker, chosen_scale, judged_answers
from sparrowlm.cooperation.cascade import Cascade
from sparrowlm.cooperation.confidence import Confident, confident_answers
from sparrowlm.cooperation.decision_log import DecisionLog
from sparrowlm.cooperation.judged_rows import JudgedRow
from sparrowlm.cooperation.promise import (
    Promise,
    PromiseSettings,
    Scored,
    naive_threshold,
    promised,
)
from sparrowlm.cooperation.rankers import Judged
from sparrowlm.cooperation.trade_off import trade_off
from sparrowlm.foundation.errors import DataError
from sparrowlm.tasks.calibration import calibration_error

_ACCURACIES = (0.95, 0.98, 0.99)
_OVERHEAD_TEXTS = 500
PAIRS = (("tenth", "large"), ("tiny", "large"), ("small", "large"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=list(SETS))
    parser.add_argument("--splits", type=int, default=200)
    parser.add_argument("--max-error", type=float, default=0.05)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    settings = PromiseSettings(options.max_error, 0.9)
    found = {}
    for name in options.names:
        found[name] = measured(name, options.folder, options.splits, settings)
        print(json.dumps({name: found[name]}, ensure_ascii=False), flush=True)
    if options.json is not None:
        options.json.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")
    report(found)


def measured(name: str, folder: Path, num_splits: int, settings: PromiseSettings) -> dict[str, Any]:
    """Measure one set."""
    pool = read_set(name).pool
    models = {role: kept_or_trained(folder, name, role) for role in MODELS}
    truths = [(label,) for _text, label in pool]
    answers = {role: answers_of(model, pool) for role, model in models.items()}
    right = {
        role: np.array([one.answer in true for one, true in zip(given, truths, strict=True)])
        for role, given in answers.items()
    }
    labels = tuple(models["small"].labels)
    judged = judged_answers(answers["small"], truths, labels)
    scores = judged.evidence.confidence_B
    facts: dict[str, Any] = {
        "texts": len(pool),
        "bytes": {role: model.num_bytes() for role, model in models.items()},
        "accuracy": {role: float(flags.mean()) for role, flags in right.items()},
        "coverage_at": {
            f"{share:g}": float((scores >= naive_threshold(
                Scored(scores, ~right["small"]), 1 - share
            )).mean())
            for share in _ACCURACIES
        },
        **splits(judged, num_splits, settings),
        "overhead_ms": overhead(models["small"], pool, folder),
    }  # fmt: skip
    for pair in PAIRS:
        facts["-".join(pair)] = routed(answers[pair[0]], right[pair[0]], right[pair[1]])
    return facts


def answers_of(model: Model, pool: Sequence[tuple[str, str]]) -> list[Confident]:
    return list(confident_answers(model, [Question(text) for text, _label in pool]))


def splits(judged: Judged, num_splits: int, settings: PromiseSettings) -> dict[str, Any]:
    """Calibrate on one half and measure on the other, many times."""
    random = np.random.default_rng(0)
    count = len(judged.is_right_B)
    rows = []
    for split in range(num_splits):
        order = random.permutation(count)
        halves = order[: count // 2], order[count // 2 :]
        drawn = random.integers(0, count, count // 2)
        rows.append(
            one_split(judged, *halves, settings, split)
            | exact_split(judged, drawn, settings, split)
        )
    means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
    means["coverage_ratio"] = means["coverage"] / max(means["coverage_naive"], 1e-9)
    means["calibration_rows"] = count // 2
    return means


def one_split(
    judged: Judged, known: np.ndarray, new: np.ndarray, settings: PromiseSettings, seed: int
) -> dict[str, float]:
    scores, given, threshold = calibration(judged, known, settings, seed)
    wrong = ~judged.is_right_B
    naive = naive_threshold(Scored(scores[known], wrong[known]), settings.max_error)
    raw = judged.evidence.confidence_B[new]
    return {
        "ece_raw": calibration_error(raw, judged.is_right_B[new]),
        "ece": calibration_error(given[new], judged.is_right_B[new]),
        "refused": float(threshold == np.inf),
        "coverage_naive": float((scores[new] >= naive).mean()),
        "coverage": float((scores[new] >= threshold).mean()),
        "broken_naive": risk(scores[new], wrong[new], naive) > settings.max_error,
        "broken": risk(scores[new], wrong[new], threshold) > settings.max_error,
    }


def exact_split(
    judged: Judged, drawn: np.ndarray, settings: PromiseSettings, seed: int
) -> dict[str, float]:
    """Calibrate on rows drawn with replacement; the pool they are drawn from is the truth."""
    scores, _given, threshold = calibration(judged, drawn, settings, seed)
    wrong = ~judged.is_right_B
    naive = naive_threshold(Scored(scores[drawn], wrong[drawn]), settings.max_error)
    return {
        "exact_naive": risk(scores, wrong, naive) > settings.max_error,
        "exact": risk(scores, wrong, threshold) > settings.max_error,
    }


def calibration(
    judged: Judged, known: np.ndarray, settings: PromiseSettings, seed: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return scores and confidence of all rows, and the threshold: as calibrating.py does."""
    scale_rows, proof_rows = (known[rows] for rows in divided(len(known), seed))
    _way, ranker = chosen_ranker(judged.part(scale_rows), seed)
    scores = ranker.scores(judged.evidence)
    _way, scale = chosen_scale(scores[known], judged.is_right_B[known], seed)
    rows = Scored(scores, ~judged.is_right_B)
    found = promised(rows.part(proof_rows), rows.part(scale_rows), settings)
    threshold = found.threshold if isinstance(found, Promise) else np.inf
    return scores, scale.probabilities(scores), threshold


def risk(scores: np.ndarray, wrong: np.ndarray, threshold: float) -> float:
    is_given = scores >= threshold
    return float(wrong[is_given].mean()) if is_given.any() else 0.0


def routed(answers: list[Confident], small: np.ndarray, large: np.ndarray) -> dict[str, Any]:
    """Measure what passing questions on is worth."""
    scores = np.array([one.confidence for one in answers])
    found = trade_off(scores, small, large).as_json()
    return {name: found[name] for name in ("average_gap_recovered", "calls_for_gap")} | {
        "gap": found["large_accuracy"] - found["small_accuracy"]
    }


class _Silent:
    """A large model that answers at once."""

    def answer(self, request: LargeRequest, deadline: float) -> LargeAnswer:
        return LargeAnswer(request.answer)


def overhead(model: Model, pool: Sequence[tuple[str, str]], folder: Path) -> float:
    """Return the 95th percentile of the time besides the two models, with a log, ms."""
    rows = [JudgedRow(Question(text), (label,)) for text, label in pool]
    policy = None
    for max_error in (0.05, 0.1, 0.2, 0.4):
        try:
            settings = CalibrationSettings(promise=PromiseSettings(max_error, 0.9))
            policy = calibrated(model, rows, settings).policy
            break
        except DataError:
            continue
    assert policy is not None
    log_path = folder / "overhead.jsonl"
    log_path.unlink(missing_ok=True)
    times = []
    with DecisionLog(log_path) as log:
        cascade = Cascade(model, policy, _Silent(), log)
        for text, _label in pool[:_OVERHEAD_TEXTS]:
            began = time.perf_counter()
            found = cascade.answer(text)
            whole = 1000 * (time.perf_counter() - began)
            times.append(whole - found.small_ms - found.large_ms)
    return float(np.quantile(times, 0.95))


def report(found: dict[str, dict[str, Any]]) -> None:
    """Print the tables as Markdown."""
    print(
        "\n| set (texts, rows) | tenth / tiny / small / large | ECE raw → calibrated | coverage at"
        " 95 / 98 / 99 % | broken naive → proven | exact naive → proven | coverage naive → proven"
        " | ratio | overhead p95 |"
    )
    print("|" + "---|" * 9)
    for name, one in found.items():
        accuracy = " / ".join(f"{one['accuracy'][role]:.3f}" for role in MODELS)
        coverage = " / ".join(f"{value:.3f}" for value in one["coverage_at"].values())
        print(
            f"| {name} ({one['texts']:,}, {one['calibration_rows']:,}) | {accuracy}"
            f" | {one['ece_raw']:.3f} → {one['ece']:.3f} | {coverage}"
            f" | {one['broken_naive']:.3f} → {one['broken']:.3f}"
            f" | {one['exact_naive']:.3f} → {one['exact']:.3f}"
            f" | {one['coverage_naive']:.3f} → {one['coverage']:.3f}"
            f" | {one['coverage_ratio']:.3f} | {one['overhead_ms']:.2f} ms |"
        )
    means = {
        key: np.mean([one[key] for one in found.values()])
        for key in ("ece_raw", "ece", "broken_naive", "broken", "exact_naive", "exact")
    }
    print(
        f"| **pooled** | | {means['ece_raw']:.3f} → {means['ece']:.3f} | "
        f"| {means['broken_naive']:.3f} → {means['broken']:.3f} "
        f"| {means['exact_naive']:.3f} → {means['exact']:.3f} | | | |"
    )
    print("\n| set | pair | gap | APGR | calls for 50 / 80 / 95 % of the gap |\n|" + "---|" * 5)
    for name, one in found.items():
        for pair in map("-".join, PAIRS):
            routing = one[pair]
            if routing["average_gap_recovered"] is None:
                print(f"| {name} | {pair} | {routing['gap']:+.3f} | – | – |")
                continue
            calls = " / ".join(f"{100 * share:.0f}" for share in routing["calls_for_gap"].values())
            print(
                f"| {name} | {pair} | {routing['gap']:+.3f}"
                f" | {routing['average_gap_recovered']:.2f} | {calls} % |"
            )


if __name__ == "__main__":
    main()
