"""Sealing, against a real object store: what is stored, what is refused, what a second run does."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from onnx import helper

from hallmark.api.files import (
    BASELINE,
    BUNDLE,
    GOLDEN,
    MANIFEST,
    MODEL_ONNX,
    REPORT,
    REPORT_PAGE,
    SCHEMA,
    SLOT_JOBLIB,
    SLOT_SBOM,
)
from hallmark.api.metrics import Comparison, GateResult
from hallmark.api.names import model_prefix, run_prefix
from hallmark.api.tasks import SealOutcome, SealTask
from hallmark.api.texts import canonical_json, sha256_digest
from hallmark.errors import ArtifactError
from hallmark.keys import private_pem
from hallmark.refusal import Refusal
from hallmark.store import Store, open_store
from hallmark.supply_chain.dsse import IN_TOTO, is_signed_by, open_envelope
from hallmark.supply_chain.osv_feed import Feed
from hallmark.supply_chain.sealing import seal
from hallmark.supply_chain.verify import SealedManifest, verify_sealed
from hallmark.supply_chain.vulnerabilities import NOT_MOUNTED, LookUp
from hallmark.training.baseline import bin_predictions
from tests.unit.store.versitygw import BUCKET, Gateway
from tests.unit.supply_chain import factories
from tests.unit.supply_chain.factories import KEY, MODEL, NOW, OTHER_KEY, trusted
from tests.unit.supply_chain.osv_entries import affected, entry, snapshot
from tests.unit.supply_chain.uploads import (
    RUN_ID,
    RUN_UID,
    Upload,
    baseline,
    edited,
    golden,
    schema,
    task,
    upload,
    with_nodes,
)

GOOD = upload()
HALVES = np.full((4, 2), 0.5)
FOLDER = model_prefix("team", MODEL, GOOD.digest)


@pytest.fixture
def store(gateway: Gateway, tmp_path: Path) -> Store:
    return gateway.store(tmp_path.name)


def run(
    store: Store, each: Upload = GOOD, key: ec.EllipticCurvePrivateKey = KEY, **changes: object
) -> SealOutcome:
    return seal(task(each, **changes), store, lambda: key, NOW)


def contents(store: Store, folder: str) -> dict[str, bytes]:
    return {each.path.removeprefix(folder): store.get(each.path) for each in store.list(folder)}


def test_a_good_upload_is_sealed(store: Store) -> None:
    GOOD.put(store)
    outcome = run(store)
    assert outcome.sealed
    assert outcome.message == ""
    assert outcome.uri == f"{store.uri}/{FOLDER.rstrip('/')}"
    assert outcome.key_id == trusted().key_id
    assert outcome.sbom_digest == sha256_digest(GOOD.slots[SLOT_SBOM])
    assert outcome.gate_report_digest == sha256_digest(GOOD.slots[REPORT])
    assert outcome.baseline_digest == sha256_digest(GOOD.slots[BASELINE])
    assert (outcome.sbom_components, outcome.sbom_spec_version) == (5, "1.6")
    stored = contents(store, FOLDER)
    assert outcome.size == sum(map(len, stored.values())) - len(stored[BUNDLE]) - len(
        stored[f"provenance/{RUN_UID}.json"]
    )
    assert {name: stored[name] for name in GOOD.files} == GOOD.files
    verified = verify_sealed(
        stored[MANIFEST].decode(), GOOD.digest, stored[BUNDLE].decode(), [trusted()], NOW
    )
    assert verified == SealedManifest(GOOD.manifest, trusted().key_id)


def test_provenance_names_the_run_and_is_signed(store: Store) -> None:
    GOOD.put(store)
    run(store)
    envelope = json.loads(store.get(f"{FOLDER}provenance/{RUN_UID}.json"))
    payload, signature = open_envelope(envelope, IN_TOTO)
    assert is_signed_by(KEY.public_key(), IN_TOTO, payload, signature)
    statement = json.loads(payload)
    build = statement["predicate"]["buildDefinition"]
    assert build["externalParameters"]["trainingRun"] == "credit-1"
    assert build["externalParameters"]["spec"] == {"model": MODEL}
    assert [each.get("uri", each.get("name")) for each in build["resolvedDependencies"]] == [
        "dataset",
        "trainer image",
        "pkg:pypi/numpy@2.4.6",
        "pkg:pypi/scikit-learn@1.9.1",
        "pkg:pypi/zope-interface@8.0",
    ]
    assert {each["name"] for each in statement["subject"]} == {*GOOD.files, MANIFEST}


def test_a_second_run_changes_nothing_and_answers_the_same(store: Store) -> None:
    GOOD.put(store)
    first = run(store)
    before = contents(store, FOLDER)
    assert run(store) == first
    assert contents(store, FOLDER) == before


def test_another_run_with_the_same_bytes_adds_its_provenance_alone(store: Store) -> None:
    GOOD.put(store)
    run(store)
    before = contents(store, FOLDER)
    GOOD.put(store, "other-uid")
    assert run(store, run_uid="other-uid", run_name="credit-2").sealed
    after = contents(store, FOLDER)
    assert after.keys() - before.keys() == {"provenance/other-uid.json"}
    assert {name: after[name] for name in before} == before


class Crash(Exception):
    """The process ends here."""


class CrashingStore(Store):
    """A store whose process ends before the n-th write."""

    def __init__(self, inner: Store, writes: int) -> None:
        super().__init__(inner._backend, inner.uri)
        self.left = writes

    def put_new(self, path: str, data: bytes) -> bool:
        """Write, or end."""
        if self.left == 0:
            raise Crash
        self.left -= 1
        return super().put_new(path, data)


@pytest.mark.parametrize("writes", [0, 5, 9, 10, 11])
def test_a_run_after_a_crash_at_any_write_completes(store: Store, writes: int) -> None:
    GOOD.put(store)
    with pytest.raises(Crash):
        run(CrashingStore(store, writes))
    stored = contents(store, FOLDER)
    assert len(stored) == writes
    assert BUNDLE not in stored
    assert run(store).sealed
    assert len(contents(store, FOLDER)) == 12


def test_a_bundle_by_a_former_key_or_a_damaged_one_is_replaced(store: Store) -> None:
    GOOD.put(store)
    assert run(store, key=OTHER_KEY).key_id == trusted(OTHER_KEY).key_id
    assert run(store).key_id == trusted().key_id
    for damaged in (b"{}", b"x" * 20_000):
        store.put(FOLDER + BUNDLE, damaged)
        assert run(store).sealed
        text = store.get(FOLDER + BUNDLE).decode()
        manifest = GOOD.manifest.to_bytes().decode()
        found = verify_sealed(manifest, GOOD.digest, text, [trusted()], NOW)
        assert not isinstance(found, Refusal)


def test_other_bytes_in_the_place_are_not_overwritten(store: Store) -> None:
    GOOD.put(store)
    store.put(FOLDER + MODEL_ONNX, b"another model")
    outcome = run(store)
    assert not outcome.sealed
    assert "somebody changed it" in outcome.message
    assert store.get(FOLDER + MODEL_ONNX) == b"another model"
    assert BUNDLE not in contents(store, FOLDER)


def refused_gates() -> bytes:
    gate = GateResult(
        metric="accuracy",
        comparison=Comparison.AT_LEAST,
        threshold="0.95",
        value="0.912000",
        passed=False,
    )
    return factories.report(gates=[gate]).to_bytes()


def sbom(
    packages: Mapping[str, str] = factories.PACKAGES, files: Mapping[str, str] | None = None
) -> bytes:
    return factories.sbom(packages=packages, files=files or {}, run_id=RUN_ID)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({SCHEMA: b"{}"}, "schema.json: expected a valid 'model'", id="no schema"),
        pytest.param({BASELINE: b"\xff"}, "not UTF-8", id="a baseline that is no text"),
        pytest.param(
            {BASELINE: baseline("other").to_bytes()},
            "expected the schema's 2 features",
            id="a baseline of other features",
        ),
        *(
            pytest.param(
                {BASELINE: baseline().replace(predictions=predictions).to_bytes()},
                "expected 'prediction/score', then 'prediction/label' with the schema's 2 classes",
                id=f"a baseline of {what}",
            )
            for what, predictions in {
                "other classes": bin_predictions(HALVES, ["one", "other"], None),
                "labels alone": bin_predictions(HALVES, schema().classes, None)[1:],
                "features as predictions": baseline().features,
            }.items()
        ),
        pytest.param(
            {SCHEMA: edited(schema().to_bytes(), model="other")},
            "one of 'other'",
            id="another model's schema",
        ),
        pytest.param(
            {SCHEMA: edited(schema().to_bytes(), positive="maybe")},
            "a positive class among the classes",
            id="a positive class that is none",
        ),
        pytest.param({REPORT: refused_gates()}, "accuracy AtLeast 0.95", id="a gate that failed"),
        pytest.param(
            {REPORT_PAGE: b"<!DOCTYPE html><p>Every gate passed."},
            "report.html: expected the page that report.json renders to",
            id="a page that says something else than the report",
        ),
        pytest.param(
            {REPORT: factories.report(dataset_fingerprint=sha256_digest(b"other rows")).to_bytes()},
            "a report on sha256:",
            id="a report on another dataset",
        ),
        pytest.param(
            {REPORT: factories.report(model="other").to_bytes()},
            "one on 'other'",
            id="another model's report",
        ),
        pytest.param(
            {REPORT: factories.report(packages={"Torch": "2.9"}).to_bytes()},
            "found 'torch' 2.9",
            id="a denied package in the report",
        ),
        pytest.param(
            {SLOT_SBOM: sbom(packages={"torch": "2.9"})},
            "found 'torch' 2.9",
            id="a denied package in the bill of materials",
        ),
        pytest.param(
            {SLOT_SBOM: sbom(packages={"numpy": "2.4.6"})},
            "expected the package 'scikit_learn' 1.9.1, which report.json has, found no such",
            id="a bill of materials that leaves a package out",
        ),
        pytest.param({SLOT_SBOM: b"{}"}, "specVersion None", id="no bill of materials"),
        pytest.param(
            {SLOT_SBOM: sbom(files={MODEL_ONNX: sha256_digest(b"other")})},
            "digest of 'model.onnx'",
            id="a bill of materials of another file",
        ),
        pytest.param({MODEL_ONNX: b"\x80\x04."}, "ONNX: expected", id="a pickle as served form"),
        pytest.param(
            {MODEL_ONNX: with_nodes(helper.make_node("Softmax", ["features"], ["probabilities"]))},
            "a difference of",
            id="a served form with other answers",
        ),
        pytest.param(
            {GOLDEN: golden(tolerance=1.0).to_bytes()}, "a tolerance", id="a loose tolerance"
        ),
    ],
)
def test_a_document_is_refused(changes: Mapping[str, bytes], sentence: str) -> None:
    store = open_store("memory://")
    each = upload(changes)
    each.put(store)
    expect_refusal(store, task(each), sentence)


def test_a_licence_that_the_policy_does_not_accept_is_not_sealed() -> None:
    store, each = open_store("memory://"), upload()
    each.put(store)
    strict = task(each, dependencies={"licences": {"allowed": ["MIT"]}})
    expect_refusal(store, strict, "the policy's dependencies.licences accept, found none stated")


def expect_refusal(store: Store, task: SealTask, sentence: str) -> None:
    def no_key() -> ec.EllipticCurvePrivateKey:
        raise AssertionError("the key is read although the bundle is refused")

    outcome = seal(task, store, no_key, NOW)
    assert not outcome.sealed
    assert sentence in outcome.message, outcome.message
    assert store.list("models") == ()
    assert len(outcome.to_bytes()) <= 4096


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param({"namespace": "b"}, "namespace b, found team", id="another namespace"),
        pytest.param({"model": "other"}, "model other, found credit", id="another model"),
        pytest.param(
            {"spec_digest": sha256_digest(b"x")}, "expected spec digest", id="another spec"
        ),
        pytest.param(
            {"dataset_fingerprint": sha256_digest(b"x")},
            "expected dataset fingerprint",
            id="another dataset",
        ),
        pytest.param(
            {"manifest_digest": sha256_digest(b"x")}, "expected digest", id="another manifest"
        ),
        pytest.param({"run_uid": "none"}, "There is no 'runs/none/manifest.json'", id="no upload"),
    ],
)
def test_an_upload_that_is_not_the_tasks_is_refused(
    change: dict[str, object], sentence: str
) -> None:
    store = open_store("memory://")
    GOOD.put(store)
    expect_refusal(store, task(GOOD, **change), sentence)


@pytest.mark.parametrize(
    ("each", "sentence"),
    [
        pytest.param(upload(run_id="f" * 12), f"run id {RUN_ID}", id="a run id that was made up"),
        pytest.param(upload({"extra.bin": b"x"}), "no file 'extra.bin'", id="a file too many"),
        pytest.param(
            upload(image_digest=sha256_digest(b"x")), "expected run id", id="another image"
        ),
    ],
)
def test_a_manifest_that_a_run_could_not_have_is_refused(each: Upload, sentence: str) -> None:
    store = open_store("memory://")
    each.put(store)
    expect_refusal(store, task(each), sentence)


def drop(store: Store) -> None:
    store.delete(run_prefix(RUN_UID) + SLOT_JOBLIB)


def flip(store: Store) -> None:
    store.put(run_prefix(RUN_UID) + SLOT_JOBLIB, b"A pickle that nobody opens")


def lengthen(store: Store) -> None:
    store.put(run_prefix(RUN_UID) + SLOT_JOBLIB, b"a pickle that nobody opens!")


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        pytest.param(drop, "There is no", id="a file is missing"),
        pytest.param(flip, f"found 'model_{RUN_ID}.joblib' with", id="a byte is flipped"),
        pytest.param(lengthen, "longer than the 26 bytes", id="a file is longer than said"),
    ],
)
def test_an_upload_that_changed_after_its_manifest_is_refused(
    damage: Callable[[Store], None], sentence: str
) -> None:
    store = open_store("memory://")
    GOOD.put(store)
    damage(store)
    expect_refusal(store, task(), sentence)


def test_a_store_that_fails_is_an_error_and_not_a_refusal(gateway: Gateway) -> None:
    away = open_store("s3://b", endpoint="http://127.0.0.1:9", credentials=gateway.credentials)
    with pytest.raises(ArtifactError):
        run(away)


def start(folder: Path, gateway: Gateway, each: SealTask | bytes) -> tuple[int, SealOutcome]:
    """Run the Job's process; return its exit code and termination message."""
    (folder / "task.json").write_bytes(each if isinstance(each, bytes) else each.to_bytes())
    (folder / "private.pem").write_bytes(private_pem(KEY))
    environment = {
        **os.environ,
        "HALLMARK_TASK": str(folder / "task.json"),
        "HALLMARK_SEALING_KEY": str(folder / "private.pem"),
        "HALLMARK_STORE_CREDENTIALS": str(gateway.credentials),
        "HALLMARK_OSV": str(
            snapshot(folder / "osv", entry("GHSA-1", affected("numpy", ranges=[])))
        ),
        "TERMINATION_LOG": str(folder / "termination-log"),
    }
    command = [sys.executable, "-m", "hallmark.supply_chain"]
    code = subprocess.run(command, env=environment, check=False, capture_output=True).returncode
    message = (folder / "termination-log").read_bytes()
    return code, SealOutcome.model_validate_json(message)


