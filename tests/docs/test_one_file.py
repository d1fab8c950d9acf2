"""The page on GGUF files: its commands run as they stand, on a model made for the purpose."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from small_models import small_model

from sparrowlm.foundation.native_part import native_part

ROOT = Path(__file__).parents[2]
PROGRAM = shutil.which("sparrow-run", path=sysconfig.get_path("scripts"))


def commands(language: str) -> list[list[str]]:
    text = (ROOT / "docs" / language / "one-file.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.strip().split("\n")]
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.skipif(native_part() is None, reason="the compiled part is not built")
def test_the_commands_work(tmp_path):
    small_model(tmp_path / "my-model", "mixture", width=64, head_width=16)
    # The other language has the same ones, see below.
    for program, *words in commands("zh"):
        if program == "sparrow-run":
            if PROGRAM is None:
                continue
            start = [PROGRAM]
        else:
            start = [sys.executable, "-m", "sparrowlm"]
        subprocess.run([*start, *words], cwd=tmp_path, check=True, capture_output=True)
    assert len(commands("zh")) == 9


def test_both_languages_have_the_same_commands():
    # Prompts differ.
    english, chinese = (
        [[w for w in c if w.isascii()] for c in commands(at)] for at in ("en", "zh")
    )
    assert [[w for w in c if w != "Once"] for c in english] == chinese
