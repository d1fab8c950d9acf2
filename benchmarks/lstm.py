"""An LSTM in ninety seconds on tinyshakespeare: validation loss in nats per character.

    python -m benchmarks.lstm [--minutes 1.5] [--json]

The time holds everything: reading, planning, training, writing. The validation text is only scored.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from benchmarks.data import read_text
from sparrowlm import api
from sparrowlm.foundation.hardware import probe_machine
from sparrowlm.foundation.progress import PlainProgress


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory) / "train.txt"
        source.write_text(read_text("lm/tinyshakespeare/train.txt.xz"), encoding="utf-8")
        began = time.perf_counter()
        model = api.train(
            source,
            output=Path(directory) / "model",
            model="lstm",
            minutes=options.minutes,
            progress=PlainProgress(),
        )
        seconds = time.perf_counter() - began
        score = model.score(read_text("lm/tinyshakespeare/val.txt"))
    if options.json:
        found = {"machine": str(probe_machine()), "seconds": seconds}
        print(json.dumps({**found, "nats_per_character": score.nats_per_character}))
        return
    print(probe_machine())
    print(f"{score.nats_per_character:.4f} nats per character after {seconds:.1f} s")


if __name__ == "__main__":
    main()
