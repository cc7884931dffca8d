"""The HTTP endpoints: probes for Kubernetes, metrics, and what people and scripts read.

Answers come from memory and are rendered when the gate changes; nobody who asks can make
a database be asked.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec
from aiohttp import web

from sidecar.core.gate.snapshot import Snapshot, Target
from sidecar.core.gate.state import Phase
from sidecar.core.views.documents import health_document, timestamp
from sidecar.core.views.text import is_fine, next_step, place, target_line

SHOWN: Final = 5
"""How many pending migrations a verbose probe names."""

HEADERS: Final = {"Cache-Control": "no-store", "Server": "migration-sidecar"}
TEXT: Final = {**HEADERS, "Content-Type": "text/plain; charset=utf-8"}
HEALTH: Final = {**HEADERS, "Content-Type": "application/health+json"}
DENIED: Final = {**TEXT, "WWW-Authenticate": 'Bearer realm="migration-sidecar"'}
# A browser knows no bearer tokens; it asks its user for a password, and then sends that to
# /status, too. /status itself does not ask, so that no dialogue opens over a page that is read.
DENIED_BROWSER: Final = {**TEXT, "WWW-Authenticate": 'Basic realm="migration-sidecar"'}
ASKED_BROWSER: Final = b"the token is needed: as the password, with any user name\n"
JSON: Final = {**HEADERS, "Content-Type": "application/json"}

Render = Callable[[str], tuple[bytes, str]]


class Web:
    """Answers probes and people from the latest snapshot."""

    def __init__(
        self,
        snapshot: Snapshot,
        *,
        alive: Callable[[], bool],
        render_metrics: Render,
        render_status: Callable[[Snapshot], object],
        page: tuple[bytes, dict[str, str]] | None,
        admits: Callable[[str], bool] | None = None,
    ) -> None:
        """Take the first snapshot, and what is asked for an answer.

        `page` is the body and the headers of `/`; without one there are no details either, only
        bare probes. `admits`, where given, judges the Authorization header of those who ask.
        """
        self._render_metrics = render_metrics
        self._render_status = render_status
        self._page = page
        self._admits = admits
        self._alive = alive
        self.announce(snapshot)

    def announce(self, snapshot: Snapshot) -> None:
        """Answer with this snapshot from now on."""
        gate = snapshot.gate
        self._snapshot = snapshot
        self._status = 200 if gate.ready else 503
        self._body = f"{gate.reason}\n".encode()
        self._document: bytes | None = None
        self._started = 503 if gate.opened_at is None else 200

    def probes(self, *, details_too: bool) -> web.Application:
        """Return the application with the probes, and the details unless they live elsewhere."""
        app = web.Application(client_max_size=0)
        _add(app, "GET", "/livez", self._livez)
        _add(app, "GET", "/healthz", self._livez)
        _add(app, "GET", "/readyz", self._readyz)
        _add(app, "GET", "/startupz", self._startupz)
        if details_too:
            self._add_details(app)
        _add(app, "*", "/{path:.*}", _refuse)
        return app

    def details(self) -> web.Application:
        """Return the application with the details alone."""
        app = web.Application(client_max_size=0)
        self._add_details(app)
        _add(app, "*", "/{path:.*}", _refuse)
        return app

    def _add_details(self, app: web.Application) -> None:
        _add(app, "GET", "/metrics", self._metrics)
        if self._page is not None:
            _add(app, "GET", "/status", self._statusz)
            _add(app, "GET", "/", partial(self._front, *self._page))

    async def _livez(self, request: web.Request) -> web.Response:  # noqa: ARG002
        if self._alive():
            return web.Response(body=b"ok\n", headers=TEXT)
        return web.Response(status=503, body=b"the watcher is stuck\n", headers=TEXT)

    async def _readyz(self, request: web.Request) -> web.Response:
        if request.query_string:
            if request.query.get("format") == "json":
                return self._health(request)
            if "verbose" in request.query and self._may_see(request):
                body = verbose(self._snapshot).encode()
                return web.Response(status=self._status, body=body, headers=TEXT)
        if "health+json" in request.headers.get("Accept", ""):
            return self._health(request)
        return web.Response(status=self._status, body=self._body, headers=TEXT)

    def _may_see(self, request: web.Request) -> bool:
        return self._page is not None and self._admitted(request)

    def _admitted(self, request: web.Request) -> bool:
        return self._admits is None or self._admits(request.headers.get("Authorization", ""))

    def _health(self, request: web.Request) -> web.Response:
        document = health_document(self._snapshot)
        if not self._may_see(request):
            document = {"status": document["status"]}
        body = msgspec.json.encode(document)
        return web.Response(status=self._status, body=body, headers=HEALTH)

    async def _startupz(self, request: web.Request) -> web.Response:  # noqa: ARG002
        return web.Response(status=self._started, body=self._body, headers=TEXT)

    async def _metrics(self, request: web.Request) -> web.Response:
        if not self._admitted(request):
            return web.Response(status=401, body=b"a bearer token is needed\n", headers=DENIED)
        body, content_type = self._render_metrics(request.headers.get("Accept", ""))
        response = web.Response(body=body, headers={**HEADERS, "Content-Type": content_type})
        if "q=0" not in request.headers.get("Accept-Encoding", ""):
            response.enable_compression()
        return response

    async def _statusz(self, request: web.Request) -> web.Response:
        if not self._admitted(request):
            return web.Response(status=401, body=b"a bearer token is needed\n", headers=DENIED)
        if self._document is None:
            self._document = msgspec.json.encode(self._render_status(self._snapshot))
        return web.Response(body=self._document, headers=JSON)

    async def _front(
        self, body: bytes, headers: dict[str, str], request: web.Request
    ) -> web.Response:
        if not self._admitted(request):
            return web.Response(status=401, body=ASKED_BROWSER, headers=DENIED_BROWSER)
        return web.Response(body=body, headers=headers)


def _add(
    app: web.Application,
    method: str,
    path: str,
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> None:
    if method == "GET":
        app.router.add_get(path, handler, expect_handler=_expect_nothing)
    else:
        app.router.add_route(method, path, handler, expect_handler=_expect_nothing)


async def _expect_nothing(request: web.Request) -> None:
    """Answer at once whatever Expect says: no body is read, so none need be announced."""


async def _refuse(request: web.Request) -> web.Response:
    """Answer all else in our own words: aiohttp's would tell what we run on."""
    if request.method in {"GET", "HEAD"}:
        return web.Response(status=404, body=b"not found; try /readyz\n", headers=TEXT)
    headers = {**TEXT, "Allow": "GET, HEAD"}
    return web.Response(status=405, body=b"only GET and HEAD\n", headers=headers)


