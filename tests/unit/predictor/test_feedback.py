"""Delayed truth: receipts that nobody can invent, and outcomes that count once."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given, strategies as st

from hallmark.api.bounds import EARLIER_VERSIONS, SCORE_SCALE
from hallmark.api.drift import Drift
from hallmark.api.drift_report import DriftReport
from hallmark.api.feedback import Feedback
from hallmark_predictor.app import create_app
from hallmark_predictor.data_plane import Answer, DataPlane
from hallmark_predictor.drift_reporter import DriftRecorder
from hallmark_predictor.metrics import Metrics
from hallmark_predictor.receipts import CHARACTERS, READ_AGAIN, Receipts, SecretFiles
from hallmark_predictor.serving import Serving
from hallmark_predictor.truth import MAX_OUTCOMES, Judged, Truth, truth_of
from hallmark_predictor.truth_metrics import families
from tests.unit.drift.factories import received
from tests.unit.predictor import factories
from tests.unit.predictor.factories import DEPLOYMENT, NAMESPACE, ROW

TOKEN, KEY = "t" * 32, "k" * 32
FEEDBACK = Feedback(window=100, groups=["women", "men"], max_age="24h")
DIGEST = factories.sealed().trust.manifest_digest
SCHEMA = factories.model().schema


def secret(folder: Path, **entries: str) -> Path:
    for name, text in ({"token": TOKEN, "receipts": KEY} | entries).items():
        (folder / name).write_text(text)
    return folder


@dataclass
class Pod:
    """A predictor that takes feedback, at a time that the test says."""

    truth: Truth
    plane: DataPlane
    now: list[float]
    serving: Serving
    recorder: DriftRecorder

    def answer(self, rows: int = 1, seed: int = 1) -> list[dict[str, Any]]:
        """Ask for so many predictions."""
        body = {"instances": factories.instances(factories.traffic(rows, seed))}
        found = self.plane.predict(json.dumps(body).encode())
        assert isinstance(found, Answer)
        predictions: list[dict[str, Any]] = json.loads(found.body)["predictions"]
        return predictions

    def take(self, *outcomes: Mapping[str, object]) -> Judged:
        """Tell what became true."""
        body = json.dumps({"outcomes": list(outcomes)}).encode()
        found = asyncio.run(self.truth.take(body))
        assert isinstance(found, Judged), found
        return found


def pod(
    folder: Path,
    now: list[float] | None = None,
    *,
    deployment: str = DEPLOYMENT,
    digest: str = "",
    feedback: Feedback = FEEDBACK,
    classes: dict[str, object] | None = None,
) -> Pod:
    clock = [1_780_000_000.0] if now is None else now
    model = factories.model(drift=Drift(window=100, feedback=feedback))
    files = SecretFiles(folder, NAMESPACE, deployment)
    schema = model.schema.replace(**(classes or {}))
    receipts = Receipts(files, digest or model.trust.manifest_digest, schema, lambda: clock[0])
    plane = DataPlane(model, receipts)
    serving = Serving(Metrics())
    truth = truth_of(plane, serves_alone=lambda: not serving.ends_connections)
    assert truth is not None
    recorder = DriftRecorder(
        model.windows, model.columns, model.trust.manifest_digest, outcomes=truth.counter
    )
    serving.truth = truth
    serving.metrics.truth(lambda: families(truth))
    serving.start(plane, recorder)
    return Pod(truth, plane, clock, serving, recorder)


def post(serving: Serving, path: str, **asked: Any) -> httpx.Response:  # noqa: ANN401
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=create_app(serving), raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://predictor") as client:
            return await client.post(path, **asked)

    return asyncio.run(ask())


@pytest.fixture
def one(tmp_path: Path) -> Pod:
    return pod(secret(tmp_path))


# -- receipts ---------------------------------------------------------------------------------


@given(label=st.integers(0, 63), score=st.floats(0, 1, width=32))
def test_a_receipt_says_what_was_answered(
    tmp_path_factory: pytest.TempPathFactory, label: int, score: float
) -> None:
    folder = secret(tmp_path_factory.mktemp("secret"))
    receipts = Receipts(SecretFiles(folder, NAMESPACE, DEPLOYMENT), DIGEST, SCHEMA, lambda: 1000.0)
    text = receipts.one(label, score).decode()
    found = receipts.read(text)
    assert len(text) == CHARACTERS
    assert found is not None
    assert (found.label, found.at, found.version) == (label, 1000, receipts.version)
    assert found.score == pytest.approx(score, abs=1e-5)


@given(st.data())
def test_no_changed_bit_and_no_other_text_is_a_receipt(data: st.DataObject) -> None:
    receipts = Receipts(_Known(), DIGEST, SCHEMA)
    text = receipts.one(1, 0.75).decode()
    raw = bytearray(base64.b64decode(text))
    at = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[at // 8] ^= 1 << at % 8
    assert receipts.read(base64.b64encode(raw).decode()) is None
    assert receipts.read(data.draw(st.text(max_size=80))) is None
    assert receipts.read(text) is not None


class _Known(SecretFiles):
    """A Secret without files."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere"), NAMESPACE, DEPLOYMENT)

    def _entry(self, name: str) -> bytes | None:
        return KEY.encode()


