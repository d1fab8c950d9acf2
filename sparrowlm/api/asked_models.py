"""Models that a training asks: a teacher, or the one that is gone on from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sparrowlm.foundation.errors import ModelError
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress
from sparrowlm.runtime.directory import ModelFiles
from sparrowlm.runtime.gguf_files import model_files


def asked_directory(path: Path, dial: str, kinds: Sequence[str], task: str) -> ModelFiles:
    """Open the directory of a model that is to answer.

    Args:
        path: of the model.
        dial: what the person wrote before it, for the message.
        kinds: of models that can answer.
        task: of the data.

    Raises:
        ModelError: "api.lessons-kind" when it is a model of another kind.
    """
    files = model_files(path)
    kind = files.manifest["kind"]
    if kind not in kinds:
        raise ModelError("api.lessons-kind", path=path, dial=dial, kind=kind, task=task)
    return files


def told_answers(path: Path, answered: int, unlabelled: int, progress: Progress) -> dict[str, Any]:
    """Say how much a model has answered, and return it as facts.

    Args:
        path: of the model that answered.
        answered: number of texts, those included that have a label of their own.
        unlabelled: number of texts that had none.
        progress: told.
    """
    progress.note(
        say("api.teacher-answered", path=path, number=f"{answered:,}", unlabelled=f"{unlabelled:,}")
    )
    size = model_files(path).num_bytes()
    return {"name": path.name, "answered": answered, "unlabelled": unlabelled, "bytes": size}


def told_to_judge(facts: dict[str, Any], progress: Progress) -> None:
    """Say that nothing but answers is there to measure on, and add it to the facts."""
    progress.note(say("api.teacher-judges"))
    facts["judges"] = True
