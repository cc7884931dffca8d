"""A client that requests one URL again and again, and keeps each answer."""

import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from support.process import until

PAUSE = 0.02


@dataclass(frozen=True)
class Answer:
    """What one request got: status 0 is no answer at all."""

    at: datetime
    status: int
    served_by: str


class Visitor:
    """Asks from when the context begins until it ends."""

    def __init__(self, url: str) -> None:
        """Ask this URL."""
        self._url = url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask_repeatedly, daemon=True)
        self.answers: list[Answer] = []

    def __enter__(self) -> Self:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def wait_for(self, status: int, served_by: str = "", within: float = 60) -> Answer:
        """Return the first answer from now on that has this status, by this backend."""
        seen = len(self.answers)
        found: list[Answer] = []

        def asked() -> bool:
            fits = (a for a in self.answers[seen:] if a.status == status)
            found.extend(a for a in fits if a.served_by.startswith(served_by))
            return bool(found)

        until(asked, f"{status} by {served_by or 'anybody'}", within)
        return found[0]

    def after(self, at: datetime) -> list[Answer]:
        """Return the answers since then."""
        return [answer for answer in self.answers if answer.at >= at]

    def _ask_repeatedly(self) -> None:
        while not self._stop.is_set():
            at = datetime.now(UTC)
            self.answers.append(Answer(at, *self._ask()))
            time.sleep(PAUSE)

    def _ask(self) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self._url, timeout=10) as answer:  # noqa: S310 - loopback
                answer.read()
                return answer.status, answer.headers.get("x-served-by", "")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers.get("x-served-by", "")
        except OSError:
            return 0, ""
