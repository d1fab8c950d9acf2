"""Unseen texts for evaluation, as documents; read like training data, but neither cleaned nor cut.

Cleaning would make a text easier: it is scored as it stands, only HTML loses its tags.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.readers import read_source
from sparrowlm.corpora.settings import PreparationSettings
from sparrowlm.corpora.sources import find_sources
from sparrowlm.foundation.errors import DataError
from sparrowlm.text.markup import html_to_text


def read_documents(paths: Sequence[Path], encoding: str | None = None) -> Iterator[str]:
    """Yield the documents of files and folders.

    Args:
        paths: anything that `sparrow train` reads.
        encoding: of text files; None finds it for each.

    Raises:
        DataError: a path does not exist, or nothing in them is readable text.
    """
    report = ReadingReport()
    settings = PreparationSettings(cleaning="off", encoding=encoding)
    num_documents = 0
    with TemporaryDirectory() as workspace:
        for source in find_sources(list(paths), report, Path(workspace)):
            parts: list[str] = []
            for piece in read_source(source, settings, report):
                if piece.is_start and parts:
                    yield "".join(parts)
                    num_documents += 1
                    parts = []
                parts.append(html_to_text(piece.text) if piece.is_html else piece.text)
            if any(parts):
                yield "".join(parts)
                num_documents += 1
    if num_documents == 0:
        raise DataError("tasks.nothing-to-evaluate", path=", ".join(map(str, paths)))
