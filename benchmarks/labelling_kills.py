"""`sparrow label` killed again and again: what is paid for twice, and whether the cap holds.

    python -m benchmarks.labelling_kills [--kills 20] [--rows 600] [--delay 0.1]

A stand-in on loopback, a program of its own, answers after a while and logs every answer it wrote
to the last byte; who goes away before gets, and pays, nothing. Four questions are asked at once.
The command is killed with -9 at random moments and started again; the last time it may finish. An
answer that was in the cache at a kill and is asked for again counts as paid twice; one that had
left the server, and that the command could not yet read and write down, as lost on the wire.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.stand_ins import MODEL, answered, kept

ROOT = Path(__file__).parents[1]
SERVER = ROOT / "tests" / "labelling_server.py"


def killed_once(words: list[str], log: Path, chance: random.Random) -> bool:
    """Start the command and kill it some time after its first answers; False where it ended."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(words, cwd=ROOT, **quiet)
    before = log.stat().st_size if log.exists() else 0
    while process.poll() is None:
        if log.exists() and log.stat().st_size > before:
            time.sleep(chance.uniform(0, 0.6))
            if process.poll() is not None:
                break
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.001)
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--delay", type=float, default=0.1, help="seconds of an answer")
    options = parser.parse_args()
    chance = random.Random(3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, output, log = folder / "in.txt", folder / "out.jsonl", folder / "log"
        texts = [f"第{n}条评论，房间很好" for n in range(options.rows)]
        source.write_text("\n".join(texts), encoding="utf-8")
        cap = options.rows + 4 * options.kills
        with subprocess.Popen(
            [sys.executable, str(SERVER), str(options.delay), str(log)],
            stdout=subprocess.PIPE,
            text=True,
        ) as server:
            url = server.stdout.readline().strip()
            words = [sys.executable, "-m", "sparrowlm", "label", str(source), "--large", url]
            words += ["--model", MODEL, "--labels", "好", "坏", "-o", str(output), "--json"]
            words += ["--max-calls", str(cap), "--concurrent", "4"]
            num_kills = num_seen = paid_twice = 0
            was_kept: set[bytes] = set()
            while num_kills < options.kills and killed_once(words, log, chance):
                num_kills += 1
                keys = answered(log, url)
                paid_twice += sum(key in was_kept for key in keys[num_seen:])
                was_kept, num_seen = kept(output), len(keys)
            done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
            server.kill()
        report = json.loads(done.stdout)
        keys = answered(log, url)
        paid_twice += sum(key in was_kept for key in keys[num_seen:])
        rows = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    print(f"{num_kills} kills; {len(rows)} rows, in order: {[r['text'] for r in rows] == texts}")
    lost = len(keys) - len(set(keys)) - paid_twice
    print(f"answers: {len(keys)}; paid twice though kept: {paid_twice}; lost on the wire: {lost}")
    print(f"calls in the ledger: {report['calls']}, cap: {cap}")
    is_whole = len(rows) == options.rows and not paid_twice
    sys.exit(0 if is_whole and report["calls"] <= cap else 1)


if __name__ == "__main__":
    main()
