"""What a server would tell that chooses among labels token by token, with known probabilities."""

from __future__ import annotations

import json
import math

from sparrowlm.cooperation.large import TokenChance


def choice_tokens(shares, chosen, num_signs=1, is_ascii=False, most=1000):
    """Return the tokens of {"label": chosen} in the form of a chat's log-probabilities.

    Every label is cut from its beginning into pieces of num_signs; the chain rule says how likely
    each piece is behind those before it.
    """
    pieces = {
        label: cut(json.dumps(label, ensure_ascii=is_ascii)[1:], num_signs) for label in shares
    }
    tokens = [entry('{"label": "', 0.0)]
    for number, piece in enumerate(pieces[chosen]):
        same = [label for label in shares if pieces[label][:number] == pieces[chosen][:number]]
        whole = sum(shares[label] for label in same)
        following = {}
        for label in same:
            following.setdefault(pieces[label][number], []).append(shares[label])
        logs = {text: math.log(sum(some) / whole) for text, some in following.items()}
        likeliest = sorted(logs.items(), key=lambda one: -one[1])[:most]
        tops = [{"token": text, "logprob": log} for text, log in likeliest]
        tokens.append(entry(piece, logs[piece]) | {"top_logprobs": tops})
    return [*tokens, entry("}", 0.0)]


def answer_tokens(shares, chosen, **how):
    """Return the same as the client reads it."""
    return [
        TokenChance(
            one["token"], one["logprob"],
            {top["token"]: top["logprob"] for top in one["top_logprobs"]},
        )
        for one in choice_tokens(shares, chosen, **how)
    ]  # fmt: skip


def entry(text, log):
    return {"token": text, "logprob": log, "top_logprobs": [{"token": text, "logprob": log}]}


def cut(text, size):
    return [text[start : start + size] for start in range(0, len(text), size)]
