"""Watch the schema, and answer readiness probes, scrapes and people.

Serves /readyz, /startupz, /livez, /metrics, /status and, for people, /. On SIGTERM the
gate drains first: /readyz answers 503 at once, and the server closes after drain_delay.
"""

import asyncio
import gc
import logging
import random
import signal
import ssl
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from sidecar import __version__, pid1
from sidecar.config import build as inputs
from sidecar.config.clock import SystemClock
from sidecar.config.settings import Settings
from sidecar.core.gate import machine as gate
from sidecar.core.migrations.manifest import Manifest
from sidecar.core.views.documents import status_document
from sidecar.outputs.change_log import ChangeLog
from sidecar.outputs.http.auth import Certificate, Token
from sidecar.outputs.http.front import Front
from sidecar.outputs.http.guard import (
    CLIENT_TIMEOUT,
    MAX_CONNECTIONS,
    MAX_HEADERS,
    MAX_LINE_BYTES,
    Guard,
)
from sidecar.outputs.http.listen import Listeners
from sidecar.outputs.http.plain import Plain
from sidecar.outputs.http.rest import Rest
from sidecar.outputs.metrics.collector import Metrics
from sidecar.outputs.state_file import Memory
from sidecar.watcher import Watcher

if TYPE_CHECKING:
    from sidecar.outputs.http.app import Web

LOG = logging.getLogger("sidecar.serve")

SETTINGS: Final = ("manifest", "database", "verdict", "gate", "serve", "log")

OPTIONS: Final = ()

TAKES_COMMAND: Final = False


def run(settings: Settings) -> int:
    """Serve until a signal stops it; return 0."""
    manifest = inputs.load_manifest(settings.manifest)
    pid1.reap_zombies()
    # The manifest stays; no collection need walk through it again.
    gc.freeze()
    # What runs in a thread makes a probe wait no longer than this.
    sys.setswitchinterval(0.001)
    asyncio.run(_serve(settings, manifest))
    return 0


async def _serve(settings: Settings, manifest: Manifest) -> None:
    """Put the parts together; whatever can be refused is refused before the first listens."""
    stop = _on_signal()
    memory = Memory(settings.state_file) if settings.state_file else None
    remembered = memory is not None and memory.remembers(manifest.digest)
    watcher = _watcher(settings, manifest, remembered=remembered)
    metrics = Metrics(__version__)
    token = Token(settings.token_file) if settings.token_file else None
    plain = Plain(watcher.snapshot, alive=watcher.alive, render_metrics=metrics.render)
    tls = _tls(settings)
    listeners = [plain.announce, metrics.announce, ChangeLog().announce]
    for listener in [*listeners, *([memory.announce] if memory else [])]:
        watcher.tell(listener)

    def web() -> "Web":
        return _web(settings, manifest, watcher, metrics, token)

    async with Rest(web) as rest, Listeners() as servers:
        apart = bool(settings.details_listen)
        probes, details = plain.probes(), {} if token else plain.details()
        guard = _guard()
        behind = rest.behind(guard, lambda web: web.probes(details_too=not apart))
        shown = probes if apart else {**probes, **details}
        await servers.open(partial(Front, guard, shown, behind), settings.listen)
        if apart:
            guard = _guard()
            behind = rest.behind(guard, lambda web: web.details())
            front = partial(Front, guard, details, behind)
            await servers.open(front, settings.details_listen, tls)
        await _watch_until_stopped(watcher, stop, settings.drain_delay)


def _guard() -> Guard:
    return Guard(
        lifetime=CLIENT_TIMEOUT, limit=MAX_CONNECTIONS, line=MAX_LINE_BYTES, headers=MAX_HEADERS
    )


def _web(
    settings: Settings, manifest: Manifest, watcher: Watcher, metrics: Metrics, token: Token | None
) -> "Web":
    from sidecar.outputs.http import page  # noqa: PLC0415 - see commands.rest
    from sidecar.outputs.http.app import Web  # noqa: PLC0415

    front = page.load()
    web = Web(
        watcher.snapshot,
        alive=watcher.alive,
        render_metrics=metrics.render,
        render_status=partial(status_document, nodes=manifest.nodes),
        page=(front.body, front.headers) if settings.details else None,
        admits=token.admits if token else None,
    )
    watcher.tell(web.announce)
    return web


def _watcher(settings: Settings, manifest: Manifest, *, remembered: bool) -> Watcher:
    clock = SystemClock()
    return Watcher(
        inputs.open_databases(settings, manifest),
        inputs.judge(settings, manifest),
        identity=inputs.identity(manifest),
        gate=gate.begin(clock.monotonic(), remembered=remembered),
        policy=inputs.policy(settings),
        clock=clock,
        chance=random.random,
        steady=settings.interval,
        needs=inputs.needs(settings),
    )


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    return Certificate(settings.tls_cert, settings.tls_key).context


def _on_signal() -> asyncio.Event:
    """Return what is set when the process is told to stop."""
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
