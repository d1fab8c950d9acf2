"""`sparrow match`: do two texts mean the same?"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from sparrowlm.cli.output import JsonFlag, ModelPath, write_json, write_line
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.messages import say

if TYPE_CHECKING:
    from sparrowlm.api.model import Model
    from sparrowlm.corpora.labelled import TextRow


def match_command(
    model: ModelPath,
    *texts: Annotated[
        str, Parameter(name="TEXT", help=say("cli.match-texts"), allow_leading_hyphen=True)
    ],
    file: Annotated[
        Path | None,
        Parameter(name=("--file", "-f"), help=say("cli.match-file"), allow_leading_hyphen=True),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Print whether texts mean the same."""
    if (len(texts) == 2) == (file is not None):
        raise SettingError("cli.match-what", received=len(texts))
    from sparrowlm import api

    opened = api.load(model)
    if file is not None:
        _match_file(opened, file)
        return
    found = opened.match(texts[0], texts[1])
    if json:
        fields = {"label": found.label, "is_same": found.is_same, "probability": found.probability}
        write_json(fields)
    else:
        code = "cli.match-same" if found.is_same else "cli.match-different"
        write_line(f"{say(code)}\t{100 * found.probability:.1f} %\t{found.label}")


def _match_file(opened: Model, file: Path) -> None:
    """Write one JSON line per pair, the row's own fields first, at constant memory."""
    from sparrowlm.corpora.labelled import LabelledSettings, iterate_texts

    waiting: deque[TextRow] = deque()

    def pairs(rows: Iterator[TextRow]) -> Iterator[tuple[str, str]]:
        for row in rows:
            waiting.append(row)
            yield row.text, row.second or ""

    with TemporaryDirectory() as workspace:
        rows = iterate_texts(file, Path(workspace), LabelledSettings(task="match"))
        for found in opened.match_stream(pairs(rows)):
            fields = {"label": found.label, "probability": round(found.probability, 6)}
            write_json({**waiting.popleft().row, **fields})
