"""`sparrow doctor`: is this computer ready, and what would make it readier?"""

from __future__ import annotations

from dataclasses import asdict

from sparrowlm.cli.output import JsonFlag, write_json, write_line
from sparrowlm.foundation.messages import say


def doctor_command(*, json: JsonFlag = False) -> int:
    """Print one line per check; the exit code is 1 only when something cannot work.

    Returns:
        0, or 1 when a check found a problem.
    """
    from rich.cells import cell_len

    from sparrowlm.cli.doctor_checks import examine

    findings = examine()
    if json:
        write_json([asdict(finding) for finding in findings])
    else:
        labels = {
            "ok": say("cli.doctor-ok"),
            "warning": say("cli.doctor-warning"),
            "problem": say("cli.doctor-problem"),
        }
        widest = max(cell_len(label) for label in labels.values())
        for finding in findings:
            label = labels[finding.status]
            padding = " " * (widest - cell_len(label))
            write_line(f"{label}{padding}  {finding.what}")
            if finding.advice:
                write_line(f"{' ' * widest}  → {finding.advice}")
    return 1 if any(finding.status == "problem" for finding in findings) else 0
