"""Which column or key of a table holds the text, and how a record becomes one text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# In order of preference; names are compared without case.
TEXT_NAMES = (
    "text", "content", "contents", "body", "article", "document", "passage", "context",
    "正文", "文本", "内容", "內容", "全文", "文章", "原文",
    "story", "review", "comment", "post", "tweet", "utterance", "sentence", "sentences",
    "lines", "paragraph", "paragraphs", "messages", "conversations", "conversation", "dialogue",
    "dialog", "message", "review_text", "评论", "評論", "句子", "段落", "诗句", "詩句", "对话",
    "對話", "消息", "留言", "回复", "abstract", "摘要", "summary", "description", "描述",
)  # fmt: skip
# Names that hold one of these are taken when none of the above is there ("新闻内容", "post_text").
TEXT_PARTS = (
    "text",
    "content",
    "正文",
    "文本",
    "内容",
    "內容",
    "评论",
    "評論",
    "comment",
    "review",
)
# Records of two or three fields that belong together, each on a line of its own.
_GROUPS = (
    ("instruction", "input", "output"),
    ("instruction", "output"),
    ("prompt", "completion"),
    ("prompt", "response"),
    ("question", "answer"),
    ("query", "response"),
    ("问题", "答案"),
    ("问题", "回答"),
    ("問題", "答案"),
)
_TURN_KEYS = ("content", "text", "value", "utterance", "内容")
_DEEPEST = 8


def choose_fields(names: Sequence[str], examples: Iterable[Sequence[Any]]) -> tuple[int, ...]:
    """Find the text among named fields.

    Args:
        names: the fields in order; "" where a field has no name.
        examples: values of the first records, in the order of names.

    Returns:
        Positions of the fields that make up the text, usually one; none when nothing in the
        examples is text.
    """
    plain = [name.strip().lower() for name in names]
    for wanted in TEXT_NAMES:
        if wanted in plain:
            return (plain.index(wanted),)
    for group in _GROUPS:
        if set(group) <= set(plain):
            return tuple(plain.index(name) for name in group)
    lengths = [0] * len(names)
    for record in examples:
        for position, value in enumerate(record[: len(names)]):
            lengths[position] += len(text_of(value) or "") if not _is_number(value) else 0
    for part in TEXT_PARTS:
        for position, name in enumerate(plain):
            if part in name and lengths[position]:
                return (position,)
    longest = max(lengths, default=0)
    return (lengths.index(longest),) if longest else ()


def _is_number(value: Any) -> bool:  # noqa: ANN401 - any cell
    if not isinstance(value, str):
        return not isinstance(value, (list, dict))
    try:
        float(value)
    except ValueError:
        return not value.strip()
    return True


def text_of(value: Any, depth: int = 0) -> str | None:  # noqa: ANN401 - any JSON value
    r"""Make one text of a JSON value: a string, or lines of strings, or turns of a conversation.

    >>> text_of(["床前明月光", "疑是地上霜"])
    '床前明月光\n疑是地上霜'
    >>> text_of([{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}])
    'hello\nhi'
    """
    if isinstance(value, str):
        return value
    if depth > _DEEPEST:
        return None
    if isinstance(value, list):
        texts = [text_of(item, depth + 1) for item in value]
        return "\n".join(text for text in texts if text) or None
    if isinstance(value, Mapping):
        for key in _TURN_KEYS:
            if isinstance(value.get(key), (str, list)):
                return text_of(value[key], depth + 1)
    return None


class RecordTexts:
    """Turn JSON records into texts, with the field found from the first ones or given.

    Args:
        text_field: name or 0-based number; None finds it.
    """

    def __init__(self, text_field: str | None) -> None:
        self._text_field = text_field
        self._chosen: tuple[str, ...] | None = None

    def learn(self, records: Sequence[Any]) -> None:
        """Look at the first records and settle on the fields."""
        objects = [record for record in records if isinstance(record, dict)]
        if self._text_field is not None or not objects:
            return
        names = list(dict.fromkeys(str(key) for record in objects for key in record))
        rows = ([record.get(name) for name in names] for record in objects)
        self._chosen = tuple(names[position] for position in choose_fields(names, rows))

    def text(self, record: Any) -> str | None:  # noqa: ANN401 - any JSON value
        """Return the text of one record, None when it has none."""
        if isinstance(record, str):
            return record
        if isinstance(record, list):
            if self._text_field is not None and self._text_field.isdecimal():
                number = int(self._text_field)
                return text_of(record[number]) if number < len(record) else None
            return text_of(record)
        if not isinstance(record, dict):
            return None
        return self._of_object(record)

    def _of_object(self, record: dict[str, Any]) -> str | None:
        if self._text_field is not None:
            if self._text_field in record:
                return text_of(record[self._text_field])
            if self._text_field.isdecimal() and int(self._text_field) < len(record):
                return text_of(list(record.values())[int(self._text_field)])
            return None
        if self._chosen is None:
            self.learn([record])
        texts = [text_of(record.get(name)) for name in self._chosen or ()]
        return "\n".join(text for text in texts if text) or None
