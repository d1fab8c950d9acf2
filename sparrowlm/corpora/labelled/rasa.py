"""Rasa's training data in YAML: intents with examples, entities written as [text](label)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from sparrowlm.corpora.labelled.examples import Example, LabelledText, Span, TaggedText
from sparrowlm.corpora.labelled.opening import OpenedFile
from sparrowlm.corpora.labelled.plans import ReadingPlan
from sparrowlm.corpora.labelled.problems import ProblemTally
from sparrowlm.corpora.labelled.settings import Columns
from sparrowlm.foundation.errors import DataError

_SIGN = re.compile(r"^nlu:|^\s*-\s+intent:", re.MULTILINE)
_ENTITY = re.compile(r"\[([^\[\]]+)\](?:\(([^()]+)\)|(\{[^{}]+\}))")
_OTHER_KEYS = ("lookup", "synonym", "regex")


def plan_rasa(opened: OpenedFile, tally: ProblemTally) -> ReadingPlan | None:
    """Recognise Rasa's training data.

    Args:
        opened: the file.
        tally: receives what is left out: lookup tables, synonyms, regular expressions.

    Returns:
        The plan; None for YAML of another kind.

    Raises:
        DataError: the YAML cannot be read; the line is named.
    """
    if not _SIGN.search(opened.head):
        return None
    examples = list(_examples(_loaded("".join(opened.blocks), opened.name), tally))
    if not examples:
        return None
    has_entities = any(spans for _intent, _text, spans in examples)
    return ReadingPlan(
        format="rasa",
        task="intent" if has_entities else "classify",
        columns=Columns(),
        read=lambda: _made(examples, has_entities),
        evidence="labelled-evidence-rasa",
    )


_Parsed = tuple[str, str, tuple[Span, ...]]


def _made(examples: list[_Parsed], has_entities: bool) -> Iterator[Example]:
    for intent, text, spans in examples:
        if has_entities:
            yield TaggedText(text, spans, intent=intent)
        else:
            yield LabelledText(text, (intent,))


def _loaded(text: str, name: str) -> Any:  # noqa: ANN401 - any YAML value
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(text, Loader=loader)  # a safe loader either way
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        line = mark.line + 1 if mark is not None else "?"
        raise DataError("corpora.labelled-yaml", file=name, line=line, reason=reason) from error


def _examples(content: object, tally: ProblemTally) -> Iterator[_Parsed]:
    items = content.get("nlu") if isinstance(content, dict) else content
    for item in items if isinstance(items, list) else []:
        if not isinstance(item, dict):
            continue
        if "intent" not in item:
            for key in (key for key in _OTHER_KEYS if key in item):
                tally.add("corpora.labelled-rasa-ignored", f"{key}: {item[key]}", "note")
            continue
        for line in _lines(item.get("examples")):
            text, spans = parse_entities(line)
            yield str(item["intent"]), text, spans


def _lines(examples: object) -> Iterator[str]:
    if isinstance(examples, str):
        for line in examples.split("\n"):
            text = line.strip()
            if text.startswith("-") and text[1:].strip():
                yield text[1:].strip()
    elif isinstance(examples, list):
        for item in examples:
            given = item.get("text") if isinstance(item, dict) else item
            if isinstance(given, str) and given.strip():
                yield given.strip().removeprefix("- ").strip()


def parse_entities(line: str) -> tuple[str, tuple[Span, ...]]:
    """Take the marks of entities out of an example.

    Args:
        line: for example "去[北京](city)" or '去[北京]{"entity": "city", "role": "to"}'.

    Returns:
        The text without marks, and the spans in it.

    >>> parse_entities("去[北京](city)吧")
    ('去北京吧', (Span(start=1, end=3, label='city'),))
    """
    parts: list[str] = []
    spans: list[Span] = []
    filled = end = 0
    for found in _ENTITY.finditer(line):
        label = _label(found.group(2), found.group(3))
        if label is None:
            continue
        parts += [line[end : found.start()], found.group(1)]
        start = filled + found.start() - end
        filled = start + len(found.group(1))
        spans.append(Span(start, filled, label))
        end = found.end()
    return "".join([*parts, line[end:]]), tuple(spans)


def _label(plain: str | None, detailed: str | None) -> str | None:
    if plain is not None:
        return plain.partition(":")[0].strip() or None
    try:
        label: object = json.loads(detailed or "").get("entity")
    except ValueError:
        return None
    return label if isinstance(label, str) and label else None
