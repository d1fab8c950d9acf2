"""tinyshakespeare beside nanoGPT's CPU recipe: validation loss in nats per character.

    python -m benchmarks.tinyshakespeare [--minutes rival 5 15] [--json]

The rival trains first and its wall time is what the whole of ours gets ("rival"): reading, the
n-gram, planning, the network, the mixture, writing. The validation text is only scored.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from benchmarks import nanogpt_recipe
from benchmarks.data import read_text
from sparrowlm import api
from sparrowlm.foundation.hardware import probe_machine
from sparrowlm.foundation.progress import PlainProgress

RIVAL = "rival"


def train_and_score(train_text: str, validation: Path, minutes: float) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory) / "train.txt"
        source.write_text(train_text, encoding="utf-8")
        began = time.perf_counter()
        model = api.train(
            source, output=Path(directory) / "model", minutes=minutes, progress=PlainProgress()
        )
        seconds = time.perf_counter() - began
        parts = model.evaluate([validation])
        text = validation.read_text(encoding="utf-8")
        return {
            "minutes_allowed": minutes,
            "seconds": seconds,
            "nats_per_character": model.score(text).nats_per_character,
            "parts": parts,
            "info": model.info(),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", nargs="+", default=[RIVAL, "5", "15"])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    train_text = read_text("lm/tinyshakespeare/train.txt.xz")
    validation_text = read_text("lm/tinyshakespeare/val.txt")
    results: dict[str, object] = {"machine": str(probe_machine())}
    rival = None
    if RIVAL in options.minutes:
        rival = nanogpt_recipe.run(train_text, validation_text)
        results["nanogpt_recipe"] = vars(rival)
        print(results, flush=True)
    with tempfile.TemporaryDirectory() as directory:
        validation = Path(directory) / "val.txt"
        validation.write_text(validation_text, encoding="utf-8")
        for choice in options.minutes:
            minutes = rival.seconds / 60 if choice == RIVAL else float(choice)
            results[choice] = train_and_score(train_text, validation, minutes)
            print(choice, json.dumps(results[choice], ensure_ascii=False), flush=True)
    if options.json:
        print(json.dumps(results, ensure_ascii=False))


if __name__ == "__main__":
    main()
