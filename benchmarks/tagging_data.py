"""Labelled data of the tagging benchmark: CoNLL columns, TSV with slots, words with spaces."""

from __future__ import annotations

import json
from collections.abc import Iterable

from benchmarks.data import read_text
from sparrowlm.corpora.labelled.examples import Span, TaggedText
from sparrowlm.tasks.tag.schemes import spans_of_names

# train, dev (everything is chosen there), test (None: its labels are hidden)
PARTS = {
    "cluener": ("ner/cluener2020/train.conll.xz", "ner/cluener2020/dev.conll.xz", None),
    "weibo": ("ner/weibo/train.conll.xz", "ner/weibo/dev.conll", "ner/weibo/test_unseen.conll"),
    "msra": ("ner/msra/train.conll.xz", "ner/msra/dev.conll.xz", "ner/msra/test.conll.xz"),
    "resume": ("ner/resume/train.conll.xz", "ner/resume/dev.conll", "ner/resume/test.conll"),
    "snips": ("intent/snips/train.tsv.xz", "intent/snips/valid.tsv", "intent/snips/test.tsv"),
    "atis": ("intent/atis/train.tsv.xz", "intent/atis/valid.tsv", "intent/atis/test.tsv"),
    "cais": ("intent/cais_zh/train.tsv.xz", "intent/cais_zh/valid.tsv", "intent/cais_zh/test.tsv"),
    "gsd": (
        "cws/ud_chinese_gsd/train.txt.xz",
        "cws/ud_chinese_gsd/dev.txt",
        "cws/ud_chinese_gsd/test.txt",
    ),
}
WORD = "word"
_SHORTEST = 5


def joined(
    tokens: list[str], names: Iterable[str], glue: str, intent: str | None = None
) -> TaggedText:
    places, start = [], 0
    for token in tokens:
        places.append((start, start + len(token)))
        start += len(token) + len(glue)
    spans = [
        Span(places[first][0], places[last - 1][1], label)
        for first, last, label in spans_of_names(list(names))
    ]
    return TaggedText(glue.join(tokens), tuple(spans), tuple(places), intent)


def read_conll(name: str) -> list[TaggedText]:
    found = []
    for block in read_text(name).split("\n\n"):
        pairs = [line.split("\t") for line in block.split("\n") if line]
        if pairs:
            found.append(joined([p[0] for p in pairs], [p[1] for p in pairs], ""))
    return found


def read_slots(name: str) -> list[TaggedText]:
    found = []
    for line in read_text(name).strip("\n").split("\n")[1:]:
        cells = line.split("\t")
        glue = "" if len(cells) == 4 else " "
        found.append(joined(cells[-2].split(" "), cells[-1].split(" "), glue, cells[0]))
    return found


def read_words(name: str) -> list[TaggedText]:
    found = []
    for line in read_text(name).strip("\n").split("\n"):
        spans, start = [], 0
        for word in line.split():
            spans.append(Span(start, start + len(word), WORD))
            start += len(word)
        found.append(TaggedText("".join(line.split()), tuple(spans)))
    return found


def further_texts(names: Iterable[str]) -> list[str]:
    """Texts without labels: JSON lines with a text, or the longest cell of every line.

    Those that stand in a part that is measured on are left out.
    """
    measured = {one.text for _, *parts in PARTS.values() for part in parts if part
                for one in read_part(part)}  # fmt: skip
    found: dict[str, None] = {}
    for name in names:
        for line in read_text(name).split("\n"):
            text = line
            if ".jsonl" in name and line:
                text = json.loads(line)["text"]
            cells = text.split("\t") if ".tsv" in name else text.split("\n")
            pieces = [max(cells, key=len)] if ".tsv" in name else cells
            found |= dict.fromkeys(piece.strip() for piece in pieces)
    return [text for text in found if len(text) >= _SHORTEST and text not in measured]


def read_part(name: str) -> list[TaggedText]:
    if name.endswith((".conll", ".conll.xz")):
        return read_conll(name)
    return read_slots(name) if name.startswith("intent/") else read_words(name)
