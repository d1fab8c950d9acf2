"""Whole processes: loading and answering import neither torch nor anything else that is slow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from small_models import KINDS, small_model

HEAVY = {"torch", "transformers", "jaxtyping", "rich", "ftfy", "selectolax", "opencc", "pyarrow"}
PROGRAM = """
import json, sys
from pathlib import Path
from sparrowlm.runtime.continuation import DecodingSettings
from sparrowlm.runtime.loading import open_model
from sparrowlm.tasks.complete.model import Completer
completer = Completer(open_model(Path(sys.argv[1])))
words = [w.word for w in completer.next_words(sys.argv[2], 3)]
[text] = completer.generate(sys.argv[2], DecodingSettings(max_tokens=20))
bits = completer.score("The cat.").bits_per_character
print(json.dumps({"words": words, "bits": bits, "modules": sorted(sys.modules)}))
"""


def answer(directory: Path, text: str) -> dict:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(directory), text],
        capture_output=True, encoding="utf-8", check=True, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", KINDS)
def test_loading_and_answering_never_import_torch(tmp_path, kind):
    found = answer(small_model(tmp_path / "model", kind), "The cat")
    assert found["words"]
    assert found["bits"] > 0
    assert not HEAVY & set(found["modules"])


@pytest.mark.parametrize("tokenizer", ["bpe", "word"])
def test_loading_other_tokenizers_never_imports_torch(tmp_path, tokenizer):
    found = answer(small_model(tmp_path / "model", "ngram", tokenizer), "我是")
    assert "人工智能" in found["words"]
    assert not HEAVY & set(found["modules"])