def verbose(snapshot: Snapshot) -> str:
    """Return each check on a line, as the Kubernetes API server does, and what to do."""
    gate = snapshot.gate
    lines = [
        line
        for target in snapshot.targets
        for line in _check_lines(target, ready=gate.ready or is_fine(target, snapshot))
    ]
    since = timestamp(gate.since + snapshot.epoch)
    held = f", holding: {gate.holding}" if gate.holding else ""
    outcome = "passed" if gate.ready else "failed"
    lines.append(f"readyz check {outcome}: {gate.reason}{held} since {since}")
    if not gate.ready or gate.phase is Phase.HOLDING:
        lines.append(f"next: {next_step(gate.holding or gate.reason, snapshot.targets)}")
    return "\n".join(lines) + "\n"


def _check_lines(target: Target, *, ready: bool) -> list[str]:
    told, name = target_line(target), place(target)
    if not ready:
        lines = [f"[-]{name} {told}"]
    elif told == target.reason and target.failure is None:
        return [f"[+]{name} ok"]
    else:
        lines = [f"[+]{name} ok, warning: {told}"]
    verdict = target.verdict if target.failure is None else None
    pending = () if verdict is None else verdict.pending
    lines += [f"    pending {key}" for key in pending[:SHOWN]]
    if len(pending) > SHOWN:
        lines.append(f"    and {len(pending) - SHOWN} more")
    return lines
