"""Copies are found, exact and near, also when most digests lie on disk."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparrowlm.corpora.deduplication import MOST_RUNS, NUM_BANDS, DigestSet, band_digests

WORDS = [*"春江花月夜灩隨波千萬里何處無明", "sea", "tide", "moon", "rises", "together", "with"]


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 9), max_size=120))
def test_deduplication_a_set_on_disk_is_a_set(tmp_path_factory, digests):
    directory = tmp_path_factory.mktemp("digests")
    kept = DigestSet(directory, limit=4, name="x")
    seen: set[int] = set()
    for digest in digests:
        assert (digest in kept) == (digest in seen)
        assert kept.add(digest) == (digest not in seen)
        seen.add(digest)
    assert all(digest in kept for digest in seen)
    assert len(list(directory.iterdir())) <= MOST_RUNS
    assert bool(list(directory.iterdir())) == (len(seen) >= 4)
    kept.close()
    assert list(directory.iterdir()) == []


def story(seed, length=300):
    generator = random.Random(seed)
    return [generator.choice(WORDS) + str(generator.randrange(100)) for _ in range(length)]


def share_found(changes, num_pairs=60):
    found = 0
    for seed in range(num_pairs):
        words = story(seed)
        changed = list(words)
        for place in random.Random(seed + 1000).sample(range(len(words)), changes):
            changed[place] = "變化"
        one, two = band_digests([" ".join(words), " ".join(changed)])
        found += bool(set(one) & set(two))
    return found / num_pairs


def test_deduplication_near_copies_are_found_and_other_texts_are_not():
    assert share_found(0) == 1.0
    assert share_found(2) > 0.85
    assert share_found(150) < 0.05


def test_deduplication_unrelated_texts_share_no_band():
    bands = band_digests([" ".join(story(seed)) for seed in range(200)])
    assert len({band for some in bands for band in some}) == 200 * NUM_BANDS


def test_deduplication_white_space_does_not_matter():
    words = story(7)
    one, two = band_digests([" ".join(words), "\n\n".join(words)])
    assert one == two


@pytest.mark.parametrize("batch", [[], ["short"], ["short", "x" * 100], [" " * 100, "a"]])
def test_deduplication_short_texts_have_no_bands(batch):
    assert [len(bands) for bands in band_digests(batch)] == [
        NUM_BANDS if len(text) >= 64 else 0 for text in batch
    ]


@given(st.lists(st.text(max_size=90), max_size=6))
def test_deduplication_a_text_has_the_same_bands_in_any_batch(texts):
    together = band_digests(texts)
    assert together == [band_digests([text])[0] for text in texts]
