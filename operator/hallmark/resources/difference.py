"""Does an object stand as it is wanted? So that nothing is sent where nothing would change."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from hallmark.api.texts import sorted_json

ANNOTATION_APPLIED = "hallmark.dev/applied"
"""Hash of the object as the operator last applied it."""
WHOLE = frozenset(
    {"selector", "matchLabels", "data", "podSelector", "namespaceSelector", "ingress", "egress"}
    | {"to", "from", "ipBlock", "rules", "subjects", "roleRef", "limits"}
    | {"parentRefs", "backendRefs", "matches", "path"}
)
"""Maps, or lists of maps, in which a stranger's additional key changes the meaning."""

_ANY = frozenset[object]()
CHANGES_MEANING: Mapping[str, frozenset[object]] = {
    # where a Service leads, and by what
    "type": frozenset({"ExternalName", "LoadBalancer", "NodePort"}),
    "sessionAffinity": frozenset({"ClientIP"}),
    "internalTrafficPolicy": frozenset({"Local"}),
    "trafficDistribution": _ANY,
    **dict.fromkeys(("externalIPs", "externalName", "publishNotReadyAddresses"), _ANY),
    # which requests a route takes, and which ports a NetworkPolicy opens
    **dict.fromkeys(("hostnames", "endPort"), _ANY),
    # what a workload runs, and beside what
    **dict.fromkeys(("paused", "initContainers", "command", "args", "envFrom", "lifecycle"), _ANY),
    **dict.fromkeys(("hostNetwork", "hostPID", "hostIPC", "hostAliases", "dnsConfig"), _ANY),
    **dict.fromkeys(("shareProcessNamespace", "startupProbe", "volumeDevices"), _ANY),
    **dict.fromkeys(("privileged", "add", "hostPort", "hostIP", "hostPath", "subPath"), _ANY),
    **dict.fromkeys(("subPathExpr", "workingDir", "bindMountOptions", "claims"), _ANY),
    "readOnly": frozenset({True}),
    "mountPropagation": frozenset({"HostToContainer", "Bidirectional"}),
    # as whom it runs; what a container says overrules its Pod
    **dict.fromkeys(("runAsUser", "runAsGroup", "supplementalGroups", "sysctls"), _ANY),
    **dict.fromkeys(("seLinuxOptions", "seccompProfile", "appArmorProfile"), _ANY),
    "windowsOptions": _ANY,
    "runAsNonRoot": frozenset({False}),
    "procMount": frozenset({"Unmasked"}),
    # where it runs, and before whom
    **dict.fromkeys(("nodeName", "nodeSelector", "affinity", "tolerations", "os"), _ANY),
    **dict.fromkeys(("topologySpreadConstraints", "runtimeClassName", "overhead"), _ANY),
    **dict.fromkeys(("priorityClassName", "priority", "preemptionPolicy"), _ANY),
    **dict.fromkeys(("resources", "resourceClaims", "ephemeral-storage"), _ANY),
    # when it runs at all, and counts as ready
    **dict.fromkeys(("schedulingGates", "schedulingGroup", "readinessGates"), _ANY),
    **dict.fromkeys(("evictionResponders", "restartPolicyRules", "minReadySeconds"), _ANY),
    "initialDelaySeconds": _ANY,
}
"""Fields that the operator does not always set, and that change the meaning where a stranger does:
to one of these values, or to any but an empty one. The API server adds none of them by itself."""
DEFAULTS: Mapping[str, object] = {
    "schedulerName": "default-scheduler",
    "dnsPolicy": "ClusterFirst",
    "successThreshold": 1,
}
"""Fields that the API server sets so by itself; anything else in them is a stranger's."""


def stamped(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object with the hash of its own content in an annotation."""
    digest = hashlib.sha256(sorted_json(wanted)).hexdigest()[:16]
    described = wanted["metadata"]
    annotations = {**described.get("annotations", {}), ANNOTATION_APPLIED: digest}
    return {**wanted, "metadata": {**described, "annotations": annotations}}


def stands(wanted: Mapping[str, Any], live: Mapping[str, Any] | None) -> bool:
    """Tell whether a live object holds everything of a stamped one.

    The API server adds defaults, so fields that are not wanted are not looked at, except where
    they would change the meaning. That nothing is left of an earlier form shows in the stamp.
    """
    if live is None:
        return False
    return not _strangers(wanted, live) and all(
        _holds(value, live.get(key), key) for key, value in wanted.items()
    )


def correction(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> dict[str, Any]:
    """Return the merge patch that makes a live object stand; empty where it does.

    Server-side apply leaves what a stranger added to a list or map that is merged by its keys.
    """
    return _correction(
        {key: value for key, value in wanted.items() if key != "metadata"}, live, whole=False
    )


def _correction(
    wanted: Mapping[str, Any], live: Mapping[str, Any], *, whole: bool
) -> dict[str, Any]:
    patch: dict[str, Any] = {}
    for key, value in wanted.items():
        found = live.get(key)
        if _holds(value, found, key):
            continue
        inner = isinstance(value, Mapping) and isinstance(found, Mapping)
        patch[key] = _correction(value, found or {}, whole=key in WHOLE) if inner else value
    return patch | dict.fromkeys(live.keys() - wanted.keys() if whole else _strangers(wanted, live))


def _holds(wanted: object, live: object, key: str) -> bool:
    if wanted == live:  # Most parts are, and to look into them takes ten times as long.
        return True
    if isinstance(wanted, Mapping):
        if not isinstance(live, Mapping) or (key in WHOLE and wanted.keys() != live.keys()):
            return False
        return not _strangers(wanted, live) and all(
            _holds(value, live.get(name), name) for name, value in wanted.items()
        )
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        if not isinstance(live, Sequence) or len(wanted) != len(live):
            return False
        return all(_holds(item, other, key) for item, other in zip(wanted, live, strict=True))
    return False


def _strangers(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> list[str]:
    """Return the fields of a map that are not wanted and change its meaning."""
    return [name for name in live if name not in wanted and _is_meant(name, live[name])]


def _is_meant(name: str, value: object) -> bool:
    if name in DEFAULTS:
        return value != DEFAULTS[name]
    values = CHANGES_MEANING.get(name)
    if values is None:
        return False
    if values:
        return isinstance(value, str | bool) and value in values
    return bool(value) or (isinstance(value, int) and not isinstance(value, bool))
