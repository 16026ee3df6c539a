"""Each algorithm's model, for two classes and three, answers a request as training decided."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hallmark.api.files import MODEL_ONNX, SCHEMA
from hallmark.api.trainer import Algorithm
from hallmark.classification import predicted_classes
from hallmark.training.graph import build
from hallmark_predictor.data_plane import Answer, DataPlane
from hallmark_predictor.model import open_model
from hallmark_predictor.verification import Refused
from tests.unit.predictor import factories
from tests.unit.predictor.factories import SCHEMA_DOCUMENT, served_files, traffic
from tests.unit.training.fits import fitted, small

ROWS = traffic(200, seed=3)


def schema_of(classes: list[str], positive: str | None) -> bytes:
    return SCHEMA_DOCUMENT.model_copy(update={"classes": classes, "positive": positive}).to_bytes()


@pytest.mark.parametrize("classes", [["no", "yes"], ["high", "low", "middle"]])
@pytest.mark.parametrize("algorithm", Algorithm)
def test_a_request_is_answered_as_training_decided(
    algorithm: Algorithm, classes: list[str]
) -> None:
    rows = traffic(900, seed=0)
    score = rows[:, 0] / 1000 + rows[:, 1]
    edges = np.quantile(score, np.arange(1, len(classes)) / len(classes))
    truth = np.digitize(score, edges).astype(np.int64)
    found = fitted(rows, truth, SCHEMA_DOCUMENT.features, small(algorithm))
    for positive in (None, 0, 1):
        name = None if positive is None else classes[positive]
        changed = {MODEL_ONNX: build(found.plain, "credit"), SCHEMA: schema_of(classes, name)}
        plane = DataPlane(factories.model(files=served_files() | changed))
        request = {"instances": factories.instances(ROWS)}
        answer = plane.predict(json.dumps(request).encode())
        assert isinstance(answer, Answer)
        predictions = json.loads(answer.body)["predictions"]
        probabilities = found.probabilities(ROWS)
        decided = [classes[each] for each in predicted_classes(probabilities, positive)]
        assert [each["label"] for each in predictions] == decided
        said = [[each["probabilities"][name] for name in classes] for each in predictions]
        assert np.array(said) == pytest.approx(probabilities, abs=1e-6)


TIES = {
    "the first class is positive": ("no", "no"),
    "the second class is positive": ("yes", "yes"),
    "the classes are peers": (None, "no"),
}


@pytest.mark.parametrize("case", TIES.values(), ids=TIES)
def test_a_tie_goes_to_the_positive_class(case: tuple[str | None, str]) -> None:
    positive, expected = case
    files = served_files() | {SCHEMA: schema_of(["no", "yes"], positive)}
    plane = DataPlane(factories.model(files=files))
    half = np.array([[0.5, 0.5]], dtype=np.float32)
    assert [plane.model.schema.classes[index] for index in plane._labels(half)] == [expected]


def test_a_positive_class_that_is_none_is_refused() -> None:
    files = served_files() | {SCHEMA: schema_of(["no", "yes"], "maybe")}
    whole = factories.sealed(files=files)
    manifest = factories.verify_seal(whole.trust, factories.NOW)
    found = open_model(whole.trust, manifest, whole.files)  # type: ignore[arg-type]
    assert isinstance(found, Refused)
    assert found.message == "The sealed schema's positive class is none of its 2 classes."
