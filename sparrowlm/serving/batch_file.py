"""Requests from a file, answers to a file: the form of OpenAI's batches, no port opened.

Every line of the input is {"custom_id", "method", "url", "body"}; every line of the output is
{"id", "custom_id", "response": {"status_code", "request_id", "body"}, "error"}, in the order in
which the answers were done. An output that exists is gone on with: what stands in it is not asked
again.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from sparrowlm.foundation.errors import DataError, SparrowError
from sparrowlm.foundation.messages import say
from sparrowlm.foundation.progress import Progress
from sparrowlm.serving.access import Caller, KeyRecord
from sparrowlm.serving.answers.service import Json, Service
from sparrowlm.serving.complaints import Refusal, complaint, decoded, status_of
from sparrowlm.serving.routes import ROUTES

_AT_ONCE = 64
_SYNCED_EVERY = 64


class BatchLine(msgspec.Struct):
    """A line of the input.

    Attributes:
        custom_id: tells answers apart.
        url: of the endpoint.
        body: of the request.
        method: "POST".
    """

    custom_id: str
    url: str
    body: msgspec.Raw
    method: str = "POST"


async def answer_file(service: Service, source: Path, output: Path, progress: Progress) -> int:
    """Answer all requests of a file.

    Args:
        service: models and limits.
        source: lines of JSON.
        output: made or gone on with.
        progress: told how many are done.

    Returns:
        How many of the answers are refusals.

    Raises:
        DataError: the input cannot be read, or two lines have one custom_id.
    """
    lines = _read(source)
    done, num_refused = _answered(output)
    left = [line for line in lines if line.custom_id not in done]
    progress.start(say("serving.batch-stage"), len(left), say("serving.batch-unit"))
    caller = Caller(KeyRecord("batch", ""))
    waiting = iter(left)
    num_written = 0
    with output.open("ab") as file:

        async def work() -> None:
            nonlocal num_written, num_refused
            for line in waiting:
                status, body = await _answer(service, caller, line)
                _write(file, line, status, body)
                num_refused += status >= 400
                num_written += 1
                if num_written % _SYNCED_EVERY == 0:
                    os.fsync(file.fileno())
                progress.advance(1)

        try:
            await asyncio.gather(*(work() for _worker in range(min(_AT_ONCE, len(left)))))
        finally:
            file.flush()
            os.fsync(file.fileno())
            await service.shelf.close()
    progress.finish()
    return num_refused


async def _answer(service: Service, caller: Caller, line: BatchLine) -> tuple[int, Json]:
    route = ROUTES.get(line.url)
    try:
        if route is None or line.method != "POST":
            raise Refusal(404, "serving.path", received=line.url[:100])
        request = decoded(line.body, route.request)
        if getattr(request, "stream", False):
            raise Refusal(400, "serving.not-known", param="stream")
        answer = await route.handler(service, caller, request)
        return 200, await answer.whole() if hasattr(answer, "whole") else answer
    except SparrowError as error:
        return status_of(error), complaint(error)


def _write(file: IO[bytes], line: BatchLine, status: int, body: Json) -> None:
    record: dict[str, Any] = {
        "id": f"batch_req_{secrets.token_hex(12)}",
        "custom_id": line.custom_id,
        "response": {
            "status_code": status,
            "request_id": secrets.token_hex(12),
            "body": body,
        },
        "error": None,
    }
    file.write(msgspec.json.encode(record) + b"\n")


def _read(source: Path) -> list[BatchLine]:
    try:
        content = source.read_bytes()
    except OSError as error:
        raise DataError("serving.no-file", path=source) from error
    found: dict[str, BatchLine] = {}
    for number, text in enumerate(content.splitlines(), 1):
        if not text.strip():
            continue
        try:
            line = msgspec.json.decode(text, type=BatchLine)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DataError(
                "serving.batch-line", path=source, number=number, reason=error
            ) from error
        if line.custom_id in found:
            raise DataError(
                "serving.batch-twice", path=source, number=number, received=line.custom_id
            )
        found[line.custom_id] = line
    if not found:
        raise DataError("serving.batch-empty", path=source)
    return list(found.values())


def _answered(output: Path) -> tuple[set[str], int]:
    """Return what stands in an output already, and how much of it was refused.

    A last line that was cut off when a process was killed is cut off here too.
    """
    found: set[str] = set()
    num_refused = 0
    whole = 0
    for line in _whole_lines(output):
        try:
            record = json.loads(line)
            found.add(record["custom_id"])
            num_refused += record["response"]["status_code"] >= 400
        except (ValueError, KeyError, TypeError) as error:
            raise DataError("serving.batch-other-file", path=output) from error
        whole += len(line)
    if output.exists() and output.stat().st_size > whole:
        os.truncate(output, whole)
    return found, num_refused


def _whole_lines(path: Path) -> Iterator[bytes]:
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line
