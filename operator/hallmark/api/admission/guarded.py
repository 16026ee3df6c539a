"""Policies about what the operator makes: nobody else touches or imitates it."""

from __future__ import annotations

from hallmark.api import names
from hallmark.api.admission.building import (
    NOT_IN_AN_EMERGENCY,
    NOT_OPERATOR,
    NOT_TRUSTED,
    YOU,
    Pair,
    policy,
    rule,
    validation,
)
from hallmark.api.texts import GROUP

_GUARDED = (
    rule(
        "",
        "CREATE UPDATE DELETE",
        "pods",
        "pods/status",
        "pods/ephemeralcontainers",
        "pods/resize",
        "services",
        "services/status",
        "endpoints",
        "configmaps",
        "secrets",
        "serviceaccounts",
    ),
    rule(
        "apps",
        "CREATE UPDATE DELETE",
        "deployments",
        "deployments/status",
        "replicasets",
        "replicasets/status",
    ),
    rule("batch", "CREATE UPDATE DELETE", "jobs", "jobs/status"),
    rule("discovery.k8s.io", "CREATE UPDATE DELETE", "endpointslices"),
    rule("networking.k8s.io", "CREATE UPDATE DELETE", "networkpolicies"),
    rule("policy", "CREATE UPDATE DELETE", "poddisruptionbudgets"),
    rule("rbac.authorization.k8s.io", "CREATE UPDATE DELETE", "roles", "rolebindings"),
)


def guarded(name: str, label: str, owner: str, plural: str) -> Pair:
    """Return the policy that guards every object that carries ``label``, or did.

    Whoever runs the cluster may delete: what is needed is made again, and what is not is gone. An
    author may not, whatever other rights he has: under a Service's free name he could make one of
    his own that leads to other Pods. Nor may anybody orphan: a ReplicaSet or a Pod without an
    owner would serve on, and nobody would stop it.

    Args:
        name: of the policy.
        label: which objects it guards.
        owner: the kind of what they were made for, and
        plural: its name in RBAC, whose verb ``clean-up`` lets delete.
    """
    may_delete = (
        f"authorizer.group('{GROUP}').resource('{plural}').namespace(request.namespace)"
        f".check('{names.VERB_CLEAN_UP}').allowed()"
    )
    what = "request.resource.resource + ' ' + request.name + ' in namespace ' + request.namespace"
    return policy(
        name,
        [dict(rule) for rule in _GUARDED],
        [
            validation(
                f"request.operation == 'DELETE' && {may_delete}",
                f"{what} + ' carries the label {label}: only the operator creates, changes and "
                f"deletes it; ' + {YOU} + '. Change the {owner} instead. (Deleting it needs the "
                f"verb {names.VERB_CLEAN_UP} on {plural}.)'",
            ),
            validation(
                "request.operation != 'DELETE' || "
                "request.?options.?propagationPolicy.orValue('') != 'Orphan' && "
                "!request.?options.?orphanDependents.orValue(false)",
                f"{what} + ' carries the label {label}: what it made must not be left without an "
                f"owner; ' + {YOU} + '. Delete it without --cascade=orphan.'",
            ),
        ],
        label=label,
        matchConditions=[NOT_TRUSTED],
    )


_WATCHED = (
    rule("", "CREATE UPDATE", "pods", "pods/status", "pods/ephemeralcontainers", "pods/resize"),
    rule("", "CREATE UPDATE", "services", "services/status", "configmaps"),
    rule("apps", "CREATE UPDATE", "deployments", "deployments/status"),
    rule("batch", "CREATE UPDATE", "jobs", "jobs/status"),
)


def watched() -> Pair:
    """Return the policy against objects of strangers that the operator's watches would receive.

    Deletion stays free: it takes from the operator's memory, and what is needed is made again.
    """
    return policy(
        "hallmark-watched-objects",
        [dict(rule) for rule in _WATCHED],
        [
            validation(
                "false",
                "request.resource.resource + ' ' + object.metadata.name + ' in namespace ' + "
                f"request.namespace + ' carries the label {names.LABEL_MANAGED_BY}: "
                f"{names.MANAGED_BY}: only the operator creates and changes it; ' + {YOU} + '. "
                "Leave the label out.'",
            )
        ],
        labels={names.LABEL_MANAGED_BY: names.MANAGED_BY},
        matchConditions=[NOT_TRUSTED],
    )


def guarded_latches() -> Pair:
    """Return the policy that keeps what is remembered of denied and revoked bytes.

    Unlike a Pod, it is not made again: the objects that it was made from may be gone.
    """
    return policy(
        "hallmark-guarded-latches",
        [rule("", "CREATE UPDATE DELETE", "configmaps")],
        [
            validation(
                "false",
                f"'ConfigMap ' + request.name + ' carries the label {names.LABEL_LATCH}: it "
                "remembers for good what was denied, revoked or withdrawn of sealed bytes; only "
                f"the operator writes it, and nobody deletes it; ' + {YOU} + '. Train anew to get "
                "other bytes.'",
            )
        ],
        label=names.LABEL_LATCH,
        matchConditions=[NOT_TRUSTED],
    )


