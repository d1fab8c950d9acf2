"""`sparrow redact`: texts without the personal data that stood in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from sparrowlm.cli.output import JsonFlag, write_json, write_piece
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.messages import say

if TYPE_CHECKING:
    from sparrowlm.privacy import Redactor

ModeKind = Literal["mask", "drop", "hash", "surrogate"]
_KEYED = ("hash", "surrogate")


def redact_command(
    *files: Annotated[
        Path, Parameter(name="FILE", help=say("cli.redact-files"), allow_leading_hyphen=True)
    ],
    mode: Annotated[ModeKind, Parameter(help=say("cli.redact-mode"))] = "mask",
    kinds: Annotated[
        list[str] | None, Parameter(help=say("cli.redact-kinds"), consume_multiple=True)
    ] = None,
    names: Annotated[Path | None, Parameter(help=say("cli.redact-names"))] = None,
    key_file: Annotated[Path | None, Parameter(help=say("cli.redact-key-file"))] = None,
    output: Annotated[
        Path | None, Parameter(name=("--output", "-o"), help=say("cli.redact-output"))
    ] = None,
    encoding: Annotated[str, Parameter(help=say("cli.encoding"))] = "utf-8",
    json: JsonFlag = False,
) -> None:
    """Write files without names, numbers and addresses of people."""
    if not files:
        raise SettingError("cli.redact-what")
    if json and output is None:
        raise SettingError("cli.redact-json")
    if key_file is not None and mode not in _KEYED:
        raise SettingError("cli.redact-no-key-needed", mode=mode)
    from sparrowlm.foundation import atomic
    from sparrowlm.foundation.progress import watching_progress

    redactor = _redactor(mode, kinds, names, key_file)
    progress = watching_progress()
    with nullcontext() if output is None else atomic.opened(output) as handle:
        write: Callable[[str], object] = write_piece
        if handle is not None:
            write = _bytes_to(handle.write)
        num_rows, found = _redact_all(files, redactor, write, encoding)
    if json:
        write_json({"output": str(output), "rows": num_rows, "found": dict(found)})
        return
    counts = ", ".join(f"{kind} {count}" for kind, count in found.most_common()) or "0"
    progress.note(say("cli.redacted", rows=num_rows, found=counts))


def _redact_all(
    files: tuple[Path, ...], redactor: Redactor, write: Callable[[str], object], encoding: str
) -> tuple[int, Counter[str]]:
    from sparrowlm.privacy.files import redact_file
    from sparrowlm.text.encodings import named_encoding

    name = named_encoding(encoding)
    num_rows, found = 0, Counter[str]()
    for file in files:
        report = redact_file(file, redactor, write, name)
        num_rows += report.num_rows
        found.update(report.num_found)
    return num_rows, found


def _bytes_to(write: Callable[[bytes], object]) -> Callable[[str], object]:
    return lambda piece: write(piece.encode("utf-8", "surrogatepass"))


def _redactor(
    mode: ModeKind, kinds: list[str] | None, names: Path | None, key_file: Path | None
) -> Redactor:
    from sparrowlm.cli.label import named_by
    from sparrowlm.privacy import KINDS, Redactor

    chosen = [kind for kind in KINDS if kinds is None or kind in kinds]
    unknown = sorted(set(kinds or ()) - set(KINDS))
    if unknown:
        known = " ".join(KINDS)
        raise SettingError(
            "foundation.unknown-choice", name="--kinds", received=unknown[0], choices=known
        )
    names_in = named_by(names)
    if key_file is None:
        return Redactor(mode, chosen, names_in=names_in)
    from sparrowlm.cooperation.large import key_from_file

    key = key_from_file(key_file).secret.encode()
    return Redactor(mode, chosen, key=key, names_in=names_in)
