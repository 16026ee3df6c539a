"""Asks a predictor with other people's clients; run with the Python of their environment.

``clients.py HOST:PORT``: tritonclient with and without the binary extension, KServe's
InferenceRESTClient in both protocols, and the errors that they show.
"""

import asyncio
import sys

import numpy as np
import tritonclient.http as triton
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from tritonclient.utils import InferenceServerException

NAMES = [f"x{at}" for at in range(12)]
ROWS = np.random.default_rng(2).normal(50, 10, (5, 12)).astype(np.float32)


def by_triton(address: str) -> np.ndarray:
    """Ask in each form, and return the probabilities that all gave."""
    client = triton.InferenceServerClient(address)
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("credit")
    assert client.is_model_ready("credit", "7")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata("credit")
    assert [each["name"] for each in metadata["inputs"]] == NAMES
    found = []
    for binary_in in (True, False):
        for binary_out in (True, False):
            for matrix in (True, False):
                inputs = _matrix(binary_in) if matrix else _by_feature(binary_in)
                outputs = [
                    triton.InferRequestedOutput(name, binary_data=binary_out)
                    for name in ("label", "probabilities")
                ]
                answer = client.infer("credit", inputs, outputs=outputs, request_id="r")
                assert answer.get_response()["id"] == "r"
                labels = answer.as_numpy("label").astype(str).tolist()
                found.append(answer.as_numpy("probabilities"))
                assert labels == ["yes" if row[1] >= 0.5 else "no" for row in found[-1]]
    for compression in ("gzip",):
        answer = client.infer("credit", _matrix(True), request_compression_algorithm=compression)
        found.append(answer.as_numpy("probabilities"))
    assert all((one == found[0]).all() for one in found)
    _fails(client, "other", _matrix(True), "serves 'credit'")
    wrong = triton.InferInput("x0", [1], "FP32")
    wrong.set_data_from_numpy(np.array([1], np.float32))
    _fails(client, "credit", [wrong], "a tensor for each")
    beyond = triton.InferInput("input", [1, 12], "FP32")
    beyond.set_data_from_numpy(np.full((1, 12), 1e6, np.float32))
    _fails(client, "credit", [beyond], "from -1000 to 1000")
    return found[0]


def _matrix(binary: bool) -> list[triton.InferInput]:
    tensor = triton.InferInput("input", list(ROWS.shape), "FP32")
    tensor.set_data_from_numpy(ROWS, binary_data=binary)
    return [tensor]


def _by_feature(binary: bool) -> list[triton.InferInput]:
    inputs = []
    for at, name in enumerate(NAMES):
        tensor = triton.InferInput(name, [len(ROWS)], "FP32")
        tensor.set_data_from_numpy(ROWS[:, at].copy(), binary_data=binary)
        inputs.append(tensor)
    return inputs


def _fails(client, model: str, inputs: list[triton.InferInput], sentence: str) -> None:  # noqa: ANN001
    try:
        client.infer(model, inputs)
    except InferenceServerException as error:
        assert sentence in error.message(), error.message()  # noqa: PT017
    else:
        raise AssertionError(f"{sentence}: it was answered")


async def by_kserve(address: str) -> np.ndarray:
    """Ask with KServe's client, and return the probabilities."""
    url = f"http://{address}"
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await client.is_server_live(url)
    assert await client.is_server_ready(url)
    assert await client.is_model_ready(url, "credit")
    tensor = InferInput("input", list(ROWS.shape), "FP32")
    found = []
    for binary in (True, False):
        tensor.set_data_from_numpy(ROWS, binary_data=binary)
        answer = await client.infer(url, InferRequest("credit", [tensor]), model_name="credit")
        (output,) = [each for each in answer.outputs if each.name == "probabilities"]
        found.append(output.as_numpy())
    assert (found[0] == found[1]).all()
    first = InferenceRESTClient(RESTConfig(protocol="v1"))
    instances = [dict(zip(NAMES, row, strict=True)) for row in ROWS.tolist()]
    answer = await first.infer(url, {"instances": instances}, model_name="credit")
    said = [
        [each["probabilities"][name] for name in ("no", "yes")] for each in answer["predictions"]
    ]
    assert np.allclose(said, found[0], atol=1e-7)
    return found[0]


if __name__ == "__main__":
    here = by_triton(sys.argv[1])
    assert (here == asyncio.run(by_kserve(sys.argv[1]))).all()
    print("answered alike")