def test_the_process_seals_refuses_and_fails_with_its_exit_code(
    gateway: Gateway, tmp_path: Path
) -> None:
    address: dict[str, object] = {
        "store_uri": f"s3://{BUCKET}/{tmp_path.name}",
        "store_endpoint": gateway.endpoint,
    }
    GOOD.put(gateway.store(tmp_path.name))
    code, outcome = start(tmp_path, gateway, task(GOOD, **address))
    assert (code, outcome.sealed) == (0, True)
    code, outcome = start(
        tmp_path, gateway, task(GOOD, **address, dependencies={"denied": ["numpy"]})
    )
    assert (code, outcome.sealed) == (10, False)
    assert "'numpy' 2.4.6" in outcome.message
    looked = {"vulnerabilities": {}}
    code, outcome = start(tmp_path, gateway, task(GOOD, **address, dependencies=looked))
    assert (code, outcome.sealed) == (10, False)
    assert "'numpy' 2.4.6, severity unknown" in outcome.message
    code, outcome = start(tmp_path, gateway, b"{}")
    assert (code, outcome.sealed) == (1, False)
    assert "task.json cannot be read" in outcome.message


def test_the_signed_statement_is_the_same_each_time(store: Store) -> None:
    GOOD.put(store)
    run(store)

    def payload() -> bytes:
        bundle = json.loads(store.get(FOLDER + BUNDLE))
        return base64.b64decode(bundle["dsseEnvelope"]["payload"])

    first = payload()
    store.delete(FOLDER + BUNDLE)
    run(store)
    assert payload() == first
    assert canonical_json(json.loads(first)) == first


