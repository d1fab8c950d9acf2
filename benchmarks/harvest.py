"""Calls that a harvest saves: a small model with few labels learns what it had to ask.

    python -m benchmarks.harvest FOLDER [NAME ...] [--rounds 5] [--share 0.1] [--json FILE]

A small model starts from a share of the labels. The other texts of the training set come in as
many parts as there are rounds. In each round a policy is calibrated on half of the pool (texts
that no model saw), a cascade answers the part, what it passed on is harvested from its log, and the
small model is trained anew, from the one before, on the harvest and the first labels.

The large model is one that was trained on all labels: it has seen the texts that come in, and is
righter about them than about others; both accuracies are printed. The other half of the pool
measures: accuracy, share answered at the promise, errors among those answers.

calls           share of the part that the large model was asked
without         the same for the model of the first round, had it never learnt
broken          share of draws in which the promise was not kept: the whole pool is the truth, and
                what calibrates is drawn from it with replacement (see benchmarks.cooperation)
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import sparrowlm as sp
from benchmarks.classification_data import Rows
from benchmarks.cooperation import answers_of, splits
from benchmarks.cooperation_data import kept_or_trained, read_set
from sparrowlm.api.model import Model
from sparrowlm.cooperation.asking import Question
from sparrowlm.cooperation.calibrating import CalibrationSettings, calibrated
from sparrowlm.cooperation.calibrators import judged_answers
from sparrowlm.cooperation.cascade import Cascade
from sparrowlm.cooperation.decision_log import DecisionLog
from sparrowlm.cooperation.harvesting import harvest
from sparrowlm.cooperation.judged_rows import JudgedRow
from sparrowlm.cooperation.local_large import LocalLarge
from sparrowlm.cooperation.policy import Policy
from sparrowlm.cooperation.promise import PromiseSettings

NAMES = ("banking77", "thucnews")
_COLUMNS = (
    "round", "rows", "accuracy", "coverage", "errors", "broken", "calls", "without", "harvested",
    "seconds",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--share", type=float, default=0.1, help="of the labels, at the start")
    parser.add_argument("--max-error", type=float, default=0.05)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = {}
    for name in options.names:
        loop = _Loop(name, options.folder, options.share, options.max_error)
        found[name] = {"facts": loop.facts(), "rounds": loop.rounds(options.rounds)}
        report(name, found[name])
    if options.json is not None:
        options.json.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")


class _Loop:
    """One set: what is known at the start, what comes in, what measures."""

    _num_draws = 100

    def __init__(self, name: str, folder: Path, share: float, max_error: float) -> None:
        rows = read_set(name)
        random = np.random.default_rng(0)
        order = random.permutation(len(rows.train))
        num_start = round(share * len(order))
        self._start = [rows.train[int(n)] for n in order[:num_start]]
        self._stream = [rows.train[int(n)] for n in order[num_start:]]
        pool = [rows.pool[int(n)] for n in random.permutation(len(rows.pool))]
        half = len(pool) // 2
        self._calibration, self._test = pool[:half], pool[half:]
        self._settings = CalibrationSettings(promise=PromiseSettings(max_error, 0.9))
        self._large = kept_or_trained(folder, name, "large")
        self._work = folder / f"{name}-harvest"
        self._work.mkdir(parents=True, exist_ok=True)
        self._labelled = self._work / "labelled.jsonl"
        write(self._labelled, self._start)

    def facts(self) -> dict[str, Any]:
        return {
            "start_rows": len(self._start),
            "stream_rows": len(self._stream),
            "calibration_rows": len(self._calibration),
            "test_rows": len(self._test),
            "large_accuracy_stream": accuracy(self._large, self._stream),
            "large_accuracy_test": accuracy(self._large, self._test),
        }

    def rounds(self, number: int) -> list[dict[str, Any]]:
        harvested = self._work / "harvest.jsonl"
        harvested.unlink(missing_ok=True)
        model = first = self._trained(0, None)
        first_policy: Policy | None = None
        found = []
        for turn, part in enumerate(np.array_split(np.arange(len(self._stream)), number)):
            began = time.perf_counter()
            texts = [self._stream[int(n)][0] for n in part]
            policy = self._policy(model)
            first_policy = first_policy or policy
            log = self._work / f"log-{turn}.jsonl"
            log.unlink(missing_ok=True)
            calls = share_asked(model, policy, texts, self._large, log)
            report = harvest([log], harvested)
            found.append({
                "round": turn, "rows": len(self._start) + (found[-1]["harvested"] if found else 0),
                **self._measured(model, policy), "calls": calls,
                "without": share_asked(first, first_policy, texts),
                "harvested": report.num_rows,
            })  # fmt: skip
            model = self._trained(turn + 1, harvested)
            found[-1]["seconds"] = time.perf_counter() - began
            print(json.dumps(found[-1]), flush=True)
        rows = len(self._start) + found[-1]["harvested"]
        last = self._measured(model, self._policy(model))
        return [*found, {"round": number, "rows": rows, **last}]

    def _trained(self, turn: int, harvested: Path | None) -> Model:
        """Train a model: from the first labels, or from the one before, what was harvested too."""
        output = self._work / f"model-{turn}"
        lessons: dict[str, Any] = {}
        if harvested is not None:
            lessons = {"start_from": self._work / f"model-{turn - 1}", "replay": self._labelled}
        return sp.train(
            harvested or self._labelled, output=output, task="classify", model="linear",
            size="5MB", minutes=1.0, **lessons,
        )  # fmt: skip

    def _policy(self, model: Model) -> Policy:
        rows = [JudgedRow(Question(text), (label,)) for text, label in self._calibration]
        return calibrated(model, rows, self._settings).policy

    def _measured(self, model: Model, policy: Policy) -> dict[str, float]:
        answers = answers_of(model, self._test)
        right = np.array([
            one.answer == label for one, (_text, label) in zip(answers, self._test, strict=True)
        ])  # fmt: skip
        scores = [policy.calibrator.calibrated(one)[1] for one in answers]
        is_given = np.array(scores) >= policy.promise.threshold
        pool = [*self._calibration, *self._test]
        truths = [(label,) for _text, label in pool]
        judged = judged_answers(answers_of(model, pool), truths, tuple(model.labels))
        drawn = splits(judged, self._num_draws, self._settings.promise)
        return {
            "broken": drawn["exact"],
            "accuracy": float(right.mean()),
            "coverage": float(is_given.mean()),
            "errors": float(1 - right[is_given].mean()) if is_given.any() else 0.0,
        }


def share_asked(
    model: Model, policy: Policy, texts: Sequence[str],
    large: Model | None = None, log: Path | None = None,
) -> float:  # fmt: skip
    """Answer texts with a cascade; without a large model, count what would be asked."""
    kept = None if log is None else DecisionLog(log, keeps_text=True)
    cascade = Cascade(model, policy, None if large is None else LocalLarge(large), kept)
    asked = sum(one.decision.action != "answer" for one in cascade.answers(texts, 1))
    if kept is not None:
        kept.close()
    return asked / len(texts)


def accuracy(model: Model, rows: Rows) -> float:
    answers = answers_of(model, rows)
    return float(np.mean([a.answer == label for a, (_t, label) in zip(answers, rows, strict=True)]))


def write(path: Path, rows: Rows) -> None:
    lines = (json.dumps({"text": text, "label": label}) for text, label in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def report(name: str, found: dict[str, Any]) -> None:
    """Print a table as Markdown."""
    facts = found["facts"]
    print(f"\n{name}: {json.dumps(facts)}")
    print("| " + " | ".join(_COLUMNS) + " |\n|" + "---|" * len(_COLUMNS))
    for row in found["rounds"]:
        cells = [
            f"{row[c]:.3f}" if isinstance(row.get(c), float) else row.get(c, "") for c in _COLUMNS
        ]
        print("| " + " | ".join(map(str, cells)) + " |")
    done = [row for row in found["rounds"] if "calls" in row]
    calls, without = (float(np.mean([row[c] for row in done])) for c in ("calls", "without"))
    print(
        f"calls over all rounds: {calls:.3f} of the texts; without harvest {without:.3f}:"
        f" {1 - calls / max(without, 1e-9):.0%} saved; in the last round"
        f" {1 - done[-1]['calls'] / max(done[-1]['without'], 1e-9):.0%}",
        flush=True,
    )


if __name__ == "__main__":
    main()
