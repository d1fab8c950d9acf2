"""Small labelled files for tests: written, read, and their problems by name."""

from __future__ import annotations

import csv
import io
import json

from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled import LabelledSettings, read_labelled


def write(path, content, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


def read(path, report=None, **settings):
    """Read one path, or several given as a list."""
    paths = path if isinstance(path, list) else [path]
    workspace = paths[0].parent / "workspace"
    return read_labelled(paths, LabelledSettings(**settings), report or ReadingReport(), workspace)


def table(rows, **options):
    stream = io.StringIO()
    csv.writer(stream, **options).writerows(rows)
    return stream.getvalue()


def json_lines(*records):
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)


def names(problems):
    """Return the names of problems without their common beginning."""
    return [problem.code.removeprefix("corpora.labelled-") for problem in problems]


def surfaces(example):
    """Return (text of the span, label) of a tagged text."""
    return [(example.text[span.start : span.end], span.label) for span in example.spans]
