"""The network of a model as one ONNX file, for onnxruntime."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from sparrowlm.export.gguf_model import network_of
from sparrowlm.export.onnx_graph import OnnxGraph
from sparrowlm.export.onnx_transformer import TransformerGraph
from sparrowlm.foundation.errors import ModelError
from sparrowlm.runtime.directory import ENCODER_FILE, ModelFiles
from sparrowlm.runtime.encoder_files import load_encoder, transformer_tensors


def export_onnx(files: ModelFiles, path: Path) -> None:
    """Write the network of a model.

    Args:
        files: of a Transformer (alone or in a mixture), an encoder, or a classifier with one.
        path: the file to replace.

    Raises:
        ModelError: the model has no such network.
        DamagedFileError: a file of the model is not what was written.
        DependencyError: the package onnx is missing.
        ResourceError: disk full or not writable.
    """
    kind, graph = str(files.manifest["kind"]), OnnxGraph()
    metadata = {"sparrow.kind": kind}
    network = network_of(files)
    if network is not None:
        TransformerGraph(graph, network.shape, network.tensors).decoder()
    elif files.holds(ENCODER_FILE) and kind in ("encoder", "classify"):
        _write_encoder(files, kind, graph)
        if kind == "classify":
            labels = files.manifest["task"]["labels"]
            metadata["sparrow.labels"] = json.dumps(labels, ensure_ascii=False)
    else:
        raise ModelError("export.no-onnx", path=files.path, kind=kind)
    graph.save(path, metadata)


def _write_encoder(files: ModelFiles, kind: str, graph: OnnxGraph) -> None:
    loaded, tensors = load_encoder(files), transformer_tensors(files)
    shape, head = loaded.engine.shape, loaded.head
    writer = TransformerGraph(graph, shape, tensors)
    states, pooled = writer.encoder(loaded.engine.tables)
    graph.output("states", states, np.float32, ("batch", "time", shape.width))
    graph.output("pooled", pooled, np.float32, ("batch", 2 * shape.width))
    if kind == "encoder":
        axes = ("batch", "time", shape.vocab_size)
        graph.output("logits", writer.scores(states), np.float32, axes)
        return
    weight_PL = np.ascontiguousarray(head["head.weight"].T)
    scores = graph.add("MatMul", pooled, graph.constant(weight_PL, "head.weight"))
    logits = graph.add("Add", scores, graph.constant(head["head.bias"], "head.bias"))
    graph.output("logits", logits, np.float32, ("batch", len(head["head.bias"])))
