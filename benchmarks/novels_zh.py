"""Three classic Chinese novels, ten minutes: bits per character of their test parts.

    python -m benchmarks.novels_zh [--minutes 10] [--json]

Beside ours stand the best n-gram (order and discounts chosen on held-out text, then all of the
training text counted) and a transformers Llama of equal size trained with its Trainer for equal
time on the same ids.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import llama_trainer
from benchmarks.data import read_text
from sparrowlm import api
from sparrowlm.foundation.hardware import probe_machine
from sparrowlm.foundation.progress import PlainProgress
from sparrowlm.runtime.scoring import BITS_PER_NAT
from sparrowlm.text.tokenizers import load_tokenizer

NOVELS = ("sanguo", "shuihu", "xiyou")


def score(model: api.Model, texts: list[str]) -> float:
    scores = [model.score(text) for text in texts]
    bits = sum(s.bits_per_character * s.num_characters for s in scores)
    return bits / sum(s.num_characters for s in scores)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    tests = [read_text(f"lm/novels_zh/{name}.test.txt") for name in NOVELS]
    results: dict[str, object] = {"machine": str(probe_machine())}
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory) / "novels"
        source.mkdir()
        for name in NOVELS:
            text = read_text(f"lm/novels_zh/{name}.train.txt.xz")
            (source / f"{name}.txt").write_text(text, encoding="utf-8")
        ngram = api.train(source, output=Path(directory) / "ngram", model="ngram")
        results["ngram"] = score(ngram, tests)
        print("ngram", results["ngram"], flush=True)
        began = time.perf_counter()
        ours = api.train(
            source, output=Path(directory) / "model", minutes=options.minutes,
            progress=PlainProgress(),
        )  # fmt: skip
        seconds = time.perf_counter() - began
        results["sparrow"] = score(ours, tests)
        results["sparrow_info"] = ours.info()
        print("sparrow", results["sparrow"], seconds, flush=True)
        codec = load_tokenizer(Path(directory) / "model")
        texts = [(source / f"{name}.txt").read_text(encoding="utf-8") for name in NOVELS]
        ids = [np.array([0, *codec.encode(text)], dtype=np.int64) for text in texts]
        test_ids = [np.array([0, *codec.encode(text)], dtype=np.int64) for text in tests]
        llama = llama_trainer.run(
            np.concatenate(ids), test_ids, codec.vocab_size,
            int(ours.info()["parameters"]), seconds,
        )  # fmt: skip
        tokens_per_character = sum(len(i) - 1 for i in test_ids) / sum(map(len, tests))
        results["llama"] = llama.nats_per_token * BITS_PER_NAT * tokens_per_character
        results["llama_details"] = vars(llama)
        print("llama", results["llama"], vars(llama), flush=True)
    for rival in ("ngram", "llama"):
        results[f"below_{rival}"] = 1 - float(results["sparrow"]) / float(results[rival])
    print(json.dumps(results, ensure_ascii=False, default=str))


if __name__ == "__main__":
    main()
