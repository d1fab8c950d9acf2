"""What reading without labels is worth: the same network, the same minutes, three beginnings.

    python -m benchmarks.pretraining trec smp2020 --from ENCODER --minutes 5 --seeds 0 1 2

nothing    labels from the first step to the last
own text   reads the texts of the set first, masked and causal in one, then learns their labels
general    goes on from an encoder that has read other text (--from), reads the set's, then learns

The network alone, without the n-gram model that `sparrow train` puts beside it; accuracy and
macro-F1 on the dev part, else on a tenth of train. Test parts are not looked at.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.classification_data import SOURCES, Source, rows_of, training_rows
from sparrowlm.api.encoder_start import encoder_start
from sparrowlm.api.task_parts import kind_for_reading
from sparrowlm.corpora.labelled import LabelledText
from sparrowlm.foundation.interrupts import StopRequest
from sparrowlm.foundation.progress import SilentProgress
from sparrowlm.tasks.classify.encoder_training import EncoderTraining
from sparrowlm.tasks.classify.examples import LabelledTexts, as_targets, label_names
from sparrowlm.tasks.classify.settings import ClassifierTrainingSettings
from sparrowlm.text.tokenizers import TokenCodec, load_tokenizer, train_tokenizer
from sparrowlm.text.tokenizers.sequences import whole
from sparrowlm.training.encoder_stage import StagePlace
from sparrowlm.training.precision import fastest_precision

_CONTEXT_TOKENS, _HELD_OUT = 128, 10
_READING_SHARE = {"nothing": 0.0, "own text": 0.4, "general": 0.2}
WAYS = tuple(_READING_SHARE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", choices=list(SOURCES))
    parser.add_argument("--from", dest="start", type=Path, help="an encoder that has read")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    options = parser.parse_args()
    for name in options.names:
        for way in options.ways:
            if way == "general" and options.start is None:
                continue
            found = np.array([measured(name, way, seed, options) for seed in options.seeds])
            (accuracy, macro_f1, seconds), spread = found.mean(axis=0), found.std(axis=0)
            print(
                f"{name:14s} {way:10s} accuracy {accuracy:.2f} ± {spread[0]:.2f},"
                f" macro-F1 {macro_f1:.2f} ± {spread[1]:.2f}, {seconds:.0f} s",
                flush=True,
            )


def measured(
    name: str, way: str, seed: int, options: argparse.Namespace
) -> tuple[float, float, float]:
    """Train once; return accuracy and macro-F1 in per cent, and seconds."""
    source = SOURCES[name]
    data, learnt, judged = divided(source, seed)
    settings = ClassifierTrainingSettings(
        parts="encoder", seed=seed, unlabelled=further(source, data.texts)
    )
    codec: TokenCodec
    if way == "general":
        start = encoder_start(options.start)
        size = replace(start.size, context_tokens=_CONTEXT_TOKENS)
        settings = replace(settings, size=size, start=start.tensors)
        codec = load_tokenizer(options.start)
    else:
        settings = replace(settings, size=replace(settings.size, context_tokens=_CONTEXT_TOKENS))
        codec = tokenizer([*data.texts, *settings.unlabelled])
    began = time.monotonic()
    left = options.minutes * 60
    with tempfile.TemporaryDirectory() as folder:
        place = StagePlace(Path(folder), "pretraining", SilentProgress(), StopRequest(print))
        training = EncoderTraining(data, codec, settings, fastest_precision())
        if share := _READING_SHARE[way]:
            training.pretrain(share * left, place.of("reading"))
        left -= time.monotonic() - began
        model, _result = training.learn(learnt, judged, left, place.of("labels"))
        scores_BL = training.scores(model, judged)
    seconds = time.monotonic() - began
    guessed_B, true_B = scores_BL.argmax(axis=1), data.targets_BL[judged].argmax(axis=1)
    return 100 * float((guessed_B == true_B).mean()), macro_f1_of(guessed_B, true_B), seconds


def divided(source: Source, seed: int) -> tuple[LabelledTexts, np.ndarray, np.ndarray]:
    """Return all texts, numbers of those that are learnt, and of those that are measured on."""
    train = list(dict.fromkeys(training_rows(source, seed)))
    if source.dev is None:
        order = np.random.default_rng(0).permutation(len(train))
        judged = np.sort(order[: len(train) // _HELD_OUT])
    else:
        dev = rows_of(source, source.dev)
        judged = np.arange(len(train), len(train) + len(dev))
        train += dev
    examples = [LabelledText(text, (label,)) for text, label in train]
    data = as_targets(examples, label_names(examples), is_multi_label=False)
    return data, np.setdiff1d(np.arange(len(train)), judged), judged


def further(source: Source, known: list[str]) -> list[str]:
    if source.unlabelled is None:
        return []
    own = set(known)
    return [text for text, _label in rows_of(source, source.unlabelled) if text not in own]


def tokenizer(texts: list[str]) -> TokenCodec:
    sample = [whole(text) for text in texts]
    num_characters = sum(map(len, sample))
    kind = kind_for_reading(sample[:2000], num_characters)
    return train_tokenizer(kind, lambda: iter(sample), num_characters, is_uncased=True)


def macro_f1_of(guessed_B: np.ndarray, true_B: np.ndarray) -> float:
    found = []
    for label in np.unique(true_B):
        right = int(((guessed_B == label) & (true_B == label)).sum())
        found.append(2 * right / int((guessed_B == label).sum() + (true_B == label).sum()))
    return 100 * float(np.mean(found))


if __name__ == "__main__":
    main()
