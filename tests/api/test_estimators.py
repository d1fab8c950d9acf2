"""TextClassifier inside scikit-learn: clone, folds, pipelines, searches."""

from __future__ import annotations

import numpy as np
import pytest

from sparrowlm import TextClassifier
from sparrowlm.foundation.errors import DataError, SettingError

TEXTS = [f"{word}{number}" for number in range(30) for word in ("很干净", "太脏乱")]
LABELS = ["good", "bad"] * 30


def test_fit_and_predict(tmp_path):
    machine = TextClassifier(model="linear", output=tmp_path / "kept").fit(TEXTS, LABELS)
    assert machine.predict(["干净", "脏乱"]).tolist() == ["good", "bad"]
    assert machine.classes_.tolist() == ["bad", "good"]
    shares = machine.predict_proba(["干净", "脏乱", ""])
    assert shares.shape == (3, 2)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert machine.score(TEXTS, LABELS) == 1.0
    assert (tmp_path / "kept" / "linear.bin").exists()
    assert machine.predict_proba([]).shape == (0, 2)


def test_numbers_stay_numbers():
    machine = TextClassifier(model="linear").fit(TEXTS, [1, -1] * 30)
    assert machine.predict(["干净"]).tolist() == [1]


def test_several_labels():
    machine = TextClassifier(model="linear").fit(TEXTS, [["good", "clean"], ["bad"]] * 30)
    assert sorted(machine.predict(["很干净"])[0]) == ["clean", "good"]
    assert machine.score(TEXTS[:2], [["clean", "good"], ["bad"]]) == 1.0


def test_it_works_in_folds_pipelines_and_searches():
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    machine = TextClassifier(model="linear", seed=3)
    assert clone(machine).get_params() == machine.get_params()
    assert cross_val_score(machine, TEXTS, LABELS, cv=2).tolist() == [1.0, 1.0]
    upper = FunctionTransformer(lambda texts: [text.upper() for text in texts])
    assert make_pipeline(upper, machine).fit(TEXTS, LABELS).predict(["干净"]).tolist() == ["good"]
    search = GridSearchCV(machine, {"seed": [0, 1]}, cv=2).fit(TEXTS, LABELS)
    assert search.best_score_ == 1.0


def test_mistakes_get_one_sentence():
    with pytest.raises(SettingError, match="2"):
        TextClassifier().fit(["a", "b"], ["x"])
    with pytest.raises(SettingError, match="colour"):
        TextClassifier().set_params(colour=1)
    with pytest.raises(DataError):
        TextClassifier(model="linear").fit(TEXTS, ["same"] * 60)
    with pytest.raises(SettingError, match="forest"):
        TextClassifier(model="forest").fit(TEXTS, LABELS)
