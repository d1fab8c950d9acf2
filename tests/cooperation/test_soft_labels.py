"""Probabilities of labels out of the tokens of one answer."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from large_calls import settings
from large_stand_in import StandIn
from token_by_token import answer_tokens, choice_tokens, cut

from sparrowlm.cooperation.labelling import LabelJob, label
from sparrowlm.cooperation.labelling.soft import label_shares
from sparrowlm.cooperation.large import TokenChance
from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled import LabelledSettings, read_labelled
from sparrowlm.foundation.errors import SettingError

LABELS = st.lists(st.text(alphabet='abc"\\付款 ', min_size=1, max_size=5), min_size=2, max_size=8,
                  unique=True)  # fmt: skip


def told_apart(labels, chosen, num_signs, is_ascii):
    """Group the labels that leave the way of the chosen one by the same piece."""
    pieces = {one: cut(json.dumps(one, ensure_ascii=is_ascii)[1:], num_signs) for one in labels}
    groups = {}
    for one in labels:
        pairs = zip(pieces[one], pieces[chosen], strict=False)
        leaving = next((n for n, (a, b) in enumerate(pairs) if a != b), None)
        key = one if leaving is None else (leaving, pieces[one][leaving])
        groups.setdefault(key, []).append(one)
    return groups.values()


@given(labels=LABELS, data=st.data(), is_ascii=st.booleans(), num_signs=st.integers(1, 3))
def test_shares_are_the_servers_own(labels, data, is_ascii, num_signs):
    """A server that chooses among labels piece by piece, each label cut in one way."""
    weights = [data.draw(st.integers(1, 50)) for _ in labels]
    shares = {one: w / sum(weights) for one, w in zip(labels, weights, strict=True)}
    chosen = data.draw(st.sampled_from(labels))
    tokens = answer_tokens(shares, chosen, num_signs=num_signs, is_ascii=is_ascii)
    found = label_shares(tokens, labels, chosen)
    assert found is not None
    assert math.isclose(sum(found.values()), 1.0)
    assert list(found.values()) == sorted(found.values(), reverse=True)
    for group in told_apart(labels, chosen, num_signs, is_ascii):
        given = [found.get(one, 0.0) for one in group]
        assert sum(given) == pytest.approx(sum(shares[one] for one in group), abs=1e-9)
        if not any(set(one) & set('\\"') for one in labels):
            # Beside a lone backslash nothing tells whether other signs are escaped.
            assert max(given) - min(given) < 1e-9


@given(
    labels=LABELS,
    pieces=st.lists(
        st.tuples(st.text(alphabet='ab"{:} le', max_size=4), st.floats(-9, 0)), max_size=12
    ),
)
def test_shares_of_any_tokens_are_probabilities_or_nothing(labels, pieces):
    tokens = [TokenChance(text, log, {"a": -1.0, "": -2.0}) for text, log in pieces]
    start = [TokenChance('{"label": "', 0.0, {})]
    for some in (tokens, start + tokens):
        found = label_shares(some, labels, labels[0])
        assert found is None or (set(found) <= set(labels) and abs(sum(found.values()) - 1) < 1e-6)
    assert label_shares([], labels, labels[0]) is None
    silent = [TokenChance(token.token, None) for token in answer_tokens(
        dict.fromkeys(labels, 1 / len(labels)), labels[0]
    )]  # fmt: skip
    assert label_shares(silent, labels, labels[0]) is None


def test_token_that_begins_before_the_label():
    tokens = [
        TokenChance('{"label":', 0.0), TokenChance(' "re', math.log(0.7), {' "de': math.log(0.3)}),
        TokenChance("fund", math.log(0.5), {"turn": math.log(0.4), "x": math.log(0.1)}),
        TokenChance('"}', 0.0),
    ]  # fmt: skip
    found = label_shares(tokens, ["refund", "return", "delivery", "debt"], "refund")
    assert found == pytest.approx(
        {"refund": 0.35 / 0.93, "return": 0.28 / 0.93, "delivery": 0.15 / 0.93, "debt": 0.15 / 0.93}
    )


class Choosing(StandIn):
    """Chooses labels with known probabilities, and tells them token by token."""

    tells = True

    def found(self, path, body):
        found = super().found(path, body)
        if self.tells and "response_format" in body:
            shares = shares_of(body["messages"][-1]["content"])
            chosen = max(shares, key=shares.get)
            found["choices"][0]["logprobs"] = {"content": choice_tokens(shares, chosen)}
        return found


def shares_of(text):
    share = 0.3 + 0.05 * (len(text) % 10)
    return {"好": share, "坏": 1 - share}


def chosen(body):
    shares = shares_of(body["messages"][-1]["content"])
    return json.dumps({"label": max(shares, key=shares.get)}, ensure_ascii=False)


def test_labelling_with_probabilities_is_read_by_the_training(tmp_path):
    texts = ["房间" + "很" * number + "好" for number in range(30)]
    job = LabelJob(lambda: [(text, {}) for text in texts], ("好", "坏"), is_soft=True)
    output = tmp_path / "out.jsonl"
    with Choosing(answer=chosen) as server:
        label(job, settings(server), output)
        assert {body["top_logprobs"] for body in server.bodies} == {20}
        prompts = [body["messages"][-1]["content"] for body in server.bodies]
        before = output.read_bytes()
        label(job, settings(server), output)  # out of the cache, tokens and all
        assert (len(server.bodies), output.read_bytes()) == (30, before)
    rows = {row["text"]: row for row in map(json.loads, before.decode().splitlines())}
    for text, prompt in zip(sorted(texts), sorted(prompts), strict=True):
        assert rows[text]["probabilities"] == pytest.approx(shares_of(prompt), abs=1e-4)
    data = read_labelled([output], LabelledSettings(), ReadingReport(), tmp_path)
    assert all(len(one.probabilities) == 2 for one in data.examples)


def test_server_without_probabilities_gives_labels(tmp_path):
    job = LabelJob(lambda: [("房间很好", {})], ("好", "坏"), is_soft=True)
    with Choosing(answer=chosen) as server:
        server.tells = False
        label(job, settings(server), tmp_path / "out.jsonl")
    row = json.loads((tmp_path / "out.jsonl").read_text(encoding="utf-8"))
    assert row["probabilities"] == {row["label"]: 1.0}
    with pytest.raises(SettingError, match="--soft"):
        LabelJob(list, (), prompt="{text}", is_soft=True)
    assert job.digest() != LabelJob(list, ("好", "坏")).digest()


def test_command_says_where_a_server_tells_no_probabilities(tmp_path):
    (tmp_path / "in.txt").write_text("房间很好\n很差\n", encoding="utf-8")

    def run(*words):
        command = [sys.executable, "-m", "sparrowlm", "label", *words]
        return subprocess.run(
            command, capture_output=True, text=True, encoding="utf-8", cwd=tmp_path, check=False,
            env=os.environ | {"SPARROW_LANG": "en", "PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip

    with Choosing(answer=chosen) as server:
        asked = ("--large", server.url, "--model", "m", "--labels", "好", "坏", "--soft")
        done = run("in.txt", *asked, "-o", "told.jsonl")
        assert done.returncode == 0, done.stderr
        assert "probabilities" not in done.stdout
        server.tells = False
        done = run("in.txt", *asked, "-o", "silent.jsonl")
        assert "told no probabilities" in done.stdout
        made = run("--generate", "3", *asked, "-o", "made.jsonl")
        assert made.returncode == 2
        assert "--soft" in made.stderr
    told = (tmp_path / "told.jsonl").read_text(encoding="utf-8")
    assert all(len(json.loads(line)["probabilities"]) == 2 for line in told.splitlines())
