"""The sidecar that one would write in an hour: aiohttp, asyncpg and prometheus_client, imported.

Answers "ok" without any read of a database, and renders its metrics at each scrape.
"""

import asyncio

import asyncpg  # noqa: F401 - its memory is part of what this costs
from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge, generate_latest

REGISTRY = CollectorRegistry()
for name in ("expected", "applied", "pending"):
    gauge = Gauge(f"migrations_{name}", "Migrations by app.", ["app"], registry=REGISTRY)
    for number in range(10):
        gauge.labels(f"app_{number:03}").set(50)


async def _readyz(request: web.Request) -> web.Response:  # noqa: ARG001
    return web.Response(text="ok\n")


async def _metrics(request: web.Request) -> web.Response:  # noqa: ARG001
    return web.Response(body=generate_latest(REGISTRY), content_type="text/plain")


async def _serve() -> None:
    app = web.Application()
    app.router.add_get("/readyz", _readyz)
    app.router.add_get("/metrics", _metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


asyncio.run(_serve())
