"""ONNX: onnxruntime computes what our own engines compute."""

from __future__ import annotations

import numpy as np
import pytest
from gguf_models import gguf_mixture, gguf_model
from small_models import small_model

from sparrowlm.export.onnx_graph import OnnxGraph
from sparrowlm.export.onnx_model import export_onnx
from sparrowlm.export.onnx_transformer import TransformerGraph
from sparrowlm.foundation.errors import ModelError
from sparrowlm.models.architectures import TransformerShape
from sparrowlm.models.quantised_rows import quantised
from sparrowlm.runtime.encoder_engine import EncoderEngine, NgramTables
from sparrowlm.runtime.gguf_files import model_files
from sparrowlm.runtime.gguf_loading import gguf_shape, gguf_tensors
from sparrowlm.runtime.gguf_reading import GgufFile
from sparrowlm.runtime.loading import open_model
from sparrowlm.runtime.native_engine import NativeEngine
from sparrowlm.runtime.transformer_engine import TransformerEngine

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnx", reason="onnx is not installed")


def session_of(path):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def read(session, ids, kept):
    """Feed ids and return logits and what is kept."""
    names = [one.name for one in session.get_outputs()]
    found = dict(zip(names, session.run(None, {"input_ids": ids, **kept}), strict=True))
    now = {
        name.replace("present", "past"): value
        for name, value in found.items()
        if name.startswith("present")
    }
    return found["logits"], now


def in_numpy(path, engine):
    """Return an engine that keeps keys and values in float32, as the graph does."""
    if not isinstance(engine, NativeEngine):
        return engine
    file = GgufFile(path)
    shape = gguf_shape(file)
    return TransformerEngine(shape, gguf_tensors(file, shape), path)


def nothing_kept(session, batch=1):
    return {
        one.name: np.zeros((batch, one.shape[1], 0, one.shape[3]), dtype=np.float32)
        for one in session.get_inputs()
        if one.name.startswith("past")
    }


@pytest.mark.parametrize("kind", ["directory", "file", "mixture"])
def test_a_decoder_gives_equal_scores_at_once_and_id_by_id(tmp_path, kind):
    if kind == "directory":
        path = small_model(tmp_path / "m", "transformer")
    else:
        make = gguf_model if kind == "file" else gguf_mixture
        path = make(tmp_path / "m.gguf", "float32")
    export_onnx(model_files(path), tmp_path / "m.onnx")
    session, engine = session_of(tmp_path / "m.onnx"), open_model(path).engine
    neural = in_numpy(path, getattr(engine, "neural", engine))
    ids = np.random.default_rng(0).integers(0, neural.vocab_size, 20)
    wanted = neural.step(ids, neural.start())
    logits, _kept = read(session, ids[None], nothing_kept(session))
    np.testing.assert_allclose(logits[0], wanted, atol=2e-4)
    kept, pieces = nothing_kept(session), []
    for piece in np.split(ids, [1, 2, 9]):
        logits, kept = read(session, piece[None], kept)
        pieces.append(logits[0])
    np.testing.assert_allclose(np.concatenate(pieces), wanted, atol=2e-4)
    assert (np.concatenate(pieces).argmax(axis=1) == wanted.argmax(axis=1)).all()
    two, _kept = read(session, np.stack([ids, ids[::-1]]), nothing_kept(session, 2))
    np.testing.assert_allclose(two[0], wanted, atol=2e-4)


SHAPE = TransformerShape(
    vocab_size=41, width=48, num_layers=2, num_heads=4, num_kv_heads=2, head_width=16,
    feed_forward_width=56, context_tokens=24, is_causal=False,
)  # fmt: skip


@pytest.mark.parametrize("orders", [(2, 3), ()])
def test_an_encoder_gives_equal_states_for_texts_of_any_length(tmp_path, orders):
    from small_models import transformer_tensors

    random, tensors = np.random.default_rng(1), transformer_tensors(SHAPE)
    rows = tuple(quantised(random.normal(size=(64, 8)).astype(np.float32)) for _ in orders)
    tables = NgramTables(orders, rows, random.normal(size=(48, 8)).astype(np.float32))
    engine, graph = EncoderEngine(SHAPE, tensors, tables, ""), OnnxGraph()
    states, pooled = TransformerGraph(graph, SHAPE, tensors).encoder(tables)
    graph.output("states", states, np.float32, ("batch", "time", 48))
    graph.output("pooled", pooled, np.float32, ("batch", 96))
    graph.save(tmp_path / "m.onnx", {})
    lengths = np.array([24, 1, 2, 13], dtype=np.int64)
    ids = random.integers(0, 41, (4, 24))
    found, pooled_found = session_of(tmp_path / "m.onnx").run(
        None, {"input_ids": ids, "lengths": lengths}
    )
    engine.run_in_numpy()
    wanted = engine.states(ids, lengths)
    for row, length in enumerate(lengths):
        np.testing.assert_allclose(found[row, :length], wanted[row, :length], atol=2e-4)
    texts = [ids[row, :length] for row, length in enumerate(lengths)]
    np.testing.assert_allclose(pooled_found, engine.pooled(texts), atol=2e-4)


def test_a_model_without_a_network_is_refused(tmp_path):
    with pytest.raises(ModelError, match="ngram"):
        export_onnx(model_files(small_model(tmp_path / "m", "ngram")), tmp_path / "m.onnx")
