"""Each field that Kubernetes knows in what is made for a ModelDeployment is one that is judged."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import pytest

from hallmark.resources import predictor, predictor_version
from hallmark.resources.difference import CHANGES_MEANING, DEFAULTS
from tests.unit.policies.model_deployment import rollouts
from tests.unit.resources.test_predictor import OWNER, VERSION

OF_OTHER_TYPES = "only of a Service of another type, which is found"
NAMES = "names the Pod otherwise, which nothing reads"
REPORTS = "what is told, not what happens"
HARMLESS: dict[str, dict[str, str]] = {
    "V1PodSpec": {
        "activeDeadlineSeconds": "refused in a Deployment",
        "ephemeralContainers": "refused in a template",
        "hostUsers": "takes rights away, or is what holds anyway",
        **dict.fromkeys(("hostname", "subdomain", "hostnameOverride", "setHostnameAsFQDN"), NAMES),
        "imagePullSecrets": "how the image is fetched that is named",
        "restartPolicy": "a Deployment allows one alone",
        "serviceAccount": "the API server's copy of serviceAccountName",
    },
    "V1Container": {
        **dict.fromkeys(("stdin", "stdinOnce", "tty"), "nobody reads it"),
        "resizePolicy": "how a change takes effect that is found",
        "restartPolicy": "refused but in an init container",
        "terminationMessagePath": REPORTS,
    },
    "V1DeploymentSpec": {"progressDeadlineSeconds": REPORTS},
    "V1ServiceSpec": {
        **dict.fromkeys(("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"), "its address"),
        **dict.fromkeys(("allocateLoadBalancerNodePorts", "loadBalancerClass"), OF_OTHER_TYPES),
        **dict.fromkeys(("loadBalancerIP", "loadBalancerSourceRanges"), OF_OTHER_TYPES),
        **dict.fromkeys(("externalTrafficPolicy", "healthCheckNodePort"), OF_OTHER_TYPES),
        "sessionAffinityConfig": "only of an affinity, which is found",
    },
    "V1ServicePort": {"appProtocol": "a hint", "nodePort": OF_OTHER_TYPES},
    "V1PodSecurityContext": dict.fromkeys(
        ("fsGroupChangePolicy", "seLinuxChangePolicy", "supplementalGroupsPolicy"),
        "how what is found takes effect",
    ),
    "V1VolumeMount": {"recursiveReadOnly": "takes rights away"},
    "V1EnvVar": {"valueFrom": "refused beside a value", "value": "refused beside a source"},
    "V1Probe": {
        **dict.fromkeys(("exec", "grpc", "tcpSocket"), "refused beside the one that is wanted"),
        "terminationGracePeriodSeconds": "of a container that is to end",
    },
    "V1PodDisruptionBudgetSpec": {
        **dict.fromkeys(("minAvailable", "maxUnavailable"), "refused beside the other"),
        "unhealthyPodEvictionPolicy": "of Pods that do not serve",
    },
}
"""By model of the client and field: why a stranger may set it."""


_WORKLOAD = predictor_version.workload(OWNER, VERSION)["spec"]
_POD = _WORKLOAD["template"]["spec"]
_CONTAINER = _POD["containers"][0]
_SERVICE = predictor.service(OWNER, VERSION.manifest)["spec"]
WANTED: dict[str, list[dict[str, Any]]] = {
    "V1PodSpec": [_POD],
    "V1Container": [_CONTAINER],
    "V1DeploymentSpec": [_WORKLOAD],
    "V1ServiceSpec": [_SERVICE],
    "V1ServicePort": _SERVICE["ports"],
    "V1PodSecurityContext": [_POD["securityContext"]],
    "V1SecurityContext": [_CONTAINER["securityContext"]],
    "V1ContainerPort": _CONTAINER["ports"],
    "V1VolumeMount": _CONTAINER["volumeMounts"],
    "V1EnvVar": _CONTAINER["env"],
    "V1Probe": [_CONTAINER["readinessProbe"], _CONTAINER["livenessProbe"]],
    "V1ResourceRequirements": [_CONTAINER["resources"]],
    "V1Capabilities": [_CONTAINER["securityContext"]["capabilities"]],
    "V1NetworkPolicySpec": [predictor.network_policy(OWNER, rollouts.policy().spec, [])["spec"]],
    "V1PodDisruptionBudgetSpec": [predictor.disruption_budget(OWNER, VERSION.manifest)["spec"]],
}
"""Each map of that model in what the operator makes."""


def fields(model: str) -> set[str]:
    """Return the fields of a model of the Kubernetes client, as they stand in JSON."""
    module = re.sub("(?<=[a-z0-9])(?=[A-Z])", "_", model).lower()
    found: Any = getattr(import_module(f"kubernetes.client.models.{module}"), model)
    return set(found.attribute_map.values())


@pytest.mark.parametrize("model", WANTED)
def test_each_field_is_wanted_or_found_or_harmless(model: str) -> None:
    found, harmless = CHANGES_MEANING.keys() | DEFAULTS.keys(), HARMLESS.get(model, {})
    for keys in WANTED[model]:
        unknown = fields(model) - keys.keys() - found - harmless.keys()
        assert not unknown, f"decide whether a stranger may set {sorted(unknown)}"
    assert harmless.keys() <= fields(model)
    assert not harmless.keys() & found
