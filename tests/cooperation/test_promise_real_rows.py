"""The promise on film reviews: rows drawn many times from a pool that is the truth."""

from __future__ import annotations

import lzma
import math

import numpy as np
import pytest
from shared_data import shared_data

import sparrowlm as sp
from sparrowlm.cooperation.calibrating import CalibrationSettings, calibrated, divided
from sparrowlm.cooperation.confidence import confident_answers
from sparrowlm.cooperation.judged_rows import judged_rows
from sparrowlm.cooperation.promise import (
    Promise,
    PromiseSettings,
    Scored,
    naive_threshold,
    promised,
)

pytestmark = pytest.mark.slow

NUM_DRAWS, MAX_ERROR = 150, 0.1


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sst2")
    for name in ("train", "test"):
        packed = shared_data(f"sentiment/sst2/{name}.tsv.xz").read_bytes()
        (folder / f"{name}.tsv").write_bytes(lzma.decompress(packed))
    model = sp.train(folder / "train.tsv", output=folder / "model", model="linear")
    return model, judged_rows(model, [folder / "test.tsv"])


def test_promise_on_real_rows_is_kept_and_a_naive_threshold_is_not(reviews):
    model, rows = reviews
    answers = list(confident_answers(model, [row.question for row in rows]))
    wrong = np.array([one.answer not in row.truths for one, row in zip(answers, rows, strict=True)])
    pool = Scored(np.array([one.confidence for one in answers]), wrong)
    settings, random = PromiseSettings(MAX_ERROR, 0.9), np.random.default_rng(0)
    broken = {"naive": 0, "proven": 0}
    for draw in range(NUM_DRAWS):
        own = pool.part(random.integers(0, len(rows), 1500))
        scale, proof = divided(1500, draw)
        found = promised(own.part(proof), own.part(scale), settings)
        proven = found.threshold if isinstance(found, Promise) else math.inf
        for way, threshold in (("naive", naive_threshold(own, MAX_ERROR)), ("proven", proven)):
            is_given = pool.scores_B >= threshold
            broken[way] += is_given.any() and wrong[is_given].mean() > MAX_ERROR
    allowed = 0.1 + 3 * math.sqrt(0.1 * 0.9 / NUM_DRAWS)
    assert broken["proven"] / NUM_DRAWS <= allowed
    assert broken["naive"] / NUM_DRAWS > 1.5 * allowed


def test_calibrated_policy_of_real_rows(reviews):
    model, rows = reviews
    settings = CalibrationSettings(promise=PromiseSettings(MAX_ERROR, 0.9))
    policy = calibrated(model, rows, settings).policy
    policy.check(model)
    assert policy.promise.bound <= MAX_ERROR
    assert 0.3 < policy.promise.coverage < 0.95
    assert policy.figures["calibration_error"] < 0.04
