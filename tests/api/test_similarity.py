from __future__ import annotations

import numpy as np
import pytest

import sparrowlm as sp
from sparrowlm.foundation.errors import DataError, ModelError


def test_similarity_words_of_the_same_use_are_alike(tmp_path):
    random = np.random.default_rng(0)
    animals, tools = ["cat", "dog", "cow", "pig"], ["saw", "axe", "rake", "nail"]
    lines = []
    for _line in range(20_000):
        is_animal = random.random() < 0.5
        one, other = random.choice(animals if is_animal else tools, 2, replace=False)
        verb = random.choice(["eats", "sleeps", "runs"] if is_animal else ["cuts", "rusts", "lies"])
        lines.append(f"the {one} {verb} near the {other} .")
    # One document: as documents of their own, equal sentences would be dropped as duplicates.
    model = sp.train([" ".join(lines)], output=tmp_path / "v", model="vectors")
    assert model.similarity("cat", "dog") > model.similarity("cat", "saw")
    nearest = [found.word for found in model.neighbours("cat", 3)]
    assert set(nearest) & set(animals)
    assert model.analogy("cat", "dog", "saw", 2)
    assert model.next("the cat", k=3)
    with pytest.raises(DataError, match="unicorn"):
        model.neighbours("unicorn")


def test_similarity_needs_word_vectors(tmp_path):
    model = sp.train(["a b c d"], output=tmp_path / "n", model="ngram")
    with pytest.raises(ModelError):
        model.neighbours("a")
