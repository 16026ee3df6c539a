import itertools
import json
from collections.abc import AsyncIterator
from urllib.parse import quote

import httpx
import jsonschema
import pytest
from hypothesis import HealthCheck, given, strategies as st

from hallmark.api.bounds import FLOAT32_MAX
from hallmark_predictor.app import create_app, framework
from hallmark_predictor.data_plane import DataPlane
from hallmark_predictor.drift_reporter import DriftRecorder
from hallmark_predictor.metrics import Metrics
from hallmark_predictor.probes import PROBES
from hallmark_predictor.routes import routes
from hallmark_predictor.serving import Serving
from tests.examples import examples
from tests.unit.predictor import factories
from tests.unit.predictor.factories import ROW
from tests.unit.predictor.test_data_plane import REQUESTS, matrix

MODEL = factories.model()
DIGEST = MODEL.trust.manifest_digest
GOOD = {"instances": [ROW]}


def loading() -> Serving:
    return Serving(Metrics())


def serving() -> Serving:
    found = loading()
    found.start(DataPlane(MODEL), DriftRecorder(factories.model().windows, MODEL.columns, DIGEST))
    return found


async def unreachable(scope: object, receive: object, send: object) -> None:
    """Stand where FastAPI would be imported."""
    raise AssertionError(scope)


def client_of(what: Serving) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=create_app(what), raise_app_exceptions=True)
    return httpx.AsyncClient(transport=transport, base_url="http://predictor")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(serving()) as found:
        yield found


# -- health -----------------------------------------------------------------------------------


async def test_while_loading_it_lives_and_says_what_it_waits_for() -> None:
    what = loading()
    what.waiting_for = "The store answered 503 for 'model.onnx'."
    async with client_of(what) as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/v2/health/live")).json() == {"live": True}
        for path in ("/readyz", "/v2/health/ready"):
            found = await client.get(path)
            assert (found.status_code, found.json()["error"]) == (503, what.waiting_for)
        for found in (
            await client.post("/predict", json=GOOD),
            await client.post("/v2/models/credit/infer", json=matrix()),
            await client.get("/v2/models/credit"),
        ):
            assert (found.status_code, found.json()["error"]) == (503, what.waiting_for)


