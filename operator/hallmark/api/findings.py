"""What a check found: expected, found, and where."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from hallmark.api.common import ColumnName, FileModel

MAX_ROWS_LISTED = 20
"""So many rows a finding names; its count tells of all."""


class Finding(FileModel):
    """A refusal or remark: which check, where, what was expected and found. Never a value."""

    check: Annotated[str, Field(max_length=64)]
    column: ColumnName | None = None
    row: int | None = None
    """1-based data row of the first case."""
    rows: Annotated[list[int], Field(max_length=MAX_ROWS_LISTED)] = Field(default_factory=list)
    """The first cases' rows, where the check knows them."""
    count: int = 1
    file: Annotated[str, Field(max_length=256)] | None = None
    """The file or URL, without query, where the check knows it."""
    expected: Annotated[str, Field(max_length=256)]
    found: Annotated[str, Field(max_length=256)]

    def sentence(self) -> str:
        """Return the finding as a sentence a person can act on."""
        where = f" of {self.file}" if self.file else ""
        where += f" in column '{self.column}'" if self.column else ""
        row = f", first in row {self.row}" if self.row is not None else ""
        if len(self.rows) > 1:
            more = " and more" if self.count > len(self.rows) else ""
            row = f", in rows {', '.join(map(str, self.rows))}{more}"
        times = f" ({self.count} times{row})" if self.count > 1 else row
        return f"{self.check}{where}{times}: expected {self.expected}, found {self.found}."