def test_a_secret_may_come_later_and_change(tmp_path: Path) -> None:
    now = [0.0]
    files = SecretFiles(tmp_path, NAMESPACE, DEPLOYMENT, lambda: now[0])
    receipts = Receipts(files, DIGEST, SCHEMA)
    assert receipts.one(0, 0.5) == b""
    secret(tmp_path, receipts="short")
    now[0] += READ_AGAIN
    assert (receipts.one(0, 0.5), files.current().token) == (b"", TOKEN.encode())
    secret(tmp_path)
    now[0] += READ_AGAIN
    first = receipts.one(0, 0.5).decode()
    assert receipts.read(first) is not None
    secret(tmp_path, receipts="l" * 32)
    now[0] += READ_AGAIN
    assert receipts.read(first) is None


def test_every_protocol_gives_each_row_a_receipt_of_its_own(one: Pod) -> None:
    tensors = json.dumps({"inputs": _tensors(3)}).encode()
    found = one.plane.infer(tensors)
    assert isinstance(found, Answer)
    outputs = {output["name"]: output for output in json.loads(found.body)["outputs"]}
    receipts = outputs["receipt"]["data"]
    assert (outputs["receipt"]["shape"], len(set(receipts))) == ([3], 3)
    single = one.plane.infer(json.dumps({"inputs": _tensors(1)}).encode())
    assert isinstance(single, Answer)
    receipts += [output["data"][0] for output in json.loads(single.body)["outputs"]][-1:]
    receipts += [told["receipt"] for told in one.answer(1) + one.answer(4)]
    judged = one.take(*({"receipt": text, "outcome": "yes"} for text in receipts))
    assert (judged.counted, judged.details) == (len(receipts), [])
    assert one.plane.metadata()["outputs"][-1]["name"] == "receipt"


def _tensors(rows: int) -> list[dict[str, object]]:
    columns = {name: [value] * rows for name, value in ROW.items()}
    types = {"income": "FP64", "age": "INT64", "owner": "BOOL", "purpose": "BYTES"}
    return [
        {"name": name, "shape": [rows], "datatype": types[name], "data": values}
        for name, values in columns.items()
    ]


@pytest.mark.parametrize("by_header", [True, False])
def test_a_binary_answer_has_its_receipts_as_bytes(one: Pod, by_header: bool) -> None:
    rows = factories.traffic(2)
    tensor = {"name": "input", "shape": [2, 4], "datatype": "FP32"}
    asked: dict[str, object] = {
        "inputs": [tensor | {"parameters": {"binary_data_size": rows.nbytes}}]
    }
    if by_header:
        asked["parameters"] = {"binary_data_output": True}
    else:
        asked["outputs"] = [{"name": "receipt", "parameters": {"binary_data": True}}]
    head = json.dumps(asked).encode()
    found = one.plane.infer(head + rows.tobytes(), len(head))
    assert isinstance(found, Answer)
    tail = found.body[-2 * (4 + CHARACTERS) :]
    assert tail[:4] == CHARACTERS.to_bytes(4, "little")
    outcome = {"receipt": tail[4 : 4 + CHARACTERS].decode(), "outcome": "no"}
    assert one.take(outcome).counted == 1