@pytest.mark.parametrize("mounted", [False, True])
def test_a_model_with_a_known_vulnerability_is_not_sealed(mounted: bool, tmp_path: Path) -> None:
    store, made = open_store("memory://"), upload()
    made.put(store)
    feed = Feed(snapshot(tmp_path, entry("GHSA-1", affected("Scikit_Learn", versions=["1.9.1"]))))
    look_up: LookUp = (lambda asked: feed.about(asked, NOW)) if mounted else lambda _: NOT_MOUNTED
    looked = {"vulnerabilities": {"acceptedSeverity": "Critical"}}
    outcome = seal(task(made, dependencies=looked), store, lambda: KEY, NOW, look_up)
    assert not outcome.sealed
    expected = "GHSA-1 in 'scikit-learn' 1.9.1" if mounted else "expected a snapshot of OSV"
    assert expected in outcome.message


@pytest.mark.parametrize(
    ("mounted", "more", "said"),
    [
        (True, {}, ""),
        (False, {}, "expected a snapshot of OSV"),
        (True, {"denied": ["numpy"]}, "no package 'numpy'"),
    ],
    ids=["a known vulnerability", "no snapshot", "a denied package"],
)
def test_what_reviewers_may_lift_is_left_to_them_and_nothing_else(
    mounted: bool, more: dict[str, list[str]], said: str, tmp_path: Path
) -> None:
    store, made = open_store("memory://"), upload()
    made.put(store)
    feed = Feed(snapshot(tmp_path, entry("GHSA-1", affected("numpy", ranges=[]))))
    look_up: LookUp = (lambda asked: feed.about(asked, NOW)) if mounted else lambda _: NOT_MOUNTED
    rules = {"vulnerabilities": {"vex": {}}, **more}
    outcome = seal(task(made, dependencies=rules), store, lambda: KEY, NOW, look_up)
    assert outcome.sealed is (said == "")
    assert said in outcome.message
    assert "GHSA-1" not in outcome.message
