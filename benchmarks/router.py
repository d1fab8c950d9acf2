"""What deciding costs: one question after the other over HTTP, less what the two models took.

    python -m benchmarks.router FOLDER [--questions 1000]

FOLDER keeps the models of benchmarks.cooperation: banking77's small classifier answers what it is
sure of, its large one the rest, in the same server, with a log of every decision. The time of a
request is measured by a client that keeps its connection; what its answer says that the models
took is subtracted. The same questions to the small model without a policy stand beside it. Bar: 95
of 100 within 5 ms.
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.cooperation_data import kept_or_trained, read_set
from benchmarks.servers import Server
from sparrowlm.cooperation.asking import Question
from sparrowlm.cooperation.calibrating import CalibrationSettings, calibrated
from sparrowlm.cooperation.judged_rows import JudgedRow

_NAME = "banking77"
_WARM_UP = 50


def asked(server: Server, texts: Sequence[str], *, cooperate: bool) -> list[tuple[float, dict]]:
    """Return milliseconds and the answer of every question."""
    connection = http.client.HTTPConnection(*server.place)
    found = []
    for text in texts:
        body = json.dumps({"model": "m", "input": text, "k": 1, "cooperate": cooperate})
        began = time.perf_counter()
        connection.request("POST", "/v1/classify", body)
        content = connection.getresponse().read()
        took = 1000 * (time.perf_counter() - began)
        found.append((took, json.loads(content)["data"][0]))
    connection.close()
    return found[_WARM_UP:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--questions", type=int, default=1000)
    options = parser.parse_args()
    small = kept_or_trained(options.folder, _NAME, "small")
    large = kept_or_trained(options.folder, _NAME, "large")
    pool = read_set(_NAME).pool
    half = len(pool) // 2
    rows = [JudgedRow(Question(text), (label,)) for text, label in pool[:half]]
    texts = [text for text, _label in pool[half:]][: options.questions]
    with tempfile.TemporaryDirectory() as folder:
        policy, log = Path(folder, "policy.json"), Path(folder, "decisions.jsonl")
        calibrated(small, rows, CalibrationSettings()).policy.save(policy)
        words = ("--policy", policy, "--large", large.path, "--decisions", log)
        with Server(f"m={small.path}", *words) as server:
            with_policy = asked(server, texts, cooperate=True)
            alone = asked(server, texts, cooperate=False)
    overheads, routers, num_passed_on = [], [], 0
    for took, answer in with_policy:
        decision = answer["decision"]
        router = decision["router_milliseconds"]
        overheads.append(took - (decision["milliseconds"] - router))
        routers.append(router)
        num_passed_on += decision["action"] == "escalate"
    print(f"{len(overheads)} questions, {num_passed_on} passed on; milliseconds:")
    for name, values in (
        ("all but the two models", overheads), ("of them the router", routers),
        ("a request without policy, model included", [took for took, _answer in alone]),
    ):  # fmt: skip
        shown = " ".join(f"p{p} {np.percentile(values, p):.2f}" for p in (50, 95, 99))
        print(f"  {name}: {shown}")


if __name__ == "__main__":
    main()
