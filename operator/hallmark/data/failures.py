"""What readers say of a file that they cannot read: failures by kind, counted, with first rows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from hallmark.api.findings import MAX_ROWS_LISTED, Finding

MAX_FAILURES = 20
"""So many kinds of failures are told; the last one counts the rest."""


class Unreadable(Exception):
    """The end of the reading of a file; ``read`` turns it into findings."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("the file cannot be read")
        self.findings = findings


def unreadable(check: str, expected: str, found: str, row: int | None = None) -> Unreadable:
    """Return the end of the reading for one reason."""
    return Unreadable(Finding(check=check, row=row, expected=expected, found=found))


@dataclass
class _Kind:
    count: int = 0
    rows: list[int] = field(default_factory=list)


@dataclass
class Failures:
    """The failures of a whole file, by kind."""

    _kinds: dict[tuple[str, str, str], _Kind] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._kinds)

    def add(self, check: str, expected: str, found: str, rows: np.ndarray | list[int]) -> None:
        """Count a failure of the 1-based ``rows``, which are in their order."""
        if not len(rows):
            return
        known = (check, expected, found)
        if known not in self._kinds and len(self._kinds) >= MAX_FAILURES:
            known = (check, expected, "something else")
        kind = self._kinds.setdefault(known, _Kind())
        kind.count += len(rows)
        kind.rows += [int(row) for row in rows[: MAX_ROWS_LISTED - len(kind.rows)]]

    def raise_if_any(self) -> None:
        """End the reading if there are any.

        Raises:
            Unreadable: there are.
        """
        if self._kinds:
            raise Unreadable(*self.findings())

    def findings(self) -> tuple[Finding, ...]:
        """Return one finding for each kind, in the order of the first rows."""
        kinds = sorted(self._kinds.items(), key=lambda known: known[1].rows[0])
        return tuple(
            Finding(
                check=check,
                row=kind.rows[0],
                rows=kind.rows,
                count=kind.count,
                expected=expected,
                found=found,
            )
            for (check, expected, found), kind in kinds
        )
