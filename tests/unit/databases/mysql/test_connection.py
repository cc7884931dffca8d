"""Connections to MySQL, as far as they need no server."""

import asyncio
import socket

from sidecar.databases.base import Address, connect
from sidecar.errors import DatabaseUnreachable


async def test_a_cancellation_is_not_lost_while_a_connection_is_refused() -> None:
    """At whatever step it comes: a watcher that went on would never end."""
    outcomes = set()
    with socket.socket() as refusing:
        refusing.bind(("127.0.0.1", 0))  # Nothing listens there.
        url = f"mysql://u:p@127.0.0.1:{refusing.getsockname()[1]}/db"
        for steps in range(30):
            reading = asyncio.create_task(connect(Address(url=url)).read())
            for _ in range(steps):
                await asyncio.sleep(0)
            cancelled = reading.cancel()
            await asyncio.wait({reading})
            assert reading.cancelled() is cancelled, f"after {steps} steps"
            outcomes.add(cancelled)
            if not cancelled:
                assert isinstance(reading.exception(), DatabaseUnreachable)
    assert outcomes == {True, False}
