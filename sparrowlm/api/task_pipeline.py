"""From a request with labelled data to a finished model directory.

data        read, recognised, checked                 (corpora.labelled)
training    floor, network, blend, choice             (tasks)
directory   written whole, in place of what was there (export)
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Callable

from sparrowlm.api.assembly import is_finished
from sparrowlm.api.labels import read_task_data
from sparrowlm.api.request import TrainRequest
from sparrowlm.api.task_parts import TAG_TASKS, fingerprint_of
from sparrowlm.corpora.labelled import TaskKind
from sparrowlm.export.model_directory import ModelParts, write_model
from sparrowlm.export.task_pages import task_texts
from sparrowlm.foundation.interrupts import StopRequest, stop_on_signal
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress


def run_task_training(request: TrainRequest, task: TaskKind, progress: Progress) -> None:
    """Train for a task with labels and write the model directory.

    Raises:
        StoppedBySignal: after a signal; what was learnt is kept for --resume.
        SparrowError: anything the user can mend.
    """
    began = time.monotonic()
    with stop_on_signal() as stop:
        try:
            _run(request, task, progress, stop, began)
        finally:
            progress.finish()


def _run(
    request: TrainRequest, task: TaskKind, progress: Progress, stop: StopRequest, began: float
) -> None:
    if not request.resume and request.work.exists():
        shutil.rmtree(request.work, ignore_errors=True)
    data = read_task_data(request, task, progress)
    if request.resume and is_finished(request.output, fingerprint_of(request, data)):
        progress.note(say("api.already-finished", path=request.output))
        return
    parts = _trainer(data.task)(request, data, progress, stop, began)
    facts = json.loads(json.dumps(parts.facts, default=str))
    texts = task_texts(facts, request.output.name)
    write_model(request.output, dataclasses.replace(parts, facts=facts, texts=texts))
    written = "api.match-written" if data.task == "match" else "api.classify-written"
    progress.note(say(written, path=request.output))
    shutil.rmtree(request.work, ignore_errors=True)


def _trainer(task: str) -> Callable[..., ModelParts]:
    if task == "match":
        from sparrowlm.api.match_stage import train_match

        return train_match
    if task in TAG_TASKS:
        from sparrowlm.api.tag_stage import train_tag

        return train_tag
    from sparrowlm.api.classify_stage import train_classifier

    return train_classifier
