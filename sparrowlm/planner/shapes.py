"""Which network fits a number of parameters: one dial, everything else derived."""

from __future__ import annotations

from sparrowlm.models.architectures import RecurrentShape, TransformerShape

# (width, layers): deeper than wide, widths that matrix units like. Found by the ablations.
_LADDER = (
    (64, 2),
    (96, 3),
    (128, 4),
    (128, 6),
    (192, 4),
    (192, 6),
    (256, 5),
    (256, 6),
    (320, 6),
    (384, 6),
    (384, 8),
    (512, 8),
)
_FEED_FORWARD_PER_WIDTH = 3
_WIDEST_HEAD = 64
_RECURRENT_WIDTHS = (32, 48, 64, 96, 128, 192, 256, 320, 384, 512, 640, 768)


def transformer_ladder(vocab_size: int, context_tokens: int) -> list[TransformerShape]:
    """Return all decoders worth considering, smallest first.

    Args:
        vocab_size: V.
        context_tokens: T.
    """
    shapes = [_transformer(width, layers, vocab_size, context_tokens) for width, layers in _LADDER]
    return sorted(shapes, key=TransformerShape.num_parameters)


def _transformer(width: int, layers: int, vocab_size: int, context_tokens: int) -> TransformerShape:
    head_width = width if width <= _WIDEST_HEAD else _head_width(width)
    num_heads = width // head_width
    return TransformerShape(
        vocab_size=vocab_size,
        width=width,
        num_layers=layers,
        num_heads=num_heads,
        num_kv_heads=num_heads,
        head_width=head_width,
        feed_forward_width=_FEED_FORWARD_PER_WIDTH * width,
        context_tokens=context_tokens,
    )


def _head_width(width: int) -> int:
    """Return 64 or, where that does not divide the width, 32: the compiled kernels take both."""
    return _WIDEST_HEAD if width % _WIDEST_HEAD == 0 else _WIDEST_HEAD // 2


def recurrent_ladder(cell: str, vocab_size: int) -> list[RecurrentShape]:
    """Return recurrent networks of one layer, smallest first.

    Args:
        cell: "rnn" or "lstm".
        vocab_size: V.
    """
    return [
        RecurrentShape(
            cell="lstm" if cell == "lstm" else "rnn",
            vocab_size=vocab_size,
            embedding_width=max(width // 2, 32),
            state_width=width,
            num_layers=1,
        )
        for width in _RECURRENT_WIDTHS
    ]
