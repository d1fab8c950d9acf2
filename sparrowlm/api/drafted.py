"""A model that completes text, helped by a smaller one with the same tokens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sparrowlm.runtime.drafting import drafted_engine
from sparrowlm.runtime.loading import LoadedModel, open_model
from sparrowlm.tasks.complete.model import Completer


def drafted_completer(large: LoadedModel, draft: Path) -> Completer:
    """Return what completes text as the large model does, faster where guesses come true.

    Args:
        large: a Transformer that the compiled engine runs.
        draft: directory or file of a model that completes text, with the same tokens.

    Raises:
        ModelError: there is no such model, its tokens differ, or the large one cannot be helped.
        DamagedFileError: a file of the small one fails its checks.
    """
    small = open_model(draft)
    engine = drafted_engine((large.engine, large.codec), (small.engine, small.codec))
    return Completer(replace(large, engine=engine))
