"""`sparrow embed`: texts as vectors."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from sparrowlm.cli.output import ModelPath, write_json
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.messages import say

if TYPE_CHECKING:
    from sparrowlm.api.model import Model

_BATCH_TEXTS = 1024


def embed_command(
    model: ModelPath,
    *texts: Annotated[
        str, Parameter(name="TEXT", help=say("cli.embed-texts"), allow_leading_hyphen=True)
    ],
    file: Annotated[
        Path | None,
        Parameter(name=("--file", "-f"), help=say("cli.embed-file"), allow_leading_hyphen=True),
    ] = None,
) -> None:
    """Print one JSON line for every text: the text and its vector."""
    if bool(texts) == (file is not None):
        raise SettingError("cli.predict-what")
    from sparrowlm import api

    opened = api.load(model)
    if file is None:
        _write(opened, iter(texts))
        return
    from sparrowlm.corpora.labelled import iterate_texts

    with TemporaryDirectory() as workspace:
        _write(opened, (row.text for row in iterate_texts(file, Path(workspace))))


def _write(opened: Model, texts: Iterator[str]) -> None:
    while batch := list(islice(texts, _BATCH_TEXTS)):
        for text, vector in zip(batch, opened.embed(batch), strict=True):
            numbers = [round(float(number), 6) for number in vector]
            write_json({"text": text, "vector": numbers})
