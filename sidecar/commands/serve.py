"""Watch the schema, and answer readiness probes, scrapes and people.

Serves /readyz, /startupz, /livez, /metrics, /status and, for people, /. On SIGTERM the
gate drains first: /readyz answers 503 at once, and the server closes after drain_delay.
"""

import asyncio
import gc
import logging
import signal
import ssl
from functools import partial
from typing import Final

from sidecar import __version__, pid1
from sidecar.config import build
from sidecar.config.settings import Settings
from sidecar.config.watch import build_watcher
from sidecar.core.migrations.manifest import Manifest
from sidecar.core.views.documents import status_document
from sidecar.outputs.change_log import ChangeLog
from sidecar.outputs.failures import OutputFailures
from sidecar.outputs.http import page
from sidecar.outputs.http.app import Endpoints
from sidecar.outputs.http.auth import Certificate, Token
from sidecar.outputs.http.connections import ConnectionLimiter
from sidecar.outputs.http.listen import Listeners
from sidecar.outputs.http.server import Server
from sidecar.outputs.metrics.metrics import Metrics
from sidecar.outputs.state_file import StateFile
from sidecar.watcher import Watcher

LOG = logging.getLogger("sidecar.serve")

SETTINGS: Final = ("manifest", "database", "verdict", "gate", "serve", "log")

OPTIONS: Final = ()

TAKES_COMMAND: Final = False


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; return 0."""
    manifest = build.load_manifest(settings.manifest)
    pid1.reap_zombies()
    # The manifest stays; no collection need walk through it again.
    gc.freeze()
    asyncio.run(_serve(settings, manifest))
    return 0


async def _serve(settings: Settings, manifest: Manifest) -> None:
    """Put the parts together; whatever can be refused is refused before the first listens."""
    stop = _on_signal()
    state_file = StateFile(settings.state_file) if settings.state_file else None
    was_open = state_file is not None and state_file.remembers(manifest.digest)
    metrics = Metrics(__version__)
    failures = OutputFailures(metrics.count_failure)
    watcher = build_watcher(settings, manifest, failures, was_open=was_open)
    endpoints = _endpoints(settings, manifest, watcher, metrics, failures)
    tls = _tls(settings)
    watcher.subscribe("http", endpoints.announce)
    watcher.subscribe("metrics", metrics.announce)
    watcher.subscribe("log", ChangeLog().announce)
    if state_file is not None:
        watcher.subscribe("state_file", state_file.announce)
    async with Listeners() as listeners:
        probes, details = endpoints.probes(), endpoints.details()
        together = probes if settings.details_listen else {**probes, **details}
        limiter = ConnectionLimiter()
        listeners.open(Server(together, limiter), settings.listen)
        if settings.details_listen:
            apart = Server(details, limiter)
            listeners.open(apart, settings.details_listen, tls)
        await _watch_until_stopped(watcher, stop, settings.drain_delay)


def _endpoints(
    settings: Settings,
    manifest: Manifest,
    watcher: Watcher,
    metrics: Metrics,
    failures: OutputFailures,
) -> Endpoints:
    token = Token(settings.token_file) if settings.token_file else None
    shipped = page.load()
    return Endpoints(
        watcher.snapshot,
        is_alive=watcher.is_alive,
        render_metrics=metrics.render,
        render_status=partial(status_document, nodes=manifest.nodes),
        page=(shipped.body, shipped.headers) if settings.details else None,
        authorizes=token.authorizes if token else None,
        report_failure=failures.report,
    )


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return Certificate(settings.tls_cert, settings.tls_key).context


def _on_signal() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


async def _watch_until_stopped(watcher: Watcher, stop: asyncio.Event, drain_delay: float) -> None:
    watching = asyncio.create_task(watcher.run())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if not stop.is_set():
        await watching
    # A second signal must end the wait, not be swallowed.
    stop.clear()
    watcher.drain()
    watching.cancel()
    await asyncio.wait({watching})
    try:
        await asyncio.wait_for(stop.wait(), drain_delay)
    except TimeoutError:
        LOG.info("drained")
