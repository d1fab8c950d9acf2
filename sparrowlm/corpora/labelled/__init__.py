"""Labelled data without ceremony: any usual format, recognised, repaired, checked, divided."""

from sparrowlm.corpora.labelled.checks import check
from sparrowlm.corpora.labelled.dividing import divide
from sparrowlm.corpora.labelled.examples import (
    Example,
    LabelledText,
    Span,
    TaggedText,
    TaskKind,
    TextPair,
)
from sparrowlm.corpora.labelled.problems import Problem, Severity
from sparrowlm.corpora.labelled.reading import read_labelled, recognise
from sparrowlm.corpora.labelled.settings import Columns, LabelledData, LabelledSettings
from sparrowlm.corpora.labelled.texts import TextRow, iterate_texts

__all__ = [
    "Columns",
    "Example",
    "LabelledData",
    "LabelledSettings",
    "LabelledText",
    "Problem",
    "Severity",
    "Span",
    "TaggedText",
    "TaskKind",
    "TextPair",
    "TextRow",
    "check",
    "divide",
    "iterate_texts",
    "read_labelled",
    "recognise",
]
