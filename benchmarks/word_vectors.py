"""Word vectors beside gensim: words per second of one thread, word similarity, analogies.

    python -m benchmarks.word_vectors [--seeds 3] [--epochs 5] [--method skip-gram]

Both learn the same words with the same settings in the same run; gensim has one worker. Quality is
given per seed: differences inside the spread of the seeds are noise. Words occurring fewer than 5
times are dropped for both.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.data import read_text
from sparrowlm.models.word_vectors import WordVectorSettings, train_word_vectors
from sparrowlm.text.segmentation import WordSegmenter

_LEAST_COUNT = 5
_SIMILARITY = ("zh/wordsim240", "zh/wordsim297", "en/EN-WS-353-ALL", "en/EN-MEN-TR-3k")
_ANALOGY = {
    "CA8 semantic": "lexical/ca8_zh/semantic.txt.xz",
    "Google": "lexical/google_analogies_en/questions-words.txt.xz",
}


@dataclass
class Words:
    sentences: list[list[str]]
    numbers: dict[str, int]
    ids: np.ndarray


def texts() -> Iterator[str]:
    for novel in ("sanguo", "shuihu", "xiyou"):
        yield from read_text(f"lm/novels_zh/{novel}.train.txt.xz").splitlines()
    for name in ("lm/zhwiki_sample/train.jsonl.xz", "lm/enwiki_sample/docs.jsonl.xz"):
        for line in read_text(name).splitlines():
            yield from json.loads(line)["text"].splitlines()


def read_words() -> Words:
    segmenter = WordSegmenter()
    sentences = []
    for text in texts():
        words = [w.lower() for w in segmenter.words(text) if any(c.isalnum() for c in w)]
        sentences.append(words)
    counts = Counter(word for words in sentences for word in words)
    kept = [word for word, count in counts.most_common() if count >= _LEAST_COUNT]
    numbers = {word: i for i, word in enumerate(kept, start=1)}
    sentences = [[w for w in words if w in numbers] for words in sentences]
    sentences = [words for words in sentences if words]
    ids = [0]
    for words in sentences:
        ids += [numbers[word] for word in words]
        ids.append(0)
    return Words(sentences, numbers, np.array(ids, dtype=np.uint32))


def spearman(a: list[float], b: list[float]) -> float:
    def ranks(values: list[float]) -> np.ndarray:
        _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
        ends = np.cumsum(counts)
        return ((ends - counts + ends - 1) / 2)[places]

    return float(np.corrcoef(ranks(a), ranks(b))[0, 1])


def quality(unit: np.ndarray, numbers: dict[str, int]) -> dict[str, float]:
    found = {}
    for name in _SIMILARITY:
        language, file = name.split("/")
        rows = read_text(f"lexical/wordsim_{language}/{file}.tsv").splitlines()[1:]
        pairs = [row.split("\t") for row in rows]
        pairs = [p for p in pairs if p[0].lower() in numbers and p[1].lower() in numbers]
        ours = [float(unit[numbers[a.lower()]] @ unit[numbers[b.lower()]]) for a, b, _ in pairs]
        found[f"{file} ({len(pairs)})"] = spearman(ours, [float(p[2]) for p in pairs])
    for name, path in _ANALOGY.items():
        lines = [line.lower().split() for line in read_text(path).splitlines()]
        asked = [[numbers[w] for w in q] for q in lines if len(q) == 4 and set(q) <= numbers.keys()]
        table = np.array(asked)
        right = 0
        for a, b, c, wanted in table:
            near = unit @ (unit[b] - unit[a] + unit[c])
            near[[0, a, b, c]] = -9
            right += int(near.argmax() == wanted)
        found[f"{name} ({len(table)})"] = right / max(len(table), 1)
    return found


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)


def learn_ours(words: Words, settings: WordVectorSettings) -> tuple[np.ndarray, float, float]:
    began, cpu = time.perf_counter(), time.process_time()
    vectors = train_word_vectors(words.ids, len(words.numbers) + 1, settings)
    spent = time.perf_counter() - began, time.process_time() - cpu
    return unit_rows(vectors.vectors_VD), *spent


def learn_gensim(words: Words, settings: WordVectorSettings) -> tuple[np.ndarray, float, float]:
    from gensim.models import Word2Vec

    model = Word2Vec(
        vector_size=settings.width,
        window=settings.window,
        negative=settings.num_negatives,
        sample=settings.frequent_share,
        sg=int(settings.method == "skip-gram"),
        min_count=1,
        workers=1,
        epochs=settings.epochs,
        seed=settings.seed,
    )
    model.build_vocab(words.sentences)
    began, cpu = time.perf_counter(), time.process_time()
    model.train(words.sentences, total_examples=len(words.sentences), epochs=settings.epochs)
    spent = time.perf_counter() - began, time.process_time() - cpu
    vectors = np.zeros((len(words.numbers) + 1, settings.width), dtype=np.float32)
    for word, number in words.numbers.items():
        vectors[number] = model.wv[word]
    return unit_rows(vectors), *spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--method", default="skip-gram")
    chosen = parser.parse_args()
    words = read_words()
    num_words = sum(map(len, words.sentences)) * chosen.epochs
    print(f"{num_words // chosen.epochs:,} words, {len(words.numbers):,} different ones")
    speeds: dict[str, list[float]] = {"sparrow": [], "gensim": []}
    results: dict[str, list[dict[str, float]]] = {"sparrow": [], "gensim": []}
    for seed in range(1, chosen.seeds + 1):
        settings = WordVectorSettings(method=chosen.method, epochs=chosen.epochs, seed=seed)
        for name, learn in (("sparrow", learn_ours), ("gensim", learn_gensim)):
            unit, seconds, cpu_seconds = learn(words, settings)
            speeds[name].append(num_words / cpu_seconds)
            results[name].append(quality(unit, words.numbers))
            speed = f"{num_words / seconds:,.0f} words/s, {speeds[name][-1]:,.0f} per CPU second"
            print(f"seed {seed} {name:8s} {speed}", flush=True)
    for task in results["sparrow"][0]:
        columns = [np.array([r[task] for r in results[name]]) for name in ("sparrow", "gensim")]
        ours, theirs = (f"{c.mean():.4f} ± {c.std():.4f}" for c in columns)
        print(f"{task:28s} sparrow {ours}   gensim {theirs}")
    ratio = np.mean(speeds["sparrow"]) / np.mean(speeds["gensim"])
    print(f"speed per core, sparrow : gensim = {ratio:.2f}")


if __name__ == "__main__":
    main()
