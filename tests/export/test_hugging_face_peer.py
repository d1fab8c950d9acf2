"""transformers loads our directories: no custom code, no warnings, the same numbers."""

from __future__ import annotations

import dataclasses
import logging
import warnings

import numpy as np
import pytest
import torch
from small_models import small_model, small_parts

from sparrowlm.export.model_directory import write_model
from sparrowlm.runtime.loading import open_model
from sparrowlm.runtime.mixture_engine import MixtureEngine

TEXT = "The cat sat: 我是人工智能模型。<|document|> \U0001f600\n\tÉ"


def load_in_transformers(directory, caplog):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    logging.getLogger("transformers").propagate = True
    with caplog.at_level(logging.WARNING), warnings.catch_warnings():
        warnings.simplefilter("error")
        network = AutoModelForCausalLM.from_pretrained(directory).eval()
        tokenizer = AutoTokenizer.from_pretrained(directory)
    assert [record.getMessage() for record in caplog.records] == []
    return network, tokenizer


@pytest.mark.parametrize(
    ("kind", "tokenizer", "dtype"),
    [
        ("transformer", "character", np.float32),
        ("transformer", "bpe", np.float32),
        ("transformer", "word", np.float16),
        ("mixture", "character", np.float16),
    ],
)
def test_hugging_face_gives_the_same_ids_and_logits(tmp_path, caplog, kind, tokenizer, dtype):
    parts = small_parts(kind, tokenizer)
    tensors = {name: tensor.astype(dtype) for name, tensor in parts.tensors.items()}
    write_model(tmp_path / "model", dataclasses.replace(parts, tensors=tensors))
    network, peer_tokenizer = load_in_transformers(tmp_path / "model", caplog)
    ours = open_model(tmp_path / "model")
    ids = ours.codec.encode(TEXT)
    assert peer_tokenizer(TEXT, add_special_tokens=False)["input_ids"] == ids
    assert peer_tokenizer.decode(ids) == TEXT
    engine = ours.engine.neural if isinstance(ours.engine, MixtureEngine) else ours.engine
    fed = np.array([0, *ids])[:32]
    assert next(network.parameters()).dtype == torch.float32
    with torch.no_grad():
        expected_TV = network(torch.from_numpy(fed)[None]).logits[0].numpy()
    assert np.abs(engine.step(fed, engine.start()) - expected_TV).max() < 1e-4


def test_hugging_face_generates_until_the_document_ends(tmp_path, caplog):
    directory = small_model(tmp_path / "model", "transformer")
    network, _tokenizer = load_in_transformers(directory, caplog)
    config = network.generation_config
    assert (config.eos_token_id, config.pad_token_id, config.bos_token_id) == (0, 0, 0)
    assert config.do_sample
    out = network.generate(torch.tensor([[0, 300]]), max_new_tokens=5, do_sample=False)
    assert out.shape[1] <= 7
