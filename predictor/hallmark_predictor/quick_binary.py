"""What requests of the binary extension have in common besides their tensors; see ``quick``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from hallmark_predictor.protocol import Identity, Output


class Size(Struct, forbid_unknown_fields=True):
    """A tensor's parameters where its data stands behind the JSON."""

    binary_data_size: int


class _Form(Struct, forbid_unknown_fields=True):
    binary_data: bool


class _Wanted(Struct, forbid_unknown_fields=True):
    name: Literal["label", "probabilities"]
    parameters: _Form | UnsetType = UNSET


class _Default(Struct, forbid_unknown_fields=True):
    binary_data_output: bool


class BinaryRequest(Struct, forbid_unknown_fields=True):
    """A request, whose tensors each reader declares."""

    inputs: Any
    id: Identity | UnsetType = UNSET
    outputs: list[_Wanted] | UnsetType = UNSET
    parameters: _Default | UnsetType = UNSET

    @property
    def identity(self) -> str | None:
        """The request's ``id``, if any."""
        return None if self.id is UNSET else self.id

    @property
    def members(self) -> int:
        """How many members it has, those of its tensors apart."""
        count = 1 + (self.id is not UNSET)
        if self.parameters is not UNSET:
            count += 2
        if self.outputs is not UNSET:
            given = sum(output.parameters is not UNSET for output in self.outputs)
            count += 1 + len(self.outputs) + 2 * given
        return count

    def wanted(self, known: Sequence[Output]) -> tuple[Output, ...] | None:
        """Return the outputs that are asked for, in the order of those that there are.

        Args:
            known: What is answered where nothing is asked for.

        Returns:
            None where one is named twice.
        """
        by_default = self.parameters is not UNSET and self.parameters.binary_data_output
        if self.outputs is UNSET or not self.outputs:
            return tuple(Output(output.name, by_default) for output in known)
        forms = {
            output.name: (
                by_default if output.parameters is UNSET else output.parameters.binary_data
            )
            for output in self.outputs
        }
        if len(forms) != len(self.outputs):
            return None
        return tuple(
            Output(output.name, forms[output.name]) for output in known if output.name in forms
        )
