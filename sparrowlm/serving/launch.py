"""From settings to a running server, and to its orderly end."""

from __future__ import annotations

import gc
import logging
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from sparrowlm.foundation.errors import ResourceError
from sparrowlm.foundation.memory import give_large_pieces_back
from sparrowlm.serving.access import Gate
from sparrowlm.serving.answers.service import Service
from sparrowlm.serving.application import Application
from sparrowlm.serving.protocol import limited_protocol
from sparrowlm.serving.settings import ServerSettings

_BACKLOG = 1024


class _Server(uvicorn.Server):
    """Tells when it is ready, and stops being ready when it is told to end."""

    def __init__(
        self, config: uvicorn.Config, application: Application, ready: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._application = application
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            # What has been loaded stays: the collector need not look through it again and again.
            gc.collect()
            gc.freeze()
            self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # Not uvicorn's own, which would die of the signal once more when everything is done.
        self._application.is_ready = False
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


def bound_socket(settings: ServerSettings) -> socket.socket:
    """Return a socket on the server's address.

    Args:
        settings: with host and port.

    Raises:
        ResourceError: the address is taken, or is none of this machine's.
    """
    host = settings.host.strip("[]")
    try:
        found = socket.getaddrinfo(host, settings.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _name, address = found[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise ResourceError(
            "serving.address", host=settings.host, port=settings.port, reason=error
        ) from error
    return listener


def address_of(listener: socket.socket, settings: ServerSettings) -> str:
    """Return the address that people write into a browser."""
    name, port = listener.getsockname()[:2]
    scheme = "http" if settings.certificate is None else "https"
    return f"{scheme}://{f'[{name}]' if ':' in name else name}:{port}"


def run_server(
    service: Service,
    settings: ServerSettings,
    listener: socket.socket,
    ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve until somebody ends it (Ctrl-C, SIGTERM); answers under way are finished first.

    Args:
        service: models, limits, counters.
        settings: of the server.
        listener: see bound_socket.
        ready: called when the first request can be answered.

    Raises:
        SettingError, DamagedFileError: the keys cannot be read.
        ModelError: a model cannot be loaded.
    """
    give_large_pieces_back()
    application = Application(service, Gate(settings))
    limits = settings.limits
    config = uvicorn.Config(
        application,
        http=limited_protocol(limits),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        backlog=_BACKLOG,
        timeout_keep_alive=int(limits.idle_seconds),
        timeout_graceful_shutdown=int(limits.drain_seconds),
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.private_key,
    )
    # What goes wrong is answered or raised; a line for every malformed request would fill a disk.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    server = _Server(config, application, ready)
    try:
        server.run(sockets=[listener])
    except SystemExit:
        if application.failure is None:
            raise
    finally:
        gc.unfreeze()
    if application.failure is not None:
        raise application.failure
