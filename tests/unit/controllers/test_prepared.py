"""The first decision of an operator is as fast as the hundredth."""

import subprocess
import sys

PROGRAM = """
import hallmark.controllers
from hallmark.api.common import ApiModel, build_models
from hallmark.drift.recount import DriftEvidence

assert not DriftEvidence.__pydantic_complete__, "no model is built before it is used"
build_models()
waiting, unbuilt = [ApiModel], []
while waiting:
    model = waiting.pop()
    waiting += model.__subclasses__()
    unbuilt += [] if model.__pydantic_complete__ else [model.__name__]
assert not unbuilt, unbuilt
"""


def test_no_model_is_left_to_be_built_by_the_first_rollback() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=120)
