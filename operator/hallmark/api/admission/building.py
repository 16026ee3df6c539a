"""What every admission policy is made of."""

from __future__ import annotations

from typing import Any

from hallmark.api import names

Obj = dict[str, Any]
Pair = tuple[Obj, Obj]
"""A policy and its binding."""

IS_OPERATOR = f"request.userInfo.username == '{names.OPERATOR_USER}'"
IS_BUILT_IN = (
    "request.userInfo.username.startsWith('system:serviceaccount:kube-system:') || "
    "request.userInfo.username in ['system:kube-controller-manager', 'system:kube-scheduler', "
    "'system:apiserver'] || 'system:nodes' in request.userInfo.groups"
)
NOT_OPERATOR = {"name": "not-the-operator", "expression": f"!({IS_OPERATOR})"}
NOT_TRUSTED = {
    "name": "neither-operator-nor-kubernetes",
    "expression": f"!({IS_OPERATOR} || {IS_BUILT_IN})",
}
NOT_IN_AN_EMERGENCY = {
    "name": "not-in-an-emergency",
    "expression": "!('system:masters' in request.userInfo.groups)",
}
YOU = "'you are ' + request.userInfo.username"
"""CEL, as are those above: for the messages."""


def rule(group: str, operations: str, *resources: str) -> Obj:
    """Return which requests a policy looks at: operations (apart by spaces) on resources."""
    return {
        "apiGroups": [group],
        "apiVersions": ["*"],
        "operations": operations.split(),
        "resources": list(resources),
        "scope": "*",
    }


def validation(expression: str, message: str) -> Obj:
    """Return a validation; ``message`` is a CEL expression of a sentence."""
    return {"expression": expression, "messageExpression": message, "reason": "Forbidden"}


def policy(name: str, rules: list[Obj], validations: list[Obj], **more: Any) -> Pair:  # noqa: ANN401 - any JSON
    """Return a policy and the binding that makes it deny (and audit) everywhere.

    Args:
        name: of both.
        rules: which requests it looks at.
        validations: what must hold of them.
        **more: ``label`` (looks only at objects that carry it, or did), ``labels`` (with these
            values), ``params`` and ``param_ref`` (other objects that it sees), and the policy's
            own ``matchConditions``, ``variables``, ``auditAnnotations``.
    """
    label, labels = more.pop("label", None), more.pop("labels", None)
    params, param_ref = more.pop("params", None), more.pop("param_ref", None)
    selector: Obj = {"matchExpressions": [{"key": label, "operator": "Exists"}]} if label else {}
    if labels:
        selector["matchLabels"] = labels
    constraints = {
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": selector,
        "resourceRules": rules,
    }
    spec = {
        "failurePolicy": "Fail",
        **({"paramKind": params} if params else {}),
        "matchConstraints": constraints,
        **more,
        "validations": validations,
    }
    bound = {
        "policyName": name,
        "validationActions": ["Deny", "Audit"],
        **({"paramRef": param_ref} if param_ref else {}),
    }
    return (
        _object("ValidatingAdmissionPolicy", name, spec),
        _object("ValidatingAdmissionPolicyBinding", name, bound),
    )


def _object(kind: str, name: str, spec: Obj) -> Obj:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "hallmark"}},
        "spec": spec,
    }
