from __future__ import annotations

import io

import pytest
from rich.cells import cell_len

from sparrowlm.foundation.progress import (
    PlainProgress,
    Progress,
    SilentProgress,
    TerminalProgress,
    watching_progress,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("SPARROW_LANG", "en")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")


def test_progress_silent_does_nothing(capfd):
    progress: Progress = SilentProgress()
    progress.start("reading", 3, "files")
    progress.advance(1)
    progress.note("hello")
    progress.finish()
    assert capfd.readouterr() == ("", "")


def test_progress_plain_speaks_every_ten_seconds():
    now = [0.0]
    stream = io.StringIO()
    progress = PlainProgress(stream, clock=lambda: now[0])
    progress.start("training", 100, "steps")
    for _step in range(50):
        now[0] += 0.5
        progress.advance(1)
    progress.finish()
    progress.finish()
    progress.advance(1)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert lines[0] == "training  20/100 steps  40 s left"
    assert lines[-1] == "training  50 steps  took 25 s"


def test_progress_plain_without_total_counts_on():
    now = [0.0]
    stream = io.StringIO()
    progress = PlainProgress(stream, clock=lambda: now[0])
    progress.start("reading", None, "MB")
    now[0] = 11.0
    progress.advance(1500)
    assert stream.getvalue() == "reading  1,500 MB  took 11 s\n"


def test_progress_chooses_by_terminal():
    assert isinstance(watching_progress(Terminal()), TerminalProgress)
    assert isinstance(watching_progress(io.StringIO()), PlainProgress)


def test_progress_goes_to_stderr(capsys):
    progress = watching_progress()
    progress.start("reading", 1, "files")
    progress.note("读了一个文件")
    progress.finish()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "读了一个文件" in captured.err


@pytest.mark.parametrize("language", ["en", "zh"])
def test_progress_terminal_line_keeps_columns(monkeypatch, language):
    monkeypatch.setenv("SPARROW_LANG", language)
    starts = []
    for stage in ("training", "正在训练模型"):
        stream = Terminal()
        progress = TerminalProgress(stream)
        progress.start(stage, 10, "steps")
        progress.advance(4)
        progress.note("[note] 4 of 10")
        progress.finish()
        output = stream.getvalue()
        assert "[note] 4 of 10" in output
        lines = _without_escapes(output).replace("\r", "\n").splitlines()
        plain = next(line for line in reversed(lines) if "4/10 steps" in line)
        starts.append(cell_len(plain[: plain.index("4/10")]))
    assert starts[0] == starts[1]


def test_progress_terminal_brackets_in_stage_are_text():
    stream = Terminal()
    progress = TerminalProgress(stream)
    progress.start("[red]size[/red]", None, "MB")
    progress.start("next", 2, "MB")
    progress.advance(2)
    progress.finish()
    assert "[red]size" in _without_escapes(stream.getvalue())


def _without_escapes(text: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