def guarded_templates() -> Pair:
    """Return the policy against Pods that a built-in controller would make for a stranger."""
    places = ("template.?", "jobTemplate.?spec.?template.?", "jobTemplate.?")
    labels = [f"object.?spec.?{place}metadata.?labels.orValue({{}})" for place in places]
    guarded = f"label in ['{names.LABEL_DEPLOYMENT}', '{names.LABEL_JOB}']"
    watched = f"[?'{names.LABEL_MANAGED_BY}'].orValue('') == '{names.MANAGED_BY}'"
    return policy(
        "hallmark-guarded-templates",
        [
            rule("", "CREATE UPDATE", "replicationcontrollers"),
            rule(
                "apps", "CREATE UPDATE", "deployments", "replicasets", "statefulsets", "daemonsets"
            ),
            rule("batch", "CREATE UPDATE", "jobs", "cronjobs"),
        ],
        [
            validation(
                " && ".join(
                    f"!{carried}.exists(label, {guarded}) && !({carried}{watched})"
                    for carried in labels
                ),
                "'The Pods of ' + request.resource.resource + ' ' + request.name + ' would carry "
                f"the label {names.LABEL_DEPLOYMENT}, {names.LABEL_JOB} or "
                f"{names.LABEL_MANAGED_BY}: {names.MANAGED_BY}, which is for what the operator "
                f"makes; ' + {YOU} + '. Leave the label out.'",
            )
        ],
        matchConditions=[NOT_TRUSTED],
    )


def guarded_scale() -> Pair:
    """Return the policy against scaling a version, by hand or by an autoscaler."""
    return policy(
        "hallmark-guarded-scale",
        [rule("apps", "UPDATE", "deployments/scale", "replicasets/scale")],
        [
            validation(
                f"!oldObject.?status.?selector.orValue('').contains('{names.LABEL_DEPLOYMENT}')",
                "request.resource.resource + ' ' + request.name + ' belongs to a ModelDeployment: "
                f"scale that instead (kubectl scale mdep); ' + {YOU} + '.'",
            )
        ],
        matchConditions=[NOT_OPERATOR],
    )


def service_selectors() -> Pair:
    """Return the policy against a stranger's Service over the operator's Pods."""
    return policy(
        "hallmark-service-selectors",
        [rule("", "CREATE UPDATE", "services")],
        [
            validation(
                "!object.?spec.?selector.orValue({})"
                f".exists(label, label.startsWith('{GROUP}/'))",
                f"'Service ' + request.name + ' must not select by a label of {GROUP}: it would "
                f"reach versions that have no traffic; ' + {YOU} + '. Use the Service that the "
                "ModelDeployment has.'",
            )
        ],
        matchConditions=[NOT_TRUSTED],
    )


def service_endpoints() -> Pair:
    """Return the policy against addresses that a stranger adds to a guarded Service.

    Its parameters are the guarded Services of the request's namespace.
    """
    services = {"matchExpressions": [{"key": names.LABEL_DEPLOYMENT, "operator": "Exists"}]}
    return policy(
        "hallmark-service-endpoints",
        [
            rule("discovery.k8s.io", "CREATE UPDATE", "endpointslices"),
            rule("", "CREATE UPDATE", "endpoints"),
        ],
        [
            validation(
                "params == null || params.metadata.name != (request.resource.resource == "
                "'endpoints' ? request.name : "
                "object.metadata.?labels[?'kubernetes.io/service-name'].orValue(''))",
                "'Service ' + params.metadata.name + ' belongs to a ModelDeployment: only "
                f"Kubernetes itself gives it addresses; ' + {YOU} + '.'",
            )
        ],
        params={"apiVersion": "v1", "kind": "Service"},
        param_ref={"selector": services, "parameterNotFoundAction": "Allow"},
        matchConditions=[NOT_TRUSTED],
    )


def closed_pods(name: str, label: str) -> Pair:
    """Return the policy against a stranger's shell in a Pod that carries ``label``.

    From inside he could read the Pod's token and URLs and speak in its name. Its parameters are
    the labelled Pods of the request's namespace.
    """
    pods = {"matchExpressions": [{"key": label, "operator": "Exists"}]}
    return policy(
        name,
        [rule("", "CONNECT", "pods/exec", "pods/attach")],
        [
            validation(
                "params == null || params.metadata.name != request.name",
                f"'Pod ' + request.name + ' carries the label {label}: nobody runs commands in "
                f"it; ' + {YOU} + '. Look at its log and its status instead.'",
            )
        ],
        params={"apiVersion": "v1", "kind": "Pod"},
        param_ref={"selector": pods, "parameterNotFoundAction": "Allow"},
        matchConditions=[NOT_TRUSTED, NOT_IN_AN_EMERGENCY],
    )
