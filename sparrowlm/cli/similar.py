"""`sparrow similar`: words that mean alike, from a model of word vectors."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from sparrowlm.cli.output import JsonFlag, ModelPath, write_json, write_line
from sparrowlm.foundation.errors import SettingError
from sparrowlm.foundation.messages import say


def similar_command(
    model: ModelPath,
    *words: Annotated[str, Parameter(name="WORD", help=say("cli.similar-words"))],
    k: Annotated[int, Parameter(name=("-k", "--count"), help=say("cli.next-count"))] = 10,
    json: JsonFlag = False,
) -> None:
    """Print neighbours of one word, the similarity of two, or the analogy of three."""
    if not 1 <= len(words) <= 3:
        raise SettingError("cli.similar-count", received=len(words))
    if k < 1:
        raise SettingError("foundation.number-range", name="-k", received=k, minimum=1)
    from sparrowlm import api

    loaded = api.load(model)
    if len(words) == 2:
        similarity = loaded.similarity(words[0], words[1])
        if json:
            write_json({"similarity": similarity})
        else:
            write_line(f"{similarity:.4f}")
        return
    if len(words) == 1:
        found = loaded.neighbours(words[0], k)
    else:
        found = loaded.analogy(words[0], words[1], words[2], k)
    if json:
        write_json([asdict(word) for word in found])
        return
    for word in found:
        write_line(f"{word.similarity:8.4f}  {word.word}")
