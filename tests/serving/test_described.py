"""Some two thousand requests made from the server's own description, half of them against it."""

from __future__ import annotations

import json

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from sparrowlm.serving.description import description
from sparrowlm.serving.routes import ROUTES

_EACH = 90
_DESCRIBED = schemathesis.openapi.from_dict(description())
# What a text may cost here: the model, not the server, takes the time.
_SHORT = {"max_tokens", "max_completion_tokens", "max_output_tokens"}


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("path", list(ROUTES))
def test_every_request_is_answered_or_refused(server, path, mode):
    statuses = []

    @settings(
        max_examples=_EACH, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=_DESCRIBED[path]["POST"].as_strategy(generation_mode=mode))
    def ask(case):
        answer = client.post(
            path, content=_content(case.body), headers=_sendable(case.headers or {})
        )
        statuses.append(answer.status_code)
        assert answer.status_code < 500, (answer.text, case.body)
        if answer.status_code != 200:
            assert answer.json()["error"]["message"]

    with server.client() as client:
        ask()
    assert len(statuses) >= _EACH
    if mode is GenerationMode.NEGATIVE:
        assert 400 in statuses


def _content(body: object) -> bytes:
    """Return a body as it is sent; texts are written, where it asks for many tokens, a few."""
    if isinstance(body, dict):
        small = {name: min(body[name], 4) for name in _SHORT & set(body) if _is_number(body[name])}
        body = {"model": "quick", "max_tokens": 4, **body, **small}
    if isinstance(body, bytes):
        return body
    try:
        return json.dumps(body).encode()
    except TypeError:  # what stands for "no body at all"
        return b""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _sendable(headers: dict[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in headers.items()
        if name.isascii() and str(value).isascii() and str(value).isprintable()
    }
