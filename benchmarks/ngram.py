"""The n-gram: nats per character, seconds to build, ids scored per second, size.

    python -m benchmarks.ngram [--numpy]

The order and the discounts are chosen on a twentieth of the training text, which is then counted
whole; validation and test texts are only scored. --numpy switches the compiled part off.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np

from benchmarks.data import read_text
from sparrowlm.foundation.native_part import native_part
from sparrowlm.models.ngram import NgramModel, train_ngram

_NOVELS = ("sanguo", "shuihu", "xiyou")
_UNKNOWN = 1


def encoded(texts: list[str], numbers: dict[str, int]) -> np.ndarray:
    ids = [0]
    for text in texts:
        ids += [numbers.get(character, _UNKNOWN) for character in text]
        ids.append(0)
    return np.array(ids, dtype=np.uint16)


def nats(model: NgramModel, ids: np.ndarray) -> float:
    """The mean loss per character; the ends of the texts are left out."""
    scored = np.flatnonzero(ids)
    return float(-np.log(model.score(ids).probabilities_TN[scored, -1]).mean())


def seconds_of(work) -> tuple[float, float, object]:  # noqa: ANN001
    began, cpu = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - began, time.process_time() - cpu, result


def report(name: str, train: list[str], test: list[str]) -> None:
    numbers = {c: i for i, c in enumerate(sorted(set("".join(train))), start=2)}
    ids, other, vocab_size = encoded(train, numbers), encoded(test, numbers), len(numbers) + 2
    print(f"\n{name}: {len(ids):,} characters, {vocab_size:,} different ones")
    wall, cpu, model = seconds_of(lambda: train_ngram(ids, vocab_size))
    assert isinstance(model, NgramModel)
    size = model.size_bytes() / 1e6
    print(f"  built in {wall:.2f} s ({cpu:.2f} s CPU): order {model.order}, {size:.2f} MB")
    loss = nats(model, other)
    print(f"  {loss:.4f} nats per character, {loss / np.log(2):.4f} bits")
    for left_out in (False, True):
        wall, cpu, _ = seconds_of(lambda chosen=left_out: model.score(ids, leave_one_out=chosen))
        kind = "leaving one out" if left_out else "scoring"
        print(f"  {kind}: {len(ids) / wall:,.0f} ids/s, {len(ids) / cpu:,.0f} per CPU second")
    for order in range(max(1, model.order - 4), model.order + 1):
        plain = train_ngram(ids, vocab_size, order=order)
        print(f"  order {order}, Chen and Goodman's discounts: {nats(plain, other):.4f} nats")
    for share in (0.5, 0.2):
        limit = int(model.size_bytes() * share)
        small = train_ngram(ids, vocab_size, max_bytes=limit)
        print(f"  pruned to {limit / 1e6:.2f} MB: {nats(small, other):.4f} nats")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numpy", action="store_true")
    if parser.parse_args().numpy:
        os.environ["SPARROW_NATIVE"] = "0"
    print("compiled part:", "no" if native_part() is None else "yes")
    shakespeare = "lm/tinyshakespeare"
    train, test = read_text(f"{shakespeare}/train.txt.xz"), read_text(f"{shakespeare}/val.txt")
    report("tinyshakespeare, validation", [train], [test])
    train_texts = [read_text(f"lm/novels_zh/{novel}.train.txt.xz") for novel in _NOVELS]
    test_texts = [read_text(f"lm/novels_zh/{novel}.test.txt") for novel in _NOVELS]
    report("novels_zh, test", train_texts, test_texts)


if __name__ == "__main__":
    main()
