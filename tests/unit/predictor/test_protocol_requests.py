"""What other people's clients and test suites send in the Open Inference Protocol, as data.

MLServer's tests for its REST server (tests/rest, tests/testdata in SeldonIO/MLServer), its codecs,
tritonclient's HTTP client and KServe's InferenceRESTClient, written for this model's features.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import numpy as np
import pytest

from hallmark_predictor.encoding import columns_of
from hallmark_predictor.protocol import DTYPES
from hallmark_predictor.quick import QuickReader
from tests.unit.predictor import factories
from tests.unit.predictor.test_app import client_of, serving
from tests.unit.predictor.test_data_plane import matrix, tensors as usual_tensors
from tests.unit.predictor.test_quick_columns import body_of, packed

INFER = "/v2/models/credit/infer"
ROWS = factories.traffic(7)
NOTHING = {"id": None, "parameters": None, "outputs": None}
TRITON: dict[str, Any] = {
    "sequence_id": 3,
    "sequence_start": True,
    "sequence_end": False,
    "priority": 1,
    "timeout": 10_000_000,
}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(serving()) as found:
        yield found


def tensors() -> list[dict[str, Any]]:
    """Return a tensor for each feature, its data flat."""
    return [
        tensor | {"data": np.array(tensor["data"]).ravel().tolist()} for tensor in usual_tensors()
    ]


def each(**changes: object) -> dict[str, Any]:
    """Return a request whose tensors all have some members more, or others."""
    return {"inputs": [tensor | changes for tensor in tensors()]}


def columns_of_a_frame() -> list[dict[str, Any]]:
    """Return tensors as MLServer's codec for frames has them."""
    kinds = {"BYTES": {"content_type": "str"}}
    return [
        tensor | {"shape": [7, 1], "parameters": kinds.get(tensor["datatype"])}
        for tensor in tensors()
    ]


def nested() -> dict[str, Any]:
    inputs = [
        tensor | {"shape": [7, 1], "data": [[cell] for cell in tensor["data"]]}
        for tensor in tensors()
    ]
    return {"inputs": inputs}


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param({"inputs": tensors()}, id="the least"),
        pytest.param({"inputs": tensors(), "parameters": {}}, id="KServe: no parameters"),
        pytest.param(each(parameters=None) | NOTHING, id="MLServer: null for nothing"),
        pytest.param(each(parameters={}) | NOTHING | {"parameters": {}}, id="empty for nothing"),
        pytest.param(
            {"inputs": columns_of_a_frame(), "parameters": {"content_type": "pd"}},
            id="MLServer: a frame",
        ),
        pytest.param(each(parameters={"content_type": "np"}), id="MLServer: arrays"),
        pytest.param(
            {"inputs": tensors(), "parameters": {"headers": {"x-foo": "bar"}}},
            id="MLServer: headers among the parameters",
        ),
        pytest.param({"inputs": tensors(), "outputs": []}, id="no outputs"),
        pytest.param(
            {
                "inputs": tensors(),
                "outputs": [{"name": "label", "parameters": None}, {"name": "probabilities"}],
            },
            id="both outputs",
        ),
        pytest.param({"inputs": tensors(), "parameters": TRITON}, id="tritonclient: a sequence"),
        pytest.param(nested(), id="nested columns"),
        pytest.param(matrix(), id="a matrix"),
        pytest.param(matrix(parameters={"content_type": "np"}) | NOTHING, id="MLServer: a matrix"),
        pytest.param(matrix(datatype="FP64"), id="a matrix of doubles"),
    ],
)
@pytest.mark.parametrize("path", [INFER, "/v2/models/credit/versions/7/infer"])
async def test_what_clients_send_is_answered_alike(
    client: httpx.AsyncClient, path: str, request_: dict[str, Any]
) -> None:
    found = await client.post(path, json=request_)
    assert found.status_code == 200, found.text
    expected = factories.estimator().probabilities(ROWS)
    label, probabilities = found.json()["outputs"]
    assert probabilities["data"] == pytest.approx(expected.ravel().tolist(), abs=1e-6)
    assert label["data"] == ["yes" if row[1] > 0.5 else "no" for row in expected]
    assert "id" not in found.json()


def without(member: str) -> dict[str, Any]:
    inputs = tensors()
    del inputs[0][member]
    return {"inputs": inputs}


def changed(**changes: object) -> dict[str, Any]:
    inputs = tensors()
    inputs[0] |= changes
    return {"inputs": inputs}


