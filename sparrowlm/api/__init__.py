"""What a program sees: train a model, load a model, use it.

>>> import sparrowlm as sp
>>> model = sp.train("novel.txt", output="my-model", minutes=5)  # doctest: +SKIP
>>> sp.load("my-model").next("我是", k=3)  # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sparrowlm.api.estimators import TextClassifier
from sparrowlm.api.model import Model

if TYPE_CHECKING:
    from sparrowlm.api.request import Data, TrainRequest
    from sparrowlm.foundation.progress import Progress

__all__ = ["Model", "TextClassifier", "load", "train"]


def load(directory: str | Path) -> Model:
    """Open a model directory.

    Args:
        directory: written by train.

    Returns:
        The model, ready; torch is not imported.

    Raises:
        ModelError: there is no model.
        DamagedFileError: a file fails its checks.
    """
    return Model(Path(directory))


def train(  # noqa: PLR0913 - the public dials, each with its default
    data: Data,
    *,
    output: str | Path,
    size: str | int | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    model: str = "auto",
    tokenizer: str = "auto",
    seed: int = 0,
    resume: bool = False,
    start_from: str | Path | None = None,
    held_out: str | Path | None = None,
    user_dictionary: str | Path | None = None,
    task: str = "auto",
    text_field: str | None = None,
    label_field: str | None = None,
    encoding: str | None = None,
    unlabelled: str | Path | None = None,
    transfer: str = "full",
    teacher: str | Path | None = None,
    replay: str | Path | None = None,
    replay_share: float = 1.0,
    keep_answers: bool = False,
    progress: Progress | None = None,
) -> Model:
    """Train a model on a person's own text or labels, write it to a directory, return it loaded.

    Args:
        data: one file or folder; a list of paths; or a list of strings, each a document.
        output: directory of the model; replaced only when the new one is complete.
        size: largest size on disk, "4MB" or bytes; None for no limit.
        minutes: wall time for everything, above 0; 5 where steps are not given either.
        steps: optimisation steps instead of minutes.
        model: "auto" (whatever predicts best), "ngram", "vectors", "rnn", "lstm", "transformer"
            or "mixture"; for tasks with labels "auto", "linear" or "encoder"; "encoder" on plain
            text fills gaps and makes vectors.
        tokenizer: "auto", "character", "bpe" or "word".
        seed: same seed, data and machine: same model (with steps; minutes depend on the clock).
        resume: continue an interrupted training of the same data and settings; harmless without.
        start_from: a model directory whose tokenizer and weights are the start.
        held_out: text to measure on, never trained on; otherwise split off the data.
        user_dictionary: file of words, one per line, that outrank the segmentation; for taggers
            of "word TAB label" lines, which outrank the model and are kept in it.
        task: "auto" looks at the data; "complete", "classify", "tag", "intent", "match" or
            "segment".
        text_field: name or 0-based number of the column that holds the text; None finds it.
        label_field: the same for the label.
        encoding: of text files, e.g. "gb18030"; None finds it for each.
        unlabelled: file of further texts of the kind that the model will meet (tasks only).
        transfer: what of the network learns labels: "full", "frozen" (the head alone),
            "adapters" (low-rank additions) or "gradual" (the head first).
        teacher: directory of a (larger) classifier whose probabilities are learnt, for the texts
            of the data, labelled or not, and for those of unlabelled.
        replay: labelled data that the model of start_from was made from: learnt again with the new
            ones, so that nothing is forgotten; figures of both, before and after, are kept.
        replay_share: how much of replay is learnt again, 0 to 1; the rest only measures.
        keep_answers: without old data: the answers of the model of start_from to the new texts are
            learnt beside their labels.
        progress: told about everything; None is silent.

    Raises:
        SettingError: a dial is wrong.
        DataError, ResourceError: the text cannot be used; disk or memory.
        StoppedBySignal: after Ctrl-C; what was learnt is kept for resume.
    """
    from sparrowlm.api.request import checked_request
    from sparrowlm.foundation.progress import SilentProgress

    request = checked_request(
        data, output=output, size=size, minutes=minutes, steps=steps, model=model,
        tokenizer=tokenizer, seed=seed, resume=resume, start_from=start_from, held_out=held_out,
        user_dictionary=user_dictionary, task=task, text_field=text_field,
        label_field=label_field, encoding=encoding, unlabelled=unlabelled, transfer=transfer,
        teacher=teacher, replay=replay, replay_share=replay_share, keep_answers=keep_answers,
    )  # fmt: skip
    _run(request, progress or SilentProgress())
    return load(request.output)


def _run(request: TrainRequest, progress: Progress) -> None:
    """Start the training that the request and its data ask for."""
    from sparrowlm.api.labels import is_encoder_wanted, refuse_lessons, task_of

    kind = task_of(request)
    refuse_lessons(request, kind)
    if kind is None and is_encoder_wanted(request):
        from sparrowlm.api.encoder_stage import run_encoder_training

        run_encoder_training(request, progress)
    elif kind is None:
        from sparrowlm.api.pipeline import run_training

        run_training(request, progress)
    else:
        from sparrowlm.api.task_pipeline import run_task_training

        run_task_training(request, kind, progress)
