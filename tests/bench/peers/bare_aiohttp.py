"""The floor of HTTP with aiohttp: one handler, one line, no access log."""

import asyncio

from aiohttp import web


async def _readyz(request: web.Request) -> web.Response:  # noqa: ARG001
    return web.Response(text="ok\n")


async def _serve() -> None:
    app = web.Application()
    app.router.add_get("/readyz", _readyz)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


asyncio.run(_serve())
