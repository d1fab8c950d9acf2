"""A policy is a file that checks itself and belongs to one model."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_up_answers import LABELS, made_up
from small_understanding import small_classifier, small_tagger

from sparrowlm.api.model import Model
from sparrowlm.cooperation.calibrating import CalibrationSettings, fitted_promise
from sparrowlm.cooperation.policy import Manners, Policy, load_policy
from sparrowlm.cooperation.promise import PromiseSettings
from sparrowlm.foundation.errors import DamagedFileError, DataError, ModelError, SettingError


def policy_of(checksum="0" * 64, **changes):
    answers, truths = made_up(2000, sharpness=2.0)
    settings = CalibrationSettings(promise=PromiseSettings(0.1, 0.9), **changes)
    fitted = fitted_promise(answers, truths, LABELS, settings)
    return Policy(
        model_checksum=checksum, kind="classify", settings=settings.promise,
        calibrator=fitted.calibrator, promise=fitted.promise,
        by_label=fitted.thresholds.by_label, others=fitted.thresholds.others,
        manners=Manners(slots={"a": ("city",)}), figures=fitted.figures,
    )  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("policy") / "policy.json"
    policy_of(per_label=True).save(path)
    return path


def test_policy_comes_back_whole(written):
    policy = policy_of(per_label=True)
    assert load_policy(written) == policy
    assert load_policy(written).checksum == policy.checksum
    assert set(policy.by_label) == set(LABELS)
    assert policy.threshold("never seen") == math.inf


def test_policy_without_a_threshold_comes_back(tmp_path):
    from dataclasses import replace

    policy = policy_of()
    always = replace(policy, promise=replace(policy.promise, threshold=-math.inf))
    always.save(tmp_path / "policy.json")
    assert load_policy(tmp_path / "policy.json") == always


@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_policy_with_any_byte_changed_is_refused(written, tmp_path, place, flip):
    content = bytearray(written.read_bytes())
    content[int(place * len(content))] ^= flip
    damaged = tmp_path / "damaged.json"
    damaged.write_bytes(content)
    try:
        found = load_policy(damaged)
    except (DamagedFileError, ModelError):
        return
    # White space between values changes nothing, and neither may anything else that passed.
    assert found == load_policy(written)


def test_policy_cut_short_missing_or_newer_is_refused(written, tmp_path):
    content = written.read_text(encoding="utf-8")
    for share in (0.0, 0.3, 0.99):
        (tmp_path / "short.json").write_text(content[: int(share * len(content))], encoding="utf-8")
        with pytest.raises(DamagedFileError):
            load_policy(tmp_path / "short.json")
    with pytest.raises(ModelError, match=r"none\.json"):
        load_policy(tmp_path / "none.json")
    newer = json.loads(content) | {"format": 2}
    (tmp_path / "newer.json").write_text(json.dumps(newer), encoding="utf-8")
    with pytest.raises(ModelError):
        load_policy(tmp_path / "newer.json")


def test_policy_belongs_to_one_model(tmp_path):
    classifier = Model(small_classifier(tmp_path / "a.gguf"))
    tagger = Model(small_tagger(tmp_path / "b.gguf"))
    policy = policy_of(classifier.checksum())
    policy.check(classifier)
    with pytest.raises(ModelError, match="another model"):
        policy.check(tagger)


def test_too_few_rows_are_refused_with_the_number_it_takes():
    answers, truths = made_up(40)
    with pytest.raises(DataError, match=r"40 rows.*at least 65 rows"):
        fitted_promise(answers, truths, LABELS, CalibrationSettings())
    with pytest.raises(SettingError, match="large"):
        fitted_promise(answers, truths, LABELS, CalibrationSettings(kind="everything"))


def test_hopeless_models_are_refused_and_others_told_how_many_rows():
    answers, _truths = made_up(2000)
    wrong = [("else",)] * 2000
    with pytest.raises(DataError, match="cannot be promised"):
        fitted_promise(answers, wrong, LABELS, CalibrationSettings())
    few = [("else",) if n % 24 == 0 else (one.answer,) for n, one in enumerate(answers[:150])]
    with pytest.raises(DataError, match="rows would probably do"):
        fitted_promise(answers[:150], few, LABELS, CalibrationSettings())
