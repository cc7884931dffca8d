"""Ask a running sidecar whether it is ready: one GET, for docker-compose and HEALTHCHECK.

    sidecar healthcheck [--live] [--url URL] [--timeout 1s]
    python -I -S healthcheck.py

Stands alone and starts as fast as Python does: only built-in modules. Asks `/readyz`
(`--live`: `/livez`) at --url, or at the first address of SIDECAR_LISTEN, or at port 8089 of
this host. A URL is http://host:port[/path], http://[::1]:port or unix:/path/of/socket.
Exit code 0 when ready, 1 otherwise, as Docker asks. The timeout (default 1 s) is for
everything together.
"""

# `_socket` and `posix` instead of `socket`, `os`, `argparse` and `urllib`: those cost several
# times the start of the interpreter, and a healthcheck is a start every time.
import _socket
import sys
from posix import _exit, environ
from time import monotonic

TIMEOUT = 1.0
DEFAULT_PORT = 8089
BOTH = ("127.0.0.1", "::1")
LOOPBACK = {"": BOTH, "*": BOTH, "::": BOTH, "localhost": BOTH, "0.0.0.0": ("127.0.0.1",)}
"""Where a listener that takes any address is reached from here, without asking a resolver."""


class Unusable(Exception):
    """The arguments cannot be meant."""


def main(argv: list[str]) -> int:
    """Ask; return 0 when the answer is 200, otherwise 1."""
    if "-h" in argv or "--help" in argv:
        print(__doc__)
        return 0
    try:
        url, path, timeout = _arguments(argv)
        address, path = _target(url, path)
        status, body = _get(address, path, monotonic() + timeout)
    except Unusable as error:
        return _fail(f"healthcheck: {error}")
    except TimeoutError:
        return _fail("healthcheck: no answer in time")
    except (OSError, ValueError) as error:
        return _fail(f"healthcheck: no answer: {error}")
    print(body.strip() or status)
    return 0 if status == "200" else 1


def _fail(message: str) -> int:
    print(message, file=sys.stderr)
    return 1


def _arguments(argv: list[str]) -> tuple[str, str, float]:
    listen = environ.get(b"SIDECAR_LISTEN", b"").decode().split(",")[0].strip()
    url, path, timeout = listen or f":{DEFAULT_PORT}", "/readyz", TIMEOUT
    words = iter(argv)
    for word in words:
        flag, equals, value = word.partition("=")
        if word == "--live":
            path = "/livez"
        elif flag == "--url":
            url = value if equals else next(words, "")
        elif flag == "--timeout":
            timeout = _seconds(value if equals else next(words, ""))
        else:
            raise Unusable(f"unknown argument {flag!r}; see --help")
    if not url:
        raise Unusable("--url is empty")
    return url, path, timeout


def _seconds(text: str) -> float:
    for unit, factor in (("ms", 0.001), ("s", 1.0), ("m", 60.0)):
        number = text.removesuffix(unit)
        if number != text and number.replace(".", "", 1).isdigit() and number.isascii():
            return float(number) * factor
    raise Unusable(f"--timeout {text!r} is no duration, such as 1s or 500ms")


def _target(url: str, path: str) -> tuple[str | list[tuple[str, int]], str]:
    """Return a socket path or each (host, port) to try, and the path to ask for."""
    if url.startswith("unix:"):
        return url.removeprefix("unix:").removeprefix("//"), path
    if url.startswith("https:"):
        raise Unusable("--url: probes are served without TLS; use http://")
    authority, slash, asked = url.removeprefix("http://").partition("/")
    host, _, port = authority.rpartition(":")
    if authority.endswith("]") or not (host or authority.startswith(":")):
        # No port: a bare port number is an address to listen on, anything else a host.
        host, port = ("", authority) if authority.isdigit() else (authority, str(DEFAULT_PORT))
    if not port.isdigit():
        raise Unusable(f"--url: {port!r} is no port")
    host = host.strip("[]")
    hosts = LOOPBACK.get(host, (host,))
    return [(each, int(port)) for each in hosts], f"/{asked}" if slash and asked else path


def _get(address: str | list[tuple[str, int]], path: str, deadline: float) -> tuple[str, str]:
    """Return status and body of one GET."""
    connection = _connect(address, deadline)
    try:
        request = (
            f"GET {path} HTTP/1.0\r\nHost: localhost\r\nUser-Agent: sidecar-healthcheck\r\n\r\n"
        )
        connection.settimeout(_left(deadline))
        connection.sendall(request.encode("latin-1"))
        answer = b""
        while True:
            connection.settimeout(_left(deadline))
            piece = connection.recv(65536)
            if not piece:
                break
            answer += piece
    finally:
        connection.close()
    head, _, body = answer.decode("latin-1").partition("\r\n\r\n")
    words = head.split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/"):
        raise ValueError("that is no HTTP server")
    return words[1], body


def _connect(address: str | list[tuple[str, int]], deadline: float) -> _socket.socket:
    if isinstance(address, str):
        return _open(_socket.AF_UNIX, address, deadline)
    failure: OSError | None = None
    for host, port in address:
        # As bytes: a string would be taken through the IDNA codec, and that imports `re`.
        name = host.encode() if host.isascii() else host
        for family, _, _, _, place in _socket.getaddrinfo(name, port, 0, _socket.SOCK_STREAM):
            try:
                return _open(family, place, deadline)
            except TimeoutError:
                raise
            except OSError as error:
                failure = failure or error
    raise failure or OSError("no address")


def _open(family: int, place: object, deadline: float) -> _socket.socket:
    connection = _socket.socket(family, _socket.SOCK_STREAM)
    try:
        connection.settimeout(_left(deadline))
        connection.connect(place)  # type: ignore[arg-type]
    except BaseException:
        connection.close()
        raise
    return connection


def _left(deadline: float) -> float:
    left = deadline - monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _end(code: int) -> None:
    """End without taking the interpreter down, which is a sixth of what all this costs."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        pass  # The exit code is the answer; the words are for people.
    _exit(code)


if __name__ == "__main__":
    _end(main(sys.argv[1:]))
