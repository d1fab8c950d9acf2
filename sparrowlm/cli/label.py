"""`sparrow label`: training data from a large model behind any OpenAI-style address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from sparrowlm.cli.output import JsonFlag, write_json, write_line
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.messages import say

if TYPE_CHECKING:
    from sparrowlm.cooperation.labelling import GenerateJob, LabelJob
    from sparrowlm.cooperation.large import Budget, LargeSettings
    from sparrowlm.privacy import NamesIn

_KEY_VARIABLE = "SPARROW_LARGE_KEY"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class LargeOptions:
    """Where the large model is, and what it may cost."""

    large: Annotated[str, Parameter(help=say("cli.label-large"))]
    model: Annotated[str, Parameter(help=say("cli.label-model"))]
    key_env: Annotated[str | None, Parameter(help=say("cli.label-key-env"))] = None
    key_file: Annotated[Path | None, Parameter(help=say("cli.label-key-file"))] = None
    concurrent: Annotated[int, Parameter(help=say("cli.label-concurrent"))] = 4
    deadline: Annotated[float, Parameter(help=say("cli.label-deadline"))] = 60.0
    max_calls: Annotated[int | None, Parameter(help=say("cli.label-max-calls"))] = None
    max_cost: Annotated[float | None, Parameter(help=say("cli.label-max-cost"))] = None
    price_in: Annotated[float, Parameter(help=say("cli.label-price-in"))] = 0.0
    price_out: Annotated[float, Parameter(help=say("cli.label-price-out"))] = 0.0

    def settings(self) -> LargeSettings:
        """Return the settings of the client; the key comes from where it was said to be."""
        import os

        from sparrowlm.cooperation.large import (
            LargeSettings,
            Patience,
            key_from_environment,
            key_from_file,
        )

        if self.key_env is not None and self.key_file is not None:
            raise SettingError("cli.label-one-key")
        key = None
        if self.key_file is not None:
            key = key_from_file(self.key_file)
        elif self.key_env is not None or os.environ.get(_KEY_VARIABLE):
            key = key_from_environment(self.key_env or _KEY_VARIABLE)
        patience = Patience(deadline_s=self.deadline, first_byte_s=self.deadline)
        return LargeSettings(
            self.large, self.model, key=key, patience=patience, max_concurrent=self.concurrent
        )

    def budget(self) -> Budget:
        """Return what may be spent."""
        from sparrowlm.cooperation.large import Budget, Caps, Prices

        caps = Caps(calls=self.max_calls, cost=self.max_cost)
        return Budget("label", per_run=caps, prices=Prices(self.price_in, self.price_out))


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class AskOptions:
    """What is asked of every row."""

    labels: Annotated[
        list[str] | None, Parameter(help=say("cli.label-labels"), consume_multiple=True)
    ] = None
    json_schema: Annotated[Path | None, Parameter(help=say("cli.label-json-schema"))] = None
    prompt: Annotated[str, Parameter(help=say("cli.label-prompt"))] = ""
    generate: Annotated[int | None, Parameter(help=say("cli.label-generate"))] = None
    max_tokens: Annotated[int | None, Parameter(help=say("cli.label-max-tokens"))] = None
    soft: Annotated[bool, Parameter(negative="", help=say("cli.label-soft"))] = False
    mask: Annotated[bool, Parameter(negative="", help=say("cli.label-mask"))] = False
    names: Annotated[Path | None, Parameter(help=say("cli.redact-names"))] = None
    text_field: Annotated[str | None, Parameter(help=say("cli.train-text-field"))] = None
    encoding: Annotated[str | None, Parameter(help=say("cli.encoding"))] = None


def label_command(
    file: Annotated[Path | None, Parameter(name="FILE", help=say("cli.label-file"))] = None,
    *,
    options: LargeOptions,
    ask: AskOptions = AskOptions(),
    output: Annotated[Path, Parameter(name=("--output", "-o"), help=say("cli.label-output"))],
    json: JsonFlag = False,
) -> None:
    """Write what a large model says about every row, or texts that it makes up for labels."""
    from dataclasses import asdict

    from sparrowlm.cooperation.labelling import label
    from sparrowlm.foundation.progress import watching_progress

    if (file is None) == (ask.generate is None):
        raise SettingError("cli.label-what")
    names_in = named_by(ask.names) if ask.mask else None
    with TemporaryDirectory() as workspace:
        rows = Rows(file, Path(workspace), ask)
        job, total = _job(rows, ask)
        progress = watching_progress()
        report = label(
            job, options.settings(), output, options.budget(), masks=ask.mask,
            names_in=names_in, progress=progress, total=total,
        )  # fmt: skip
    if json:
        write_json({"output": str(output), **asdict(report)})
        return
    write_line(
        say("cli.labelled", path=output, rows=report.num_rows, calls=report.calls,
            known=report.num_known, cost=f"{report.cost:.4f}")
    )  # fmt: skip
    if ask.soft and report.num_certain == report.num_rows > 0:
        write_line(say("cli.label-certain"))
    if report.num_failed:
        write_line(say("cli.label-failed", count=report.num_failed, path=f"{output}.failed.jsonl"))


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a file, any number of times.

    Attributes:
        file: None where there is none.
        workspace: for what comes by standard input.
        ask: which column, and which encoding.
    """

    file: Path | None
    workspace: Path
    ask: AskOptions

    def __call__(self) -> Iterator[tuple[str, Any]]:
        """Yield (text, row) pairs."""
        from sparrowlm.corpora.labelled import LabelledSettings, iterate_texts

        if self.file is None:
            return
        settings = LabelledSettings(text_field=self.ask.text_field, encoding=self.ask.encoding)
        for row in iterate_texts(self.file, self.workspace, settings):
            if row.text.strip():
                yield row.text, row.row


def _job(rows: Rows, ask: AskOptions) -> tuple[LabelJob | GenerateJob, int | None]:
    """Return the job and, where it is known, how many questions it has."""
    from sparrowlm.cooperation.labelling import GenerateJob, LabelJob
    from sparrowlm.foundation.atomic import read_json

    labels = tuple(ask.labels or ())
    if ask.generate is not None:
        if ask.soft:
            raise SettingError("cli.label-soft-generate")
        made = GenerateJob(labels, ask.generate, ask.prompt, ask.max_tokens or 1024)
        return made, sum(1 for _work in made.works())
    schema = None
    if ask.json_schema is not None:
        if not ask.json_schema.is_file():
            raise SettingError("cli.label-no-schema", path=ask.json_schema)
        schema = read_json(ask.json_schema)
    job = LabelJob(rows, labels, schema, ask.prompt, ask.max_tokens or 256, ask.soft)
    is_file = rows.file is not None and str(rows.file) != "-"
    return job, sum(1 for _row in rows()) if is_file else None


def named_by(model: Path | None) -> NamesIn | None:
    """Return what finds names with a trained tagger.

    Raises:
        SettingError: "cli.redact-no-names", where the model knows none.
    """
    if model is None:
        return None
    from sparrowlm import api
    from sparrowlm.privacy import names_by
    from sparrowlm.privacy.names import knows_names

    tagger = api.load(model)
    if not knows_names(tagger.labels):
        known = " ".join(tagger.labels)
        raise SettingError("cli.redact-no-names", path=model, known=known)
    return names_by(tagger.predict)
