"""`sparrow train`: a person's own text becomes a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from sparrowlm.cli.figures import write_trained
from sparrowlm.cli.output import JsonFlag, write_json, write_line
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.messages import say

ModelKind = Literal[
    "auto", "ngram", "vectors", "rnn", "lstm", "transformer", "mixture", "linear", "encoder"
]
TransferKind = Literal["full", "frozen", "adapters", "gradual"]
TaskKind = Literal["auto", "complete", "classify", "tag", "intent", "match", "segment"]
TokenizerKind = Literal["auto", "character", "bpe", "word"]
# What a finished model is tried with; what writes text generates.
_VERBS = {
    "classify": "predict", "tag": "predict", "intent": "predict", "segment": "predict",
    "match": "match", "encoder": "fill", "vectors": "similar",
}  # fmt: skip


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class TrainOptions:
    """Everything that may be said about a training; all of it may be left unsaid."""

    size: Annotated[str | None, Parameter(help=say("cli.train-size"))] = None
    minutes: Annotated[str | None, Parameter(help=say("cli.train-minutes"))] = None
    steps: Annotated[int | None, Parameter(help=say("cli.train-steps"))] = None
    model: Annotated[ModelKind, Parameter(help=say("cli.train-model"))] = "auto"
    tokenizer: Annotated[TokenizerKind, Parameter(help=say("cli.train-tokenizer"))] = "auto"
    seed: Annotated[int, Parameter(help=say("cli.train-seed"))] = 0
    resume: Annotated[bool, Parameter(negative="", help=say("cli.train-resume"))] = False
    start_from: Annotated[Path | None, Parameter(name="--from", help=say("cli.train-from"))] = None
    held_out: Annotated[Path | None, Parameter(help=say("cli.train-held-out"))] = None
    user_dictionary: Annotated[Path | None, Parameter(help=say("cli.train-dictionary"))] = None
    task: Annotated[TaskKind, Parameter(help=say("cli.train-task"))] = "auto"
    text_field: Annotated[str | None, Parameter(help=say("cli.train-text-field"))] = None
    label_field: Annotated[str | None, Parameter(help=say("cli.train-label-field"))] = None
    encoding: Annotated[str | None, Parameter(help=say("cli.encoding"))] = None
    unlabelled: Annotated[Path | None, Parameter(help=say("cli.train-unlabelled"))] = None
    transfer: Annotated[TransferKind, Parameter(help=say("cli.train-transfer"))] = "full"
    teacher: Annotated[Path | None, Parameter(help=say("cli.train-teacher"))] = None
    replay: Annotated[Path | None, Parameter(help=say("cli.train-replay"))] = None
    replay_share: Annotated[float, Parameter(help=say("cli.train-replay-share"))] = 1.0
    keep_answers: Annotated[bool, Parameter(negative="", help=say("cli.train-keep-answers"))] = (
        False
    )

    def __post_init__(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            SettingError: "cli.minutes-or-steps" when both limits are given.
        """
        if self.minutes is not None and self.steps is not None:
            raise SettingError("cli.minutes-or-steps", minutes=self.minutes, steps=self.steps)
        if self.steps is not None and self.steps < 1:
            raise SettingError(
                "foundation.number-range", name="--steps", received=self.steps, minimum=1
            )


def train_command(
    *data: Annotated[Path, Parameter(name="DATA", help=say("cli.train-data"))],
    output: Annotated[Path, Parameter(name=("--output", "-o"), help=say("cli.train-output"))],
    options: TrainOptions = TrainOptions(),
    json: JsonFlag = False,
) -> None:
    """Train a model on files, folders or standard input and write it to a directory."""
    if not data:
        raise SettingError("cli.no-data")
    from sparrowlm import api
    from sparrowlm.foundation.progress import watching_progress
    from sparrowlm.foundation.quantities import parse_duration

    minutes = None if options.minutes is None else parse_duration(options.minutes) / 60
    model = api.train(
        list(data),
        output=output,
        size=options.size,
        minutes=minutes,
        steps=options.steps,
        model=options.model,
        tokenizer=options.tokenizer,
        seed=options.seed,
        resume=options.resume,
        start_from=options.start_from,
        held_out=options.held_out,
        user_dictionary=options.user_dictionary,
        task=options.task,
        text_field=options.text_field,
        label_field=options.label_field,
        encoding=options.encoding,
        unlabelled=options.unlabelled,
        transfer=options.transfer,
        teacher=options.teacher,
        replay=options.replay,
        replay_share=options.replay_share,
        keep_answers=options.keep_answers,
        progress=watching_progress(),
    )
    if json:
        write_json({"directory": str(output), **model.info()})
    else:
        write_line(say("cli.trained", path=output, verb=_VERBS.get(model.kind, "generate")))
        write_trained(output, model.info())
