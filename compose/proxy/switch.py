"""Choose the colour that gets the traffic; the proxy follows as soon as its gate is open.

docker compose -f compose.yaml -f compose.blue-green.yaml run --rm switch green
"""

import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path

KEPT = Path("/proxy/wanted/colour.map")
CONTROL = "/run/control/haproxy"
SEEN_BY_PROXY = "/usr/local/etc/haproxy/wanted/colour.map"


def readiness(colour: str) -> str:
    """Return the readiness of a colour, as its sidecar answers /readyz."""
    try:
        with urllib.request.urlopen(f"http://sidecar-{colour}:8089/readyz", timeout=3) as answer:
            return answer.read().decode().strip()
    except urllib.error.HTTPError as error:
        return f"not ready: {error.read().decode().strip()}"
    except OSError as error:
        return f"not there: {error}"


def send_to_proxy(command: str) -> str:
    """Send one command to HAProxy's control socket; return its answer, empty when it is done."""
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(CONTROL)
        control.sendall(f"{command}\n".encode())
        control.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: control.recv(4096), b"")).decode().strip()


def main(arguments: list[str]) -> int:
    """Set the wanted colour; return the exit code."""
    if arguments not in (["blue"], ["green"]):
        print("usage: switch blue|green", file=sys.stderr)
        return 64
    (colour,) = arguments
    KEPT.write_text(f"colour {colour}\n")
    if refused := send_to_proxy(f"set map {SEEN_BY_PROXY} colour {colour}"):
        print(f"switch: HAProxy refuses: {refused}", file=sys.stderr)
        return 1
    print(f"{colour} is wanted, and gets the traffic while its gate is open ({readiness(colour)})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
