"""Small data and trained matchers for the tests of matching."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np

from sparrowlm.corpora.labelled import TextPair
from sparrowlm.export.hugging_face import write_network
from sparrowlm.foundation.interrupts import StopRequest
from sparrowlm.foundation.progress import SilentProgress
from sparrowlm.runtime.directory import MANIFEST_FILE, ModelDirectory, manifest_bytes
from sparrowlm.tasks.match.settings import MatcherTrainingSettings
from sparrowlm.tasks.match.training import TrainedMatcher, files, train_matcher
from sparrowlm.training.encoder_stage import StagePlace

VERBS = ("还款", "借款", "开通", "关闭", "查询", "修改", "取消", "冻结")
THINGS = ("花呗", "借呗", "余额宝", "银行卡", "密码", "手机号", "账单", "额度")
ANSWERS = [
    TextPair(f"怎么{verb}{thing}", f"请在{thing}的页面点{verb}。")
    for verb in VERBS
    for thing in THINGS
]


def labelled_pairs(count: int = 300, yes: str = "1", no: str = "0") -> list[TextPair]:
    """Pairs that mean the same where verb and thing agree, whatever the politeness."""
    random = np.random.default_rng(0)
    pairs = []
    for _ in range(count):
        verb, thing = random.choice(VERBS), random.choice(THINGS)
        is_same = random.random() < 0.5
        other = verb if is_same else random.choice([v for v in VERBS if v != verb])
        asked = random.choice(["怎么{}{}", "如何{}{}", "请问{}{}怎么做"])
        pairs.append(
            TextPair(f"怎么{verb}{thing}", asked.format(other, thing), yes if is_same else no)
        )
    return pairs


def place(folder: Path) -> StagePlace:
    return StagePlace(folder, "test", SilentProgress(), StopRequest(print))


def train(
    pairs: list[TextPair], folder: Path, settings: MatcherTrainingSettings | None = None
) -> TrainedMatcher:
    settings = settings or MatcherTrainingSettings()
    return train_matcher(pairs, None, None, settings, place(folder))


@cache
def trained_on_both() -> TrainedMatcher:
    """A matcher that judges pairs and knows answers."""
    return train([*labelled_pairs(), *ANSWERS], Path("unused"))


def write(trained: TrainedMatcher, directory: Path, codec=None) -> ModelDirectory:
    """Write a model directory as the export room would."""
    directory.mkdir()
    for name, put in files(trained).items():
        put(directory / name)
    if trained.model_arrays:
        shape = trained.matcher.encoder.encoder.engine.shape
        write_network(directory, shape, {})
        codec.save(directory)
    listed = {
        path.name: {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in directory.iterdir()
    }
    content = {"kind": "match", "task": trained.matcher.settings.as_json(), "files": listed}
    (directory / MANIFEST_FILE).write_bytes(manifest_bytes(content))
    return ModelDirectory(directory)