@pytest.mark.parametrize(
    "path", ["/predict", "/v1/models/credit:predict", "/v2/models/credit/infer"]
)
async def test_a_prediction_that_came_before_the_model_is_never_told_that_all_is_well(
    path: str,
) -> None:
    """It was on its way to what answers while nothing is served when the model was there."""
    transport = httpx.ASGITransport(app=framework(serving()))
    async with httpx.AsyncClient(transport=transport, base_url="http://predictor") as client:
        found = await client.post(path, json=GOOD)
    assert (found.status_code, found.headers["retry-after"]) == (503, "1")
    assert "send the request again" in found.json()["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/readyz",
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/credit",
        "/v2/models/credit/ready",
        "/v2/models/credit/versions/7",
        "/v2/models/credit/versions/7/ready",
        "/v1/models/credit",
    ],
)
async def test_when_loaded_every_question_is_answered(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 200


ALWAYS = ("/healthz", "/v2/health/live", "/metrics", "/v2")
ASKED = ["/", "/ready", "/versions/7", "/versions/7/ready", "/versions/8", "/versions/8/ready"]
OF_MODELS = [f"/v2/models/{name}{more}" for name in ("credit", "other%20one") for more in ASKED]


@pytest.mark.parametrize("path", [*(path.rstrip("/") for path in OF_MODELS), "/v1/models/credit"])
@pytest.mark.parametrize("state", ["loading", "serving", "draining"])
async def test_what_is_asked_of_models_needs_no_framework(path: str, state: str) -> None:
    what = loading() if state == "loading" else serving()
    what.draining = state == "draining"
    told = []
    for app in (routes(what, unreachable), framework(what)):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://predictor") as client:
            found = await client.get(path)
        told.append((found.status_code, found.headers["content-type"], found.json()))
    assert told[0] == told[1]
    ours = "other" not in path and "/8" not in path
    asks = path.endswith(("/ready", "/v1/models/credit"))
    expected = 503 if state == "loading" else 404 if not ours else 200
    assert told[0][0] == (503 if state == "draining" and ours and asks else expected)


HEADS = ["/v2/models/credit", "/v2/models/credit/ready", "/v1/models/credit", "/v1/models/other"]
DESCRIBED = ["/docs", "/openapi.json", "/nothing", "/predict"]


@pytest.mark.parametrize("path", [*PROBES, *HEADS, *DESCRIBED])
async def test_a_head_is_that_of_the_answer(path: str) -> None:
    what = serving()
    app = create_app(what) if path in DESCRIBED else routes(what, unreachable)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://predictor") as client:
        head, whole = await client.head(path), await client.get(path)
    assert head.status_code == whole.status_code
    assert head.headers == whole.headers or path == "/metrics"
    if path == "/docs":
        counted = 'requests_total{code="200",route="/docs"} 2.0'
        assert counted in what.metrics.exposition().decode()


@pytest.mark.parametrize("path", PROBES)
@pytest.mark.parametrize("state", ["loading", "serving", "draining"])
async def test_probes_are_answered_without_the_framework_in_its_words(
    path: str, state: str
) -> None:
    what = loading() if state == "loading" else serving()
    what.draining = state == "draining"
    for app in (routes(what, unreachable), framework(what)):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://predictor") as client:
            found = await client.get(path)
        healthy = state == "serving" or path in ALWAYS
        assert found.status_code == (200 if healthy else 503)
        if path == "/metrics":
            assert found.headers["content-type"].startswith("text/plain; version=")
        elif path == "/v2":
            assert found.json()["extensions"] == ["binary_tensor_data"]
        elif not healthy:
            assert found.json() == {"ready": False, "error": what.not_ready}
        else:
            assert found.json() in ({"live": True}, {"ready": True})


@pytest.mark.parametrize("path", ["/predict", "/v2/models/credit/infer", "/feedback", "/other"])
async def test_what_is_posted_before_there_is_a_model_needs_no_framework(path: str) -> None:
    what = loading()
    transport = httpx.ASGITransport(app=routes(what, unreachable))
    async with httpx.AsyncClient(transport=transport, base_url="http://predictor") as client:
        found = await client.post(path, json=GOOD)
    assert (found.status_code, found.headers["retry-after"]) == (503, "1")
    assert found.json() == {"error": what.waiting_for}


@pytest.mark.parametrize(
    "path",
    [
        *(f"/v2/models/{model}/infer" for model in ("other", "credit/versions/8", "a/versions/7")),
        *(f"/v1/models/{model}:predict" for model in ("other", "a:b", "other%20one")),
    ],
)
async def test_predictions_of_another_model_are_refused_without_the_framework_in_its_words(
    path: str,
) -> None:
    what, told = serving(), []
    for app in (routes(what, unreachable), framework(what)):
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://predictor") as client:
            found = await client.post(path, json=GOOD)
        told.append((found.status_code, found.headers["content-type"], found.json()))
    sentence = "This predictor serves 'credit', version '7', alone."
    assert told == [(404, "application/json", {"error": sentence})] * 2
    assert 'rejections_total{reason="OtherModel"} 2.0' in what.metrics.exposition().decode()


async def test_a_draining_predictor_is_not_ready_but_answers() -> None:
    what = serving()
    what.draining = True
    async with client_of(what) as client:
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/v2/models/credit/ready")).status_code == 503
        found = await client.post("/predict", json=GOOD)
        assert (found.status_code, found.headers["connection"]) == (200, "close")


# -- predictions ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/predict", GOOD),
        ("/v2/models/credit/infer", matrix()),
        ("/v2/models/credit/versions/7/infer", matrix()),
        ("/v1/models/credit:predict", GOOD),
    ],
)
async def test_answers_carry_version_and_digest(
    client: httpx.AsyncClient, path: str, body: dict[str, object]
) -> None:
    for each, status in ((body, 200), ({}, 422)):
        found = await client.post(path, json=each)
        assert found.status_code == status
        assert found.headers["hallmark-model-version"] == "credit-1"
        assert found.headers["hallmark-manifest-digest"] == DIGEST
        assert found.headers["content-type"] == "application/json"
        assert "connection" not in found.headers


