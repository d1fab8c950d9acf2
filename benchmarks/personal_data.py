"""Personal data found in made-up lines: recall, exact places, false hits, and speed.

    python -m benchmarks.personal_data [--lines 10000]

Two of three lines are Chinese. Their numbers are made, and their check digits found, by code of the
tests' own (tests/personal_lines.py). False hits are counted on as many lines that only look alike:
wrong check digits, order numbers, versions, dates, amounts, hashes. Speeds are of one core
(processor time, best of five): "dense" is the lines, each in a message of usual length, "clean"
Chinese novels.
"""

from __future__ import annotations

import argparse
import collections
import sys
import time

from benchmarks.data import read_text
from benchmarks.stand_ins import harmless_lines, personal_lines
from sparrowlm.privacy.finding import find_personal

# What people write around what they give.
AROUND = (
    "您好，我上周在你们店里买的东西一直没有收到，客服让我把信息发过来：{}，麻烦尽快帮我处理一下。",
    "Hello, I wrote to you last week and nobody has answered yet, so here it is again: {} Thanks.",
)


def megabytes_per_second(text: str) -> float:
    find_personal(text[:1000])
    fastest = float("inf")
    for _attempt in range(5):
        began = time.process_time()
        find_personal(text)
        fastest = min(fastest, time.process_time() - began)
    return len(text.encode()) / fastest / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=10_000)
    parser.add_argument("--show", type=int, default=0, help="so many misses and false hits")
    options = parser.parse_args()
    rows = personal_lines(options.lines)
    counts: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0, 0, 0])
    shown = 0
    for line, kind, start, end in rows:
        items = find_personal(line)
        is_covered = any(item.start <= start and item.end >= end for item in items)
        is_exact = any((item.start, item.end) == (start, end) for item in items)
        is_named = any((item.start, item.end, item.kind) == (start, end, kind) for item in items)
        for number, value in enumerate((1, is_covered, is_exact, is_named)):
            counts[kind][number] += value
        if not is_named and shown < options.show:
            shown += 1
            print("MISS", kind, line, [(item.kind, item.text) for item in items])
    total = [sum(column) for column in zip(*counts.values(), strict=True)]
    print(f"{'kind':14} {'lines':>6} {'recall':>7} {'exact':>7} {'kind':>7}")
    for kind, row in [*sorted(counts.items()), ("all", total)]:
        shares = "".join(f" {value / row[0]:7.4f}" for value in row[1:])
        print(f"{kind:14} {row[0]:6}{shares}")
    lines = harmless_lines(options.lines)
    false = [(line, items) for line in lines if (items := find_personal(line))]
    for line, items in false[: options.show]:
        print("FALSE", line, [(item.kind, item.text) for item in items])
    print(f"false hits on harmless lines: {len(false) / len(lines):.4f}")
    short = "\n".join(line for line, *_rest in rows)
    dense = "\n".join(AROUND[i % 2].format(line) for i, (line, *_rest) in enumerate(rows))
    clean = "".join(read_text(f"lm/novels_zh/{n}.valid.txt") for n in ("xiyou", "shuihu"))
    speeds = [megabytes_per_second(text) for text in (dense, clean, short)]
    sizes = [len(text.encode()) / options.lines for text in (dense, short)]
    print(f"dense, one item in {sizes[0]:.0f} bytes: {speeds[0]:.1f} MB/s")
    print(f"clean: {speeds[1]:.1f} MB/s; one item in {sizes[1]:.0f} bytes: {speeds[2]:.1f} MB/s")
    print(f"false hits in the novels: {len(find_personal(clean))} in {len(clean):,} characters")
    is_good = total[1] / total[0] >= 0.995 and len(false) / len(lines) <= 0.01
    sys.exit(0 if is_good and speeds[0] >= 5 and speeds[1] >= 15 else 1)


if __name__ == "__main__":
    main()
