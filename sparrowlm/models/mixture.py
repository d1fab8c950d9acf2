"""Three kinds of experts as one model: a small gate decides, position by position, who is heard.

    p(id) = sum over k of w_k p_k(id)      experts k: every order of the n-gram, what the text so
                                           far says (models/recent_text.py), and the network

The weights come from what is known before the id: how often each context was seen, in training
and in the text so far, in how many ways it went on, and how sure the network is. They are learnt on
held-out text.

Source: Jelinek and Mercer 1980, "Interpolated estimation of Markov source parameters from sparse
data" (weights that depend on counts); Jacobs et al. 1991, "Adaptive mixtures of local experts".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparrowlm.foundation.array_types import Float, Float32
from sparrowlm.foundation.errors import DamagedFileError
from sparrowlm.models.recent_text import NUM_RECENT_FEATURES

GATE_FILE = "gate.safetensors"
_TENSORS = ("mean_F", "scale_F", "hidden_HF", "hidden_bias_H", "output_KH", "output_bias_K")


def num_gate_features(num_orders: int) -> int:
    """Return F for an n-gram of that many orders."""
    return 3 * num_orders + NUM_RECENT_FEATURES + 3


def num_experts(num_orders: int) -> int:
    """Return K: the n-gram's orders, the recent text and the neural model, in this sequence."""
    return num_orders + 2


def gate_features(
    context_counts_TN: Float[np.ndarray, "time orders"],
    num_continuations_TN: Float[np.ndarray, "time orders"],
    recent_TF: Float[np.ndarray, "time recent_features"],
    neural_log_probabilities_TV: Float[np.ndarray, "time vocab"],
) -> Float32[np.ndarray, "time features"]:
    """Describe every position to the gate, without looking at the id that follows.

    Args:
        context_counts_TN: how often the n-gram saw the context of each order.
        num_continuations_TN: how many different ids followed it.
        recent_TF: what models.recent_text knows of each context.
        neural_log_probabilities_TV: the network's natural logarithms of probabilities.

    Returns:
        features_TF: logarithms of counts and continuations, whether the context is known, the
        recent text's features, and the network's entropy, highest and second highest
        log-probability.
    """
    top_T2 = np.partition(neural_log_probabilities_TV, -2, axis=-1)[:, -2:]
    entropy_T = -(np.exp(neural_log_probabilities_TV) * neural_log_probabilities_TV).sum(axis=-1)
    columns = (
        np.log1p(context_counts_TN),
        np.log1p(num_continuations_TN),
        context_counts_TN > 0,
        recent_TF,
        entropy_T[:, None],
        top_T2,
    )
    return np.concatenate([np.asarray(c, dtype=np.float32) for c in columns], axis=1)


@dataclass(frozen=True)
class Gate:
    """A network of one hidden layer whose outputs are the experts' weights.

    Args:
        mean_F: subtracted from the features.
        scale_F: multiplied afterwards.
        hidden_HF: first layer, followed by tanh.
        hidden_bias_H: its bias.
        output_KH: second layer, followed by softmax.
        output_bias_K: its bias.
    """

    mean_F: Float32[np.ndarray, " features"]
    scale_F: Float32[np.ndarray, " features"]
    hidden_HF: Float32[np.ndarray, "hidden features"]
    hidden_bias_H: Float32[np.ndarray, " hidden"]
    output_KH: Float32[np.ndarray, "experts hidden"]
    output_bias_K: Float32[np.ndarray, " experts"]

    def weights(
        self, features_TF: Float32[np.ndarray, "time features"]
    ) -> Float32[np.ndarray, "time experts"]:
        """Return the experts' weights, each row a distribution."""
        normed_TF = (features_TF - self.mean_F) * self.scale_F
        hidden_TH = np.tanh(normed_TF @ self.hidden_HF.T + self.hidden_bias_H)
        scores_TK = hidden_TH @ self.output_KH.T + self.output_bias_K
        scores_TK -= scores_TK.max(axis=1, keepdims=True)
        weights_TK: np.ndarray[Any, np.dtype[np.float32]] = np.exp(scores_TK)
        weights_TK /= weights_TK.sum(axis=1, keepdims=True)
        return weights_TK

    def tensors(self) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
        """Return the weights by name, for gate.safetensors."""
        return {name: getattr(self, name) for name in _TENSORS}


def gate_from_tensors(tensors: Mapping[str, Any], num_orders: int, path: object) -> Gate:
    """Rebuild a gate.

    Args:
        tensors: see Gate.tensors.
        num_orders: orders of the n-gram beside it.
        path: named in the error.

    Raises:
        DamagedFileError: a tensor is missing, or of another shape than the n-gram asks for.
    """
    features, experts = num_gate_features(num_orders), num_experts(num_orders)
    hidden = np.shape(tensors.get("hidden_bias_H", ()))[:1]
    expected = {
        "mean_F": (features,),
        "scale_F": (features,),
        "hidden_HF": (*hidden, features),
        "hidden_bias_H": hidden,
        "output_KH": (experts, *hidden),
        "output_bias_K": (experts,),
    }
    for name, shape in expected.items():
        if name not in tensors or np.shape(tensors[name]) != shape:
            reason = f"tensor {name}"
            raise DamagedFileError("foundation.file-damaged", path=path, reason=reason)
    return Gate(**{name: np.asarray(tensors[name], dtype=np.float32) for name in _TENSORS})
