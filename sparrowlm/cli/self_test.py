"""`sparrow self-test`: does this machine compute what the file's maker did?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sparrowlm.cli.output import JsonFlag, write_fields, write_json
from sparrowlm.foundation.errors import ModelError
from sparrowlm.foundation.messages import say


def self_test_command(
    file: Annotated[Path, Parameter(name="FILE", help=say("cli.self-test-file"))],
    *,
    json: JsonFlag = False,
) -> None:
    """Print for every instruction set whether it passed."""
    from sparrowlm.api.exporting import self_tested

    found = self_tested(file)
    if json:
        write_json(found)
    else:
        write_fields(found)
    failed = [name for name, result in found.items() if result != "passed"]
    if failed:
        raise ModelError("cli.self-test-failed", path=file, kernels=", ".join(failed))
