"""Models with labels, opened and measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from sparrowlm.runtime.directory import ModelFiles
from sparrowlm.tasks.classify.model import Classifier, load_classifier

if TYPE_CHECKING:
    from sparrowlm.corpora.labelled import TaskKind, TextPair
    from sparrowlm.tasks.match.model import Matcher
    from sparrowlm.tasks.tag.dictionary import UserDictionary
    from sparrowlm.tasks.tag.model import Tagger
    from sparrowlm.text.tokenizers import TokenCodec

_DETAILS = ("per_label", "confusion", "reliability", "errors")


def open_predictor(files: ModelFiles) -> Classifier:
    """Open a classifier.

    Raises:
        DamagedFileError: a file is missing or is not what was written.
    """
    return load_classifier(files, _codec(files))


def open_matcher(files: ModelFiles) -> Matcher:
    """Open a matcher.

    Raises:
        DamagedFileError: a file is missing or is not what was written.
    """
    from sparrowlm.tasks.match.model import load_matcher

    return load_matcher(files, _codec(files))


def open_tagger(files: ModelFiles) -> Tagger:
    """Open a tagger.

    Raises:
        DamagedFileError: a file is missing or is not what was written.
    """
    from sparrowlm.tasks.tag.model import load_tagger

    return load_tagger(files, _codec(files))


def read_entries(path: Path) -> UserDictionary:
    """Read a user's dictionary of "word TAB label" lines.

    Raises:
        DataError: unreadable, or a line without a label.
    """
    from sparrowlm.tasks.tag.dictionary import UserDictionary

    return UserDictionary.read(path)


def _codec(files: ModelFiles) -> TokenCodec | None:
    if not files.holds("tokenizer.json"):
        return None
    from sparrowlm.runtime.loading import load_codec

    return load_codec(files)


def evaluated(
    classifier: Classifier, files: ModelFiles, paths: list[Path], encoding: str | None = None
) -> dict[str, Any]:
    """Measure a classifier on labelled data.

    Args:
        classifier: of the directory.
        files: the directory.
        paths: files and folders.
        encoding: of text files; None finds it for each.

    Returns:
        Figures of what answers, with those of the parts inside.

    Raises:
        DataError: nothing labelled in them.
    """
    from sparrowlm.api.labels import read_examples
    from sparrowlm.corpora.labelled import LabelledText
    from sparrowlm.tasks.classify.blending import Blend
    from sparrowlm.tasks.classify.model import ENCODER, FLOOR
    from sparrowlm.tasks.classify.task import evaluate_classifier

    with TemporaryDirectory() as workspace:
        examples = read_examples(paths, "classify", Path(workspace), encoding)
    task = files.manifest["task"]
    figures = evaluate_classifier(
        classifier,
        {name: Blend.from_json(task[name]) for name in (FLOOR, ENCODER) if task.get(name)},
        [example for example in examples if isinstance(example, LabelledText)],
    )
    table = {name: one.as_json() for name, one in figures.items()}
    return {**table.pop("model"), **{name: shortened(one) for name, one in table.items()}}


def evaluated_tags(
    tagger: Tagger, task: str, paths: list[Path], encoding: str | None = None
) -> dict[str, Any]:
    """Measure a tagger on tagged texts.

    Args:
        tagger: ready to answer.
        task: "tag", "intent" or "segment".
        paths: files and folders.
        encoding: of text files; None finds it for each.

    Returns:
        span_f1 (word_f1 of segmentation) with its interval, macro_f1, every label, worst errors.

    Raises:
        DataError: nothing tagged in them.
    """
    from sparrowlm.api.labels import read_examples
    from sparrowlm.api.tag_stage import tag_json
    from sparrowlm.corpora.labelled import TaggedText
    from sparrowlm.tasks.tag.task import evaluate_tagger

    with TemporaryDirectory() as workspace:
        examples = read_examples(paths, cast("TaskKind", task), Path(workspace), encoding)
    tagged = [example for example in examples if isinstance(example, TaggedText)]
    known: frozenset[str] | None = frozenset() if task == "segment" else None
    table = tag_json(evaluate_tagger(tagger, tagged, known))
    # Which words are new is only known where the training text is.
    table.pop("out_of_vocabulary_recall", None)
    return table


def evaluated_pairs(
    matcher: Matcher, paths: list[Path], encoding: str | None = None
) -> dict[str, Any]:
    """Measure a matcher on labelled pairs, or on questions with their answers.

    Args:
        matcher: ready to answer.
        paths: files and folders.
        encoding: of text files; None finds it for each.

    Returns:
        f1, accuracy, average_precision and calibration_error of labelled pairs; hit_at_1, hit_at_5
        and mean_reciprocal_rank of questions whose answers are stored.

    Raises:
        DataError: no pairs in them.
    """
    from sparrowlm.api.labels import read_examples
    from sparrowlm.corpora.labelled import TextPair

    with TemporaryDirectory() as workspace:
        examples = read_examples(paths, "match", Path(workspace), encoding)
    pairs = [example for example in examples if isinstance(example, TextPair)]
    judged = [pair for pair in pairs if pair.label is not None]
    table: dict[str, Any] = {"num_pairs": len(pairs)}
    if judged:
        table |= judged_pairs(matcher, judged)
    if len(judged) < len(pairs):
        table |= _found_answers(matcher, [pair for pair in pairs if pair.label is None])
    return table


def judged_pairs(matcher: Matcher, pairs: Sequence[TextPair]) -> dict[str, Any]:
    """Return the figures of a matcher on pairs with its own labels, as JSON values."""
    from sparrowlm.tasks.match.metric import pair_figures

    is_same_B = np.array([pair.label == matcher.settings.labels[1] for pair in pairs])
    given_B = matcher.probabilities([p.first for p in pairs], [p.second for p in pairs])
    figures = pair_figures(is_same_B, given_B, matcher.settings.threshold)
    return {**asdict(figures), "f1_interval": list(figures.f1_interval)}


def _found_answers(matcher: Matcher, pairs: list[TextPair]) -> dict[str, Any]:
    places = []
    for pair in pairs:
        answers = [answer.answer for answer in matcher.search(pair.first, 10).answers]
        places.append(answers.index(pair.second) if pair.second in answers else len(answers) + 90)
    places_B = np.array(places)
    return {
        "hit_at_1": float((places_B < 1).mean()),
        "hit_at_5": float((places_B < 5).mean()),
        "mean_reciprocal_rank": float(np.where(places_B < 10, 1 / (places_B + 1), 0).mean()),
    }


def shortened(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the long tables of figures, at every level."""
    return {
        name: shortened(value) if isinstance(value, Mapping) else value
        for name, value in figures.items()
        if name not in _DETAILS
    }
