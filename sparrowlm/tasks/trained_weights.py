"""From a trained network to what its files will hold: the same for every task with an encoder."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import torch

from sparrowlm.models.encoder import BODY_PREFIXES, EncoderModel
from sparrowlm.models.quantised_rows import quantised
from sparrowlm.runtime.encoder_engine import EncoderEngine, NgramTables
from sparrowlm.runtime.encoder_files import TABLE_PREFIX, LoadedEncoder, as_stored, is_body_matrix

ModelT = TypeVar("ModelT", bound=EncoderModel)


def arrays_of(model: EncoderModel) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
    """Return all weights by name."""
    return {name: tensor.detach().numpy() for name, tensor in model.tensors().items()}


def rounded(model: ModelT) -> ModelT:
    """Give a model the very weights that its files will hold, and float32 products."""
    model.compute_dtype = torch.float32
    stored = as_stored(arrays_of(model))
    model.load_tensors({name: torch.from_numpy(array) for name, array in stored.items()}, "")
    return model


def as_loaded(model: EncoderModel) -> LoadedEncoder:
    """Return the encoder that the files of a model would give."""
    stored = as_stored(arrays_of(model))
    orders = model.table_shape.orders
    tables = tuple(quantised(stored[f"{TABLE_PREFIX}{index}"]) for index in range(len(orders)))
    parts = NgramTables(orders, tables, stored["ngrams.up"])
    matrices = {n: quantised(stored[n]).codes() for n in stored if is_body_matrix(n, stored[n])}
    engine = EncoderEngine(model.shape, stored, parts, "trained", matrices)
    head = {name: array for name, array in stored.items() if not name.startswith(BODY_PREFIXES)}
    return LoadedEncoder(engine, head)
