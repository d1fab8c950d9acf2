"""What every ingredient of the recipe is worth: small changes to the base, three seeds each.

    python -m benchmarks.ablations --out runs.jsonl [--steps 200] [--seeds 3] [--only NAME ...]
    python -m benchmarks.ablations --out runs.jsonl --table

Base and variants see equally many characters of tinyshakespeare; its validation text is scored in
half-overlapping windows, nats per character. Every finished run is appended to --out at once, and
what stands there is not run again. The base's networks lie beside it, for the ensembles. Run it
with OMP_NUM_THREADS=1: times are processor seconds of the training, compared within one seed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import torch

from benchmarks.ablation_networks import (
    ExperimentalModel,
    Features,
    causal_and_masked,
    distilled,
    teachers,
    two_ids,
)
from benchmarks.ablation_training import (
    WINDOW,
    Recipe,
    corpus,
    mixture_nats,
    nats_per_character,
    train,
    window_nats,
)

BASE = Recipe(average_decays=(0.98, 0.0, 0.99), is_mixed=True)
PLAIN = Recipe(features=Features(is_plain=True))
FEW = Recipe(text_share=0.05)


@dataclass(frozen=True, slots=True)
class Variant:
    """A recipe, the number of its ingredient in the list, and what it is compared with.

    Attributes:
        name: in the file of runs.
        ingredient: number and name.
        recipe: how to train.
        base: whose loss is subtracted.
        time_base: whose time divides: plain torch stands beside plain torch.
        mixture_base: whose mixture is subtracted: scored on the same positions.
    """

    name: str
    ingredient: str
    recipe: Recipe
    base: str = "base"
    time_base: str = "base"
    mixture_base: str = "base"


def _featured(name: str, ingredient: str, features: Features, **others: Any) -> Variant:  # noqa: ANN401
    is_inner = features.changes_layers()
    recipe = Recipe(features=features, **others)
    return Variant(name, ingredient, recipe, time_base="plain" if is_inner else "base")


def _schedule(name: str, share: float | None) -> Variant:
    return Variant(name, "8 schedule", Recipe(cool_down_share=share))


def _few(name: str, dropout: float, decay: float) -> Variant:
    recipe = replace(FEW, dropout=dropout, weight_decay=decay)
    return Variant(name, "4 repeated text", recipe, base="5 % of the text")


VARIANTS = (
    Variant("base", "base", BASE),
    Variant("AdamW 0.004, decay 0.1", "2 optimizer", Recipe(optimizer="adamw", weight_decay=0.1)),
    Variant(
        "AdamW 0.002, decay 0.1", "2 optimizer",
        Recipe(optimizer="adamw", other_rate=0.002, weight_decay=0.1),
    ),
    _featured("bigrams", "3 n-grams at the input", Features(ngram_orders=(2,)), is_mixed=True),
    _featured(
        "bigrams and trigrams", "3 n-grams at the input", Features(ngram_orders=(2, 3)),
        is_mixed=True,
    ),
    Variant("plain", "base", PLAIN),
    _featured("x0 shortcut", "6 norms and start", Features(has_shortcut=True)),
    _featured("no QK norm", "6 norms and start", Features(normalises_queries=False)),
    _featured("residual start 0.02", "6 norms and start", Features(residual_init=0.02)),
    _featured("ReLU²", "6 norms and start", Features(is_relu_squared=True)),
    _featured("values from x0", "7 value embeddings", Features(values="projection")),
    _featured("values from a table", "7 value embeddings", Features(values="table")),
    _schedule("cosine", None),
    _schedule("cool-down 100 %", 1.0),
    _schedule("cool-down 40 %", 0.4),
    _schedule("cool-down 20 %", 0.2),
    Variant("batch 1024", "9 batch", Recipe(batches=(8,))),
    Variant("batch 4096", "9 batch", Recipe(batches=(32,))),
    Variant("batch 1024, 2048, 4096", "9 batch", Recipe(batches=(8, 16, 32))),
    Variant("Muon 0.02", "2 optimizer", Recipe(matrix_rate=0.02)),
    Variant(
        "twice the targets", "length",
        Recipe(length=2.0, average_decays=(0.98, 0.0), is_mixed=True),
    ),
    _featured("untied", "10 output", Features(is_untied=True)),
    Variant("5 % of the text", "4 repeated text", FEW),
    _few("5 %, dropout 0.1", 0.1, 0.0),
    _few("5 %, dropout 0.2", 0.2, 0.0),
    _few("5 %, decay 0.1", 0.0, 0.1),
    _few("5 %, decay 1", 0.0, 1.0),
    Variant("BPE 512", "1 vocabulary", Recipe(vocabulary=512)),
    Variant("BPE 1024", "1 vocabulary", Recipe(vocabulary=1024)),
    Variant("BPE 4096", "1 vocabulary", Recipe(vocabulary=4096)),
    Variant(
        "BPE 1024, equal targets", "1 vocabulary",
        Recipe(vocabulary=1024, counts_characters=False, is_mixed=True),
        mixture_base="characters, mixed on all",
    ),
    Variant("7 layers of 96", "shape", Recipe(width=96, layers=7, head_width=32)),
    Variant(
        "3 layers of 160", "shape",
        Recipe(width=160, layers=3, head_width=32, feed_forward=384),
    ),
    Variant("1 KV head", "shape", Recipe(kv_heads=1)),
    _featured(
        "masked batches 15 %", "11 masked and causal", Features(num_extra_ids=1),
        objective=causal_and_masked,
    ),
    _featured(
        "two ids predicted", "12 late tricks", Features(predicts_two=True), objective=two_ids
    ),
    Variant("decay 0.1", "12 late tricks", Recipe(weight_decay=0.1)),
    Variant(
        "cautious decay 0.1", "12 late tricks", Recipe(optimizer="cautious", weight_decay=0.1)
    ),
    Variant("distilled from 3", "5 ensemble", Recipe(objective=distilled)),
    _schedule("cool-down 10 %", 0.1),
)  # fmt: skip


class Runs:
    """The finished runs of a file, one JSON object a line."""

    def __init__(self, path: Path, num_steps: int) -> None:
        self._path, self._num_steps = path, num_steps
        self.networks = path.with_suffix(".networks")
        self.networks.mkdir(parents=True, exist_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        # The last line of a killed run may be cut; that run is done again.
        whole = [json.loads(line) for line in lines if line.endswith("}")]
        self.rows = {(row["variant"], row["seed"]): row for row in whole}
        if any(row["steps"] != num_steps for row in whole):
            raise SystemExit(f"{path} holds runs of another --steps.")

    def has(self, variant: str, seed: int) -> bool:
        return (variant, seed) in self.rows

    def add(self, row: dict[str, Any]) -> None:
        row["steps"] = self._num_steps
        self.rows[row["variant"], row["seed"]] = row
        line = json.dumps(row, ensure_ascii=False)
        needs_end = self._path.exists() and not self._path.read_bytes().endswith(b"\n")
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n" * needs_end + line + "\n")
        print(time.strftime("%H:%M:%S"), line, flush=True)


def run(variant: Variant, seed: int, num_steps: int, runs: Runs) -> None:
    """Train once and score every average of the weights."""
    recipe = variant.recipe
    trained = train(recipe, seed, num_steps, runs.networks)
    row: dict[str, Any] = {
        "variant": variant.name, "ingredient": variant.ingredient, "seed": seed,
        "seconds": trained.seconds, "weights": sum(w.numel() for w in trained.model.parameters()),
    }  # fmt: skip
    first, *others = trained.averages
    # The main figure is written last: whoever finds it finds the others.
    for decay, average in zip(recipe.average_decays[1:], others, strict=True):
        average.swap()
        name = f"average {decay:g}" + ("" if variant.name == "base" else f", {variant.name}")
        nats = nats_per_character(trained.model, recipe.vocabulary)
        runs.add({**row, "variant": name, "ingredient": "average of weights", "nats": nats})
        average.swap()
    first.swap()
    if variant.name == "base":
        torch.save(trained.model.state_dict(), runs.networks / f"{seed}.pt")
    nats = nats_per_character(trained.model, recipe.vocabulary)
    mixed = (
        {"mixture": mixture_nats(trained.model, seed, recipe.vocabulary)} if recipe.is_mixed else {}
    )
    runs.add({**row, "nats": nats, **mixed})


def score_base(runs: Runs, num_seeds: int) -> None:
    """Score the base's networks together, and in other windows."""
    models = teachers(runs.networks, BASE.shape(corpus(None).vocab_size), num_seeds)
    jobs: list[tuple[str, str, tuple[int, ...], int, int]] = []
    for size in range(2, num_seeds + 1):
        name = f"average of {size} networks"
        jobs += [
            (name, "5 ensemble", members, WINDOW, WINDOW // 2)
            for members in combinations(range(num_seeds), size)
        ]
    for length, stride in ((128, 128), (128, 32), (256, 256), (256, 128)):
        name = f"windows of {length} every {stride}"
        jobs += [(name, "13 evaluation", (seed,), length, stride) for seed in range(num_seeds)]
    for name, ingredient, members, length, stride in jobs:
        # Groups of equal size are told apart by the seed they begin and end with.
        seed = members[0] if len(members) == 1 else 10 * members[0] + members[-1]
        if not runs.has(name, seed):
            nats = window_nats([models[member] for member in members], length, stride)
            row = {"variant": name, "ingredient": ingredient, "seed": seed, "nats": nats}
            runs.add({**row, "members": members})
    _mix_all_positions(runs, models)


def _mix_all_positions(runs: Runs, models: list[ExperimentalModel]) -> None:
    """Mix on the whole validation text, as byte pairs are: 60,000 characters are half of it."""
    name = "characters, mixed on all"
    for seed, model in enumerate(models):
        if not runs.has(name, seed):
            row = {**runs.rows["base", seed], "variant": name, "ingredient": "1 vocabulary"}
            runs.add({**row, "mixture": mixture_nats(model, seed, None, 1_000_000)})


def table(runs: Runs) -> Iterator[str]:
    """Yield the lines of a Markdown table: means, spreads, and differences seed by seed."""
    variants = {variant.name: variant for variant in VARIANTS}
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in runs.rows.values():
        groups[row["variant"]].append(row)
    heads = ("ingredient", "variant", "nats per character", "over base", "time", "weights")
    yield f"| {' | '.join((*heads, 'mixture', 'over base'))} |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, rows in sorted(groups.items(), key=lambda pair: _order(pair[1][0]["ingredient"])):
        variant = variants.get(name)
        # Averages of weights stand beside those of the run that they come from.
        base = variant.base if variant else name.partition(", ")[2] or "base"
        nats = _spread([row["nats"] for row in rows])
        more = _spread(_differences(rows, groups[base], "nats"), sign="+")
        ratio = _ratio(rows, groups[variant.time_base]) if variant else ""
        mixing = [row for row in rows if row.get("mixture")]
        mixed = _spread([row["mixture"] for row in mixing])
        mixed_base = variant.mixture_base if variant else base
        mixed_more = _spread(_differences(mixing, groups[mixed_base], "mixture"), sign="+")
        weights = f"{rows[0]['weights'] / 1e6:.2f}M" if rows[0].get("weights") else ""
        yield (
            f"| {rows[0]['ingredient']} | {name} | {nats} | {more} | {ratio} | {weights} "
            f"| {mixed} | {mixed_more} |"
        )


def _order(ingredient: str) -> tuple[int, str]:
    number = ingredient.split(maxsplit=1)[0]
    return (0 if ingredient == "base" else int(number) if number.isdigit() else 99, ingredient)


def _differences(
    rows: list[dict[str, Any]], against: list[dict[str, Any]], key: str
) -> list[float]:
    """Subtract the base's figure of the same seed, or its mean over the same seeds."""
    before = {row["seed"]: row[key] for row in against if row.get(key)}
    return [
        row[key] - statistics.mean(before[member] for member in members)
        for row in rows
        if (members := row.get("members", [row["seed"]])) and before.keys() >= set(members)
    ]


def _ratio(rows: list[dict[str, Any]], against: list[dict[str, Any]]) -> str:
    before = {row["seed"]: row["seconds"] for row in against}
    ratios = [
        r["seconds"] / before[r["seed"]] for r in rows if r["seconds"] and r["seed"] in before
    ]
    return f"{statistics.mean(ratios):.2f}" if ratios else ""


def _spread(values: list[float], sign: str = "") -> str:
    if not values:
        return ""
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):{sign}.4f}{spread} ({len(values)})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=[variant.name for variant in VARIANTS])
    parser.add_argument("--table", action="store_true", help="print what is there, run nothing")
    options = parser.parse_args()
    runs = Runs(options.out, options.steps)
    chosen = [v for v in VARIANTS if not options.only or v.name in options.only]
    for variant in () if options.table else chosen:
        for seed in range(options.seeds):
            if not runs.has(variant.name, seed):
                run(variant, seed, options.steps, runs)
    if not options.table and not options.only:
        score_base(runs, options.seeds)
    print("\n".join(table(runs)))


if __name__ == "__main__":
    main()