async def test_a_big_request_is_answered_like_a_small_one(client: httpx.AsyncClient) -> None:
    rows = factories.instances(factories.traffic(3000))
    found = (await client.post("/predict", json={"instances": rows})).json()["predictions"]
    alone = (await client.post("/predict", json={"instances": rows[:1]})).json()["predictions"]
    assert len(found) == 3000
    assert found[:1] == alone


@pytest.mark.parametrize(
    ("active", "header"),
    [
        pytest.param(None, None, id="it is not known who is active"),
        pytest.param(DIGEST, None, id="this version is active"),
        pytest.param("sha256:" + "0" * 64, "close", id="another version is active"),
    ],
)
async def test_a_demoted_predictor_ends_connections(active: str | None, header: str | None) -> None:
    what = serving()
    what.active_digest = active
    async with client_of(what) as client:
        for found in (await client.post("/predict", json=GOOD), await client.get("/healthz")):
            assert found.headers.get("connection") == header


# -- refusals ---------------------------------------------------------------------------------


async def test_a_bad_request_gets_422_with_field_row_expected_and_found(
    client: httpx.AsyncClient,
) -> None:
    found = await client.post("/predict", json={"instances": [ROW | {"age": "forty"}]})
    assert found.status_code == 422
    assert found.json() == {
        "error": "'age' in row 0: expected a whole number from 18 to 120, "
        "found a text of 5 characters.",
        "details": [
            {
                "field": "age",
                "row": 0,
                "expected": "a whole number from 18 to 120",
                "found": "a text of 5 characters",
            }
        ],
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/predict", 405),
        ("GET", "/v2/models/other", 404),
        ("POST", "/v2/models/other/infer", 404),
        ("POST", "/v1/models/other:predict", 404),
        ("GET", "/v1/models/other", 404),
        ("POST", "/v2/models/credit/versions/8/infer", 404),
        ("GET", "/v2/models/credit/versions/8/ready", 404),
    ],
)
async def test_what_is_not_there_is_said_to_be_so(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    found = await client.request(method, path)
    assert found.status_code == status
    assert found.json()["error"].endswith(".")
    assert found.headers.get("allow") == ("POST" if status == 405 else None)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": ""}, 415),
        ({"content-type": "application/json", "content-encoding": "br"}, 415),
        ({"content-type": "application/json", "content-encoding": "gzip"}, 422),
        ({"content-type": "application/json", "content-encoding": "identity"}, 200),
        ({"content-type": "application/json", "inference-header-content-length": "2"}, 422),
        ({}, 200),
    ],
)
async def test_only_plain_json_is_taken(
    client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    found = await client.post("/predict", content=json.dumps(GOOD), headers=headers)
    assert found.status_code == status


@pytest.mark.parametrize("path", ["/predict", "/v2/models/credit/infer"])
async def test_a_body_over_8_mib_is_refused_with_413(client: httpx.AsyncClient, path: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield b" " * 2**20

    for content in (b" " * (8 * 2**20 + 1), chunks()):
        found = await client.post(
            path, content=content, headers={"content-type": "application/json"}
        )
        assert found.status_code == 413
        assert found.json()["details"][0]["expected"] == "at most 8388608 bytes"


@examples(150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request_=REQUESTS)
async def test_no_json_ends_in_a_500(client: httpx.AsyncClient, request_: object) -> None:
    for path in ("/predict", "/v2/models/credit/infer"):
        found = await client.post(
            path,
            content=json.dumps(request_),
            headers={"content-type": "application/json"},
        )
        assert found.status_code in (200, 422)


@examples(100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.text(max_size=30))
async def test_no_path_ends_in_a_500(client: httpx.AsyncClient, path: str) -> None:
    found = await client.get("/" + quote(path, errors="replace"))
    assert found.status_code < 500


# -- metrics ----------------------------------------------------------------------------------


async def test_metrics_count_requests_rows_and_name_the_model(client: httpx.AsyncClient) -> None:
    await client.post("/predict", json={"instances": [ROW, ROW]})
    await client.post("/predict", json={})
    await client.get("/somewhere/else")
    found = await client.get("/metrics")
    assert found.headers["content-type"].startswith("text/plain; version=")
    assert found.headers["content-type"].count("charset") == 1
    lines = found.text.splitlines()
    for line in (
        'hallmark_predictor_requests_total{code="200",route="/predict"} 1.0',
        'hallmark_predictor_requests_total{code="422",route="/predict"} 1.0',
        'hallmark_predictor_requests_total{code="404",route="none"} 1.0',
        "hallmark_predictor_rows_total 2.0",
        'hallmark_predictor_request_seconds_count{route="/predict"} 2.0',
        "hallmark_predictor_verification_failures_total 0.0",
        "hallmark_predictor_drift_windows_total 0.0",
    ):
        assert line in lines, found.text
    assert f'manifest_digest="{DIGEST}"' in found.text


async def test_the_endpoints_are_described(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    assert {"/predict", "/v2/models/{name}/infer", "/readyz"} <= paths.keys()


async def test_the_description_has_the_models_features(client: httpx.AsyncClient) -> None:
    schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
    assert schemas["Row"]["properties"] == {
        "income": {"type": ["number", "null"], "minimum": 0, "maximum": FLOAT32_MAX},
        "age": {"type": "integer", "minimum": 18, "maximum": 120},
        "owner": {"type": "boolean"},
        "purpose": {"type": "string", "enum": factories.PURPOSES},
    }


async def test_an_answer_is_described(client: httpx.AsyncClient) -> None:
    described = (await client.get("/openapi.json")).json()
    checked = {"$ref": "#/components/schemas/Predicted", "components": described["components"]}
    validator = jsonschema.Draft202012Validator(checked)
    for path in ("/predict", "/v1/models/credit:predict"):
        found = await client.post(path, json={"instances": [ROW, ROW]})
        assert found.status_code == 200
        validator.validate(found.json())
    for wrong in ({"predictions": []}, found.json() | {"manifestDigest": "sha256:0"}):
        assert not validator.is_valid(wrong)
    answers = {
        path: operation["post"]["responses"]["200"]["content"]["application/json"]
        for path, operation in described["paths"].items()
        if path.endswith(("predict", "infer"))
    }
    assert len(answers) == 4
    assert all(answers.values())


async def test_the_described_rows_are_those_that_are_taken(client: httpx.AsyncClient) -> None:
    described = (await client.get("/openapi.json")).json()
    checked = {"$ref": "#/components/schemas/Prediction", "components": described["components"]}
    validator = jsonschema.Draft202012Validator(checked)
    changes = itertools.product([17, 18, 120, 121, 40.5], [None, -1, 0, 5.5], ["car", "boat", 1])
    seen = set()
    for age, income, purpose in changes:
        for more in ({}, {"x": 1}):
            row = ROW | {"age": age, "income": income, "purpose": purpose} | more
            found = await client.post("/predict", json={"instances": [row]})
            assert (found.status_code == 200) == validator.is_valid({"instances": [row]})
            seen.add(found.status_code)
    assert seen == {200, 422}
