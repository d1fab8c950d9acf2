"""A few words from a network in training, so that people can watch it learn."""

from __future__ import annotations

import torch

from sparrowlm.foundation.randomness import torch_generator
from sparrowlm.models.network import Network
from sparrowlm.text.tokenizers import TokenCodec

_TEMPERATURE = 0.8
_CONTEXT_TOKENS = 64


@torch.no_grad()
def sample_of_network(network: Network, codec: TokenCodec, num_tokens: int, seed: int) -> str:
    """Let the network begin a document.

    Args:
        network: its mode is put back afterwards.
        codec: turns ids into text.
        num_tokens: most tokens; a separator ends the text earlier.
        seed: the same at every moment of a run, so that samples can be compared.
    """
    was_training = network.training
    network.eval()
    generator = torch_generator(seed, "samples while training")
    ids = [codec.separator_id]
    for _token in range(num_tokens):
        logits_V = network(torch.tensor([ids[-_CONTEXT_TOKENS:]]))[0, -1].float()
        probabilities_V = (logits_V / _TEMPERATURE).softmax(dim=-1)
        drawn = int(torch.multinomial(probabilities_V, 1, generator=generator))
        if drawn == codec.separator_id and len(ids) > 1:
            break
        ids.append(drawn)
    network.train(was_training)
    return codec.decode(ids)
