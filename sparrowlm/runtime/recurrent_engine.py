"""The simple recurrent network and the LSTM in NumPy, gates in torch's order.

Shape letters: B rows, T positions, V vocabulary, D embedding width, S state width, L layers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float32, Float64, Int, Int64
from sparrowlm.models.architectures import RecurrentShape
from sparrowlm.runtime.engines import ScoresInPieces, target_surprisals
from sparrowlm.runtime.threads import one_thread_per_product
from sparrowlm.runtime.weights import Tensors, take
from sparrowlm.runtime.windows import SCORING_WINDOW, window_predictions

Matrix = np.ndarray[Any, np.dtype[np.float32]]


@dataclass
class RecurrentCache:
    """The state after what was read.

    Attributes:
        hidden_LBS: hidden state of every layer.
        cell_LBS: cell state of every layer; zeros in a simple network.
    """

    hidden_LBS: Matrix
    cell_LBS: Matrix


class RecurrentEngine(ScoresInPieces):
    """Runs a RecurrentShape.

    Args:
        shape: all sizes.
        tensors: weights under their names in model.safetensors.
        path: named when a tensor is missing or of another shape.

    Raises:
        DamagedFileError: the tensors do not fit the shape.
    """

    def __init__(self, shape: RecurrentShape, tensors: Tensors, path: object) -> None:
        self.shape = shape
        vocab, width, state = shape.vocab_size, shape.embedding_width, shape.state_width
        self._embedding_VD = take(tensors, "embedding.weight", (vocab, width), path)
        self._projection_DS = take(tensors, "projection.weight", (width, state), path)
        self._bias_V = take(tensors, "output.bias", (vocab,), path)
        rows = shape.num_gates * state
        self._layers = []
        for layer in range(shape.num_layers):
            inputs = width if layer == 0 else state
            name = f"recurrent.{{}}_l{layer}"
            from_input = take(tensors, name.format("weight_ih"), (rows, inputs), path)
            from_state = take(tensors, name.format("weight_hh"), (rows, state), path)
            bias = take(tensors, name.format("bias_ih"), (rows,), path)
            bias = bias + take(tensors, name.format("bias_hh"), (rows,), path)
            # Transposed once: the product with the state is the whole cost of a step.
            self._layers.append((from_input, np.ascontiguousarray(from_state.T), bias))

    @property
    def vocab_size(self) -> int:
        """Number of ids, V."""
        return self.shape.vocab_size

    def start(self) -> RecurrentCache:
        """Return the state that has read nothing: zeros."""
        return self._zeros(1)

    def branch(self, cache: RecurrentCache, rows: Sequence[int]) -> RecurrentCache:
        """Return a cache whose row i continues row rows[i]."""
        chosen = list(rows)
        return RecurrentCache(cache.hidden_LBS[:, chosen], cache.cell_LBS[:, chosen])

    def step(
        self,
        ids_T: Int64[np.ndarray, " time"],
        cache: RecurrentCache,
        *,
        is_last_only: bool = False,
    ) -> Float32[np.ndarray, "rows vocab"]:
        """Feed ids to one row; see Engine.step."""
        states_TS = self._read(ids_T[None], cache)[0]
        return self._logits(states_TS[-1:] if is_last_only else states_TS)

    def step_rows(
        self, ids_B: Int64[np.ndarray, " batch"], cache: RecurrentCache
    ) -> Float32[np.ndarray, "batch vocab"]:
        """Feed one id to every row."""
        return self._logits(self._read(ids_B[:, None], cache)[:, -1])

    def surprisal_pieces(
        self, ids_T: Int[np.ndarray, " time"]
    ) -> Iterator[Float64[np.ndarray, " _"]]:
        """Score a text; see Engine.surprisal_pieces."""
        return target_surprisals(self.predictions(ids_T), ids_T)

    def predictions(
        self, ids_T: Int[np.ndarray, " time"]
    ) -> Iterator[Float32[np.ndarray, "_ vocab"]]:
        """Yield log-probabilities of what follows each of ids_T[:-1], in order.

        Exact up to SCORING_WINDOW ids, then with a state warmed up in half a window.
        """
        return window_predictions(
            ids_T, SCORING_WINDOW, self.vocab_size, self._read_windows, self._logits
        )

    def window_logits(self, windows_BT: Int64[np.ndarray, "batch time"]) -> Matrix:
        """Read texts from a fresh start each and return logits_BTV."""
        return self._logits(self._read_windows(windows_BT))

    def window_inputs(self, windows_BT: Int64[np.ndarray, "batch time"]) -> list[Matrix]:
        """Return what enters every layer, [B, T, D] or [B, T, S], and what leaves the last one.

        At the end what the projection makes of that: what the embedding gives scores for.
        """
        layers_TBN = list(self._passed(windows_BT, self._zeros(len(windows_BT))))
        with one_thread_per_product():
            layers_TBN.append(layers_TBN[-1] @ self._projection_DS.T)
        return [layer_TBN.swapaxes(0, 1) for layer_TBN in layers_TBN]

    def _read_windows(self, windows_BT: Int64[np.ndarray, "batch time"]) -> Matrix:
        return self._read(windows_BT, self._zeros(len(windows_BT)))

    def _zeros(self, num_rows: int) -> RecurrentCache:
        sizes = (self.shape.num_layers, num_rows, self.shape.state_width)
        return RecurrentCache(np.zeros(sizes, np.float32), np.zeros(sizes, np.float32))

    def _logits(self, states_TS: Matrix) -> Matrix:
        with one_thread_per_product():
            back_TD = states_TS @ self._projection_DS.T
            logits_TV: Matrix = back_TD @ self._embedding_VD.T + self._bias_V
        return logits_TV

    def _read(self, ids_BT: Int64[np.ndarray, "batch time"], cache: RecurrentCache) -> Matrix:
        """Feed ids, change the cache, return the last layer's states_BTS."""
        for states_TBS in self._passed(ids_BT, cache):  # noqa: B007 - the last one is wanted
            pass
        states_BTS: Matrix = states_TBS.swapaxes(0, 1)
        return states_BTS

    def _passed(
        self, ids_BT: Int64[np.ndarray, "batch time"], cache: RecurrentCache
    ) -> Iterator[Matrix]:
        """Yield embeddings_TBD and the states_TBS of every layer; change the cache."""
        advance = _lstm if self.shape.cell == "lstm" else _elman
        x_TBD = self._embedding_VD[ids_BT.T]
        yield x_TBD
        # 1 / (1 + exp(-x)) may pass through infinity to 0.
        with np.errstate(over="ignore"), one_thread_per_product():
            for layer, (from_input, from_state, bias) in enumerate(self._layers):
                gates_TBG = x_TBD @ from_input.T + bias
                hidden_BS, cell_BS = cache.hidden_LBS[layer], cache.cell_LBS[layer]
                x_TBD = advance(gates_TBG, from_state, hidden_BS, cell_BS)
                yield x_TBD


