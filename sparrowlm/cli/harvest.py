"""`sparrow harvest`: what a large model answered becomes training data of the small one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from sparrowlm.cli.output import JsonFlag, write_json, write_line
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.messages import say

if TYPE_CHECKING:
    from sparrowlm.cooperation.harvesting import HarvestReport
    from sparrowlm.privacy import Redactor

PersonalKind = Literal["mask", "drop", "hash", "surrogate", "keep"]
_KEYED = ("hash", "surrogate")


def harvest_command(
    *logs: Annotated[
        Path, Parameter(name="LOG", help=say("cli.harvest-logs"), allow_leading_hyphen=True)
    ],
    output: Annotated[Path, Parameter(name=("--output", "-o"), help=say("cli.harvest-output"))],
    with_sure: Annotated[bool, Parameter(negative="", help=say("cli.harvest-with-sure"))] = False,
    personal: Annotated[PersonalKind, Parameter(help=say("cli.harvest-personal"))] = "mask",
    names: Annotated[Path | None, Parameter(help=say("cli.redact-names"))] = None,
    key_file: Annotated[Path | None, Parameter(help=say("cli.redact-key-file"))] = None,
    json: JsonFlag = False,
) -> None:
    """Write the questions that went to a large model as labelled rows."""
    if not logs:
        raise SettingError("cli.harvest-what")
    from sparrowlm.cooperation.harvesting import HarvestSettings, harvest
    from sparrowlm.foundation.progress import watching_progress

    redactor = _redactor(personal, names, key_file)
    settings = HarvestSettings(with_sure=with_sure, redactor=redactor)
    report = harvest(logs, output, settings, watching_progress())
    if json:
        write_json({"output": str(output), **asdict(report)})
    else:
        _write(report, output)


def _redactor(personal: PersonalKind, names: Path | None, key_file: Path | None) -> Redactor | None:
    """Return what takes personal data out; None where they stay.

    Raises:
        SettingError: a key that is missing or not needed.
    """
    if personal in _KEYED and key_file is None:
        # By a key that nobody knows later the same text would be another at every harvest.
        raise SettingError("cli.harvest-key", mode=personal)
    if personal not in _KEYED and key_file is not None:
        raise SettingError("cli.redact-no-key-needed", mode=personal)
    if personal == "keep":
        if names is not None:
            raise SettingError("cli.harvest-names")
        return None
    from sparrowlm.cli.label import named_by
    from sparrowlm.privacy import Redactor

    names_in = named_by(names)
    if key_file is None:
        return Redactor(personal, names_in=names_in)
    from sparrowlm.cooperation.large import key_from_file

    return Redactor(personal, key=key_from_file(key_file).secret.encode(), names_in=names_in)


def _write(report: HarvestReport, output: Path) -> None:
    write_line(
        say("cli.harvested", path=output, rows=f"{report.num_rows:,}", new=f"{report.num_new:,}")
    )
    told = {
        "changed": report.num_changed,
        "joined": report.num_joined,
        "contradicted": report.num_contradicted,
        "small": report.num_small,
        "other": report.num_other,
        "without-text": report.num_without_text,
    }
    for name, number in told.items():
        if number:
            even = f"{report.num_even:,}"
            write_line("  " + say(f"cli.harvested-{name}", number=f"{number:,}", even=even))
    if report.num_new or report.num_changed:
        write_line(say("cli.harvest-next", path=output))
