"""An HTTPS server that behaves like the Kubernetes API server, as far as one pod's status goes."""

import asyncio
import json
import re
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import trustme
from aiohttp import web

from support.kustomize import KUBECTL

MERGE = "application/strategic-merge-patch+json"
PATH = re.compile(r"/api/v1/namespaces/(?P<namespace>[^/]+)/pods/(?P<name>[^/]+)/status")
READY = {"type": "Ready", "status": "False", "reason": "ReadinessGatesNotReady"}
Answer = tuple[int, str, dict[str, str]]


class ApiServer:
    """Knows one pod, one token and one CA at a time; all that it was asked is in `requests`."""

    def __init__(self, account: Path, host: str = "127.0.0.1") -> None:
        """Make a pod, and the service account's folder for it."""
        self.host, self.port = host, 0
        self.account = account
        self.requests: list[tuple[str, int]] = []
        self.refusals: list[Answer] = []
        self.hang = False
        self.pod: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "shop-5d9c-x2x", "namespace": "shop", "uid": "u-1"},
            "spec": {"containers": [{"name": "app", "image": "shop"}]},
            "status": {"phase": "Running", "conditions": [dict(READY)]},
        }
        account.mkdir(exist_ok=True)
        (account / "namespace").write_text("shop")
        self.token = ""
        self.rotate("first")
        self.change_ca()

    def rotate(self, token: str) -> None:
        """Take another token from now on, and hand it out as the kubelet does."""
        self.token = token
        (self.account / "token").write_text(token)

    def change_ca(self) -> None:
        """Use a certificate of another CA from the next start on, and hand that CA out."""
        authority = trustme.CA()
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(self.host).configure_cert(self._tls)
        authority.cert_pem.write_to_path(str(self.account / "ca.crt"))

    @property
    def variables(self) -> dict[str, str]:
        """What a pod has in its environment."""
        port = str(self.port)
        return {
            "KUBERNETES_SERVICE_HOST": self.host,
            "KUBERNETES_SERVICE_PORT": port,
            "POD_NAME": self.pod["metadata"]["name"],
            "SIDECAR_POD_ACCOUNT": str(self.account),
        }

    def condition(self, kind: str) -> dict[str, Any]:
        """Return the pod's condition of this type, empty if it has none."""
        found = [one for one in self.pod["status"]["conditions"] if one["type"] == kind]
        assert len(found) < 2, "conditions are merged by type"
        return found[0] if found else {}

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, if it runs."""
        if self._thread.is_alive():
            self.stop()

    def start(self) -> None:
        """Listen, on the port of the last time if there was one."""
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        bound = socket.create_server((self.host, self.port), family=family)
        self.port = bound.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, args=(bound, self._tls))
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; the port stays ours to come back to."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Take requests and answer none."""
        self.hang = True
        yield
        self.hang = False

    def _serve(self, bound: socket.socket, tls: ssl.SSLContext) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._run(bound, tls))

    async def _run(self, bound: socket.socket, tls: ssl.SSLContext) -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        await web.SockSite(runner, bound, ssl_context=tls).start()
        await self._stop.wait()
        await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        while self.hang:
            await asyncio.sleep(0.02)
        status, message, headers = self._judge(request, body)
        self.requests.append((request.method, status))
        if status == 200:
            return web.json_response(self.pod)
        refusal = {"kind": "Status", "apiVersion": "v1", "message": message, "code": status}
        return web.json_response(refusal, status=status, headers=headers)

    def _judge(self, request: web.Request, body: bytes) -> Answer:
        """Return the answer, after changing the pod if that is what was asked."""
        found = PATH.fullmatch(request.path)
        metadata = self.pod["metadata"]
        if self.refusals:
            return self.refusals.pop(0)
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return 401, "Unauthorized", {}
        if found is None or request.method not in {"GET", "PATCH"}:
            return 405, "the server does not allow this method on the requested resource", {}
        if (found["namespace"], found["name"]) != (metadata["namespace"], metadata["name"]):
            return 404, f'pods "{found["name"]}" not found', {}
        if request.method == "PATCH" and request.content_type != MERGE:
            return 415, "the body of the request was in an unknown format", {}
        if request.method == "PATCH" and not self._merge(body):
            return 409, "Precondition failed: UID in precondition", {}
        return 200, "", {}

    def _merge(self, patch: bytes) -> bool:
        """Merge with the API server's own code, as far as kubectl has it; fail for another uid."""
        if json.loads(patch).get("metadata", {}).get("uid") not in {
            None,
            self.pod["metadata"]["uid"],
        }:
            return False
        merge = ("patch", "--local", "--type=strategic", "--output=json", "--filename=-")
        merged = subprocess.run(
            [KUBECTL, *merge, "--patch", patch.decode()],
            check=True, input=json.dumps(self.pod).encode(), capture_output=True,
        )  # fmt: skip
        self.pod = json.loads(merged.stdout)
        return True
