"""Clients as cheap as Python allows, so that what is measured is the server."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor

PROBE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: kube-probe/1.33\r\n"
    "Accept: */*\r\nConnection: close\r\n\r\n"
)
SCRAPE = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Prometheus/3.5.0\r\n"
    "Accept: application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4\r\n"
    "Accept-Encoding: gzip\r\nX-Prometheus-Scrape-Timeout-Seconds: 10\r\nConnection: close\r\n\r\n"
)


def get(address: tuple[str, int], request: bytes) -> tuple[int, float]:
    """Ask over a new connection, as kubelet does; return the status and how long it took."""
    began = time.perf_counter()
    with socket.create_connection(address, 30) as connection:
        connection.sendall(request)
        answer = connection.recv(65536)
        while connection.recv(65536):
            pass
    return int(answer[9:12]), time.perf_counter() - began


def measure_latencies(address: tuple[str, int], request: bytes, count: int) -> list[float]:
    """Ask so many times, one after another; return how long each 200 took, in seconds."""
    found = []
    for _ in range(count):
        status, took = get(address, request)
        assert status == 200, status
        found.append(took)
    return found


def throughput(address: tuple[str, int], request: bytes, count: int, clients: int = 4) -> float:
    """Return how many answers a second a few clients at once get."""
    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        list(
            pool.map(
                lambda _: measure_latencies(address, request, count // clients), range(clients)
            )
        )
    return count / (time.perf_counter() - began)


def await_ready(address: tuple[str, int], request: bytes, within: float = 30) -> None:
    """Wait for the first 200."""
    end = time.monotonic() + within
    while True:
        try:
            if get(address, request)[0] == 200:
                return
        except OSError:
            pass
        if time.monotonic() > end:
            raise AssertionError(f"not ready within {within:g} s")
        time.sleep(0.01)
