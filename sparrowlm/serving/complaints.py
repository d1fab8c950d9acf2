"""What a client is told when something is wrong, in the form that OpenAI's clients understand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from sparrowlm.foundation.errors import ModelError, SettingError, SparrowError
from sparrowlm.foundation.messages import Language

_Body = TypeVar("_Body")
_TYPES = {
    400: "invalid_request_error", 401: "authentication_error", 403: "permission_error",
    404: "not_found_error", 405: "invalid_request_error", 408: "timeout_error",
    413: "invalid_request_error", 415: "invalid_request_error", 421: "invalid_request_error",
    429: "rate_limit_error", 431: "invalid_request_error",
}  # fmt: skip


class Refusal(SparrowError):
    """A request that is not answered, and why.

    Args:
        status: of HTTP, 400 to 599.
        code: of the sentence.
        retry_after_seconds: when it may be asked again, >= 0; None says nothing.
        **fields: of the sentence; "param" also names the field of the request.
    """

    def __init__(
        self, status: int, code: str, retry_after_seconds: float | None = None, **fields: object
    ) -> None:
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        super().__init__(code, **fields)


def status_of(error: SparrowError) -> int:
    """Return the status of HTTP that belongs to one of our errors."""
    if isinstance(error, Refusal):
        return error.status
    if error.code == "api.wrong-kind" or isinstance(error, SettingError):
        return 400
    return 500 if isinstance(error, ModelError) else 400


def complaint(error: SparrowError, language: Language | None = None) -> dict[str, Any]:
    """Return the body of a refusal: {"error": {"message", "type", "param", "code"}}.

    Args:
        error: what happened.
        language: of the sentence.
    """
    status = status_of(error)
    name = error.code.partition(".")[2]
    return {
        "error": {
            "message": error.sentence(language),
            "type": _TYPES.get(status, "server_error"),
            "param": error.fields.get("param") or error.fields.get("name"),
            "code": name.replace("-", "_"),
        }
    }


def headers_of(error: SparrowError) -> dict[str, str]:
    """Return the headers that belong to a refusal."""
    if isinstance(error, Refusal) and error.retry_after_seconds is not None:
        return {"retry-after": str(max(1, round(error.retry_after_seconds + 0.5)))}
    return {"www-authenticate": "Bearer"} if status_of(error) == 401 else {}


def language_of(headers: Mapping[str, str]) -> Language:
    """Return the language that a client asks for: Chinese where it names it first, else English."""
    return "zh" if headers.get("accept-language", "").strip().lower().startswith("zh") else "en"


def decoded(content: bytes | msgspec.Raw, kind: type[_Body]) -> _Body:
    """Read JSON as a type.

    Args:
        content: JSON in UTF-8.
        kind: a msgspec structure.

    Raises:
        Refusal: 400, it is not that.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _unreadable(error) from error


def _unreadable(error: Exception) -> Refusal:
    """Return the refusal of a body that is no JSON, or of other types than are asked for."""
    if isinstance(error, msgspec.ValidationError):
        reason, _at, place = str(error).rpartition(" - at ")
        param = place.strip("`").removeprefix("$").removeprefix(".")
        return Refusal(400, "serving.wrong-type", param=param or "body", reason=reason or error)
    if isinstance(error, RecursionError):
        return Refusal(400, "serving.too-deep")
    return Refusal(400, "serving.no-json", reason=error)
