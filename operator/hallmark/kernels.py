"""Which kernels of linear algebra train: the same on every processor of a kind.

OpenBLAS, which numpy and scipy bring along, sums in another order on a processor with AVX-512 than
on one with AVX2, and then a linear model has other last digits. What is chosen here every processor
has on which polars runs at all.
"""

from __future__ import annotations

import os
import platform

VARIABLE = "OPENBLAS_CORETYPE"
KERNELS = {"x86_64": "Haswell", "AMD64": "Haswell", "aarch64": "ARMV8", "arm64": "ARMV8"}
"""By the machine as Python names it; on others OpenBLAS chooses."""


def choose_kernels() -> None:
    """Choose the kernels, unless the environment does; numpy must not have been imported before."""
    kernels = KERNELS.get(platform.machine())
    if kernels is not None:
        os.environ.setdefault(VARIABLE, kernels)
