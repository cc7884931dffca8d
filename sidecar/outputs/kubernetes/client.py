"""The pod that this process runs in, as the Kubernetes API knows it: read, and patch its status.

No watch, and no connection between two requests. Token and CA are read for each, since
both rotate.
"""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

import aiohttp
import msgspec

from sidecar.errors import KubernetesError, UsageError

LIMIT: Final = 10.0
"""How long one request may take, in seconds."""

MERGE: Final = "application/strategic-merge-patch+json"
"""Conditions are merged by their type: nobody else's are touched."""


class Condition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One condition of a pod; the time is RFC 3339."""

    kind: str = msgspec.field(name="type")
    status: str
    reason: str | None = None
    message: str | None = None
    last_transition_time: str | None = None

    def says(self) -> tuple[str | None, ...]:
        """Return all but the time."""
        return (self.kind, self.status, self.reason, self.message)


class _Identity(msgspec.Struct):
    uid: str


class _Status(msgspec.Struct):
    conditions: tuple[Condition, ...] | None = None


class _Pod(msgspec.Struct):
    metadata: _Identity
    status: _Status


class _Refusal(msgspec.Struct):
    message: str = ""


class Pod:
    """One pod. It is known by its uid too: its name may be somebody else's one day."""

    def __init__(self, server: str, namespace: str, name: str, account: Path) -> None:
        """Take the server's URL, who the pod is, and the folder with token and CA."""
        self._server = server
        path = f"namespaces/{quote(namespace, safe='')}/pods/{quote(name, safe='')}"
        self._url = f"{server}/api/v1/{path}/status"
        self._account = account
        self._uid = ""

    async def read(self, kind: str) -> Condition | None:
        """Return the pod's condition of this type. Raises KubernetesError."""
        try:
            pod = msgspec.json.decode(await self._ask("GET"), type=_Pod)
        except msgspec.MsgspecError as error:
            raise KubernetesError(f"{self._server} answers with no pod: {error}") from None
        self._uid = self._uid or pod.metadata.uid
        return next((found for found in pod.status.conditions or () if found.kind == kind), None)

    async def write(self, condition: Condition) -> None:
        """Add the condition, or replace the one of its type. Raises KubernetesError."""
        patch = {"metadata": {"uid": self._uid}, "status": {"conditions": [condition]}}
        await self._ask("PATCH", msgspec.json.encode(patch))

    async def _ask(self, method: str, body: bytes | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {self._token()}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = MERGE
        tls = aiohttp.TCPConnector(ssl=self._tls())
        try:
            async with (
                asyncio.timeout(LIMIT),
                aiohttp.ClientSession(connector=tls, headers=headers) as session,
                session.request(method, self._url, data=body, allow_redirects=False) as answer,
            ):
                text = await answer.read()
        except TimeoutError:
            raise KubernetesError(f"{self._server} does not answer") from None
        except (aiohttp.ClientError, OSError) as error:
            raise KubernetesError(f"{self._server} cannot be asked: {error}") from None
        if answer.status != 200:
            wait = answer.headers.get("Retry-After", "")
            said = f"{self._server} says {answer.status} {answer.reason}{_message(text)}"
            raise KubernetesError(said, float(wait) if wait.isdecimal() else None)
        return text

    def _token(self) -> str:
        try:
            return (self._account / "token").read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            raise KubernetesError(f"{self._account / 'token'} cannot be read") from None

    def _tls(self) -> ssl.SSLContext:
        file = self._account / "ca.crt"
        try:
            context = ssl.create_default_context(cafile=file)
        except OSError as error:
            raise KubernetesError(f"{file}: {error.strerror or error}") from None
        # The CAs of many clusters lack what Python 3.13 and newer ask for (RFC 5280).
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context


def _message(text: bytes) -> str:
    """Return what the API says of a refusal, on one line."""
    try:
        said = " ".join(msgspec.json.decode(text, type=_Refusal).message.split())
    except msgspec.MsgspecError:
        return ""
    return f": {said[:300]}" if said else ""


def in_cluster(environment: Mapping[str, str], account: Path) -> Pod:
    """Return the pod of these variables and this service account. Raises UsageError."""
    host = environment.get("KUBERNETES_SERVICE_HOST")
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    # A host name is cut off at 63 characters, a pod's name is not.
    name = environment.get("POD_NAME") or environment.get("HOSTNAME")
    if not host or not name:
        lacks = "POD_NAME" if host else "KUBERNETES_SERVICE_HOST"
        raise UsageError(f"pod_condition needs a pod of a cluster: {lacks} is not set")
    try:
        namespace = environment.get("POD_NAMESPACE") or (account / "namespace").read_text().strip()
        (account / "token").read_bytes()
    except OSError as error:
        raise UsageError(
            f"pod_condition needs the token of a service account: {error.filename}: "
            f"{error.strerror}; mount one (k8s/components/readiness-gate)"
        ) from None
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    return Pod(server, namespace, name, account)
