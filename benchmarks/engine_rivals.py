"""One engine and one model, measured in a process of its own (started by benchmarks.engines).

    python benchmarks/engine_rivals.py ENGINE MODEL BITS THREADS TASK ...

Prints tokens a second for every task as JSON. ENGINE is sparrow, ctranslate2, genai or openvino;
tasks are "decode" (128 tokens one by one after 16), "prompt" (512 read, the time to the first
token) and "streams:N" (64 tokens for each of N texts together). Needs nothing of the project but
for "sparrow": the others may live in another environment.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

_BEFORE, _DECODED, _PROMPT, _STREAMED, _RUNS = 16, 128, 512, 64, 4
# Writes `count` ids after each of some prompts of one length: [texts, length] -> nothing.
Writer = Callable[[np.ndarray, int], None]


def main() -> None:
    engine, model, bits, threads, *tasks = sys.argv[1:]
    vocab_size, writer = _ENGINES[engine](Path(model), int(bits), int(threads))
    print(json.dumps({task: figure(task, vocab_size, writer) for task in tasks}))


def figure(task: str, vocab_size: int, writer: Writer) -> float:
    """Return tokens a second."""
    name, _, number = task.partition(":")
    if name == "prompt":
        return _PROMPT / best(writer, prompts(1, _PROMPT, vocab_size), 1)
    count = int(number or 1)
    tokens = _DECODED if name == "decode" else _STREAMED
    whole = best(writer, prompts(count, _BEFORE, vocab_size), tokens + 1)
    first = best(writer, prompts(count, _BEFORE, vocab_size), 1)
    return count * tokens / (whole - first)


def prompts(count: int, length: int, vocab_size: int) -> Iterator[np.ndarray]:
    """Yield ids that differ every time: engines may keep what they have read."""
    numbers = np.arange(count * length, dtype=np.int64) * 7919
    for step in range(0, 1 << 30, 101):
        yield ((numbers + step) % (vocab_size - 1) + 1).reshape(count, length).astype(np.int32)


def best(writer: Writer, some_ids: Iterator[np.ndarray], count: int) -> float:
    seconds = []
    for _run, ids in zip(range(_RUNS + 1), some_ids, strict=False):
        began = time.perf_counter()
        writer(ids, count)
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:])


def sparrow(model: Path, bits: int, threads: int) -> tuple[int, Writer]:
    from sparrowlm.foundation.native_part import native_part

    content = np.asarray(np.memmap(model / f"int{bits}.gguf", dtype=np.uint8, mode="r"))
    decoder = native_part().Decoder(content, os.environ.get("KERNELS", ""), threads, 64)

    def write(ids: np.ndarray, count: int) -> None:
        sessions = [decoder.start() for _row in ids]
        scores = [decoder.read(*pair, True) for pair in zip(sessions, ids, strict=True)]
        last = np.concatenate(scores).argmax(axis=1).astype(np.int32)
        if len(ids) == 1:
            if count > 1:
                decoder.continue_greedily(sessions[0], int(last[0]), count - 1)
            return
        for _token in range(count - 1):
            last = decoder.read_one_each(sessions, last).argmax(axis=1).astype(np.int32)

    return decoder.vocab_size, write


def ctranslate2(model: Path, bits: int, threads: int) -> tuple[int, Writer]:
    import ctranslate2

    folder = model / f"ctranslate2-int{bits}"
    generator = ctranslate2.Generator(
        str(folder), device="cpu", compute_type="int8", inter_threads=1, intra_threads=threads
    )
    words = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))

    def write(ids: np.ndarray, count: int) -> None:
        # Ends at no id: the length is the same for all.
        generator.generate_batch(
            [[words[i] for i in row] for row in ids], beam_size=1, sampling_topk=1,
            max_length=count, min_length=count, include_prompt_in_result=False,
        )  # fmt: skip

    return len(words), write


def genai(model: Path, bits: int, threads: int) -> tuple[int, Writer]:
    import onnxruntime_genai as og

    folder = model / f"genai-int{bits}"
    config = og.Config(str(folder))
    session = {"intra_op_num_threads": threads, "inter_op_num_threads": 1}
    config.overlay(json.dumps({"model": {"decoder": {"session_options": session}}}))
    loaded = og.Model(config)
    facts = json.loads((folder / "genai_config.json").read_text(encoding="utf-8"))

    def write(ids: np.ndarray, count: int) -> None:
        params = og.GeneratorParams(loaded)
        length = ids.shape[1] + count
        params.set_search_options(
            batch_size=len(ids), max_length=length, min_length=length, do_sample=False
        )
        generator = og.Generator(loaded, params)
        generator.append_tokens(ids if len(ids) > 1 else ids[0])
        for _token in range(count):
            generator.generate_next_token()

    return int(facts["model"]["vocab_size"]), write


def openvino(model: Path, bits: int, threads: int) -> tuple[int, Writer]:
    import openvino as ov
    import openvino_genai as og

    pipeline = og.LLMPipeline(
        str(model / f"int{bits}.gguf"), "CPU", INFERENCE_NUM_THREADS=threads, NUM_STREAMS=1
    )
    vocab_size = len(pipeline.get_tokenizer().get_vocab())

    def write(ids: np.ndarray, count: int) -> None:
        wish = og.GenerationConfig()
        wish.max_new_tokens = wish.min_new_tokens = count
        wish.ignore_eos, wish.do_sample = True, False
        inputs = og.TokenizedInputs(
            ov.Tensor(ids.astype(np.int64)), ov.Tensor(np.ones(ids.shape, dtype=np.int64))
        )
        pipeline.generate(inputs, wish)

    return vocab_size, write


_ENGINES = {
    "sparrow": sparrow,
    "ctranslate2": ctranslate2,
    "genai": genai,
    "openvino": openvino,
}

if __name__ == "__main__":
    main()
