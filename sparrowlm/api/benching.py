"""How fast a model is on this machine, and how much memory it takes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sparrowlm.foundation.errors import ModelError

if TYPE_CHECKING:
    from sparrowlm.api.model import Model
    from sparrowlm.runtime.engines import Engine

_DECODED_TOKENS, _PROMPT_TOKENS, _STREAMS = 64, 512, 8
_SECONDS = 0.5
_TEXTS = (
    "今天的天气很好，我们一起去公园散步吧。", "这家酒店的服务态度非常差，以后不会再来了。",
    "请问怎样修改登录密码？", "苹果公司昨天在北京发布了新款手机。",
    "The weather is fine today, let us go for a walk.", "Book a table for two at seven, please.",
)  # fmt: skip
_NUM_TEXTS = 240


def bench(path: str | Path) -> dict[str, Any]:
    """Measure a model in this process.

    Args:
        path: a model directory or a GGUF file.

    Returns:
        "bytes", "open_ms", "memory_mib" (what opening and running it added to the process) and
        "engine". Of a model that completes text also "first_token_ms", "tokens_per_second" (one
        stream, id by id), "streams_tokens_per_second" (eight together) and
        "prompt_tokens_per_second"; of one with labels "texts_per_second", 240 short texts together,
        and "texts_per_second_alone", one after the other. Each the best of several runs.

    Raises:
        ModelError, DamagedFileError: there is no model, or it is damaged.
    """
    from sparrowlm.api.model import TASK_KINDS, Model

    before = _resident_mib()
    began = time.perf_counter()
    model = Model(Path(path))
    facts: dict[str, Any] = {
        "bytes": model.num_bytes(),
        "open_ms": 1000.0 * (time.perf_counter() - began),
    }
    if model.kind in (*TASK_KINDS, "encoder"):
        facts |= _label_figures(model)
    else:
        facts |= _text_figures(model)
    facts["memory_mib"] = max(_peak_mib() - before, 0.0)
    return facts


def bench_apart(path: Path) -> dict[str, Any]:
    """Measure a model in a process of its own, where nothing else takes memory.

    Raises:
        ModelError: the process failed.
    """
    command = [sys.executable, "-m", "sparrowlm", "bench", str(path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ModelError("api.bench-failed", path=path, reason=done.stderr.strip()[-500:])
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def _text_figures(model: Model) -> dict[str, Any]:
    engine, vocab_size = model.engine, model.engine.vocab_size
    # Of a longer prompt a Transformer reads the end alone.
    length = min(_PROMPT_TOKENS, getattr(_network(engine), "context_tokens", _PROMPT_TOKENS))
    ids_T = np.arange(1, length + 1, dtype=np.int64) * 7919 % vocab_size
    first = _seconds(lambda: engine.step(ids_T[:1], engine.start(), is_last_only=True))
    prompt = _seconds(lambda: engine.step(ids_T, engine.start(), is_last_only=True))
    return {
        "engine": _engine_name(engine),
        "first_token_ms": 1000.0 * first,
        "tokens_per_second": _DECODED_TOKENS / _seconds(lambda: _decode(engine)),
        "streams_tokens_per_second": _STREAMS
        * _DECODED_TOKENS
        / _seconds(lambda: _decode_streams(engine)),
        "prompt_tokens_per_second": length / prompt,
    }


def _decode(engine: Engine[Any]) -> None:
    cache, last = engine.start(), 0
    for _ in range(_DECODED_TOKENS):
        scores_V = engine.step(np.array([last], dtype=np.int64), cache, is_last_only=True)[-1]
        last = int(scores_V.argmax())


def _decode_streams(engine: Engine[Any]) -> None:
    start = engine.start()
    engine.step(np.zeros(1, dtype=np.int64), start, is_last_only=True)
    cache = engine.branch(start, [0] * _STREAMS)
    ids_B = np.arange(_STREAMS, dtype=np.int64) % engine.vocab_size
    for _ in range(_DECODED_TOKENS):
        ids_B = engine.step_rows(ids_B, cache).argmax(axis=1).astype(np.int64)


def _label_figures(model: Model) -> dict[str, Any]:
    texts = [f"{_TEXTS[n % len(_TEXTS)]}{n}" for n in range(_NUM_TEXTS)]
    answer: Callable[[list[str]], object]
    if model.kind == "match":
        pairs = dict(zip(texts, texts[1:] + texts[:1], strict=True))

        def answer(some: list[str]) -> object:
            return list(model.match_stream((one, pairs[one]) for one in some))
    elif model.kind == "encoder":
        answer = model.embed
    else:
        answer = model.predict
    answer(texts[:1])
    some = texts[:24]
    return {
        "texts_per_second": _NUM_TEXTS / _seconds(lambda: answer(texts)),
        "texts_per_second_alone": len(some) / _seconds(lambda: [answer([one]) for one in some]),
    }


def _engine_name(engine: Any) -> str:  # noqa: ANN401 - any engine
    """Return what computes: the compiled part with its instruction set, or NumPy."""
    kernels = getattr(_network(engine), "kernels", None)
    return f"native, {kernels}" if kernels else "NumPy"


def _network(engine: Any) -> Any:  # noqa: ANN401 - any engine
    """Return the network of a mixture, else the engine itself."""
    return getattr(engine, "neural", engine)


def _seconds(work: Callable[[], object]) -> float:
    """Return the shortest time of several runs, after one that warms up."""
    work()
    best, ends = float("inf"), time.perf_counter() + _SECONDS
    while True:
        began = time.perf_counter()
        work()
        now = time.perf_counter()
        best = min(best, now - began)
        if now >= ends:
            return best


def _resident_mib() -> float:
    """Return the memory that the process has now, 0 where nobody says."""
    return _status_mib("VmRSS")


def _peak_mib() -> float:
    """Return the most memory that the process has had, 0 where nobody says."""
    # Not getrusage: what stood in this process's place before it began would count.
    return _status_mib("VmHWM")


def _status_mib(name: str) -> float:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0.0
    found = [line.split()[1] for line in lines if line.startswith(f"{name}:")]
    return int(found[0]) / 1024 if found else 0.0
