"""A model in another form, opened again and compared before anybody is told that it is ready."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np

from sparrowlm.api.model import Model
from sparrowlm.export.from_gguf import export_directory
from sparrowlm.export.gguf_blocks import FORMS, Form
from sparrowlm.export.gguf_model import any_network_of, export_gguf
from sparrowlm.export.onnx_model import export_onnx
from sparrowlm.foundation.errors import DependencyError, ModelError, SettingError
from sparrowlm.foundation.native_part import native_part
from sparrowlm.foundation.randomness import random_generator
from sparrowlm.runtime.engines import Engine, log_softmax
from sparrowlm.runtime.gguf_files import GOLDEN_KEY, GgufModelFiles, model_files
from sparrowlm.runtime.gguf_reading import SUFFIX
from sparrowlm.runtime.loading import NEURAL_KINDS, open_model
from sparrowlm.runtime.sampling import SamplingSettings, draw

_ONNX = ".onnx"
_SAMPLE_TOKENS = 256
# A file whose own numbers are not those of its model: nobody must get it.
_LARGEST_LOSS_NATS = 3.0


def export_model(model: str | Path, output: str | Path, form: str = "int8") -> dict[str, Any]:
    """Write a model as one GGUF file, or, from such a file, as a model directory.

    Args:
        model: a model directory or a GGUF file.
        output: the file, its name ending with .gguf or .onnx (float32, for onnxruntime); or a
            directory, whose name has no ending. Replaced.
        form: of a network's matrices: float32, float16, bfloat16, int8, int6, int5, int4, int3.
            Everything else keeps its form.

    Returns:
        "bytes"; of a file "architecture" and "self_test"; of a network also "same_likeliest" (the
        share of tokens, in a text that the model itself wrote, whose likeliest next token is the
        same as before) and "nats_per_token_before" and "_after" on that text.

    Raises:
        SettingError: an unknown form, or another ending.
        ModelError: there is no model.
        DependencyError: the package gguf is missing, or a form needs the compiled part.
        ResourceError: disk full or not writable.
    """
    if form not in FORMS:
        known = ", ".join(get_args(Form))
        raise SettingError("api.export-form", received=form, known=known)
    output = Path(output)
    if output.suffix not in ("", SUFFIX, _ONNX) or (output.suffix and output.is_dir()):
        raise SettingError("api.export-ending", received=output)
    files = model_files(Path(model))
    if output.suffix == _ONNX:
        export_onnx(files, output)
        return {"bytes": output.stat().st_size}
    facts: dict[str, Any] = {}
    if output.suffix == SUFFIX:
        export_gguf(files, output, form)
        facts |= tested(output)
    else:
        if output.resolve() == Path(model).resolve():
            raise SettingError("api.export-itself", path=output)
        export_directory(files, output)
        Model(output)
    facts["bytes"] = model_files(output).num_bytes()
    if any_network_of(files) is None:
        return facts
    if files.manifest["kind"] in (*NEURAL_KINDS, "mixture"):
        facts |= compared(open_model(Path(model)).engine, open_model(output).engine)
        if facts["nats_per_token_after"] > facts["nats_per_token_before"] + _LARGEST_LOSS_NATS:
            if output.is_file():
                output.unlink()
            raise ModelError("api.export-differs", path=output, **facts)
    return facts


def tested(path: Path) -> dict[str, Any]:
    """Open a file that was just written, and let this machine compute what its maker did.

    Returns:
        "architecture"; "self_test" ("passed" or "failed") where there is something to compare.

    Raises:
        DamagedFileError: it is not what was written.
    """
    written = GgufModelFiles(path)
    facts: dict[str, Any] = {"architecture": written.file.settings["general.architecture"]}
    native = native_part()
    if native is not None and GOLDEN_KEY in written.file.settings:
        facts["self_test"] = native.Decoder(written.file.content, "", 1, 1).self_test()
    if facts.get("self_test") != "failed":
        Model(path)
    return facts


def compared(before: Engine[Any], after: Engine[Any]) -> dict[str, float]:
    """Compare two engines on a text that the first one writes.

    Returns:
        "same_likeliest", "nats_per_token_before" and "nats_per_token_after".
    """
    ids_T = _own_text(before)
    logs = [log_softmax(engine.step(ids_T[:-1], engine.start())) for engine in (before, after)]
    likeliest = [logs_TV.argmax(axis=1) for logs_TV in logs]
    places_T = np.arange(len(ids_T) - 1)
    nats = [float(-logs_TV[places_T, ids_T[1:]].mean()) for logs_TV in logs]
    return {
        "same_likeliest": float((likeliest[0] == likeliest[1]).mean()),
        "nats_per_token_before": nats[0],
        "nats_per_token_after": nats[1],
    }


def _own_text(engine: Engine[Any]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return ids that a model draws, separators included."""
    generator = random_generator(0, "export")
    cache, ids = engine.start(), [0]
    settings = SamplingSettings()
    for _ in range(_SAMPLE_TOKENS):
        logits = engine.step(np.array(ids[-1:], dtype=np.int64), cache, is_last_only=True)
        ids.append(draw(logits[-1], settings, generator))
    return np.array(ids, dtype=np.int64)


def self_tested(path: str | Path) -> dict[str, str]:
    """Ask whether this machine computes what the machine computed that wrote a GGUF file.

    Returns:
        Name of an instruction set -> "passed" or "failed"; every one that this machine can run.

    Raises:
        ModelError: there is no such file, or nothing in it to compare with.
        DependencyError: the compiled part is missing.
    """
    native = native_part()
    if native is None:
        raise DependencyError("runtime.no-native")
    path = Path(path)
    if path.suffix != SUFFIX:
        raise SettingError("api.export-ending", received=path)
    written = GgufModelFiles(path)
    found = {}
    if GOLDEN_KEY in written.file.settings:
        for name in native.kernel_names():
            found[name] = native.Decoder(written.file.content, name, 1, 4).self_test()
    if not found:
        raise ModelError("api.nothing-to-test", path=path)
    return found
