"""What columns and keys are usually called, in Chinese and English."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sparrowlm.corpora.text_field import TEXT_NAMES, TEXT_PARTS

# In order of preference. Of a coarse and a fine label the coarse one is taken.
LABEL_NAMES = (
    "label", "labels", "标签", "標籤", "gold_label", "gold", "coarse", "coarse_label",
    "label_coarse", "一级分类", "大类", "class", "classes", "类别", "類別", "分类", "分類",
    "label_name", "label_text", "intent", "intents", "意图", "意圖", "sentiment", "情感",
    "情感倾向", "情绪", "情緒", "emotion", "emotions", "polarity", "target", "是否相似",
    "是否相同", "是否匹配", "相似", "is_duplicate", "similar", "similarity", "category",
    "categories", "类型", "topic", "topics", "主题", "标注", "tag", "tags", "rating", "stars",
    "star", "score", "评分", "评级", "星级", "y", "fine", "fine_label", "label_fine", "二级分类",
    "小类",
)  # fmt: skip
# Of these a column of nearly as many values as rows is rather something else.
WEAK_LABEL_NAMES = frozenset(LABEL_NAMES[LABEL_NAMES.index("category") :])
_PAIR_LABEL_NAMES = frozenset((
    "label", "labels", "标签", "標籤", "gold_label", "gold", "class", "target", "是否相似",
    "是否相同", "是否匹配", "相似", "is_duplicate", "similar", "similarity", "score", "y",
))  # fmt: skip
_LABEL_PARTS = (
    "label", "标签", "標籤", "类别", "類別", "分类", "分類", "情感", "sentiment", "intent", "意图",
    "emotion", "情绪", "category", "class",
)  # fmt: skip
_TITLE_NAMES = ("title", "标题", "標題", "题目", "headline", "subject")
_QUESTION_NAMES = ("question", "问题", "問題", "query", "问句", "提问", "utterances", "phrase")
_WORD_NAMES = ("input", "sample", "example", "名称", "商品名", "语料", "数据", "话", "短语", "词语")
_PAIR_NAMES = (
    ("question", "answer"), ("questions", "answers"), ("问题", "答案"), ("问题", "回答"),
    ("問題", "答案"), ("问", "答"), ("提问", "回答"), ("query", "answer"), ("问题", "回复"),
    ("premise", "hypothesis"), ("anchor", "positive"), ("标准问", "相似问"), ("query", "passage"),
    ("标准问题", "相似问题"), ("query", "candidate"), ("question", "candidate"), ("原句", "改写"),
    ("source_sentence", "target_sentence"), ("query", "doc"), ("question", "sentence"),
)  # fmt: skip
_ORDINALS = (
    ("1", "2"),
    ("a", "b"),
    ("一", "二"),
    ("甲", "乙"),
    ("left", "right"),
    ("first", "second"),
)
_PAIR_STEMS = frozenset((
    "question", "sentence", "text", "query", "q", "s", "sent", "句子", "问题", "问句", "文本",
    "問題", "句", "title", "string", "phrase", "utterance", "语句", "premise",
))  # fmt: skip
PROBABILITY_NAMES = ("probabilities", "probability", "probs", "soft_labels", "概率")
TOKEN_NAMES = ("tokens", "words", "token", "characters", "chars", "字", "词", "分词")
_NEVER_LABELS = frozenset((
    "id", "ids", "idx", "index", "no", "number", "uuid", "guid", "编号", "序号", "date", "time",
    "timestamp", "datetime", "created_at", "updated_at", "日期", "时间", "時間", "split", "url",
    "link", "链接", "source", "来源", "來源", "出处", "author", "authors", "作者", "user",
    "user_id", "username", "用户", "page", "lang", "language", "语言", "dynasty", "朝代", "name",
    "姓名", "file", "path", "filename", "file_name", "speaker", "role", "seconds", "start", "end",
    "domain", "version", "license", "chapter", "章节", "book", "书名", "publisher", "year",
    "年份", "",
))  # fmt: skip
# Columns of these two are translations of each other and no classes.
_LANGUAGES = frozenset((
    "en", "zh", "zh_cn", "zh_tw", "de", "fr", "ja", "ko", "es", "ru", "it", "pt", "英文", "中文",
    "english", "chinese", "英语", "汉语", "src", "tgt",
))  # fmt: skip
_NEVER_TEXTS = re.compile(
    r"(?:^|_)(?:ids?|file|path|filename|file_name|url|link|date|time)$|日期|时间"
)
_NUMBERED = re.compile(r"^(?:fold|cv|split|unnamed)[_:]?\s*\d*$|(?:^|_)ids?$")
_GAPS = re.compile(r"[\s_\-]+")


def plain(name: str) -> str:
    """Return a name without case and with one kind of gap.

    >>> plain(" Gold-Label ")
    'gold_label'
    """
    return _GAPS.sub("_", name.strip().casefold()).strip("_")


def is_never_label(name: str) -> bool:
    """Say whether a column of this name is no label: numbers, dates, origins, people."""
    return plain(name) in _NEVER_LABELS or bool(_NUMBERED.search(plain(name)))


def is_pair_label(name: str) -> bool:
    """Say whether a column of this name judges whether two texts belong together."""
    return plain(name) in _PAIR_LABEL_NAMES or "label" in plain(name)


def is_never_text(name: str) -> bool:
    """Say whether a column of this name is no text: files, addresses, dates."""
    return bool(_NEVER_TEXTS.search(plain(name)))


def are_translations(names: Sequence[str]) -> bool:
    """Say whether two columns are called like languages."""
    return sum(plain(name) in _LANGUAGES for name in names) > 1


def is_known(name: str) -> bool:
    """Say whether a cell is a usual name of a column, so that its row is a header."""
    word = plain(name)
    if not word:
        return False
    if word in LABEL_NAMES or word in _TEXTS or word in _NEVER_LABELS or word in TOKEN_NAMES:
        return True
    in_pair = any(word in pair for pair in _PAIR_NAMES) or _is_numbered_text(word)
    return in_pair or word in PROBABILITY_NAMES or bool(_NUMBERED.search(word))


_TEXTS = frozenset((*TEXT_NAMES, *_TITLE_NAMES, *_QUESTION_NAMES))


def _is_numbered_text(word: str) -> bool:
    ends = [end for pair in _ORDINALS for end in pair]
    return any(
        word.removesuffix(end).strip("_") in _PAIR_STEMS for end in ends if word.endswith(end)
    )


def label_ranking(names: Sequence[str]) -> list[int]:
    """Return positions of columns that are called like a label, the likeliest first."""
    words = [plain(name) for name in names]
    exact = [words.index(wanted) for wanted in LABEL_NAMES if wanted in words]
    partly = [
        position
        for part in _LABEL_PARTS
        for position, word in enumerate(words)
        if part in word and not is_never_label(word)
    ]
    return list(dict.fromkeys([*exact, *partly]))


def text_ranking(names: Sequence[str]) -> list[int]:
    """Return positions of columns that are called like a text, the likeliest first."""
    words = [plain(name) for name in names]
    wanted_words = (*TEXT_NAMES, *_QUESTION_NAMES, *_TITLE_NAMES, *_WORD_NAMES)
    exact = [words.index(wanted) for wanted in wanted_words if wanted in words]
    partly = [
        position
        for part in (*TEXT_PARTS, "sentence", "句", "标题", "question", "问题")
        for position, word in enumerate(words)
        if part in word and not any(sign in word for sign in _LABEL_PARTS)
    ]
    return list(dict.fromkeys([*exact, *partly]))


def title_beside(names: Sequence[str], text: int) -> int | None:
    """Return the column of titles that belongs in front of the text column, if there is one."""
    words = [plain(name) for name in names]
    for wanted in _TITLE_NAMES:
        if wanted in words and words.index(wanted) != text:
            return words.index(wanted)
    return None


def pair_by_names(names: Sequence[str]) -> tuple[int, int] | None:
    """Return the two columns that are called like the sides of a pair.

    >>> pair_by_names(["label", "question1", "question2"]), pair_by_names(["text", "label"])
    ((1, 2), None)
    """
    words = [plain(name) for name in names]
    for first, second in _PAIR_NAMES:
        if first in words and second in words:
            return words.index(first), words.index(second)
    for position, word in enumerate(words):
        for one, two in _ORDINALS:
            stem = word.removesuffix(one)
            other = stem + two
            if word.endswith(one) and stem.strip("_") in _PAIR_STEMS and other in words:
                return position, words.index(other)
    return None
