"""What the notebooks of the course share: an exercise whose check teaches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Verdict(str):
    """What a check says of an answer; Jupyter shows it without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def attempt(check: Callable[..., str], *answer: Any) -> Verdict:
    """Check an answer to an exercise, and go on with the notebook whatever comes of it.

    Parameters
    ----------
    check
        Takes the answer; gives a sentence of praise, or raises AssertionError with a hint.
    answer
        What the learner wrote: values, or functions that the check calls.

    >>> def check_sum(total):
    ...     assert total == 3, "add one and two."
    ...     return "one and two are three."
    >>> attempt(check_sum, 2)
    Not yet: add one and two.
    >>> attempt(check_sum, 3)
    Well done: one and two are three.
    >>> attempt(check_sum)
    Not yet: your code stopped with TypeError: check_sum() missing 1 required positional argument: 'total'
    """
    try:
        return Verdict(f"Well done: {check(*answer)}")
    except AssertionError as hint:
        return Verdict(f"Not yet: {hint}")
    except Exception as error:  # the learner's own code, which may raise anything
        return Verdict(f"Not yet: your code stopped with {type(error).__name__}: {error}")
