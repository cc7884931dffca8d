"""What only people and odd clients ask for: imported when the first of them does.

aiohttp is most of what a process of probes and scrapes would weigh: 12 MiB, and a third of a
second at start. It is imported in a thread, so that probes are answered meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from aiohttp import web

    from sidecar.outputs.http.app import Web
    from sidecar.outputs.http.guard import Guard
    from sidecar.outputs.http.handler import Handlers

Handler = Callable[[], asyncio.Protocol]


class Rest:
    """The applications behind the fronts, each made once."""

    def __init__(self, make: "Callable[[], Web]") -> None:
        """Take what makes the endpoints; it is called when they are asked for."""
        self._make = make
        self._web: asyncio.Task[Web] | None = None
        self._handlers: list[Handlers] = []
        self._guards: list[Guard] = []

    async def __aenter__(self) -> Self:
        """Start nothing yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the requests under way, then every connection."""
        for handlers in self._handlers:
            await handlers.close()
        for guard in self._guards:
            guard.close()

    def behind(
        self, guard: "Guard", choose: "Callable[[Web], web.Application]"
    ) -> Callable[[], Awaitable[Handler]]:
        """Return what waits for the handlers of the application that `choose` returns."""
        self._guards.append(guard)
        started: asyncio.Task[Handlers] | None = None

        async def start() -> "Handlers":
            web = await self._made()
            from sidecar.outputs.http.handler import Handlers  # noqa: PLC0415 - is imported by now

            handlers = Handlers(choose(web), guard)
            self._handlers.append(handlers)
            await handlers.start()
            return handlers

        async def wait() -> Handler:
            nonlocal started
            if started is None:
                started = asyncio.create_task(start())
            return await asyncio.shield(started)

        return wait

    async def _made(self) -> "Web":
        if self._web is None:
            self._web = asyncio.create_task(self._import())
        return await asyncio.shield(self._web)

    async def _import(self) -> "Web":
        for module in ("sidecar.outputs.http.handler", "sidecar.outputs.http.app"):
            await asyncio.to_thread(import_module, module)
        return self._make()
