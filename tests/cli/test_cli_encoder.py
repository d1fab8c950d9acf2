"""`sparrow fill` and `sparrow embed`: the real command."""

from __future__ import annotations

import json


def test_fill_and_embed(sparrow, tmp_path):
    (tmp_path / "text.txt").write_text("床前明月光，疑是地上霜。\n\n" * 60, encoding="utf-8")
    done = sparrow("train", "text.txt", "-o", "m", "--model", "encoder", "--steps", "60")
    assert done.returncode == 0, done.stderr
    done = sparrow("fill", "m", "床前[MASK]月[MASK]，", "-k", "2", language="zh")
    assert done.stdout.splitlines()[0] == "第 1 个空："
    assert len(done.stdout.splitlines()) == 6
    done = sparrow("fill", "m", "床前[MASK]月", "--json")
    assert len(json.loads(done.stdout)[0]) == 5
    done = sparrow("embed", "m", "床前", "明月")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["text"] for row in rows] == ["床前", "明月"]
    assert len(rows[0]["vector"]) == 128
    done = sparrow("embed", "m", "--file", "-", stdin="一\n二\n")
    assert len(done.stdout.splitlines()) == 2
    done = sparrow("fill", "m", "no gap")
    assert done.returncode == 1
    assert "[MASK]" in done.stderr