def test_without_feedback_answers_are_what_they_were() -> None:
    plane = DataPlane(factories.model())
    found = plane.predict(json.dumps({"instances": [ROW]}).encode())
    assert isinstance(found, Answer)
    assert set(json.loads(found.body)["predictions"][0]) == {"label", "probabilities"}
    assert len(plane.metadata()["outputs"]) == 2


# -- counting ---------------------------------------------------------------------------------


def test_outcomes_are_counted_as_the_answers_were(tmp_path: Path) -> None:
    """Another Pod of the Deployment answered; nothing was remembered."""
    folder = secret(tmp_path)
    answers = pod(folder).answer(250, seed=4)
    told = pod(folder)
    truths = np.random.default_rng(5).choice(["no", "yes"], len(answers)).tolist()
    groups = (["women", "men", None] * 84)[:250]
    for start in (0, 130):
        part = slice(start, start + 130)
        judged = told.take(
            *(
                {"receipt": answer["receipt"], "outcome": truth, "group": group}
                for answer, truth, group in zip(
                    answers[part], truths[part], groups[part], strict=True
                )
            )
        )
        assert (judged.counted, judged.refused.total()) == (min(130, 250 - start), 0)
    report = received(DriftReport, told.recorder.report(1))
    assert report.outcomes is not None
    right = [a["label"] == truth for a, truth in zip(answers, truths, strict=True)]
    assert (report.outcomes.outcomes, report.outcomes.correct) == (250, sum(right))
    assert [window.outcomes for window in report.outcomes.windows] == [100, 100]
    first = report.outcomes.windows[0]
    scores = np.array([answer["probabilities"]["yes"] for answer in answers[:100]])
    bins = np.minimum((scores * 15).astype(int), 14)
    assert first.scored == np.bincount(bins, minlength=15).tolist()
    happened = [truth == "yes" for truth in truths[:100]]
    assert first.happened == np.bincount(bins, weights=happened, minlength=15).tolist()
    sums = np.bincount(bins, weights=scores, minlength=15) * SCORE_SCALE
    assert first.scores == pytest.approx(sums, abs=100)
    women = [at for at in range(100) if groups[at] == "women"]
    assert first.groups[0].to_wire() == {
        "group": "women",
        "outcomes": len(women),
        "correct": sum(right[at] for at in women),
    }
    text = told.serving.metrics.exposition().decode()
    assert f'hallmark_predictor_outcomes_total{{result="Right"}} {sum(right)}.0' in text
    second = report.outcomes.windows[1]
    assert f"hallmark_predictor_realised_accuracy {second.correct / 100}" in text
    assert 'hallmark_predictor_realised_group_accuracy{group="women"}' in text


def _forged(home: Pod, other: Path) -> tuple[Pod, str]:
    return home, pod(secret(other, receipts="x" * 32)).answer()[0]["receipt"]


def _of_another_deployment(home: Pod, other: Path) -> tuple[Pod, str]:
    return home, pod(secret(other), deployment="cards").answer()[0]["receipt"]


EARLIER = "sha256:" + "7" * 64


def _of_another_version_that_may_serve(home: Pod, other: Path) -> tuple[Pod, str]:
    home.serving.active_digest = "shared"
    return home, pod(secret(other), digest=EARLIER).answer()[0]["receipt"]


def _of_what_serves_now(home: Pod, other: Path) -> tuple[Pod, str]:
    home.serving.active_digest = EARLIER
    return home, pod(secret(other), digest=EARLIER).answer()[0]["receipt"]


def _of_other_classes(home: Pod, other: Path) -> tuple[Pod, str]:
    turned = {"classes": ["yes", "no"]}
    return home, pod(secret(other), digest=EARLIER, classes=turned).answer()[0]["receipt"]


def _of_the_eleventh_version(home: Pod, other: Path) -> tuple[Pod, str]:
    for number in range(EARLIER_VERSIONS):
        found = pod(secret(other), digest=f"sha256:{number:016x}{0:048x}")
        told = {"receipt": found.answer()[0]["receipt"], "outcome": "no"}
        assert home.take(told).counted == 1
    return home, pod(secret(other), digest=EARLIER).answer()[0]["receipt"]


def _too_old(home: Pod, other: Path) -> tuple[Pod, str]:
    text = home.answer()[0]["receipt"]
    home.now[0] += 24 * 3600 + 1
    return home, text


