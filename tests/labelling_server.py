"""A stand-in for `sparrow label` that runs as a program of its own, and tells what it answered.

    python labelling_server.py DELAY_S LOG

Prints its address; adds to LOG the question of every answer that was written to the last byte.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import sys
import time
from pathlib import Path

from large_stand_in import StandIn

from sparrowlm.cooperation.large.cache import request_key


def labelled(body):
    """Chooses a label by the text; writes texts where texts are asked for."""
    text = body["messages"][-1]["content"]
    if "response_format" not in body:
        return "I would rather not."
    schema = body["response_format"]["json_schema"]["schema"]
    digest = hashlib.sha256(text.encode()).digest()
    if "texts" in schema["properties"]:
        made = [f"made {digest[0]} {body['seed']} {n}" for n in range(10)]
        return json.dumps({"texts": made})
    if "label" not in schema["properties"]:
        return json.dumps({"length": len(text), "topic": "x"})
    if "unanswerable" in text:
        return "I would rather not."
    labels = schema["properties"]["label"]["enum"]
    return json.dumps({"label": labels[digest[0] % len(labels)]}, ensure_ascii=False)


class LoggingStandIn(StandIn):
    def __init__(self, log, delay_s):
        self.log = log
        super().__init__(answer=labelled, delay_s=delay_s)

    async def _respond(self, reader, writer, head, content):
        await super()._respond(reader, writer, head, content)
        self.log.write(content.decode() + "\n")
        self.log.flush()


def answered(log, url):
    """Return the cache's keys of the questions in a log, in order."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    return [request_key(url, "/chat/completions", json.loads(line)) for line in lines]


def kept(output):
    """Return the keys of the answers that a labelling has in its cache."""
    path = output.with_name(output.name + ".state") / "answers.sqlite"
    if not path.exists():
        return set()
    connection = sqlite3.connect(path)
    try:
        return {row[0] for row in connection.execute("SELECT key FROM answers")}
    except sqlite3.OperationalError:
        return set()  # killed before the table was made
    finally:
        connection.close()


def main():
    with (
        Path(sys.argv[2]).open("a", encoding="utf-8") as log,
        LoggingStandIn(log, float(sys.argv[1])) as server,
    ):
        print(server.url, flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
