"""What is wrong with a request: values, never exceptions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

MAX_PROBLEMS = 50
"""About how many problems of one request are told."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and where.

    ``found`` tells type and length, never a text's content: it may be about a person.
    """

    field: str
    row: int | None
    """Index of the row in the request, from 0; None where it concerns the whole."""
    expected: str
    found: str

    def sentence(self) -> str:
        """Return the problem as a sentence."""
        row = "" if self.row is None else f" in row {self.row}"
        return f"'{self.field}'{row}: expected {self.expected}, found {self.found}."


@dataclass(frozen=True)
class BadRequest:
    """A request that is refused."""

    problems: tuple[Problem, ...]
    status: int = HTTPStatus.UNPROCESSABLE_ENTITY

    def body(self) -> dict[str, object]:
        """Return the answer's JSON: a sentence, and each problem."""
        rest = "" if len(self.problems) == 1 else f" (The first of {len(self.problems)} problems.)"
        return {
            "error": self.problems[0].sentence() + rest,
            "details": [
                {"field": p.field, "row": p.row, "expected": p.expected, "found": p.found}
                for p in self.problems
            ],
        }


def bad_request(problems: Sequence[Problem]) -> BadRequest:
    """Return the refusal for one problem or more."""
    return BadRequest(tuple(problems[:MAX_PROBLEMS]))


def refuse(
    field: str, expected: str, found: str, status: int = HTTPStatus.UNPROCESSABLE_ENTITY
) -> BadRequest:
    """Return the refusal of a whole request for one problem."""
    return BadRequest((Problem(field, None, expected, found),), status=status)


def describe(value: object, *, numbers: bool = False) -> str:
    """Return what a JSON value is, without its content; a number's only where asked for."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return _number(value) if numbers else "a number"
        case str():
            return f"a text of {len(value)} characters"
        case list():
            return f"a list of {len(value)} elements"
        case dict():
            return f"an object of {len(value)} members"
        case _:
            return "nothing"


def _number(value: float) -> str:
    if isinstance(value, int) and abs(value) >= 10**15:
        return "a number of more than 15 digits"
    return f"the number {value}"
