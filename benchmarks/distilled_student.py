"""A small model that never saw a gold label: what it loses, and what killing its labelling costs.

    python -m benchmarks.distilled_student FOLDER [NAME ...] [--rows 5000] [--kills 20]

A teacher learns half of the training texts with their labels. A server on loopback plays the large
model: it answers, token by token, with the teacher's labels and probabilities. `sparrow label`
asks it about the other half, without labels, and is killed with -9 again and again; then students
of the same size and recipe learn the other half three times:

gold        from the true labels
labels      from those that the server chose
shares      from the probabilities that its tokens tell (LabelJob.is_soft)

All are measured on the pool, which nobody saw. For killing, see benchmarks.labelling_kills.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import sparrowlm as sp
from benchmarks.classification_data import Rows
from benchmarks.cooperation import answers_of
from benchmarks.cooperation_data import read_set
from benchmarks.labelling_kills import ROOT, killed_once
from benchmarks.stand_ins import MODEL, StandIn, answered, choice_tokens, kept
from sparrowlm.api.model import Model

NAMES = ("banking77", "thucnews")
_TOPS = 20
_MARKS = ("\nText:\n", "\n文本：\n")
_LEAST_SHARE = 1e-6


class Teaching(StandIn):
    """Answers with a teacher's label, and its probabilities where they are asked for.

    Args:
        shares: of every label, by text.
        log: where every answer that was written to the last byte is told.
        delay_s: of an answer.
    """

    def __init__(self, shares: dict[str, dict[str, float]], log: Path, delay_s: float) -> None:
        self._shares = shares
        self._log = log.open("a", encoding="utf-8")
        super().__init__(answer=self._said, delay_s=delay_s)

    def _of(self, body: dict[str, Any]) -> dict[str, float]:
        asked = body["messages"][-1]["content"]
        mark = next(mark for mark in _MARKS if mark in asked)
        return self._shares[asked.partition(mark)[2]]

    def _said(self, body: dict[str, Any]) -> str:
        return json.dumps({"label": next(iter(self._of(body)))}, ensure_ascii=False)

    def found(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        plain = {name: value for name, value in body.items() if name != "logprobs"}
        found: dict[str, Any] = super().found(path, plain)
        if body.get("logprobs"):
            shares = self._of(body)
            tokens = choice_tokens(shares, next(iter(shares)), num_signs=2, most=_TOPS)
            found["choices"][0]["logprobs"] = {"content": tokens}
        return found

    async def _respond(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        head: bytes,
        content: bytes,
    ) -> None:
        await super()._respond(reader, writer, head, content)
        self._log.write(content.decode() + "\n")
        self._log.flush()

    def close(self) -> None:
        super().close()
        self._log.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--delay", type=float, default=0.02, help="seconds of an answer")
    parser.add_argument("--minutes", type=float, default=3.0, help="of the teacher")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = {name: measured(name, options) for name in options.names}
    if options.json is not None:
        options.json.write_text(json.dumps(found, ensure_ascii=False, indent=1), encoding="utf-8")
    report(found)


def measured(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Measure one set."""
    rows = read_set(name)
    order = np.random.default_rng(1).permutation(len(rows.train))
    taught = [rows.train[int(n)] for n in order[: len(order) // 2]]
    known = {text for text, _label in taught}
    unique = dict(rows.train[int(n)] for n in order[len(order) // 2 :])
    # The command leaves out white space at the ends, and texts of nothing else.
    silent = [(t, label) for t, label in unique.items() if t not in known and t == t.strip() and t]
    silent = silent[: options.rows]
    work = options.folder / f"{name}-distilled"
    work.mkdir(parents=True, exist_ok=True)
    teacher = trained(work / "teacher", taught, minutes=options.minutes, size="12MB", model="auto")
    answers = answers_of(teacher, silent)
    shares = {
        text: {label: max(share, _LEAST_SHARE) for label, share in one.shares.items()}
        for (text, _label), one in zip(silent, answers, strict=True)
    }
    labelling = labelled(work, list(shares), teacher.labels, options, shares)
    facts = {"taught": len(taught), "rows": len(silent), "pool": len(rows.pool), **labelling}
    right = [one.answer == label for one, (_t, label) in zip(answers, silent, strict=True)]
    facts["teacher_on_rows"] = float(np.mean(right))
    facts["teacher"] = accuracy(teacher, rows.pool)
    for way, data in (("gold", silent), ("labels", None), ("shares", None)):
        model = trained(work / way, data, source=work / f"{way}.jsonl")
        facts[way] = accuracy(model, rows.pool)
    print(json.dumps({name: facts}), flush=True)
    return facts


def labelled(
    work: Path, texts: list[str], labels: tuple[str, ...], options: argparse.Namespace,
    shares: dict[str, dict[str, float]],
) -> dict[str, Any]:  # fmt: skip
    """Ask for labels with kills, and for probabilities without; say what was paid for."""
    source = work / "texts.jsonl"
    write(source, [{"text": text} for text in texts])
    facts: dict[str, Any] = {}
    for way, num_kills in (("labels", options.kills), ("shares", 0)):
        output, log = work / f"{way}.jsonl", work / f"{way}.log"
        for path in (output, log, *work.glob(f"{way}.jsonl.state/*")):
            path.unlink(missing_ok=True)
        with Teaching(shares, log, options.delay) as server:
            cap = len(texts) + 8 * num_kills
            words = [sys.executable, "-m", "sparrowlm", "label", str(source), "--large", server.url]
            words += ["--model", MODEL, "-o", str(output), "--json", "--concurrent", "8"]
            words += ["--max-calls", str(cap), "--labels", *labels]
            words += ["--soft"] if way == "shares" else []
            began = time.perf_counter()
            paid_twice, was_kept = killed(words, log, output, server.url, num_kills)
            done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
            told = json.loads(done.stdout) if done.returncode == 0 else sys.exit(done.stderr)
            seconds = time.perf_counter() - began
            keys = answered(log, server.url)
        rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
        paid_twice += sum(key in was_kept[1] for key in keys[was_kept[0] :])
        facts[f"{way}_labelling"] = {
            "in_order": [row["text"] for row in rows] == texts, "answers": len(keys),
            "paid_twice": paid_twice, "calls": told["calls"], "cap": cap, "kills": num_kills,
            "lost_on_the_wire": len(keys) - len(set(keys)) - paid_twice, "seconds": seconds,
        }  # fmt: skip
    return facts


def killed(
    words: list[str], log: Path, output: Path, url: str, num_kills: int
) -> tuple[int, tuple[int, set[bytes]]]:
    """Kill the command at random moments; return what was paid for twice, and what is known."""
    chance = random.Random(3)
    paid_twice, num_seen, was_kept = 0, 0, set[bytes]()
    for _kill in range(num_kills):
        if not killed_once(words, log, chance):
            sys.exit("The labelling ended before all kills: give more rows, or a longer delay.")
        keys = answered(log, url)
        paid_twice += sum(key in was_kept for key in keys[num_seen:])
        was_kept, num_seen = kept(output), len(keys)
    return paid_twice, (num_seen, was_kept)


def trained(
    output: Path, rows: Rows | None, *, source: Path | None = None, minutes: float = 1.0,
    size: str = "5MB", model: str = "linear",
) -> Model:  # fmt: skip
    """Train a classifier on rows, or on a file; a teacher of an earlier run is taken as it is."""
    if source is None:
        source = output.with_suffix(".jsonl")
        if (output / "sparrow.json").is_file():
            return sp.load(output)
    if rows is not None:
        write(source, [{"text": text, "label": label} for text, label in rows])
    return sp.train(source, output=output, task="classify", minutes=minutes, size=size, model=model)


def accuracy(model: Model, rows: Rows) -> float:
    pairs = zip(answers_of(model, rows), rows, strict=True)
    return float(np.mean([one.answer == label for one, (_text, label) in pairs]))


def write(path: Path, rows: list[dict[str, str]]) -> None:
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def report(found: dict[str, dict[str, Any]]) -> None:
    """Print the table as Markdown."""
    shown: Callable[[float], str] = "{:.3f}".format
    print("\n| set (rows, pool) | teacher | gold | labels | shares | labels - gold | kills, paid"
          " twice, lost, calls / cap |\n" + "|---" * 7 + "|")  # fmt: skip
    for name, one in found.items():
        told = one["labels_labelling"]
        cells = [shown(one[way]) for way in ("teacher", "gold", "labels", "shares")]
        cells.append(f"{100 * (one['labels'] - one['gold']):+.1f}")
        names = ("kills", "paid_twice", "lost_on_the_wire", "calls")
        cells.append(", ".join(str(told[key]) for key in names) + f" / {told['cap']}")
        print(f"| {name} ({one['rows']:,}, {one['pool']:,}) | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
