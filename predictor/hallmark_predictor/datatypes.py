"""The datatypes of the Open Inference Protocol, and whether a tensor's numbers are of its own.

JSON has one kind of number, so that nothing but this look keeps 300 out of an INT8 or a half out of
an INT64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from hallmark.api.bounds import FLOAT32_MAX
from hallmark.api.columns import FeatureType
from hallmark.drift.refusals import Reason
from hallmark_predictor.problems import BadRequest, Problem, Tally, describe


class Numbers(Struct, frozen=True):
    """The numbers that a datatype holds."""

    low: float
    high: float
    whole: bool

    @property
    def expected(self) -> str:
        """What they are, for people."""
        if not self.whole:
            return f"a number from {self.low:.6g} to {self.high:.6g}"
        return f"a whole number from {self.low} to {self.high}"

    def hold(self, cells: Sequence[object]) -> bool:
        """Tell whether all numbers among the cells are such; what is no number is not looked at."""
        types = set(map(type, cells))
        numbers: Sequence[float] = (
            cells  # type: ignore[assignment]  # checked above
            if types <= {int, float}
            else [cell for cell in cells if type(cell) is int or type(cell) is float]
        )
        if not numbers:
            return True
        if not self.low <= min(numbers) <= max(numbers) <= self.high:
            return False
        return not self.whole or float not in types or all(map(_is_whole, numbers))


def _is_whole(number: float) -> bool:
    return type(number) is int or number.is_integer()


_BITS = (8, 16, 32, 64)
NUMBERS: Mapping[str, Numbers] = {
    **{f"INT{bits}": Numbers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, True) for bits in _BITS},
    **{f"UINT{bits}": Numbers(0, 2**bits - 1, True) for bits in _BITS},
    "FP16": Numbers(-65504.0, 65504.0, False),
    "FP32": Numbers(-FLOAT32_MAX, FLOAT32_MAX, False),
    "FP64": Numbers(-1.7976931348623157e308, 1.7976931348623157e308, False),
}
FLOATS = ("FP16", "FP32", "FP64")
DATATYPES: Mapping[FeatureType, tuple[str, tuple[str, ...]]] = {
    FeatureType.NUMBER: ("FP32", tuple(NUMBERS)),
    FeatureType.INTEGER: ("INT64", tuple(NUMBERS)),
    FeatureType.BOOLEAN: ("BOOL", ("BOOL",)),
    FeatureType.CATEGORY: ("BYTES", ("BYTES",)),
}
"""By feature type: the datatype that metadata names, and all that are taken."""


def told(datatype: object) -> str:
    """Return what stands in a datatype's place: its name, if it is one."""
    is_one = isinstance(datatype, str) and (datatype in NUMBERS or datatype in ("BOOL", "BYTES"))
    return f"{datatype}" if is_one else describe(datatype)


Place = Callable[[int], tuple[str, int]]
"""From a cell's number to its feature's name and its row."""


def check_numbers(cells: Sequence[object], datatype: str, place: Place) -> BadRequest | None:
    """Return which numbers a tensor's datatype does not hold, or nothing.

    Args:
        cells: As they stand in the request.
        datatype: Of the tensor; BOOL and BYTES hold no numbers.
        place: Where a cell belongs.
    """
    numbers = NUMBERS.get(datatype)
    if numbers is None or numbers.hold(cells):
        return None
    tally, rows = Tally(), set[int]()
    for at, cell in enumerate(cells):
        if type(cell) is not int and type(cell) is not float:
            continue
        inside = numbers.low <= cell <= numbers.high
        if inside and (not numbers.whole or _is_whole(cell)):
            continue
        feature, row = place(at)
        rows.add(row)
        tally.note(feature, Reason.WRONG_TYPE if inside else Reason.OUT_OF_RANGE)
        if tally.listens:
            expected = f"{numbers.expected}, as {datatype} holds"
            tally.tell(Problem(feature, row, expected, describe(cell, numbers=True)))
    tally.rows = len(rows)
    return tally.bad_request()
