import pytest

from hallmark.api.documents import Manifest, Trust
from hallmark.api.files import BASELINE, MODEL_ONNX, SCHEMA, SERVED_FILES
from hallmark.api.texts import sha256_digest
from hallmark_predictor.model import Model, open_model
from hallmark_predictor.verification import (
    Place,
    Refused,
    verify_approvals,
    verify_files,
    verify_seal,
    verify_trust,
)
from tests.unit.predictor import factories
from tests.unit.predictor.factories import NOW, OTHER_KEY, PLACE, Sealed, sealed, trusted

OTHER = sha256_digest(b"other")


def sha256(data: bytes) -> str:
    return sha256_digest(data).removeprefix("sha256:")


def manifest_of(whole: Sealed) -> Manifest:
    found = verify_seal(whole.trust, NOW)
    assert isinstance(found, Manifest), found
    return found


# -- the trust file ---------------------------------------------------------------------------


def test_the_trust_file_that_the_argument_names_is_taken() -> None:
    data = sealed().trust.to_bytes()
    assert isinstance(verify_trust(data, sha256(data), PLACE), Trust)


@pytest.mark.parametrize(
    ("data", "place", "sentence"),
    [
        pytest.param(
            b"{}", PLACE, "this predictor knows (namespace: Field required)", id="no fields"
        ),
        pytest.param(
            sealed().trust.to_bytes().replace(b'"approver":', b'"aprover":', 1),
            PLACE,
            "this predictor knows (approvals.0.approver: Field required)",
            id="a list's field is missing",
        ),
        pytest.param(
            b"\xff[", PLACE, "this predictor knows (the document: Invalid JSON", id="no JSON"
        ),
        pytest.param(
            sealed().trust.to_bytes(),
            Place("team", "cars"),
            "is for 'team/loans'; this Pod belongs to 'team/cars'",
            id="another Deployment's",
        ),
        pytest.param(
            sealed().trust.to_bytes(),
            Place("rivals", "loans"),
            "is for 'team/loans'; this Pod belongs to 'rivals/loans'",
            id="another namespace's",
        ),
    ],
)
def test_a_trust_file_that_cannot_be_used_is_refused(
    data: bytes, place: Place, sentence: str
) -> None:
    found = verify_trust(data, sha256(data), place)
    assert isinstance(found, Refused)
    assert sentence in found.message


def test_a_replaced_trust_file_is_refused() -> None:
    whole = sealed()
    replaced = sealed(minimum_approvals=2).trust.to_bytes()
    found = verify_trust(replaced, sha256(whole.trust.to_bytes()), PLACE)
    assert isinstance(found, Refused)
    assert "The ConfigMap was replaced" in found.message


# -- the seal ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trust", "sentence"),
    [
        pytest.param(sealed(key=OTHER_KEY).trust, "key", id="sealed by a key nobody trusts"),
        pytest.param(sealed(keys=[]).trust, "key", id="no key is trusted"),
        pytest.param(
            sealed(keys=[trusted(revoked_at="2026-01-01T00:00:00Z")]).trust,
            "revoked",
            id="the key was revoked",
        ),
        pytest.param(sealed(bundle="{}").trust, "", id="no signature in the bundle"),
        pytest.param(sealed(manifest_digest=OTHER).trust, "", id="another manifest's digest"),
        pytest.param(
            sealed(manifest=sealed().trust.manifest + " ").trust, "", id="a space too many"
        ),
        pytest.param(
            sealed(bundle=sealed(files={"model.onnx": b"x"}).trust.bundle).trust,
            "",
            id="the signature of another bundle",
        ),
        pytest.param(
            sealed(namespace="rivals").trust,
            "sealed for the namespace 'rivals'",
            id="another namespace's model",
        ),
        pytest.param(
            sealed(files={MODEL_ONNX: b"x"}).trust,
            "lacks schema.json, baseline.json",
            id="served files are missing from it",
        ),
    ],
)
def test_a_bundle_that_is_not_rightly_sealed_is_refused(trust: Trust, sentence: str) -> None:
    found = verify_seal(trust, NOW)
    assert isinstance(found, Refused)
    assert found.message.endswith((".", ")"))
    assert sentence in found.message


def test_what_a_retired_key_sealed_while_it_was_valid_serves() -> None:
    ended = trusted(valid_until="2026-03-01T00:00:00Z")
    in_time = sealed(keys=[ended], sealed_at="2026-02-28T23:59:59Z").trust
    assert isinstance(verify_seal(in_time, NOW), Manifest)
    for late in ("2026-03-01T00:00:00Z", None):
        found = verify_seal(sealed(keys=[ended], sealed_at=late).trust, NOW)
        assert isinstance(found, Refused)
        assert "was valid until" in found.message


