"""What a large model is asked for training data, and which rows come of its answers."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from string import Formatter
from typing import Any, Protocol, runtime_checkable

from sparrowlm.cooperation.labelling.soft import LIKELIEST, label_shares
from sparrowlm.cooperation.large import Answer, ChatRequest, Message
from sparrowlm.cooperation.large.schema import refuse_unknown
from sparrowlm.foundation.errors import SettingError

Line = dict[str, Any]
_PER_REQUEST = 10
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_LABEL_PROMPTS = (
    "Which of the labels fits the text? Labels: {labels}.\nAnswer with JSON only: "
    '{{"label": "..."}}.\n\nText:\n{text}',
    '下面的文本属于哪个标签？标签：{labels}。\n只回答 JSON：{{"label": "……"}}。\n\n文本：\n{text}',
)
_SCHEMA_PROMPTS = (
    "Fill in the JSON for the text.\n\nText:\n{text}",
    "根据文本填写 JSON。\n\n文本：\n{text}",
)
_GENERATE_PROMPTS = (
    "Write {count} different texts as people really write them, with the label {label} (and none "
    'of: {others}). {about}\nAnswer with JSON only: {{"texts": ["..."]}}.',
    "写 {count} 条真实用户会写的、互不相同的文本，其标签是“{label}”（而不是：{others}）。{about}\n"
    '只回答 JSON：{{"texts": ["……"]}}。',
)


@dataclass(frozen=True, slots=True)
class Work:
    """One question, and the rows that its answer gives.

    Attributes:
        request: what is asked.
        lines: makes rows of the answer.
        row: what the question is about, written down where no answer can be used.
    """

    request: ChatRequest
    lines: Callable[[Answer], list[Line]]
    row: Mapping[str, Any]


@runtime_checkable
class Job(Protocol):
    """Questions in order; the same every time they are asked for."""

    def works(self) -> Iterator[Work]:
        """Yield the questions."""
        ...

    def digest(self) -> str:
        """Return what tells this job from every other, whatever its rows are."""
        ...


@dataclass(frozen=True, slots=True)
class LabelJob:
    """A label, JSON of a schema or a free answer for every row.

    Attributes:
        rows: (text, row) pairs, given anew at every call.
        labels: to choose from; none where there is a schema or only a prompt.
        json_schema: of an object whose fields are added to the row.
        prompt: with "{text}", or names of fields in braces; "" takes a usual one.
        max_tokens: of an answer, >= 1.
        is_soft: whether rows get the probabilities of all labels, where the server tells them.
    """

    rows: Callable[[], Iterable[tuple[str, Mapping[str, Any]]]]
    labels: tuple[str, ...] = ()
    json_schema: Mapping[str, Any] | None = None
    prompt: str = ""
    max_tokens: int = 256
    is_soft: bool = False

    def __post_init__(self) -> None:
        """Refuse what contradicts itself.

        Raises:
            SettingError: says what to give.
        """
        if not self.labels and self.json_schema is None and not self.prompt:
            raise SettingError("cooperation.large-nothing-asked")
        if self.labels and self.json_schema is not None:
            raise SettingError("cooperation.large-labels-or-schema")
        if self.is_soft and not self.labels:
            raise SettingError("cooperation.large-soft-labels")
        _refuse_few(self.labels, fewest=2 if self.labels else 0)
        if self.json_schema is not None:
            refuse_unknown(self.json_schema)
        if self.prompt and not _fields(self.prompt):
            raise SettingError("cooperation.large-prompt", received=self.prompt[:80])

    def works(self) -> Iterator[Work]:
        """Yield a question for every row."""
        schema = _label_schema(self.labels) if self.labels else self.json_schema
        for text, row in self.rows():
            message = Message("user", self._asked(text, row))
            request = ChatRequest(
                (message,), max_tokens=self.max_tokens, json_schema=schema,
                likeliest=LIKELIEST if self.is_soft else None,
            )  # fmt: skip
            soft = self.labels if self.is_soft else ()
            lines = _RowLines({"text": text, **row}, is_json=schema is not None, soft=soft)
            yield Work(request, lines, lines.row)

    def digest(self) -> str:
        """Return what tells this job from every other, whatever its rows are."""
        schema = None if self.json_schema is None else dict(self.json_schema)
        parts = ["label", self.labels, schema, self.prompt, self.max_tokens]
        return _digest([*parts, "soft"] if self.is_soft else parts)

    def _asked(self, text: str, row: Mapping[str, Any]) -> str:
        if self.prompt:
            return _filled(self.prompt, text, row)
        is_chinese = bool(_CHINESE.search("".join(self.labels) or text))
        if self.labels:
            names = json.dumps(self.labels, ensure_ascii=False)[1:-1]
            return _LABEL_PROMPTS[is_chinese].format(labels=names, text=text)
        return _SCHEMA_PROMPTS[is_chinese].format(text=text)


@dataclass(frozen=True, slots=True)
class GenerateJob:
    """Texts for every label.

    Attributes:
        labels: at least one.
        count: texts of each label, >= 1.
        about: what the texts are about, in a sentence.
        max_tokens: of an answer with ten texts, >= 1.
    """

    labels: tuple[str, ...]
    count: int
    about: str = ""
    max_tokens: int = 1024
    _written: set[str] = field(default_factory=set, compare=False)

    def __post_init__(self) -> None:
        """Refuse an empty job."""
        _refuse_few(self.labels, fewest=1)
        if self.count < 1:
            raise SettingError(
                "foundation.number-range", name="--generate", received=self.count, minimum=1
            )

    def works(self) -> Iterator[Work]:
        """Yield questions for ten texts each, the labels by turns."""
        self._written.clear()
        for start in range(0, self.count, _PER_REQUEST):
            for label in self.labels:
                count = min(_PER_REQUEST, self.count - start)
                message = Message("user", self._asked(label, count))
                request = ChatRequest(
                    (message,), max_tokens=self.max_tokens, temperature=1.0,
                    seed=start // _PER_REQUEST, json_schema=_texts_schema(count),
                )  # fmt: skip
                yield Work(request, self._lines_of(label), {"label": label, "number": start})

    def digest(self) -> str:
        """Return what tells this job from every other."""
        return _digest(["generate", self.labels, self.about, self.max_tokens])

    def _asked(self, label: str, count: int) -> str:
        is_chinese = bool(_CHINESE.search("".join(self.labels) + self.about))
        others = ", ".join(other for other in self.labels if other != label) or "-"
        return _GENERATE_PROMPTS[is_chinese].format(
            count=count, label=label, others=others, about=self.about
        )

    def _lines_of(self, label: str) -> Callable[[Answer], list[Line]]:
        def lines(answer: Answer) -> list[Line]:
            found = []
            for text in answer.value["texts"]:
                # What was written before teaches nothing new.
                if text.strip() and text not in self._written:
                    self._written.add(text)
                    found.append({"text": text, "label": label})
            return found

        return lines


@dataclass(frozen=True, slots=True)
class _RowLines:
    """Makes the row of an answer: the row's own fields, the text, and what was answered."""

    row: Mapping[str, Any]
    is_json: bool
    soft: tuple[str, ...] = ()

    def __call__(self, answer: Answer) -> list[Line]:
        if not self.is_json:
            return [{**self.row, "answer": answer.text}]
        if self.soft:
            label = answer.value["label"]
            # A server that tells no probabilities has still said which label it is.
            shares = label_shares(answer.tokens, self.soft, label) or {label: 1.0}
            rounded = {name: round(share, 5) for name, share in shares.items()}
            return [{**self.row, "label": label, "probabilities": rounded}]
        if isinstance(answer.value, dict):
            return [{**self.row, **answer.value}]
        return [{**self.row, "answer": answer.value}]


