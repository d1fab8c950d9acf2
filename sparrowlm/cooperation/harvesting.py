"""What the large model answered becomes what the small one learns.

    log of decisions -> rows answered by the large model -> equal texts joined -> JSON lines

The output is read before it is written: rows of earlier harvests stay where they are, with the
votes they were made of, so that a harvest may be repeated, and logs given in any order.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sparrowlm.cooperation.decision_log import DecisionRecord, read_log
from sparrowlm.cooperation.harvested_rows import (
    PROVENANCE,
    HarvestedRow,
    merged,
    row_from,
    row_of,
)
from sparrowlm.foundation import atomic
from sparrowlm.foundation.errors import DamagedFileError, DataError, SettingError
from sparrowlm.foundation.progress import Progress, SilentProgress
from sparrowlm.privacy import Redactor


@dataclass(frozen=True, kw_only=True)
class HarvestSettings:
    """What is taken from a log, and how it is written.

    Attributes:
        with_sure: whether answers that the small model was sure of are taken too: it then learns
            from itself, and its errors too.
        redactor: takes personal data out of the texts; None leaves them.
    """

    with_sure: bool = False
    redactor: Redactor | None = field(default_factory=Redactor)


@dataclass(frozen=True)
class HarvestReport:
    """What came of a harvest.

    Attributes:
        num_decisions: in the logs.
        num_without_text: of them, that the log kept no text of.
        num_taken: answers taken.
        num_other: answers that label no text: of pairs, of free text.
        num_rows: in the output now.
        num_new: of them, not there before.
        num_changed: of them, with another answer than before.
        num_joined: answers that were joined with others to the same text.
        num_contradicted: rows whose text was answered differently at different times.
        num_even: of them, without a majority: the latest answer was taken.
        num_small: rows that only the small model answered.
    """

    num_decisions: int
    num_without_text: int
    num_taken: int
    num_other: int
    num_rows: int
    num_new: int
    num_changed: int
    num_joined: int
    num_contradicted: int
    num_even: int
    num_small: int


def harvest(
    logs: Sequence[Path],
    output: Path,
    settings: HarvestSettings | None = None,
    progress: Progress | None = None,
) -> HarvestReport:
    """Write the escalated questions of logs as labelled rows; called again it adds what is new.

    Args:
        logs: that a DecisionLog with keeps_text wrote.
        output: JSON lines that `sparrow train` reads.
        settings: None for the defaults.
        progress: told about the logs.

    Raises:
        DataError: a log is missing, keeps no texts, or there is nothing to learn in any of them;
            logs of models of different tasks.
        DamagedFileError: a log, or the output, is damaged.
        SettingError: the output was not made by a harvest.
        ResourceError: disk full or not writable.
    """
    settings = settings or HarvestSettings()
    before = _known_rows(output)
    counts = Counter[str]()
    taken = list(_taken(logs, settings, counts, progress or SilentProgress()))
    if counts["decisions"] and counts["without_text"] == counts["decisions"]:
        raise DataError("cooperation.harvest-no-texts", received=f"{counts['decisions']:,}")
    if not taken and not before:
        raise DataError("cooperation.harvest-nothing", received=f"{counts['decisions']:,}")
    _refuse_mixed([*before.values(), *taken])
    answers = {text: row.chosen()[0] for text, row in before.items()}
    rows = merged([*before.values(), *taken])
    lines = (json.dumps(row.as_json(), ensure_ascii=False) for row in rows.values())
    atomic.write_bytes(
        output, "".join(line + "\n" for line in lines).encode("utf-8", "surrogatepass")
    )
    return _report(rows, answers, len(taken), counts)


def _taken(
    logs: Sequence[Path], settings: HarvestSettings, counts: Counter[str], progress: Progress
) -> Iterator[HarvestedRow]:
    for log in logs:
        progress.note(str(log))
        for record in read_log(log):
            counts["decisions"] += 1
            if record.text is None:
                counts["without_text"] += 1
                continue
            if not _is_wanted(record, with_sure=settings.with_sure):
                continue
            row = row_from(record, settings.redactor)
            counts["other"] += row is None
            if row is not None:
                yield row


def _is_wanted(record: DecisionRecord, *, with_sure: bool) -> bool:
    if record.answered_by == "large":
        return True
    return with_sure and record.answered_by == "small" and record.decision.action == "answer"


def _known_rows(output: Path) -> dict[str, HarvestedRow]:
    """Read what earlier harvests wrote."""
    if not output.exists():
        return {}
    found: list[HarvestedRow] = []
    try:
        content = output.read_bytes().decode("utf-8", "surrogatepass")
    except OSError as error:
        raise atomic.resource_error(error, output) from error
    except UnicodeDecodeError as error:
        raise SettingError("cooperation.harvest-output", path=output) from error
    for number, line in enumerate(content.removesuffix("\n").split("\n"), start=1):
        try:
            values = json.loads(line)
            if PROVENANCE not in values:
                raise SettingError("cooperation.harvest-output", path=output)
            found.append(row_of(values))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            if number == 1:
                raise SettingError("cooperation.harvest-output", path=output) from error
            reason = f"line {number}: {error}"
            raise DamagedFileError("foundation.file-damaged", path=output, reason=reason) from error
    return merged(found)


def _refuse_mixed(rows: Sequence[HarvestedRow]) -> None:
    forms = Counter(row.form for row in rows)
    if len(forms) > 1:
        shown = ", ".join(f"{form} {number}" for form, number in forms.most_common())
        raise DataError("cooperation.harvest-mixed", received=shown)


def _report(
    rows: dict[str, HarvestedRow], before: dict[str, str], num_taken: int, counts: Counter[str]
) -> HarvestReport:
    chosen = {text: row.chosen() for text, row in rows.items()}
    num_votes = sum(len(row.counted()) for row in rows.values())
    return HarvestReport(
        num_decisions=counts["decisions"],
        num_without_text=counts["without_text"],
        num_taken=num_taken,
        num_other=counts["other"],
        num_rows=len(rows),
        num_new=len(rows) - len(before),
        num_changed=sum(chosen[text][0] != answer for text, answer in before.items()),
        num_joined=num_votes - len(rows),
        num_contradicted=sum(has_others for _answer, has_others, _even in chosen.values()),
        num_even=sum(is_even for _answer, _contradicted, is_even in chosen.values()),
        num_small=sum(row.counted()[-1].by == "small" for row in rows.values()),
    )  # fmt: skip
