"""What is drawn, in few words; each strategy is made once, for making them costs most."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T")
Number = st.SearchStrategy[int]


class Draws:
    """Hypothesis's `draw`, with the kinds of choice that projects and rows need."""

    def __init__(self, draw: Callable[[Number], int]) -> None:
        """Take the `draw` of a composite strategy."""
        self._draw = draw

    def number(self, low: int, high: int) -> int:
        """Return a number between these, inclusive; the lower the simpler."""
        return self._draw(_between(low, high))

    def flip(self) -> bool:
        """Return true or false."""
        return self.number(0, 1) == 1

    def once_in(self, many: int) -> bool:
        """Return true about once in so many."""
        return self.number(0, many - 1) == many - 1

    def one(self, of: Sequence[T]) -> T:
        """Return one of these; the earlier the simpler."""
        return of[self.number(0, len(of) - 1)]

    def some(self, of: Sequence[T], low: int, high: int) -> list[T]:
        """Return so many of these, each once, in any order."""
        left = list(of)
        return [
            left.pop(self.number(0, len(left) - 1))
            for _ in range(min(self.number(low, high), len(of)))
        ]


@lru_cache(maxsize=1024)
def _between(low: int, high: int) -> Number:
    return st.integers(low, high)
