"""`sparrow serve`: models for other programs, and a page for people."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from sparrowlm.cli.cap_options import CapOptions
from sparrowlm.cli.output import JsonFlag, write_json, write_line
from sparrowlm.foundation.errors import DependencyError, SettingError
from sparrowlm.foundation.messages import say

if TYPE_CHECKING:
    from sparrowlm.api.model import Model
    from sparrowlm.cooperation.cascade import Cascade
    from sparrowlm.serving.answers.service import Service
    from sparrowlm.serving.settings import ServerSettings

_Names = tuple[str, ...]


def _many(message: str) -> Parameter:
    return Parameter(help=say(message), negative="", consume_multiple=False)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class ServeOptions:
    """Where the server listens, and who may ask."""

    host: Annotated[str, Parameter(help=say("cli.serve-host"))] = "127.0.0.1"
    port: Annotated[int, Parameter(help=say("cli.serve-port"))] = 8000
    keys: Annotated[Path | None, Parameter(help=say("cli.serve-keys"))] = None
    allow_host: Annotated[_Names, _many("cli.serve-allow-host")] = ()
    allow_origin: Annotated[_Names, _many("cli.serve-allow-origin")] = ()
    tls_certificate: Annotated[Path | None, Parameter(help=say("cli.serve-tls"))] = None
    tls_key: Annotated[Path | None, Parameter(help=say("cli.serve-tls-key"))] = None
    memory: Annotated[str | None, Parameter(help=say("cli.serve-memory"))] = None
    chat_format: Annotated[str, Parameter(help=say("cli.serve-chat-format"))] = "plain"
    limit: Annotated[_Names, _many("cli.serve-limit")] = ()

    def settings(self) -> ServerSettings:
        """Return them as the server takes them.

        Raises:
            SettingError: they are not safe, or make no sense.
        """
        from sparrowlm.foundation.quantities import parse_size
        from sparrowlm.serving.settings import ServerSettings, limits_from

        return ServerSettings(
            host=self.host, port=self.port, keys_file=self.keys,
            allowed_hosts=self.allow_host, allowed_origins=self.allow_origin,
            certificate=self.tls_certificate, private_key=self.tls_key,
            memory_bytes=None if self.memory is None else parse_size(self.memory),
            limits=limits_from(self.limit),
        )  # fmt: skip


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class CooperationOptions:
    """Who answers what the small models are not sure of."""

    policy: Annotated[_Names, _many("cli.serve-policy")] = ()
    large: Annotated[str | None, Parameter(help=say("cli.serve-large"))] = None
    large_model: Annotated[str | None, Parameter(help=say("cli.cooperate-large-model"))] = None
    key_variable: Annotated[str | None, Parameter(help=say("cli.cooperate-key"))] = None
    cost_per_call: Annotated[float, Parameter(help=say("cli.cooperate-cost"))] = 0.0
    deadline: Annotated[float, Parameter(help=say("cli.serve-deadline"))] = 60.0
    decisions: Annotated[Path | None, Parameter(help=say("cli.serve-decisions"))] = None
    decisions_keep_text: Annotated[
        bool, Parameter(negative="", help=say("cli.serve-decisions-text"))
    ] = False


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class KeyOptions:
    """A new key."""

    new_key: Annotated[str | None, Parameter(help=say("cli.serve-new-key"))] = None
    requests_per_minute: Annotated[int | None, Parameter(help=say("cli.serve-per-minute"))] = None
    tokens_per_day: Annotated[int | None, Parameter(help=say("cli.serve-per-day"))] = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True, slots=True)
class BatchOptions:
    """Requests from a file."""

    batch: Annotated[Path | None, Parameter(help=say("cli.serve-batch"))] = None
    output: Annotated[
        Path | None, Parameter(name=("--output", "-o"), help=say("cli.serve-output"))
    ] = None


def serve_command(
    *models: Annotated[str, Parameter(name="MODEL", help=say("cli.serve-models"))],
    options: ServeOptions | None = None,
    key: KeyOptions | None = None,
    cooperation: CooperationOptions | None = None,
    caps: CapOptions | None = None,
    file: BatchOptions | None = None,
    json: JsonFlag = False,
) -> int | None:
    """Answer over HTTP, until Ctrl-C."""
    options, key, file = options or ServeOptions(), key or KeyOptions(), file or BatchOptions()
    cooperation = cooperation or CooperationOptions()
    _check_installed()
    if key.new_key is not None:
        _make_key(key, options, is_json=json)
        return None
    if not models:
        raise SettingError("cli.serve-no-models")
    settings = options.settings()
    with ExitStack() as opened:
        cascades = _cascades(cooperation, caps or CapOptions(), models, opened)
        service = _service(models, settings, options.chat_format, cascades)
        if file.batch is not None:
            return _answer_file(service, file)
        _serve(service, settings, is_json=json)
    return None


def _cascades(
    options: CooperationOptions, caps: CapOptions, models: tuple[str, ...], opened: ExitStack
) -> dict[str, Callable[[Model], Cascade]]:
    """Return what makes a cascade of each model that has a policy.

    Args:
        options: policies, large model, log.
        caps: of what the large model may cost.
        models: of the command line.
        opened: closes the large model and the log.

    Raises:
        SettingError: a policy names no model, or there is a large model and no policy.
        SparrowError: policy, large model or log cannot be opened.
    """
    if options.large is None and caps != CapOptions():
        raise SettingError("cli.cooperate-no-large")
    if not options.policy:
        if options.large is not None:
            raise SettingError("cli.serve-large-without-policy")
        return {}
    from sparrowlm.cooperation.cascade import Cascade
    from sparrowlm.cooperation.cooperating import opened_large
    from sparrowlm.cooperation.decision_log import DecisionLog
    from sparrowlm.cooperation.policy import load_policy
    from sparrowlm.serving.shelf import named_paths

    names = list(named_paths(list(models)))
    large = log = None
    if options.large is not None:
        where = options.large, options.cost_per_call, options.large_model, options.key_variable
        spending = caps.budget("serve"), caps.cache, options.deadline
        large = opened.enter_context(opened_large(*where, *spending))
    if options.decisions is not None:
        made = DecisionLog(options.decisions, keeps_text=options.decisions_keep_text)
        log = opened.enter_context(made)
    cascades: dict[str, Callable[[Model], Cascade]] = {}
    for word in options.policy:
        name, is_named, path = word.partition("=")
        if not is_named and len(names) == 1:
            name, path = names[0], word
        if name not in names:
            raise SettingError("cli.serve-policy-name", received=word, known=", ".join(names))
        policy = load_policy(Path(path))
        cascades[name] = partial(
            Cascade, policy=policy, large=large, log=log, deadline_s=options.deadline
        )
    return cascades


def _check_installed() -> None:
    try:
        import httptools  # noqa: F401
        import msgspec  # noqa: F401
        import prometheus_client  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise DependencyError.for_extra(str(error.name), "serve") from error


def _make_key(key: KeyOptions, options: ServeOptions, *, is_json: bool) -> None:
    from sparrowlm.serving.access import add_key

    if options.keys is None:
        raise SettingError("cli.serve-keys-where")
    for name, value in (
        ("--requests-per-minute", key.requests_per_minute),
        ("--tokens-per-day", key.tokens_per_day),
    ):
        if value is not None and value < 1:
            raise SettingError("runtime.setting-range", name=name, received=value, allowed=">= 1")
    name = str(key.new_key)
    made = add_key(options.keys, name, key.requests_per_minute, key.tokens_per_day)
    if is_json:
        write_json({"name": name, "key": made, "keys": str(options.keys)})
        return
    write_line(made)
    sys.stderr.write(say("cli.serve-key-made", name=name, path=options.keys) + "\n")


def _service(
    models: tuple[str, ...],
    settings: ServerSettings,
    chat_format: str,
    cascades: dict[str, Callable[[Model], Cascade]],
) -> Service:
    from sparrowlm.serving.answers.service import Service
    from sparrowlm.serving.chat_format import chat_format as format_of
    from sparrowlm.serving.shelf import Shelf, named_paths

    paths = named_paths(list(models))
    shelf = Shelf(paths, settings.limits.waiting, settings.memory_bytes, cascades)
    return Service(shelf=shelf, limits=settings.limits, chat=format_of(chat_format))


def _answer_file(service: Service, file: BatchOptions) -> int:
    import asyncio

    from sparrowlm.foundation.progress import watching_progress
    from sparrowlm.serving.batch_file import answer_file

    if file.batch is None or file.output is None:
        raise SettingError("cli.serve-batch-output")
    progress = watching_progress()
    num_refused = asyncio.run(answer_file(service, file.batch, file.output, progress))
    progress.note(say("cli.serve-batch-done", path=file.output, refused=num_refused))
    return 1 if num_refused else 0


def _serve(service: Service, settings: ServerSettings, *, is_json: bool) -> None:
    from sparrowlm.serving.launch import address_of, bound_socket, run_server

    listener = bound_socket(settings)
    address = address_of(listener, settings)
    names = list(service.shelf.paths)

    def ready() -> None:
        if is_json:
            write_json({"address": address, "models": names})
        else:
            write_line(say("cli.serve-ready", address=address, models=", ".join(names)))
        sys.stdout.flush()

    run_server(service, settings, listener, ready)
    if not is_json:
        sys.stderr.write(say("cli.serve-ended") + "\n")
