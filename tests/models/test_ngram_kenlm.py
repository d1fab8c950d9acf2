"""The n-gram against KenLM: an ARPA file made from our counts, queried by KenLM."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ngram_reference import Reference, events_of, random_text

from sparrowlm.models.ngram import train_ngram

kenlm = pytest.importorskip("kenlm")


def arpa(model, reference):
    """Write the model in KenLM's own terms: id 0 is <s> in front and </s> behind."""
    lines = ["\\data\\"]
    sections = []
    for n in range(1, model.order + 1):
        ngrams = sorted(reference.counts[n])
        if n == 1:
            ngrams = [(i,) for i in range(model.vocab_size)]
        rows = [] if n > 1 else [f"-99\t<s>\t{back_off(reference, (0,)):.9f}", "-99\t<unk>"]
        for ngram in ngrams:
            probability = reference.probabilities(ngram[:-1], ngram[-1])[len(ngram) - 1]
            words = [str(i) if i else "<s>" for i in ngram]
            words[-1] = words[-1] if ngram[-1] else "</s>"
            row = f"{math.log10(probability):.9f}\t{' '.join(words)}"
            is_context = ngram[-1] != 0 and n < model.order
            rows.append(f"{row}\t{back_off(reference, ngram):.9f}" if is_context else row)
        lines.append(f"ngram {n}={len(rows)}")
        sections += ["", f"\\{n}-grams:", *rows]
    return "\n".join([*lines, *sections, "", "\\end\\", ""])


def back_off(reference, context):
    """The logarithm of gamma."""
    n = len(context) + 1
    following = reference.following[n].get(context) if n <= reference.order else None
    if not following:
        return 0.0
    free = sum(reference.discounts[n - 1][min(value, 3) - 1] for value in following.values())
    return math.log10(free / sum(following.values()))


@pytest.mark.parametrize("order", [2, 3, 5])
def test_kenlm_gives_the_same_logarithms(order, tmp_path):
    generator = np.random.default_rng(order)
    ids = random_text(generator, 12, 3000)
    model = train_ngram(ids, 12, order=order)
    reference = Reference(events_of(ids), 12, order, model.discounts_NC)
    path = tmp_path / "model.arpa"
    path.write_text(arpa(model, reference))
    judge = kenlm.Model(str(path))
    for _ in range(40):
        sentence = generator.integers(1, 12, generator.integers(1, 15)).tolist()
        scores = model.score([0, *sentence, 0]).probabilities_TN[1:, -1]
        theirs = [row[0] for row in judge.full_scores(" ".join(map(str, sentence)))]
        np.testing.assert_allclose(np.log10(scores), theirs, atol=2e-5)