def _label_schema(labels: tuple[str, ...]) -> dict[str, Any]:
    return {
        "type": "object", "properties": {"label": {"type": "string", "enum": list(labels)}},
        "required": ["label"], "additionalProperties": False,
    }  # fmt: skip


def _texts_schema(count: int) -> dict[str, Any]:
    # No fewest: a server that counts badly has still written something to learn from.
    texts = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2 * count}
    return {
        "type": "object", "properties": {"texts": texts}, "required": ["texts"],
        "additionalProperties": False,
    }  # fmt: skip


def _fields(prompt: str) -> list[str]:
    try:
        return [name for _text, name, _form, _way in Formatter().parse(prompt) if name]
    except ValueError:
        return []


def _filled(prompt: str, text: str, row: Mapping[str, Any]) -> str:
    """Fill in the text and fields; braces with other words in them stay as they are."""
    values = {**{str(key): str(value) for key, value in row.items()}, "text": text}
    names = "|".join(re.escape(name) for name in sorted(values, key=len, reverse=True))
    return re.sub(r"\{(" + names + r")\}", lambda found: values[found[1]], prompt)


def _refuse_few(labels: tuple[str, ...], fewest: int) -> None:
    if len(set(labels)) < max(len(labels), fewest) or not all(map(str.strip, labels)):
        raise SettingError("cooperation.large-labels", received=" ".join(labels) or "-")


def _digest(parts: list[Any]) -> str:
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