def _repeated(home: Pod, other: Path) -> tuple[Pod, str]:
    text = home.answer()[0]["receipt"]
    assert home.take({"receipt": text, "outcome": "no"}).counted == 1
    return home, text


@pytest.mark.parametrize(
    ("made", "change", "reason", "sentence"),
    [
        (_forged, {}, "Forged", "Expected a receipt as this Deployment's answers have it"),
        (_of_another_deployment, {}, "Forged", "Expected a receipt"),
        (_of_another_version_that_may_serve, {}, "OtherVersion", "send it again on a new conn"),
        (_of_what_serves_now, {}, "OtherVersion", "send it again on a new connection"),
        (_of_other_classes, {}, "OtherClasses", "which has other classes"),
        (_of_the_eleventh_version, {}, "OtherVersion", "counts 10 earlier versions already"),
        (_too_old, {}, "TooOld", "Expected an answer of the last 24h"),
        (_repeated, {}, "Repeated", "found one that was counted before"),
        (_repeated, {"outcome": "yes"}, "Repeated", "each receipt once"),
        (_repeated, {"outcome": "Yes"}, "UnknownOutcome", "one of the model's classes ('no', 'ye"),
        (_repeated, {"group": "children"}, "UnknownGroup", "that 'drift.feedback.groups' declares"),
    ],
)
def test_what_is_no_truth_about_an_answer_is_refused_in_a_sentence(
    one: Pod,
    tmp_path_factory: pytest.TempPathFactory,
    made: Callable[[Pod, Path], tuple[Pod, str]],
    change: dict[str, str],
    reason: str,
    sentence: str,
) -> None:
    home, text = made(one, tmp_path_factory.mktemp("other"))
    before = home.truth.counter.outcomes
    good = home.answer()[0]["receipt"]
    judged = home.take(
        {"receipt": text, "outcome": "no", **change}, {"receipt": good, "outcome": "no"}
    )
    assert (judged.counted, judged.refused) == (1, {reason: 1}), "the others of a batch count"
    (told,) = judged.details
    assert (told["outcome"], told["reason"]) == (0, reason)
    assert sentence in str(told["error"])
    assert home.truth.counter.outcomes == before + 1


def test_the_truth_of_an_earlier_version_counts_under_that_version_alone(
    one: Pod, tmp_path: Path
) -> None:
    """As many wrong answers as make windows, which would be below any floor."""
    earlier = pod(secret(tmp_path), digest=EARLIER)
    answers = earlier.answer(250)
    wrong = {"yes": "no", "no": "yes"}
    told = [{"receipt": found["receipt"], "outcome": wrong[found["label"]]} for found in answers]
    told[0]["outcome"] = answers[0]["label"]
    own = one.answer()[0]
    judged = one.take(*told, {"receipt": own["receipt"], "outcome": own["label"]})
    assert (judged.counted, judged.details) == (251, [])
    assert one.take(told[0]).refused == {"Repeated": 1}, "none counts twice"
    report = received(DriftReport, one.recorder.report(1))
    assert report.outcomes is not None
    assert report.outcomes.windows == []
    assert (report.outcomes.outcomes, report.outcomes.correct) == (1, 1)
    assert [version.to_wire() for version in report.outcomes.earlier] == [
        {"version": "7" * 16, "outcomes": 250, "correct": 1}
    ]
    text = one.serving.metrics.exposition().decode()
    name = f'hallmark_predictor_earlier_outcomes_total{{result="Wrong",version="{"7" * 16}"}}'
    assert f"{name} 249.0" in text
    assert one.recorder.seen >= 252


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"outcome": "maybe"}, "UnknownOutcome"), ({"group": "children"}, "UnknownGroup")],
)
def test_an_earlier_version_s_outcomes_are_held_to_the_same(
    one: Pod, tmp_path: Path, change: dict[str, str], reason: str
) -> None:
    earlier = pod(secret(tmp_path), one.now, digest=EARLIER)
    texts = [answer["receipt"] for answer in earlier.answer(2)]
    judged = one.take({"receipt": texts[0], "outcome": "no", **change})
    assert judged.refused == {reason: 1}
    one.now[0] += 24 * 3600 + 1
    assert one.take({"receipt": texts[1], "outcome": "no"}).refused == {"TooOld": 1}
    assert one.truth.counter.earlier == {}


# -- the route --------------------------------------------------------------------------------


