"""Plain text of one language out of all data sets, to let an encoder read once and adapt often.

    python -m benchmarks.general_text zh general-zh.txt
    sparrow train general-zh.txt --model encoder --minutes 60 -o general-zh
    python -m benchmarks.classification chnsenticorp --from general-zh

Training parts alone, without their labels; lines that also stand in a part which anything is
measured on are left out, and so are movie reviews that share sentences with SST.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.data import read_text

_HAN = re.compile("[\u3400-\u9fff]")
# File and, of tables, the columns to read; "lines" and "jsonl" have no columns, "conll" characters.
_ZH: tuple[tuple[str, str], ...] = (
    ("lm/zhwiki_sample/train.jsonl.xz", "jsonl"),
    ("lm/cluecorpus_small_sample/train.txt.xz", "lines"),
    ("sentiment/chnsenticorp/train.tsv.xz", "text"),
    ("sentiment/online_shopping_10_cats/train.tsv.xz", "text"),
    ("sentiment/smp2020_ewect_usual/train.tsv.xz", "text"),
    ("sentiment/smp2020_ewect_virus/train.tsv.xz", "text"),
    ("classification/thucnews_titles/train.tsv.xz", "text"),
    ("classification/nlpcc2017_headlines/train.tsv.xz", "text_segmented"),
    ("customer_service/atec_question_pairs/train.tsv.xz", "question1 question2"),
    ("customer_service/egret_faq_zh/qa.tsv.xz", "answer"),
    ("intent/cais_zh/train.tsv.xz", "text"),
    ("ner/cluener2020/train.conll.xz", "conll"),
    ("ner/msra/train.conll.xz", "conll"),
    ("ner/weibo/train.conll.xz", "conll"),
    ("ner/resume/train.conll.xz", "conll"),
    ("mt/tatoeba_en_zh/train.tsv.xz", "zh"),
)
_EN: tuple[tuple[str, str], ...] = (
    ("lm/brown/train.txt.xz", "lines"),
    ("lm/gutenberg_novels_en/train.txt.xz", "lines"),
    ("lm/enwiki_sample/docs.jsonl.xz", "jsonl"),
    ("lm/wikitext2_valid_test_only/valid.txt.xz", "lines"),
    ("classification/subj/all.tsv.xz", "text"),
    ("classification/cr/all.tsv.xz", "text"),
    ("classification/mpqa/all.tsv.xz", "text"),
    ("sentiment/sst2/train.tsv.xz", "text"),
    ("classification/sst5/train.tsv.xz", "text"),
    ("classification/trec/train.tsv.xz", "text"),
    ("classification/r8/train.tsv.xz", "text"),
    ("classification/ag_news_test_only/test.tsv.xz", "title description"),
    ("intent/banking77/train.tsv.xz", "text"),
    ("intent/clinc150/train.tsv.xz", "text"),
    ("intent/snips/train.tsv.xz", "tokens"),
    ("intent/atis/train.tsv.xz", "tokens"),
    ("customer_service/bitext_support/train.tsv.xz", "text"),
    ("mt/tatoeba_en_zh/train.tsv.xz", "en"),
    ("mt/multi30k_en_de/train.tsv.xz", "en"),
)
_MEASURED: tuple[tuple[str, str], ...] = (
    ("sentiment/chnsenticorp/dev.tsv.xz", "text"),
    ("sentiment/chnsenticorp/test.tsv.xz", "text"),
    ("sentiment/online_shopping_10_cats/dev.tsv.xz", "text"),
    ("sentiment/online_shopping_10_cats/test.tsv.xz", "text"),
    ("sentiment/smp2020_ewect_usual/dev.tsv.xz", "text"),
    ("sentiment/smp2020_ewect_usual/test.tsv.xz", "text"),
    ("sentiment/smp2020_ewect_virus/dev.tsv.xz", "text"),
    ("sentiment/smp2020_ewect_virus/test.tsv.xz", "text"),
    ("sentiment/sst2/dev.tsv", "text"),
    ("sentiment/sst2/test.tsv.xz", "text"),
    ("classification/sst5/dev.tsv", "text"),
    ("classification/sst5/test.tsv.xz", "text"),
    ("classification/thucnews_titles/dev.tsv.xz", "text"),
    ("classification/thucnews_titles/test.tsv.xz", "text"),
    ("classification/nlpcc2017_headlines/dev.tsv", "text_segmented"),
    ("classification/nlpcc2017_headlines/test.tsv.xz", "text_segmented"),
    ("classification/trec/test.tsv", "text"),
    ("classification/r8/test.tsv.xz", "text"),
    ("intent/banking77/test.tsv.xz", "text"),
    ("intent/clinc150/val.tsv.xz", "text"),
    ("intent/clinc150/test.tsv.xz", "text"),
    ("intent/snips/valid.tsv", "tokens"),
    ("intent/snips/test.tsv", "tokens"),
    ("intent/atis/valid.tsv", "tokens"),
    ("intent/atis/test.tsv", "tokens"),
    ("intent/cais_zh/valid.tsv", "text"),
    ("intent/cais_zh/test.tsv", "text"),
    ("ner/cluener2020/dev.conll.xz", "conll"),
    ("ner/msra/dev.conll.xz", "conll"),
    ("ner/msra/test.conll.xz", "conll"),
    ("ner/weibo/dev.conll", "conll"),
    ("ner/weibo/test.conll", "conll"),
    ("classification/mr/all.tsv.xz", "text"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("language", choices=("zh", "en"))
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    # Sentences of SST's own training part also stand among the movie reviews.
    allowed = {plain(text) for text in texts_of("sentiment/sst2/train.tsv.xz", "text")}
    allowed |= {plain(text) for text in texts_of("classification/sst5/train.tsv.xz", "text")}
    measured = {plain(text) for path, how in _MEASURED for text in texts_of(path, how)}
    left_out = measured - allowed
    seen: set[str] = set()
    with options.output.open("w", encoding="utf-8") as file:
        for path, how in _ZH if options.language == "zh" else _EN:
            count = 0
            for text in texts_of(path, how):
                key = plain(text)
                if key and key not in left_out and key not in seen:
                    seen.add(key)
                    count += file.write(text + "\n")
            print(f"{path}: {count:,} characters")


def plain(text: str) -> str:
    """Return a text as it is compared: without case and white space."""
    return "".join(text.lower().split())


def texts_of(path: str, how: str) -> Iterator[str]:
    """Yield the texts of a file, one line each."""
    content = read_text(path).rstrip("\n")
    if how == "conll":
        for sentence in content.split("\n\n"):
            yield "".join(line.split("\t")[0] for line in sentence.split("\n") if line)
    elif how == "jsonl":
        for line in content.split("\n"):
            yield from filter(None, (part.strip() for part in json.loads(line)["text"].split("\n")))
    elif how == "lines":
        yield from filter(None, (line.strip() for line in content.split("\n")))
    else:
        yield from _cells(content, how.split(" "))


def _cells(content: str, columns: list[str]) -> Iterator[str]:
    head, *lines = content.split("\n")
    names = head.split("\t")
    for line in lines:
        cells = line.split("\t")
        for column in columns:
            text = cells[names.index(column)].strip()
            yield text.replace(" ", "") if _HAN.search(text) and column != "text" else text


if __name__ == "__main__":
    main()
