"""What is wrong with a request: values, never exceptions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from msgspec import Struct, field

from hallmark.drift.refusals import NONE, Fault, Reason, Refusals

_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\- ]{0,62}")

MAX_PROBLEMS = 50
"""About how many problems of one request are told."""


class Problem(Struct, frozen=True):
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


class BadRequest(Struct, frozen=True):
    """A request that is refused."""

    problems: tuple[Problem, ...]
    status: int = HTTPStatus.UNPROCESSABLE_ENTITY
    refusals: Refusals = NONE
    """The rows at fault, as far as the request could be read as rows."""

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


class Tally(Struct):
    """What is wrong with a request's rows: the first problems as text, all of them counted."""

    rows: int = 0
    """The rows at fault."""
    problems: list[Problem] = field(default_factory=list)
    faults: Counter[Fault] = field(default_factory=Counter)

    @property
    def listens(self) -> bool:
        """Whether there is room for one more problem's text."""
        return len(self.problems) < MAX_PROBLEMS

    def note(self, feature: str, reason: Reason) -> None:
        """Count a row in which a feature, or none that is declared, is at fault."""
        self.faults[feature, reason] += 1

    def tell(self, problem: Problem) -> None:
        """Add a problem, if there is room."""
        if self.listens:
            self.problems.append(problem)

    def bad_request(self) -> BadRequest:
        """Return the refusal; at least one problem was told."""
        return bad_request(self.problems, Refusals(self.rows, dict(self.faults)))


def bad_request(problems: Sequence[Problem], refusals: Refusals = NONE) -> BadRequest:
    """Return the refusal for one problem or more."""
    return BadRequest(tuple(problems[:MAX_PROBLEMS]), refusals=refusals)


def refuse(
    field: str,
    expected: str,
    found: str,
    status: int = HTTPStatus.UNPROCESSABLE_ENTITY,
    *,
    rows: int = 0,
    faults: Mapping[Fault, int] | None = None,
) -> BadRequest:
    """Return the refusal of a whole request for one problem."""
    refusals = Refusals(rows, faults or {})
    return BadRequest((Problem(field, None, expected, found),), status, refusals)


def shown(name: str) -> str:
    """Return a member's name where it is like a column's; else it may be anybody's text."""
    return name if _FIELD_NAME.fullmatch(name) else f"a name of {len(name)} characters"


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