BEARER = {"Authorization": f"Bearer {TOKEN}"}


def test_who_has_the_token_tells_the_truth(one: Pod) -> None:
    receipt = post(one.serving, "/predict", json={"instances": [ROW]}).json()["predictions"][0][
        "receipt"
    ]
    body = {"outcomes": [{"receipt": receipt, "outcome": "yes"}]}
    found = post(one.serving, "/feedback", json=body, headers=BEARER)
    assert (found.status_code, found.json()["counted"]) == (200, 1)
    again = post(one.serving, "/feedback", json=body, headers=BEARER)
    assert (again.status_code, again.json()["counted"], again.json()["refused"]) == (200, 0, 1)
    assert one.recorder.report(1).outcomes is not None


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, f"Bearer {KEY}"]
)
def test_nobody_else_does(one: Pod, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    body = {"outcomes": [{"receipt": one.answer()[0]["receipt"], "outcome": "yes"}]}
    found = post(one.serving, "/feedback", json=body, headers=headers)
    assert (found.status_code, found.headers["www-authenticate"]) == (401, "Bearer")
    assert "expected 'Bearer' and the 'token' of the Deployment's Secret" in found.json()["error"]
    assert one.truth.counter.outcomes == 0


GOOD: dict[str, object] = {"receipt": "r", "outcome": "yes"}


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"{", "expected JSON"),
        (b"[]", "expected a JSON object"),
        (b"{}", "expected an object with 'outcomes' alone"),
        ({"outcomes": []}, "expected a list of 1 to 5000 outcomes"),
        ({"outcomes": [GOOD] * (MAX_OUTCOMES + 1)}, "expected a list of 1 to 5000 outcomes"),
        ({"outcomes": [GOOD, 3]}, "'outcomes[1]': expected an object"),
        ({"outcomes": [{"outcome": "yes"}]}, "'outcomes[0].receipt': expected a text, found none"),
        ({"outcomes": [GOOD | {"outcome": True}]}, "expected a text, found a boolean"),
        ({"outcomes": [GOOD | {"group": 1}]}, "'outcomes[0].group': expected a text, or none"),
        ({"outcomes": [GOOD | {"gruop": "men"}]}, "expected no other members"),
        (b'{"outcomes":[{"receipt":"a","receipt":"b","outcome":"yes"}]}', "found it twice"),
    ],
)
def test_what_is_no_list_of_outcomes_counts_nothing(one: Pod, body: object, sentence: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = post(one.serving, "/feedback", content=content, headers=BEARER)
    assert found.status_code == 422
    assert sentence in found.json()["error"]
    assert (one.truth.counter.outcomes, one.truth.counter.refused) == (0, 0)


NAMES = st.sampled_from(["outcomes", "receipt", "outcome", "group"]) | st.text(max_size=8)
ANY = st.recursive(
    st.none() | st.booleans() | st.text(max_size=8) | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Pod:
    return pod(secret(tmp_path_factory.mktemp("shared")))


@given(body=st.binary(max_size=200) | ANY.map(lambda value: json.dumps(value).encode()))
def test_no_body_is_a_failure(shared: Pod, body: bytes) -> None:
    status, answer = asyncio.run(shared.truth.answer(body))
    assert status in {200, 422}
    assert isinstance(json.loads(answer), dict)


def test_a_body_that_is_too_large_is_not_read(one: Pod) -> None:
    found = post(one.serving, "/feedback", content=b" " * (1024 * 1024 + 1), headers=BEARER)
    assert found.status_code == 413


def test_without_a_secret_nobody_tells_the_truth(tmp_path: Path) -> None:
    home = pod(tmp_path)
    assert home.answer()[0]["receipt"] == ""
    found = post(home.serving, "/feedback", json={"outcomes": [GOOD]}, headers=BEARER)
    assert found.status_code == 503
    assert "Secret '<name>-feedback' with 'token' and 'receipts'" in found.json()["error"]


def test_where_none_is_declared_there_is_no_such_route() -> None:
    serving = Serving(Metrics())
    model = factories.model()
    serving.start(DataPlane(model), DriftRecorder(model.windows, model.columns, DIGEST))
    found = post(serving, "/feedback", json={"outcomes": [GOOD]})
    assert found.status_code == 404
    assert "'drift.feedback'" in found.json()["error"]
