"""What a training Job uploads, complete and small; each part may be replaced or damaged."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from pydantic import ValidationError

from hallmark.api.artifacts import Manifest
from hallmark.api.columns import FeatureType
from hallmark.api.files import (
    BASELINE,
    DOCKERFILE,
    GOLDEN,
    MANIFEST,
    MODEL_ONNX,
    REPORT,
    REPORT_PAGE,
    SCHEMA,
    SLOT_JOBLIB,
    SLOT_SBOM,
    final_name,
    run_id,
)
from hallmark.api.names import run_prefix
from hallmark.api.report import Report
from hallmark.api.served import Baseline, BaselineFeature, Golden, ServedFeature, ServedSchema
from hallmark.api.tasks import SealTask
from hallmark.api.texts import sha256_digest
from hallmark.reporting.page import page
from hallmark.store import Store
from hallmark.supply_chain.dockerfile import render_dockerfile
from hallmark.supply_chain.manifest import build_manifest
from tests.unit.supply_chain import factories
from tests.unit.supply_chain.factories import FINGERPRINT, MODEL

SPEC_DIGEST = sha256_digest(b"spec")
IMAGE_DIGEST = sha256_digest(b"image")
RUN_ID = run_id(SPEC_DIGEST, FINGERPRINT, IMAGE_DIGEST)
RUN_UID = "11111111-2222-3333-4444-555555555555"
WEIGHTS = np.array([[0.5, -0.5], [-1.0, 1.0]], dtype=np.float32)
ROWS = [[0.0, 0.0], [1.0, -2.0], [3.5, 0.25]]


@functools.cache
def onnx_model() -> ModelProto:
    """Return a graph that answers Softmax(features x weights)."""
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["features", "weights"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        ],
        MODEL,
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, 2])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])],
        [numpy_helper.from_array(WEIGHTS, "weights")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def with_nodes(*nodes: NodeProto, opsets: Mapping[str, int] | None = None) -> bytes:
    """Return the graph with other nodes."""
    model = ModelProto.FromString(onnx_model().SerializeToString())
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    for domain, version in (opsets or {}).items():
        model.opset_import.append(helper.make_opsetid(domain, version))
    return bytes(model.SerializeToString())


def schema() -> ServedSchema:
    return ServedSchema(
        model=MODEL,
        features=[
            ServedFeature(name=name, type=FeatureType.NUMBER, nullable=False)
            for name in ("income", "amount")
        ],
        target="outcome",
        classes=["no", "yes"],
        positive="yes",
        input_name="features",
        probabilities_name="probabilities",
    )


def golden(tolerance: float = 1e-5) -> Golden:
    logits = np.array(ROWS) @ WEIGHTS.astype(np.float64)
    powers = np.exp(logits)
    answers = powers / powers.sum(axis=1, keepdims=True)
    return Golden(
        rows=[list(row) for row in ROWS], probabilities=answers.tolist(), tolerance=tolerance
    )


def baseline(*names: str) -> Baseline:
    return Baseline(
        rows=400,
        features=[
            BaselineFeature(name=name, type=FeatureType.NUMBER, edges=[0.0], counts=[200, 199, 1])
            for name in names or ("income", "amount")
        ],
    )


@dataclass(frozen=True)
class Upload:
    """Files by slot, and the manifest over them."""

    slots: Mapping[str, bytes]
    manifest: Manifest

    @property
    def digest(self) -> str:
        """The manifest's digest."""
        return sha256_digest(self.manifest.to_bytes())

    @property
    def files(self) -> dict[str, bytes]:
        """Bytes by name in the bundle."""
        return {final_name(slot, RUN_ID): data for slot, data in self.slots.items()}

    def put(self, store: Store, run_uid: str = RUN_UID) -> None:
        """Upload everything as a training Job does."""
        for slot, data in {**self.slots, MANIFEST: self.manifest.to_bytes()}.items():
            store.put(run_prefix(run_uid) + slot, data)


def upload(changes: Mapping[str, bytes] | None = None, **manifest: str) -> Upload:
    """Return an upload; ``changes`` replaces slots, ``manifest`` fields of the manifest."""
    slots = {
        SLOT_JOBLIB: b"a pickle that nobody opens",
        MODEL_ONNX: onnx_model().SerializeToString(),
        SCHEMA: schema().to_bytes(),
        BASELINE: baseline().to_bytes(),
        REPORT: factories.report().to_bytes(),
        GOLDEN: golden().to_bytes(),
        **(changes or {}),
    }
    if REPORT_PAGE not in slots:
        slots[REPORT_PAGE] = rendered(slots[REPORT])
    if SLOT_SBOM not in slots:
        digest = sha256_digest(slots[MODEL_ONNX])
        found = told(slots[REPORT])
        slots[SLOT_SBOM] = factories.sbom(run_id=RUN_ID, files={MODEL_ONNX: digest}, told=found)
    if DOCKERFILE not in slots:
        bill = sha256_digest(slots[SLOT_SBOM])
        slots[DOCKERFILE] = render_dockerfile(run_id=RUN_ID, dataset=FINGERPRINT, sbom=bill)
    values = {
        "namespace": "team",
        "model": MODEL,
        "run_id": RUN_ID,
        "spec_digest": SPEC_DIGEST,
        "dataset_fingerprint": FINGERPRINT,
        "image_digest": IMAGE_DIGEST,
    }
    files = {final_name(slot, RUN_ID): data for slot, data in slots.items()}
    return Upload(slots, build_manifest(files=files, **{**values, **manifest}))


def told(report: bytes) -> Report:
    """Return a report, or another one where it is none."""
    try:
        return Report.model_validate_json(report)
    except ValidationError:
        return factories.report()


def rendered(report: bytes) -> bytes:
    """Return the page of a report, or some bytes where it is none."""
    try:
        return page(Report.model_validate_json(report))
    except ValidationError:
        return b"<!DOCTYPE html>"


def task(each: Upload | None = None, **changes: object) -> SealTask:
    values: dict[str, object] = {
        "namespace": "team",
        "model": MODEL,
        "run_name": "credit-1",
        "run_uid": RUN_UID,
        "manifest_digest": (each or upload()).digest,
        "spec_digest": SPEC_DIGEST,
        "dataset_fingerprint": FINGERPRINT,
        "dependencies": {"denied": ["torch"]},
        "spec": {"model": MODEL},
        "image": "localhost/hallmark-operator:1",
        "store_uri": "memory://",
        "store_endpoint": None,
        "store_region": "us-east-1",
    }
    return SealTask.model_validate({**values, **changes})


def edited(data: bytes, **changes: object) -> bytes:
    """Return a JSON document with other fields."""
    return json.dumps({**json.loads(data), **changes}).encode()
