from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from interrupting import InterruptedProgress
from labelling_server import answered, kept, labelled
from large_calls import settings
from large_stand_in import MODEL, StandIn

from sparrowlm.cooperation.labelling import GenerateJob, LabelJob, label
from sparrowlm.cooperation.labelling.running import LabellingStopped
from sparrowlm.cooperation.large import Budget, Caps, LargeFailure, Persistence
from sparrowlm.corpora.documents import ReadingReport
from sparrowlm.corpora.labelled import LabelledSettings, read_labelled
from sparrowlm.foundation.errors import SettingError

TEXTS = [f"第{n}条评论，房间很好" for n in range(40)]


@pytest.fixture
def server():
    with StandIn(answer=labelled) as stand_in:
        yield stand_in


def rows_of(texts):
    return lambda: [(text, {"id": number}) for number, text in enumerate(texts)]


def job(texts=TEXTS, **more):
    return LabelJob(rows_of(texts), **({"labels": ("好", "坏")} | more))


def read(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_labelling_writes_trainable_rows_in_order(server, tmp_path):
    output = tmp_path / "out.jsonl"
    report = label(job(), settings(server), output)
    rows = read(output)
    assert [row["text"] for row in rows] == TEXTS
    assert [row["id"] for row in rows] == list(range(40))
    assert (report.num_asked, report.num_rows, report.num_failed, report.calls) == (40, 40, 0, 40)
    data = read_labelled([output], LabelledSettings(), ReadingReport(), tmp_path)
    assert data.task == "classify"
    assert {e.labels[0] for e in data.examples} == {"好", "坏"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "out.jsonl.state"]


def test_labelling_again_asks_nothing_and_new_rows_alone(server, tmp_path):
    output = tmp_path / "out.jsonl"
    label(job(TEXTS[:30]), settings(server), output)
    before = output.read_bytes()
    again = label(job(TEXTS[:30]), settings(server), output)
    assert (again.num_known, len(server.bodies)) == (30, 30)
    assert output.read_bytes() == before
    more = label(job(TEXTS), settings(server), output)
    assert (more.num_known, len(server.bodies)) == (30, 40)
    assert output.read_bytes().startswith(before)


def test_labelling_equal_rows_are_asked_once(server, tmp_path):
    label(job(["同一条"] * 20), settings(server), tmp_path / "out.jsonl")
    assert len(server.bodies) == 1
    assert len(read(tmp_path / "out.jsonl")) == 20


def test_labelling_rows_without_an_answer_stand_apart(server, tmp_path):
    output = tmp_path / "out.jsonl"
    report = label(job(["好", "unanswerable", "坏"]), settings(server), output)
    assert report.num_failed == 1
    assert [row["text"] for row in read(output)] == ["好", "坏"]
    failed = read(tmp_path / "out.jsonl.failed.jsonl")
    assert failed == [{"text": "unanswerable", "id": 1, "reason": "schema"}]


def test_labelling_ends_at_the_cap_and_goes_on_when_it_is_raised(server, tmp_path):
    output = tmp_path / "out.jsonl"
    one_by_one = settings(server, max_concurrent=1)
    for cap in (15, 15, 25):
        with pytest.raises(LargeFailure, match="budget is used up"):
            label(job(), one_by_one, output, Budget("label", per_run=Caps(calls=cap)))
        assert len(server.bodies) == cap
        assert [row["text"] for row in read(output)] == TEXTS[:cap]
    label(job(), one_by_one, output, Budget("label", per_run=Caps(calls=40)))
    assert len(server.bodies) == 40
    assert [row["text"] for row in read(output)] == TEXTS


def test_labelling_ctrl_c_keeps_everything(server, tmp_path):
    output = tmp_path / "out.jsonl"
    with pytest.raises(LabellingStopped) as caught:
        label(job(), settings(server), output, progress=InterruptedProgress(10))
    assert "nothing is paid twice" in caught.value.sentence("en")
    kept = read(output)
    assert 10 <= len(kept) <= 14
    assert len(server.bodies) == len(kept)
    label(job(), settings(server), output)
    assert len(server.bodies) == 40
    assert [row["text"] for row in read(output)] == TEXTS


def test_labelling_stopped_while_it_catches_up_leaves_the_file_as_it_was(server, tmp_path):
    output = tmp_path / "out.jsonl"
    label(job(), settings(server), output)
    before = output.read_bytes()
    with pytest.raises(LargeFailure):
        budget = Budget("label", per_run=Caps(calls=1))
        label(job([*TEXTS[:5], "neu"]), settings(server), output, budget)
    assert output.read_bytes() == before


def test_labelling_refuses_files_of_others(server, tmp_path):
    output = tmp_path / "mine.jsonl"
    output.write_text("precious\n")
    with pytest.raises(SettingError, match="not made by this command"):
        label(job(), settings(server), output)
    other = tmp_path / "other.jsonl"
    label(job(), settings(server), other)
    with pytest.raises(SettingError, match="another question"):
        label(job(labels=("a", "b")), settings(server), other)
    assert output.read_text() == "precious\n"


def test_labelling_ends_where_the_server_answers_nobody(tmp_path):
    with StandIn(key="right") as server, pytest.raises(LargeFailure) as caught:
        label(job(), settings(server), tmp_path / "out.jsonl")
    assert caught.value.kind == "unauthorised"


def test_labelling_waits_for_a_server_that_comes_back(tmp_path):
    from fault_proxy import FaultProxy

    quick = Persistence(first_wait_s=0.01, longest_wait_s=0.02, breaker_rest_s=0.05)
    with StandIn(answer=labelled) as server, FaultProxy(server, "500", num_left=8) as proxy:
        output = tmp_path / "out.jsonl"
        report = label(job(TEXTS[:8]), settings(proxy, persistence=quick), output)
        assert report.num_rows == 8


def test_labelling_fields_of_a_schema(server, tmp_path):
    schema = {
        "type": "object",
        "properties": {"length": {"type": "integer"}, "topic": {"type": "string"}},
        "required": ["length"],
    }
    output = tmp_path / "out.jsonl"
    label(job(["短"], labels=(), json_schema=schema), settings(server), output)
    assert read(output)[0]["topic"] == "x"


def test_labelling_prompts_of_ones_own(tmp_path):
    with StandIn() as server:
        output = tmp_path / "out.jsonl"
        asked = job(["好 {x}"], labels=(), prompt="Translate number {id}: {text} {unknown}")
        label(asked, settings(server), output)
        assert server.bodies[0]["messages"][0]["content"] == "Translate number 0: 好 {x} {unknown}"
        assert read(output)[0]["answer"].startswith("You said: Translate")


def test_labelling_masked_sends_nothing_personal(server, tmp_path):
    texts = [f"电话1381234567{n}，很满意" for n in range(10)]
    output = tmp_path / "out.jsonl"
    label(job(texts), settings(server), output, masks=True)
    assert [row["text"] for row in read(output)] == texts
    assert b"1381234567" not in bytes(server.received)
    label(job(texts), settings(server), output, masks=True)
    assert len(server.bodies) == 1  # all ten are the same without the number


def test_labelling_generates_different_texts_for_every_label(server, tmp_path):
    output = tmp_path / "made.jsonl"
    made = GenerateJob(("退款", "物流"), 25, about="网店客服")
    report = label(made, settings(server), output)
    rows = read(output)
    assert report.calls == 6
    assert len({row["text"] for row in rows}) == len(rows)
    assert {row["label"] for row in rows} == {"退款", "物流"}
    label(made, settings(server), output)
    assert read(output) == rows and len(server.bodies) == 6


@pytest.mark.parametrize(
    "wrong",
    [{"labels": ()}, {"labels": ("a",)}, {"labels": ("a", "a")}, {"labels": ("a", " ")},
     {"json_schema": {}}, {"labels": (), "prompt": "no place"},
     {"labels": (), "json_schema": {"not": {}}}],
)  # fmt: skip
def test_labelling_refuses_jobs_that_make_no_sense(wrong):
    with pytest.raises(SettingError):
        job(**wrong)


# --- the command --------------------------------------------------------------------------------

SERVER = Path(__file__).parents[1] / "labelling_server.py"
ROOT = Path(__file__).parents[2]


def command(url, source, output, *more):
    words = ["label", str(source), "--large", url, "--model", MODEL, "--labels", "好", "坏"]
    return [sys.executable, "-m", "sparrowlm", *words, "-o", str(output), *more]


@pytest.fixture
def program(tmp_path):
    """The stand-in as a program, so that it outlives what is killed."""
    words = [sys.executable, str(SERVER), "0.02", str(tmp_path / "log")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        yield server.stdout.readline().strip(), tmp_path / "log"
        server.kill()


def test_labelling_killed_pays_for_nothing_twice(program, tmp_path):
    url, log = program
    source, output = tmp_path / "in.txt", tmp_path / "out.jsonl"
    source.write_text("\n".join(TEXTS), encoding="utf-8")
    words = command(url, source, output, "--concurrent", "2", "--max-calls", "60", "--json")
    chance, num_kills, shortest, paid_twice = random.Random(5), 0, 0, 0
    was_kept, num_seen = set(), 0
    while num_kills < 3:
        process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        written = log.stat().st_size if log.exists() else 0
        while process.poll() is None and time.monotonic() < deadline:
            if log.exists() and log.stat().st_size > written + 400 * chance.randint(1, 5):
                break
            time.sleep(0.002)
        assert process.poll() is None, "done before the kills were"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        num_kills += 1
        keys = answered(log, url)
        paid_twice += sum(key in was_kept for key in keys[num_seen:])
        was_kept, num_seen = kept(output), len(keys)
        if output.exists():
            rows = read_whole_lines(output)
            assert [row["text"] for row in rows] == TEXTS[: len(rows)]
            assert len(rows) >= shortest
            shortest = len(rows)
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    report = json.loads(done.stdout)
    assert [row["text"] for row in read(output)] == TEXTS
    keys = answered(log, url)
    paid_twice += sum(key in was_kept for key in keys[num_seen:])
    assert paid_twice == 0
    # What was on the wire at the moment of a kill nobody can have kept: at most the two that were
    # under way.
    assert len(set(keys)) == 40
    assert len(keys) - 40 <= 2 * num_kills
    assert report["num_known"] >= shortest
    assert report["calls"] <= 60


def read_whole_lines(path):
    return [json.loads(x) for x in path.read_bytes().split(b"\n")[:-1]]


def test_labelling_command_says_what_is_missing(program, tmp_path):
    url, _log = program
    source = tmp_path / "in.txt"
    source.write_text("好\n", encoding="utf-8")

    def complaint(*words):
        full = [sys.executable, "-m", "sparrowlm", "label", *words]
        environment = {**os.environ, "SPARROW_LANG": "en"}
        done = subprocess.run(
            full, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False
        )
        assert done.returncode in (1, 2) and "Traceback" not in done.stderr
        return done.stderr

    at = ("--large", url, "--model", "m", "-o", "o.jsonl")
    assert "--generate" in complaint(*at, "--labels", "a", "b")
    assert "--labels" in complaint(str(source), *at)
    assert "prices" in complaint(str(source), *at, "--labels", "a", "b", "--max-cost", "1")
    assert "NO_KEY" in complaint(str(source), *at, "--labels", "a", "b", "--key-env", "NO_KEY")
    elsewhere = ("--large", "nonsense", "--model", "m", "-o", "o.jsonl")
    assert "nonsense" in complaint(str(source), *elsewhere, "--labels", "a", "b")
