"""Approvals that must not count, and what happens to a version that nobody approved."""

from collections.abc import Callable, Iterator

import pytest

from tests.e2e.harness import conditions, objects
from tests.e2e.harness.api import Object, RefusedError
from tests.e2e.harness.objects import AUTHOR, OUTSIDER, REVIEWER
from tests.e2e.harness.versions import SHARED, sealed
from tests.e2e.harness.world import DEPLOYMENT_LABEL, World

IDENTITY_POLICY = "hallmark-approval-identity"
OTHER_DIGEST = "sha256:" + "0" * 64
NAMESPACE = "e2e-approval"
BOTH = "bob"
"""Requests runs and may approve: only the operator stands between him and his own model."""


def refused_by_operator(world: World, manifest: Object, user: str, reason: str) -> Object:
    """Create an approval that the API server accepts and the operator does not."""
    metadata = manifest["metadata"]
    world.api.create(manifest, user=user)
    approval = world.wait_for(
        "ModelApproval", metadata["namespace"], metadata["name"], f"Ready=False/{reason}"
    )
    version = manifest["spec"]["modelVersion"]["name"]
    current = world.api.get("ModelVersion", metadata["namespace"], version)
    assert conditions.status(current, "Approved") == "False"
    return approval


def test_an_unapproved_version_gets_no_pod_ever(
    world: World, deploy: Callable[..., Object]
) -> None:
    deploy("unapproved", "loan-v3", ready=False)
    world.wait_for("ModelDeployment", SHARED, "unapproved", "Ready=False/AwaitingApproval")

    def nothing_runs() -> bool:
        label = f"{DEPLOYMENT_LABEL}=unapproved"
        kinds = ("Pod", "ReplicaSet", "Deployment")
        return not any(world.api.list(kind, SHARED, label) for kind in kinds)

    world.stays(nothing_runs, "that no Pod was made", seconds=5)
    deployment = world.api.get("ModelDeployment", SHARED, "unapproved")
    assert conditions.status(deployment, "Reconciling") == "True"


@pytest.mark.parametrize("digest", ["manifestDigest", "sbomDigest", "gateReportDigest"])
def test_an_approval_of_another_digest_does_not_count(
    world: World, shared: Object, digest: str
) -> None:
    name = f"other-{digest.lower()}"
    manifest = objects.approval(shared["loan-v3"], name, **{digest: OTHER_DIGEST})
    approval = refused_by_operator(world, manifest, REVIEWER, "DigestMismatch")
    assert digest in conditions.message(approval, "Ready")


def test_admission_refuses_an_approver_without_the_verb(world: World, shared: Object) -> None:
    world.api.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "clerk", "namespace": SHARED},
            "rules": [
                {
                    "apiGroups": ["hallmark.dev"],
                    "resources": ["modelapprovals"],
                    "verbs": ["create", "get"],
                }
            ],
        }
    )
    world.api.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "clerk", "namespace": SHARED},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "Role",
                "name": "clerk",
            },
            "subjects": [
                {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": OUTSIDER}
            ],
        }
    )
    manifest = objects.approval(shared["loan-v3"], "no-verb", approver=OUTSIDER)
    with pytest.raises(RefusedError, match="approve") as refusal:
        world.api.create(manifest, user=OUTSIDER)
    assert IDENTITY_POLICY in refusal.value.message


def test_admission_refuses_an_approval_in_another_persons_name(
    world: World, shared: Object
) -> None:
    manifest = objects.approval(shared["loan-v3"], "borrowed", approver="someone-else")
    with pytest.raises(RefusedError, match="approver"):
        world.api.create(manifest, user=REVIEWER)


def test_an_author_cannot_create_an_approval(world: World, shared: Object) -> None:
    manifest = objects.approval(shared["loan-v3"], "author", approver=AUTHOR)
    with pytest.raises(RefusedError) as refusal:
        world.api.create(manifest, user=AUTHOR)
    assert refusal.value.code == 403


@pytest.fixture(scope="module")
def own_version(world: World) -> Iterator[Object]:
    """A version whose requester may approve as well."""
    world.namespace(NAMESPACE)
    for role in ("hallmark-author", "hallmark-reviewer"):
        world.grant(NAMESPACE, BOTH, role)
    data = {objects.DATA_KEY: objects.loan_csv()}
    world.api.apply(objects.config_map(NAMESPACE, "loans", data))
    world.api.create(objects.training_run(NAMESPACE, "own", requestedBy=BOTH), user=BOTH)
    world.wait_for("TrainingRun", NAMESPACE, "own", "Ready=True", seconds=120)
    yield world.wait_for("ModelVersion", NAMESPACE, "own", "Verified=True")
    world.api.delete("Namespace", None, NAMESPACE)


def test_nobody_approves_what_they_asked_for(world: World, own_version: Object) -> None:
    manifest = objects.approval(own_version, "mine", approver=BOTH)
    approval = refused_by_operator(world, manifest, BOTH, "SelfApproval")
    assert BOTH in conditions.message(approval, "Ready")


