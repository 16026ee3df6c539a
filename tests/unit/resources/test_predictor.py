from __future__ import annotations

import hashlib
from typing import Any

import pytest

from hallmark.api import names
from hallmark.api.artifacts import DownloadURLs
from hallmark.api.scheduling import Scheduling, TopologySpread
from hallmark.resources import predictor, predictor_version
from hallmark.resources.predictor import ApiServer
from hallmark.resources.predictor_version import Version
from hallmark_predictor.settings import DEFAULT_FEEDBACK
from tests.unit.policies.model_deployment import rollouts

OWNER = rollouts.deployment(replicas=3)
TRUST = "ab" * 32
VERSION = Version("credit-v1", "0123456789ab", TRUST, "predictor@sha256:1", 3)


def every_object() -> list[dict[str, Any]]:
    urls = DownloadURLs(urls={"model.onnx": "http://store/x"})
    return [
        *predictor.account(OWNER),
        predictor.service(OWNER, VERSION.manifest),
        predictor.mirror_service(OWNER, VERSION.manifest),
        predictor.active_config_map(OWNER, rollouts.digest(1)),
        predictor.disruption_budget(OWNER, VERSION.manifest),
        predictor.network_policy(OWNER, rollouts.policy().spec, [ApiServer("10.0.0.1", 6443)]),
        predictor_version.urls_secret(OWNER, VERSION.manifest, urls),
        predictor_version.workload(OWNER, VERSION),
    ]


@pytest.mark.parametrize("obj", every_object(), ids=lambda child: child["kind"])
def test_every_child_is_labelled_and_owned(obj: dict[str, Any]) -> None:
    metadata = obj["metadata"]
    assert metadata["labels"][names.LABEL_DEPLOYMENT] == "credit"
    assert metadata["labels"][names.LABEL_MANAGED_BY] == names.MANAGED_BY
    [owner] = metadata["ownerReferences"]
    assert (owner["uid"], owner["controller"]) == ("deployment-uid", True)
    assert len(metadata["name"]) <= 63


def test_a_predictor_may_patch_its_own_status_and_see_one_config_map() -> None:
    _, role, _ = predictor.account(OWNER)
    assert [(r["resources"], r["resourceNames"], r["verbs"]) for r in role["rules"]] == [
        (["modeldeployments/status"], ["credit"], ["patch"]),
        (["configmaps"], ["credit-active"], ["get", "list", "watch"]),
    ]


