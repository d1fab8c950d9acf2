"""Training as scikit-learn does it: fit on lists, predict lists; works in its pipelines and folds.

>>> from sparrowlm import TextClassifier
>>> machine = TextClassifier(model="linear").fit(["很好", "不好"] * 9, ["good", "bad"] * 9)
>>> machine.predict(["很好"]).tolist()
['good']
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from sparrowlm.foundation.errors import SettingError


class TextClassifier:
    """A classifier with fit and predict.

    Args:
        minutes: wall time for training; None takes the default.
        steps: optimisation steps of the network instead of minutes.
        size: largest size on disk, "5MB" or bytes; None takes the default.
        model: "auto", "linear" or "encoder".
        seed: same seed, data and machine: same model (with steps).
        output: directory to keep the model in; None keeps it in memory alone.
    """

    def __init__(
        self,
        minutes: float | None = None,
        steps: int | None = None,
        size: str | int | None = None,
        model: str = "auto",
        seed: int = 0,
        output: str | Path | None = None,
    ) -> None:
        # scikit-learn's clone() wants the arguments back as they came: checked when fitting.
        self.minutes = minutes
        self.steps = steps
        self.size = size
        self.model = model
        self.seed = seed
        self.output = output

    def fit(self, texts: Sequence[str], labels: Sequence[Any]) -> TextClassifier:
        """Train on labelled texts.

        Args:
            texts: the texts.
            labels: one label each, strings or numbers; or lists of labels, for several each.

        Returns:
            Itself, with classes_ and model_.

        Raises:
            SettingError: the two are of different lengths, or a dial is wrong.
            DataError: there is nothing to learn from them.
        """
        from sparrowlm import api

        texts, labels = list(texts), list(labels)
        if len(texts) != len(labels):
            raise SettingError("api.uneven-lists", texts=len(texts), labels=len(labels))
        is_multi = any(isinstance(label, (list, tuple, set)) for label in labels)
        names = [[_name(one) for one in label] if is_multi else [_name(label)] for label in labels]
        with TemporaryDirectory() as workspace:
            data = Path(workspace) / "examples.jsonl"
            lines = (_line(text, own, is_multi) for text, own in zip(texts, names, strict=True))
            data.write_text("".join(lines), encoding="utf-8")
            output = Path(workspace) / "model" if self.output is None else self.output
            self.model_ = api.train(
                data, output=output, minutes=self.minutes, steps=self.steps, size=self.size,
                model=self.model, seed=self.seed, task="classify",
            )  # fmt: skip
        originals = {
            _name(one): one for label in labels for one in (label if is_multi else [label])
        }
        self.classes_ = np.array([originals[name] for name in self.model_.labels])
        self._is_multi = is_multi
        return self

    def predict(self, texts: Sequence[str]) -> Any:  # noqa: ANN401 - array, or lists
        """Return the label of every text; a list of lists where a text may have several."""
        answers = self.model_.predict(list(texts))
        numbers = {name: number for number, name in enumerate(self.model_.labels)}
        if self._is_multi:
            return [[self.classes_[numbers[name]] for name in one.labels] for one in answers]
        best = [next(iter(one.probabilities)) for one in answers]
        return self.classes_[[numbers[name] for name in best]]

    def predict_proba(self, texts: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the probability of every label, in the order of classes_, for every text."""
        answers = self.model_.predict(list(texts))
        rows = [[one.probabilities[name] for name in self.model_.labels] for one in answers]
        return np.array(rows, dtype=np.float64).reshape(len(answers), len(self.classes_))

    def score(self, texts: Sequence[str], labels: Sequence[Any]) -> float:
        """Return the share of texts whose labels are exactly right."""
        given = self.predict(texts)
        if self._is_multi:
            right = [set(one) == set(true) for one, true in zip(given, labels, strict=True)]
            return float(np.mean(right))
        return float(np.mean(np.asarray(given) == np.asarray(labels)))

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the arguments (scikit-learn asks for them)."""
        names = inspect.signature(type(self)).parameters
        return {name: getattr(self, name) for name in names}

    def set_params(self, **values: object) -> TextClassifier:
        """Change arguments (scikit-learn does, in searches).

        Raises:
            SettingError: there is no such argument.
        """
        known = self.get_params()
        for name, value in values.items():
            if name not in known:
                raise SettingError(
                    "foundation.unknown-choice", name="parameter", received=name,
                    choices=", ".join(known),
                )  # fmt: skip
            setattr(self, name, value)
        return self

    def __sklearn_tags__(self) -> Any:  # noqa: ANN401 - only called by scikit-learn
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            transformer_tags=None,
            regressor_tags=None,
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(string=True, two_d_array=False),
        )


def _name(label: object) -> str:
    return str(label)


def _line(text: str, names: list[str], is_multi: bool) -> str:
    row = {"text": text, "labels": names} if is_multi else {"text": text, "label": names[0]}
    return json.dumps(row, ensure_ascii=True) + "\n"