def test_a_run_in_another_persons_name_is_refused(world: World, shared: Object) -> None:
    del shared
    manifest = objects.training_run(SHARED, "in-her-name", requestedBy="someone-else")
    with pytest.raises(RefusedError, match="requestedBy"):
        world.api.create(manifest, user=AUTHOR)


def test_without_the_identity_policy_an_approval_does_not_count(
    world: World, shared: Object
) -> None:
    kind = "ValidatingAdmissionPolicyBinding"
    binding = world.api.get(kind, None, IDENTITY_POLICY)
    manifest = objects.approval(shared["loan-v3"], "no-policy", approver="someone-else")
    world.api.delete(kind, None, IDENTITY_POLICY)
    try:
        # The API server forgets a binding some moments after it is gone.
        world.until(
            lambda: created(world, manifest, REVIEWER), "the API server to forget the policy"
        )
        world.wait_for("ModelApproval", SHARED, "no-policy", "Ready=False/AdmissionPolicyMissing")
    finally:
        for key in ("resourceVersion", "uid", "creationTimestamp", "generation", "managedFields"):
            binding["metadata"].pop(key, None)
        world.api.apply(binding)
    probe = objects.approval(shared["loan-v3"], "no-policy-probe", approver="someone-else")
    world.until(lambda: not created(world, probe, REVIEWER, keep=False), "the policy to act again")
    # The name that nobody vouched for stays refused when the policy is back.
    world.stays(
        lambda: (
            conditions.status(world.api.get("ModelVersion", SHARED, "loan-v3"), "Approved")
            == "False"
        ),
        "that the version is not approved",
        seconds=2,
    )


def created(world: World, manifest: Object, user: str, *, keep: bool = True) -> bool:
    """Whether the API server lets the user create the object."""
    try:
        world.api.create(manifest, user=user)
    except RefusedError:
        return False
    if not keep:
        metadata = manifest["metadata"]
        world.api.delete("ModelApproval", metadata["namespace"], metadata["name"])
    return True


@pytest.mark.slow
def test_an_approval_does_not_count_for_a_version_created_again(
    world: World, own_version: Object
) -> None:
    del own_version
    old = sealed(world, NAMESPACE, {"replay": True})["replay"]
    world.api.delete("TrainingRun", NAMESPACE, "replay")
    world.api.delete("ModelVersion", NAMESPACE, "replay")
    world.until(
        lambda: (
            world.api.find("ModelVersion", NAMESPACE, "replay") is None
            and world.api.find("TrainingRun", NAMESPACE, "replay") is None
        ),
        "run and version to be gone",
    )
    world.api.create(objects.training_run(NAMESPACE, "replay"), user=AUTHOR)
    world.wait_for("TrainingRun", NAMESPACE, "replay", "Ready=True/Sealed", seconds=120)
    new = world.wait_for("ModelVersion", NAMESPACE, "replay", "Verified=True", "Approved=False")
    assert new["metadata"]["uid"] != old["metadata"]["uid"]
    assert new["spec"]["artifact"] == old["spec"]["artifact"], "the same bytes, another object"
    world.wait_for("ModelApproval", NAMESPACE, "replay", "Ready=False/UidMismatch")
    again = objects.approval(old, "replay-again")
    refused_by_operator(world, again, REVIEWER, "UidMismatch")


def test_a_withdrawn_approval_no_longer_starts_anything(world: World, own_version: Object) -> None:
    del own_version
    sealed(world, NAMESPACE, {"withdrawn": True})
    world.api.delete("ModelApproval", NAMESPACE, "withdrawn")
    world.wait_for("ModelVersion", NAMESPACE, "withdrawn", "Approved=False")
    world.api.apply(objects.model_deployment(NAMESPACE, "withdrawn", "withdrawn"), user=AUTHOR)
    world.wait_for("ModelDeployment", NAMESPACE, "withdrawn", "Ready=False/AwaitingApproval")
    assert not world.pods_of(NAMESPACE, "withdrawn")


def test_a_denial_is_final_even_when_its_object_is_deleted(
    world: World, own_version: Object
) -> None:
    denial = objects.approval(own_version, "denial", decision="Denied")
    world.api.create(denial, user=REVIEWER)
    world.wait_for("ModelVersion", NAMESPACE, "own", "Denied=True", "Approved=False")
    world.api.delete("ModelApproval", NAMESPACE, "denial")
    world.api.create(objects.approval(own_version, "after-denial"), user=REVIEWER)
    world.stays(
        lambda: (
            conditions.status(world.api.get("ModelVersion", NAMESPACE, "own"), "Denied") == "True"
        ),
        "the denial",
        seconds=3,
    )
    world.wait_for("ModelVersion", NAMESPACE, "own", "Denied=True", "Approved=False")
