"""Training a network without torch is refused in one sentence, whatever the task."""

from __future__ import annotations

import json

import pytest

import sparrowlm as sp
from sparrowlm.foundation.errors import DependencyError

CLASSIFIED = [{"text": f"第{n}条很{'好坏'[n % 2]}", "label": "好坏"[n % 2]} for n in range(60)]
TAGGED = [
    {"text": f"张三{n}去北京", "entities": [{"start": 0, "end": 2, "label": "人"}]}
    for n in range(60)
]
PAIRS = [
    {
        "text1": f"怎么退货{n}",
        "text2": f"如何{'退货开票'[2 * (n % 2) :][:2]}{n}",
        "label": str(n % 2),
    }
    for n in range(400)
]


@pytest.mark.parametrize(
    ("task", "rows"), [("classify", CLASSIFIED), ("tag", TAGGED), ("match", PAIRS)]
)
def test_no_torch_is_said(task, rows, tmp_path, monkeypatch):
    monkeypatch.setattr("sparrowlm.api.needs.find_spec", lambda _name: None)
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    with pytest.raises(DependencyError) as caught:
        sp.train(path, output=tmp_path / "m", task=task)
    assert "pip install torch" in str(caught.value)
    assert sp.train(path, output=tmp_path / "m", task=task, model="linear").kind == task
