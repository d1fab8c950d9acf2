"""Which format a file has: asked of its first lines, the suffix is only a hint."""

from __future__ import annotations

from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled.column_names import is_known, label_ranking, text_ranking
from sparrowlm.corpora.labelled.conll import plan_conll
from sparrowlm.corpora.labelled.fasttext import plan_fasttext
from sparrowlm.corpora.labelled.opening import OpenedFile
from sparrowlm.corpora.labelled.plans import ReadingPlan
from sparrowlm.corpora.labelled.problems import ProblemTally
from sparrowlm.corpora.labelled.rasa import plan_rasa
from sparrowlm.corpora.labelled.records import looks_like_json, plan_records
from sparrowlm.corpora.labelled.segmented import plan_segmented
from sparrowlm.corpora.labelled.settings import LabelledSettings
from sparrowlm.corpora.labelled.tables import is_tabbed, plan_table


def plan_file(
    opened: OpenedFile, settings: LabelledSettings, tally: ProblemTally, report: ReadingReport
) -> ReadingPlan | None:
    """Decide from the beginning of a file how to read it.

    Args:
        opened: the file.
        settings: what the user named.
        tally: receives notes, repairs and losses, now and while the plan is carried out.
        report: counts broken rows while the plan is carried out.

    Returns:
        The plan; None for a file without labels.

    Raises:
        DataError: a column that the user named is missing, or YAML cannot be read.
    """
    if opened.kind == "excel":
        return plan_table(opened, settings, tally, report)
    if opened.kind == "yaml":
        return plan_rasa(opened, tally)
    if opened.kind in ("json", "jsonl") or looks_like_json(opened):
        return plan_records(opened, settings, tally, report)
    return None if opened.kind == "html" else _plan_lines(opened, settings, tally, report)


def _plan_lines(
    opened: OpenedFile, settings: LabelledSettings, tally: ProblemTally, report: ReadingReport
) -> ReadingPlan | None:
    plan = plan_fasttext(opened, report) or plan_conll(opened, tally, report)
    if plan is not None:
        return plan
    if settings.task == "segment" and opened.kind == "text":
        return plan_segmented(opened, report)
    if is_table(opened):
        return plan_table(opened, settings, tally, report)
    return plan_rasa(opened, tally)


def is_table(opened: OpenedFile) -> bool:
    """Say whether a file is a table: by its suffix, by TABs, or by a header with commas."""
    if opened.kind in ("csv", "tsv", "excel"):
        return True
    return is_tabbed(opened.head) or has_comma_header(opened)


def has_comma_header(opened: OpenedFile) -> bool:
    """Recognise "text,label" in the first line of a file of any name, which becomes a CSV."""
    names = [cell.strip(' "\r') for cell in opened.head.split("\n", 1)[0].split(",")]
    is_header = len(names) > 1 and all(is_known(name) for name in names)
    if is_header and label_ranking(names) and text_ranking(names):
        opened.kind = "csv"
    return opened.kind == "csv"