# -- approvals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("whole", "need"),
    [
        pytest.param(sealed(approvals=[]), 1, id="none"),
        pytest.param(sealed(approvals=[], minimum_approvals=0), 1, id="none, and none asked for"),
        pytest.param(sealed(approvals=[{"manifest_digest": OTHER}]), 1, id="for other bytes"),
        pytest.param(sealed(approvals=[{"sbom_digest": OTHER}]), 1, id="for another SBOM"),
        pytest.param(sealed(approvals=[{"gate_report_digest": OTHER}]), 1, id="another report"),
        pytest.param(sealed(approvals=[{"model_version_uid": "old"}]), 1, id="a replayed one"),
        pytest.param(
            sealed(approvals=[{"uid": "1"}, {"uid": "2"}], minimum_approvals=2),
            2,
            id="two by the same person",
        ),
        pytest.param(
            sealed(approvals=[{}], groups=[{"name": "risk", "members": ["somebody-else"]}]),
            1,
            id="nobody of a group that is asked for",
        ),
    ],
)
def test_too_few_approvals_are_refused(whole: Sealed, need: int) -> None:
    found = verify_approvals(whole.trust, manifest_of(whole))
    assert isinstance(found, Refused)
    assert f"of {need} approvals" in found.message


@pytest.mark.parametrize(
    "whole",
    [
        pytest.param(sealed(), id="one where one is needed"),
        pytest.param(
            sealed(approvals=[{}, {"approver": "second"}], minimum_approvals=2),
            id="two people where two are needed",
        ),
        pytest.param(
            sealed(
                approvals=[{"approver": "ada"}],
                groups=[{"name": "risk", "members": ["ada", "bob"]}],
            ),
            id="one of the group that is asked for",
        ),
        pytest.param(
            sealed(approvals=[{"not_after": "2020-01-01T00:00:00Z"}]),
            id="one that has ended: its Pods may still start",
        ),
    ],
)
def test_enough_approvals_suffice(whole: Sealed) -> None:
    assert verify_approvals(whole.trust, manifest_of(whole)) is None


# -- the bytes --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SERVED_FILES)
def test_one_flipped_bit_in_any_served_file_is_refused(name: str) -> None:
    whole = sealed()
    manifest = manifest_of(whole)
    assert verify_files(manifest, whole.files) is None
    flipped = bytes([whole.files[name][0] ^ 1]) + whole.files[name][1:]
    for wrong in (flipped, whole.files[name] + b" ", b""):
        found = verify_files(manifest, whole.files | {name: wrong})
        assert isinstance(found, Refused)
        assert f"The file '{name}' is not the one that was sealed" in found.message


def test_a_missing_file_is_refused() -> None:
    whole = sealed()
    left = {name: data for name, data in whole.files.items() if name != SCHEMA}
    found = verify_files(manifest_of(whole), left)
    assert found == Refused("The file 'schema.json' of the bundle is missing.")


# -- the model --------------------------------------------------------------------------------

FILES = factories.served_files()
SCHEMA_DOCUMENT = factories.SCHEMA_DOCUMENT


def test_the_sealed_model_answers_like_its_estimator() -> None:
    rows = factories.traffic(100)
    found = factories.model().score(rows)
    expected = factories.estimator().probabilities(rows)
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        pytest.param(
            {SCHEMA: b"{}"}, "ServedSchema cannot be read (model: Field required)", id="no schema"
        ),
        pytest.param(
            {BASELINE: b"[]"}, "Baseline cannot be read (the document: ", id="no baseline"
        ),
        pytest.param({MODEL_ONNX: b"\x80\x04."}, "cannot be loaded", id="a pickle as the model"),
        pytest.param({MODEL_ONNX: b""}, "cannot be loaded", id="an empty model"),
        pytest.param(
            {SCHEMA: SCHEMA_DOCUMENT.model_copy(update={"model": "cars"}).to_bytes()},
            "the schema is of the model 'cars'",
            id="another model's schema",
        ),
        pytest.param(
            {SCHEMA: SCHEMA_DOCUMENT.model_copy(update={"classes": ["no", "yes", "c"]}).to_bytes()},
            "where the schema has 3 classes",
            id="more classes than the model has",
        ),
        pytest.param(
            {SCHEMA: SCHEMA_DOCUMENT.model_copy(update={"input_name": "x"}).to_bytes()},
            "cannot be loaded",
            id="an input that the model lacks",
        ),
        pytest.param(
            {
                SCHEMA: SCHEMA_DOCUMENT.model_copy(
                    update={"features": SCHEMA_DOCUMENT.features[:3]}
                ).to_bytes()
            },
            "cannot be loaded",
            id="a baseline feature that the schema lacks",
        ),
    ],
)
def test_sealed_files_that_do_not_fit_each_other_are_refused(
    files: dict[str, bytes], sentence: str
) -> None:
    whole = sealed(files=FILES | files)
    found = open_model(whole.trust, manifest_of(whole), whole.files)
    assert isinstance(found, Refused)
    assert sentence.lower() in found.message.lower()


def test_unwatched_features_are_not_counted() -> None:
    whole = sealed(drift={"features": ["age"], "window": 100})
    found = open_model(whole.trust, manifest_of(whole), whole.files)
    assert isinstance(found, Model)
    assert found.windows.report(OTHER, "boot-0001", 1).counts.keys() == {"age"}