def test_the_pod_is_restricted() -> None:
    pod = predictor_version.workload(OWNER, VERSION)["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["terminationMessagePolicy"] == "File"
    assert f"--trust-sha256={TRUST}" in container["args"]
    mounts = {mount["mountPath"]: mount.get("readOnly") for mount in container["volumeMounts"]}
    assert mounts == {
        "/tmp": None,  # noqa: S108
        "/var/cache/hallmark": None,
        "/etc/hallmark/bundle": True,
        "/etc/hallmark/trust": True,
        "/var/run/hallmark/urls": True,
    }
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["bundle"]["configMap"]["optional"], "what is too large to travel starts as well"
    assert "emptyDir" in volumes["kept"], "it outlives the container, not the Pod"


def test_the_pods_are_spread_and_ranked_as_asked_for() -> None:
    asked = Scheduling(
        priority_class_name="models",
        topology_spread=[TopologySpread(topology_key="kubernetes.io/hostname", max_skew=2)],
    )
    owner = OWNER.replace(spec=OWNER.spec.replace(scheduling=asked))
    workload = predictor_version.workload(owner, VERSION)
    pod = workload["spec"]["template"]["spec"]
    assert pod["priorityClassName"] == "models"
    assert pod["topologySpreadConstraints"] == [
        {
            "topologyKey": "kubernetes.io/hostname",
            "maxSkew": 2,
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": workload["spec"]["selector"],
        }
    ]
    plain = predictor_version.workload(OWNER, VERSION)["spec"]["template"]["spec"]
    assert not {"priorityClassName", "topologySpreadConstraints"} & plain.keys()


def test_the_secret_of_feedback_is_mounted_by_its_name_where_that_is_declared() -> None:
    owner = rollouts.deployment(replicas=3, drift={"feedback": {}})
    pod = predictor_version.workload(owner, VERSION)["spec"]["template"]["spec"]
    plain = predictor_version.workload(OWNER, VERSION)["spec"]["template"]["spec"]
    added = [volume for volume in pod["volumes"] if volume not in plain["volumes"]]
    items = [{"key": key, "path": key} for key in ("token", "receipts")]
    secret = {"secretName": "credit-feedback", "defaultMode": 0o440, "optional": True}
    assert added == [{"name": "feedback", "secret": {**secret, "items": items}}]
    [mount] = [
        mount
        for mount in pod["containers"][0]["volumeMounts"]
        if mount not in plain["containers"][0]["volumeMounts"]
    ]
    assert mount["mountPath"] == str(DEFAULT_FEEDBACK)
    assert mount["readOnly"]


def rules_of(candidate: str) -> dict[str, Any]:
    found = predictor.network_policy(OWNER, rollouts.policy().spec, [], candidate)
    return dict(found["spec"])


def test_copies_come_from_own_pods_alone_and_go_to_the_candidate_alone() -> None:
    plain, with_copies = rules_of(""), rules_of("0123456789ab")
    ports = [{"protocol": "TCP", "port": names.MIRROR_PORT}]
    own = {names.LABEL_DEPLOYMENT: "credit"}
    candidate = {**own, names.LABEL_MANIFEST: "0123456789ab"}
    assert [rule for rule in with_copies["ingress"] if rule not in plain["ingress"]] == [
        {"from": [{"podSelector": {"matchLabels": own}}], "ports": ports}
    ]
    assert [rule for rule in with_copies["egress"] if rule not in plain["egress"]] == [
        {"to": [{"podSelector": {"matchLabels": candidate}}], "ports": ports}
    ]
    everything = [rule for rules in (plain["ingress"], plain["egress"]) for rule in rules]
    assert not any(
        port["port"] == names.MIRROR_PORT for rule in everything for port in rule["ports"]
    )
    assert predictor.mirror_service(OWNER, "0123456789ab")["spec"]["selector"] == candidate


def test_scaling_changes_nothing_but_the_number() -> None:
    three = predictor_version.workload(OWNER, VERSION)
    one = predictor_version.workload(
        rollouts.deployment(replicas=1),
        Version("credit-v1", "0123456789ab", TRUST, "predictor@sha256:1", 1),
    )
    assert one["spec"].pop("replicas") == 1
    assert three["spec"].pop("replicas") == 3
    assert one == three


def test_a_new_pod_is_ready_before_an_old_one_goes() -> None:
    strategy = predictor_version.workload(OWNER, VERSION)["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


@pytest.mark.parametrize(
    ("replicas", "expected"), [(0, "maxUnavailable"), (1, "maxUnavailable"), (2, "minAvailable")]
)
def test_a_single_pod_does_not_hold_up_a_drain(replicas: int, expected: str) -> None:
    budget = predictor.disruption_budget(rollouts.deployment(replicas=replicas), None)
    assert budget["spec"][expected] == 1


def test_the_network_policy_names_the_api_server_by_address() -> None:
    rules = predictor.network_policy(
        OWNER, rollouts.policy().spec, [ApiServer("10.0.0.1", 6443), ApiServer("fd00::1", 443)]
    )["spec"]["egress"]
    dns, _store, *to_api = rules
    assert all(rule["to"] for rule in rules), "none goes to anywhere"
    assert dns["ports"][0]["port"] == 53
    blocks = [rule["to"][0]["ipBlock"]["cidr"] for rule in to_api]
    assert blocks == ["10.0.0.1/32", "fd00::1/128"]


def test_the_trust_is_immutable_and_named_by_its_hash() -> None:
    inputs = rollouts.inputs(verified=(1,))
    trust = rollouts.trust(inputs, 1)
    sha256 = hashlib.sha256(trust.to_bytes()).hexdigest()
    config_map = predictor_version.trust_config_map(OWNER, trust, sha256)
    assert config_map["immutable"] is True
    assert config_map["metadata"]["name"] == f"credit-trust-{sha256[:12]}"
    assert hashlib.sha256(config_map["data"]["trust.json"].encode()).hexdigest() == sha256