REGION = {"shared_memory_region": "region", "shared_memory_byte_size": 28}


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        pytest.param(
            {"inputs": [{"name": "input-0", "shape": [1, 3], "datatype": "INT32", "data": [1, 2]}]},
            "inputs",
            id="MLServer: another model's request",
        ),
        pytest.param(changed(datatype="INT322"), "income", id="MLServer: no datatype"),
        pytest.param(changed(datatype="fp32"), "income", id="a datatype in small letters"),
        pytest.param(changed(datatype=None), "income", id="null for a datatype"),
        pytest.param(
            {"inputs": tensors(), "outputs": [{"name": "requested-output-0"}]},
            "outputs",
            id="MLServer: another output",
        ),
        pytest.param({"inputs": tensors(), "outputs": [{}]}, "outputs", id="an output of no name"),
        pytest.param({}, "inputs", id="nothing"),
        pytest.param({"inputs": None}, "inputs", id="null for inputs"),
        pytest.param({"inputs": []}, "inputs", id="no inputs"),
        pytest.param({"instances": [factories.ROW]}, "inputs", id="the first protocol's request"),
        pytest.param(without("name"), "inputs", id="no name"),
        pytest.param(without("shape"), "income", id="no shape"),
        pytest.param(without("datatype"), "income", id="no member datatype"),
        pytest.param(without("data"), "income", id="no data"),
        pytest.param(changed(data=None), "income", id="null for data"),
        pytest.param(changed(data=[]), "income", id="empty data"),
        pytest.param(changed(shape=[7, 1, 1]), "income", id="three dimensions"),
        pytest.param(changed(shape=[0], data=[]), "income", id="no rows"),
        pytest.param(
            {"inputs": [{k: v for k, v in t.items() if k != "data"} | {"parameters": REGION}
                        for t in tensors()]},
            "income",
            id="tritonclient: shared memory",
        ),
    ],
)  # fmt: skip
async def test_what_clients_get_wrong_is_refused_in_a_sentence(
    client: httpx.AsyncClient, request_: dict[str, Any], field: str
) -> None:
    found = await client.post(INFER, json=request_)
    assert found.status_code == 422, found.text
    assert found.json()["details"][0]["field"] == field
    assert found.json()["error"].endswith(".")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v2/models/my-model/versions/v0/infer"),
        ("POST", "/v2/models/credit/versions/v0/infer"),
        ("GET", "/v2/models/my-model"),
        ("GET", "/v2/models/my-model/ready"),
        ("GET", "/v2/models/my-model/stats"),
        ("POST", "/v2/repository/index"),
        ("POST", "/v2/repository/models/credit/unload"),
        ("POST", "/v2/models/credit/generate"),
        ("POST", "/v2/models/credit/infer_stream"),
        ("GET", "/v2/systemsharedmemory/status"),
    ],
)
async def test_what_is_not_served_is_not_found(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    found = await client.request(method, path, json={"inputs": tensors()})
    assert found.status_code == 404, found.text
    assert found.json()["error"].endswith(".")


def test_null_for_nothing_is_read_quickly() -> None:
    body, _ = body_of(each(parameters=None) | NOTHING, [])
    assert QuickReader(columns_of(factories.SCHEMA_DOCUMENT)).infer(body) is not None


@pytest.mark.parametrize(
    ("more", "forms"),
    [
        pytest.param({"parameters": {"binary_data_output": True}}, [True, True], id="by default"),
        pytest.param(
            {
                "outputs": [
                    {"name": "label", "parameters": {"binary_data": True}},
                    {"name": "probabilities", "parameters": {"binary_data": False}},
                ]
            },
            [True, False],
            id="one of two",
        ),
        pytest.param(
            {
                "outputs": [{"name": "label", "parameters": {"classification": 2}}],
                "parameters": TRITON | {"binary_data_output": True},
            },
            [True],
            id="parameters that mean nothing here",
        ),
        pytest.param({}, [False, False], id="as JSON"),
    ],
)
async def test_tensors_as_bytes_are_answered_in_the_form_that_is_asked_for(
    client: httpx.AsyncClient, more: dict[str, Any], forms: list[bool]
) -> None:
    inputs, tails = [], []
    for tensor in tensors():
        data, datatype = tensor.pop("data"), tensor["datatype"]
        tail = packed(data) if datatype == "BYTES" else np.array(data, DTYPES[datatype]).tobytes()
        inputs.append(tensor | {"parameters": {"binary_data_size": len(tail)}})
        tails.append(tail)
    body, length = body_of({"inputs": inputs} | more, tails)
    headers = {
        "content-type": "application/octet-stream",
        "inference-header-content-length": str(length),
    }
    found = await client.post(INFER, content=body, headers=headers)
    assert found.status_code == 200, found.text
    text_length = found.headers.get("inference-header-content-length")
    assert (text_length is not None) == any(forms)
    outputs = (
        httpx.Response(200, content=found.content[: int(text_length)]) if text_length else found
    ).json()["outputs"]
    sizes = [output.get("parameters", {}).get("binary_data_size") for output in outputs]
    assert [size is not None for size in sizes] == forms
    assert sum(filter(None, sizes)) == len(found.content) - int(text_length or len(found.content))
