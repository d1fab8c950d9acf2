"""What a person asks for when they say `train`, checked before anything is touched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.quantities import parse_size
from sparrowlm.foundation.randomness import derive_seed
from sparrowlm.text.encodings import named_encoding

ModelChoice = Literal[
    "auto", "ngram", "vectors", "rnn", "lstm", "transformer", "mixture", "linear", "encoder"
]
# Kinds of models that only tasks with labels have.
TASK_MODELS = ("linear", "encoder")
TaskChoice = Literal["auto", "complete", "classify", "tag", "intent", "match", "segment"]
TokenizerChoice = Literal["auto", "character", "bpe", "word"]
Data = str | Path | Sequence[str] | Sequence[Path]

TransferChoice = Literal["full", "frozen", "adapters", "gradual"]

DEFAULT_MINUTES = 5.0
WORK_DIRECTORY = ".training"


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainRequest:
    """Everything that decides about a training.

    Attributes:
        data: files and folders, or documents (strings), see split_data.
        output: directory of the model.
        size_bytes: largest model on disk; None for no limit.
        minutes: wall time for all of it; None where steps are given.
        steps: optimisation steps; None where minutes are given.
        model: kind of model.
        tokenizer: kind of tokenizer.
        seed: 0 to 2**63 - 1.
        resume: continue an earlier run of the same request.
        start_from: directory of a model whose weights are the start.
        held_out: text to measure on.
        user_dictionary: words that outrank the segmentation.
        task: what for; "auto" looks at the data.
        text_field: name or number of the column that holds the text; None finds it.
        label_field: the same for the label.
        encoding: of text files; None finds it for each.
        unlabelled: further texts of the kind that the model will meet, without labels.
        transfer: which weights of the network learn labels (tasks only).
        teacher: directory of a classifier whose answers are learnt.
        replay: labelled data that the model of start_from was made from, to be learnt again.
        replay_share: how much of them, 0 to 1; the rest only measures.
        keep_answers: the answers of the model of start_from are learnt beside the truth.
    """

    data: Data
    output: Path
    size_bytes: int | None = None
    minutes: float | None = None
    steps: int | None = None
    model: ModelChoice = "auto"
    tokenizer: TokenizerChoice = "auto"
    seed: int = 0
    resume: bool = False
    start_from: Path | None = None
    held_out: Path | None = None
    user_dictionary: Path | None = None
    task: TaskChoice = "auto"
    text_field: str | None = None
    label_field: str | None = None
    encoding: str | None = None
    unlabelled: Path | None = None
    transfer: TransferChoice = "full"
    teacher: Path | None = None
    replay: Path | None = None
    replay_share: float = 1.0
    keep_answers: bool = False

    @property
    def work(self) -> Path:
        """Where the corpus and the checkpoints live until the model is finished."""
        return self.output / WORK_DIRECTORY

    def fingerprint(self, corpus_fingerprint: bytes) -> str:
        """Name this training: the same for the same text and settings, whatever the directory."""
        choices: dict[str, object] = {
            "size": self.size_bytes,
            "minutes": self.minutes,
            "steps": self.steps,
            "model": self.model,
            "tokenizer": self.tokenizer,
            "seed": self.seed,
            "from": str(self.start_from) if self.start_from else None,
            "corpus": corpus_fingerprint.hex(),
        }
        if self.task not in ("auto", "complete"):
            choices |= {"task": self.task, "text": self.text_field, "label": self.label_field}
            choices |= {"transfer": self.transfer, **self._lessons()}
        text = json.dumps(choices, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def _lessons(self) -> dict[str, object]:
        """Return what is learnt from beside the labelled data, as far as there is any."""
        lessons = {
            "unlabelled": self.unlabelled and str(self.unlabelled),
            "words": self.user_dictionary and str(self.user_dictionary),
            "teacher": self.teacher and str(self.teacher),
            "replay": self.replay and [str(self.replay), self.replay_share],
            "keep_answers": self.keep_answers,
        }
        return {name: value for name, value in lessons.items() if value}


def checked_request(  # noqa: PLR0913 - the public dials, each with its default
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
) -> TrainRequest:
    """Check every dial and fill in what was left open.

    Raises:
        SettingError: names the dial, what was received and what to do.
    """
    for name, received, choices in (
        ("model", model, ModelChoice),
        ("tokenizer", tokenizer, TokenizerChoice),
        ("transfer", transfer, TransferChoice),
        ("task", task, TaskChoice),
    ):
        if received not in get_args(choices):
            _refuse_choice(name, received, get_args(choices))
    _check_limits(minutes, steps)
    _check_replay(start_from, replay, replay_share, keep_answers=keep_answers)
    derive_seed(seed, "")  # refuses what is no seed
    if minutes is None and steps is None:
        minutes = DEFAULT_MINUTES
    return TrainRequest(
        data=data,
        output=Path(output),
        size_bytes=None if size is None else parse_size(size),
        minutes=minutes,
        steps=steps,
        model=cast("ModelChoice", model),
        tokenizer=cast("TokenizerChoice", tokenizer),
        seed=seed,
        resume=resume,
        start_from=None if start_from is None else Path(start_from),
        held_out=None if held_out is None else Path(held_out),
        user_dictionary=None if user_dictionary is None else Path(user_dictionary),
        task=cast("TaskChoice", task),
        text_field=text_field,
        label_field=label_field,
        encoding=None if encoding is None else named_encoding(encoding),
        unlabelled=None if unlabelled is None else Path(unlabelled),
        transfer=cast("TransferChoice", transfer),
        teacher=None if teacher is None else Path(teacher),
        replay=None if replay is None else Path(replay),
        replay_share=float(replay_share),
        keep_answers=keep_answers,
    )


def _check_limits(minutes: float | None, steps: int | None) -> None:
    if minutes is not None and steps is not None:
        raise SettingError("cli.minutes-or-steps", minutes=minutes, steps=steps)
    if steps is not None and steps < 1:
        raise SettingError("foundation.number-range", name="steps", received=steps, minimum=1)
    if minutes is not None and not 0 < minutes < float("inf"):
        raise SettingError("foundation.duration-unreadable", received=minutes)


def _check_replay(start_from: object, replay: object, share: float, *, keep_answers: bool) -> None:
    if not 0 <= share <= 1:
        raise SettingError("api.replay-share", received=share)
    if share != 1 and replay is None:
        raise SettingError("api.needs-other-dial", dial="--replay-share", other="--replay")
    for dial, is_given in (("--replay", replay is not None), ("--keep-answers", keep_answers)):
        if is_given and start_from is None:
            raise SettingError("api.needs-other-dial", dial=dial, other="--from")


def _refuse_choice(name: str, received: object, choices: tuple[str, ...]) -> None:
    raise SettingError(
        "foundation.unknown-choice", name=name, received=received, choices=", ".join(choices)
    )


def split_data(data: Data) -> list[Path] | list[str]:
    """Tell files from documents.

    Args:
        data: one string or path is a file or folder; a list of paths are files and folders; a
            list of strings are documents, unless every one of them names something on disk.

    Returns:
        Either paths or documents.
    """
    if isinstance(data, (str, Path)):
        return [Path(data)]
    items: list[str | Path] = list(data)
    paths = [item for item in items if isinstance(item, Path)]
    if len(paths) == len(items):
        return paths
    texts = [str(item) for item in items]
    if texts and len(texts) < 100 and all(_is_on_disk(text) for text in texts):
        return [Path(text) for text in texts]
    return texts


def _is_on_disk(text: str) -> bool:
    if not text or len(text) > 4096 or "\n" in text or "\0" in text:
        return False
    try:
        return Path(text).exists()
    except OSError:
        return False