def _elman(gates_TBG: Matrix, from_state_SG: Matrix, hidden_BS: Matrix, _cell_BS: Matrix) -> Matrix:
    """Return states_TBS of h' = tanh(W x + U h + b); hidden_BS becomes the last.

    Source: Elman 1990, "Finding structure in time", as written in torch.nn.RNN.
    """
    states_TBS = np.empty((*gates_TBG.shape[:2], hidden_BS.shape[-1]), dtype=np.float32)
    for time, gates_BS in enumerate(gates_TBG):
        states_TBS[time] = hidden_BS[...] = np.tanh(gates_BS + hidden_BS @ from_state_SG)
    return states_TBS


def _lstm(gates_TBG: Matrix, from_state_SG: Matrix, hidden_BS: Matrix, cell_BS: Matrix) -> Matrix:
    """Return states_TBS of an LSTM; hidden_BS and cell_BS become the last.

    Source: Hochreiter and Schmidhuber 1997, with forget gate, as written in torch.nn.LSTM.
    """
    state = hidden_BS.shape[-1]
    states_TBS = np.empty((*gates_TBG.shape[:2], state), dtype=np.float32)
    for time, from_input_BG in enumerate(gates_TBG):
        gates_BG = from_input_BG + hidden_BS @ from_state_SG
        candidate_BS = np.tanh(gates_BG[:, 2 * state : 3 * state])
        open_BG = 1.0 / (1.0 + np.exp(-gates_BG))
        cell_BS *= open_BG[:, state : 2 * state]
        cell_BS += open_BG[:, :state] * candidate_BS
        states_TBS[time] = hidden_BS[...] = open_BG[:, 3 * state :] * np.tanh(cell_BS)
    return states_TBS
