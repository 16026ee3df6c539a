"""The ValidatingAdmissionPolicies: what the API server refuses whoever asks.

``python -m hallmark.api.admission`` writes ``manifests/base/admission/*.yaml``. Each policy is
data, with every default of the API server written out, so that the operator can compare what is
in the cluster with what is expected (``identity_is_in_force``).

Three groups of users are told apart: the operator (one ServiceAccount), what Kubernetes itself
runs (controllers and addons in ``kube-system``, the scheduler, the nodes), and everybody else. An
administrator of the cluster belongs to everybody else.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hallmark.api import names
from hallmark.api.common import GROUP
from hallmark.api.generated import write_generated

Obj = dict[str, Any]

_IS_OPERATOR = f"request.userInfo.username == '{names.OPERATOR_USER}'"
_IS_BUILT_IN = (
    "request.userInfo.username.startsWith('system:serviceaccount:kube-system:') || "
    "request.userInfo.username in ['system:kube-controller-manager', 'system:kube-scheduler', "
    "'system:apiserver'] || 'system:nodes' in request.userInfo.groups"
)
_NOT_OPERATOR = {"name": "not-the-operator", "expression": f"!({_IS_OPERATOR})"}
_NOT_TRUSTED = {
    "name": "neither-operator-nor-kubernetes",
    "expression": f"!({_IS_OPERATOR} || {_IS_BUILT_IN})",
}
_YOU = "'you are ' + request.userInfo.username"


def _rule(group: str, operations: str, *resources: str) -> Obj:
    return {
        "apiGroups": [group],
        "apiVersions": ["*"],
        "operations": operations.split(),
        "resources": list(resources),
        "scope": "*",
    }


def _validation(expression: str, message: str) -> Obj:
    """Return a validation; ``message`` is a CEL expression of a sentence."""
    return {"expression": expression, "messageExpression": message, "reason": "Forbidden"}


def _policy(name: str, rules: list[Obj], validations: list[Obj], **more: Any) -> Obj:  # noqa: ANN401
    """Return a policy.

    Args:
        name: of the policy and its binding.
        rules: which requests it looks at.
        validations: what must hold of them.
        **more: ``label`` (looks only at objects that carry it, or did), ``params``, and the
            policy's own ``matchConditions``, ``variables``, ``auditAnnotations``.
    """
    label = more.pop("label", None)
    selector = {"matchExpressions": [{"key": label, "operator": "Exists"}]} if label else {}
    spec: Obj = {"failurePolicy": "Fail"}
    if params := more.pop("params", None):
        spec["paramKind"] = params
    spec["matchConstraints"] = {
        "matchPolicy": "Equivalent",
        "namespaceSelector": {},
        "objectSelector": selector,
        "resourceRules": rules,
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "hallmark"}},
        "spec": {**spec, **more, "validations": validations},
    }


def _binding(name: str, param_ref: Obj | None = None) -> Obj:
    spec: Obj = {"policyName": name, "validationActions": ["Deny", "Audit"]}
    if param_ref:
        spec["paramRef"] = param_ref
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name, "labels": {"app.kubernetes.io/part-of": "hallmark"}},
        "spec": spec,
    }


def approval_identity() -> tuple[Obj, Obj]:
    """Return the policy and the binding that vouch for an approver's name."""
    version = (
        f"authorizer.group('{GROUP}').resource('modelversions').namespace(request.namespace)"
        ".name(object.spec.modelVersion.name)"
    )
    policy = _policy(
        names.APPROVAL_IDENTITY_POLICY,
        [_rule(GROUP, "CREATE", "modelapprovals")],
        [
            _validation(
                "variables.isRelayed || object.spec.approver == request.userInfo.username",
                f"\"'approver' must be the user who creates the approval: \" + {_YOU} + "
                '", found " + object.spec.approver + ". Only a relay (verb relay-approval) may '
                "name another, with that person's attestation.\"",
            ),
            _validation(
                f"variables.isRelayed || {version}.check('approve').allowed()",
                '"You may not decide on ModelVersion " + object.spec.modelVersion.name + ": " + '
                f'{_YOU} + ", who lacks the verb approve on modelversions in namespace " + '
                'request.namespace + ". Ask for the role hallmark-reviewer."',
            ),
        ],
        variables=[
            {
                "name": "isRelayed",
                "expression": "has(object.spec.attestation) && object.spec.attestation != '' && "
                f"{version}.check('relay-approval').allowed()",
            }
        ],
        auditAnnotations=[
            {
                "key": "decision",
                "valueExpression": "object.spec.decision + ' ' + object.spec.manifestDigest + "
                "' by ' + object.spec.approver",
            }
        ],
    )
    return policy, _binding(names.APPROVAL_IDENTITY_POLICY)


def identity_is_in_force(
    policy: Mapping[str, Any] | None, binding: Mapping[str, Any] | None
) -> bool:
    """Tell whether the cluster's identity policy and binding are the expected ones.

    Args:
        policy: the ValidatingAdmissionPolicy as the API server sends it, or None.
        binding: its binding, or None.
    """
    if policy is None or binding is None:
        return False
    return all(
        found.get("spec") == expected["spec"]
        and "deletionTimestamp" not in found.get("metadata", {})
        for found, expected in zip((policy, binding), approval_identity(), strict=True)
    )


def _requester_identity() -> Obj:
    declared = f"'{names.ANNOTATION_REQUESTER}'"
    annotation = "object.metadata.?annotations[?{0}].orValue('')"
    return _policy(
        "hallmark-requester-identity",
        [_rule(GROUP, "CREATE UPDATE", "trainingruns")],
        [
            _validation(
                "request.operation != 'CREATE' || variables.isOwn || "
                f"authorizer.group('{GROUP}').resource('trainingruns')"
                ".namespace(request.namespace).check('relay-request').allowed()",
                f'"\'requestedBy\' must be the user who creates the run: " + {_YOU} + ", found " '
                '+ object.spec.requestedBy + ". Only a relay (verb relay-request) may name '
                'another."',
            ),
            _validation(
                "request.operation != 'CREATE' || "
                "variables.declared == (variables.isOwn ? '' : 'declared')",
                f'"The annotation {names.ANNOTATION_REQUESTER}: declared belongs on a run that '
                'names another requester, and on no other run."',
            ),
            _validation(
                "request.operation == 'CREATE' || variables.declared == "
                + annotation.format(declared).replace("object", "oldObject", 1),
                f'"The annotation {names.ANNOTATION_REQUESTER} cannot change."',
            ),
        ],
        variables=[
            {
                "name": "isOwn",
                "expression": "object.spec.requestedBy == request.userInfo.username",
            },
            {"name": "declared", "expression": annotation.format(declared)},
        ],
    )


def _operator_only() -> Obj:
    return _policy(
        "hallmark-operator-only",
        [
            _rule(GROUP, "CREATE UPDATE", "modelversions"),
            _rule(
                GROUP,
                "UPDATE",
                "trainingruns/status",
                "modelversions/status",
                "modelapprovals/status",
                "modelpolicies/status",
            ),
        ],
        [
            _validation(
                # The garbage collector takes finalizers off.
                f"request.operation == 'UPDATE' && variables.part == '' && ({_IS_BUILT_IN})",
                '"Only the operator writes " + request.resource.resource + variables.part + "; " + '
                f'{_YOU} + "."',
            )
        ],
        matchConditions=[_NOT_OPERATOR],
        variables=[
            {
                "name": "part",
                "expression": "request.?subResource.orValue('') == '' ? '' : "
                "'/' + request.subResource",
            }
        ],
    )


def _drift_report() -> Obj:
    """Return the policy that lets a predictor's Pod write its own entry alone."""
    others = (
        "{0}.all(key, key == {1} || key in {2} && {2}[key] == {0}[key]) && "
        "{2}.all(key, key == {1} || key in {0})"
    )
    bins = "{0}.?counts.orValue({{}}).map(name, {0}.counts[name].size()).sum()"
    return _policy(
        "hallmark-drift-report",
        [_rule(GROUP, "UPDATE", "modeldeployments/status")],
        [
            _validation(
                "request.userInfo.username == 'system:serviceaccount:' + request.namespace + ':' "
                "+ request.name + '-predictor'",
                '"Only the operator writes the status, and the predictors of ModelDeployment " + '
                f'request.name + " their drift reports; " + {_YOU} + "."',
            ),
            _validation(
                "variables.pod != ''",
                '"A drift report needs a token that is bound to a Pod; this one is not."',
            ),
            _validation(
                others.format("variables.new", "'drift'", "variables.old"),
                '"A predictor may change status.drift alone; leave the other fields of the status '
                'as they are."',
            ),
            _validation(
                others.format("variables.newDrift", "variables.pod", "variables.oldDrift"),
                '"Pod " + variables.pod + " may change its own entry of status.drift alone."',
            ),
            _validation(
                "variables.pod in variables.newDrift",
                '"Pod " + variables.pod + " must not remove its entry of status.drift."',
            ),
            _validation(
                "variables.entry.?counts.orValue({}).all(name, name.size() <= 63) && "
                "variables.windows.all(window, "
                "window.?counts.orValue({}).all(name, name.size() <= 63)) && "
                + bins.format("variables.entry")
                + " + variables.windows.map(window, "
                + bins.format("window")
                + ").sum() <= 16384",
                '"A drift report holds at most 16384 counts, of features with names of at most 63 '
                'characters."',
            ),
        ],
        matchConditions=[_NOT_OPERATOR],
        variables=[
            {
                "name": "pod",
                "expression": "request.userInfo.?extra"
                "[?'authentication.kubernetes.io/pod-name'][?0].orValue('')",
            },
            {"name": "new", "expression": "object.?status.orValue({})"},
            {"name": "old", "expression": "oldObject.?status.orValue({})"},
            {"name": "newDrift", "expression": "variables.new.?drift.orValue({})"},
            {"name": "oldDrift", "expression": "variables.old.?drift.orValue({})"},
            {"name": "entry", "expression": "variables.newDrift[?variables.pod].orValue({})"},
            {"name": "windows", "expression": "variables.entry.?windows.orValue([])"},
        ],
    )


def _version_in_use() -> Obj:
    return _policy(
        "hallmark-version-in-use",
        [_rule(GROUP, "DELETE", "modelversions")],
        [
            _validation(
                "variables.usedBy.size() == 0",
                '"ModelVersion " + oldObject.metadata.name + " is in use: " + '
                'variables.usedBy.join(", ") + " serves it or could roll back to it. Let them '
                'move on or delete them first."',
            )
        ],
        matchConditions=[_NOT_TRUSTED],
        variables=[
            {"name": "usedBy", "expression": "oldObject.?status.?usedBy.orValue([])"},
        ],
    )


_GUARDED = (
    _rule(
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
    _rule(
        "apps",
        "CREATE UPDATE DELETE",
        "deployments",
        "deployments/status",
        "replicasets",
        "replicasets/status",
    ),
    _rule("batch", "CREATE UPDATE DELETE", "jobs", "jobs/status"),
    _rule("discovery.k8s.io", "CREATE UPDATE DELETE", "endpointslices"),
    _rule("networking.k8s.io", "CREATE UPDATE DELETE", "networkpolicies"),
    _rule("policy", "CREATE UPDATE DELETE", "poddisruptionbudgets"),
    _rule("rbac.authorization.k8s.io", "CREATE UPDATE DELETE", "roles", "rolebindings"),
)


def _guarded(name: str, label: str, owner: str) -> Obj:
    """Return the policy that guards every object that carries ``label``, or did."""
    return _policy(
        name,
        [dict(rule) for rule in _GUARDED],
        [
            _validation(
                "false",
                "request.resource.resource + ' ' + request.name + ' in namespace ' + "
                f"request.namespace + ' carries the label {label}: only the operator creates, "
                f"changes and deletes it; ' + {_YOU} + '. Change the {owner} instead.'",
            )
        ],
        label=label,
        matchConditions=[_NOT_TRUSTED],
    )


def _guarded_templates() -> Obj:
    """Return the policy against Pods that a built-in controller would make for a stranger."""
    template = "object.?spec.?{0}template.?metadata.?labels.orValue({{}})"
    both = f"label in ['{names.LABEL_DEPLOYMENT}', '{names.LABEL_JOB}']"
    return _policy(
        "hallmark-guarded-templates",
        [
            _rule("", "CREATE UPDATE", "replicationcontrollers"),
            _rule(
                "apps", "CREATE UPDATE", "deployments", "replicasets", "statefulsets", "daemonsets"
            ),
            _rule("batch", "CREATE UPDATE", "jobs", "cronjobs"),
        ],
        [
            _validation(
                f"!{template.format('')}.exists(label, {both}) && "
                f"!{template.format('jobTemplate.?spec.?')}.exists(label, {both}) && "
                "!object.?spec.?jobTemplate.?metadata.?labels.orValue({})"
                f".exists(label, {both})",
                "'The Pods of ' + request.resource.resource + ' ' + request.name + ' would carry "
                f"the label {names.LABEL_DEPLOYMENT} or {names.LABEL_JOB}, which is for what "
                f"the operator makes; ' + {_YOU} + '. Leave the label out.'",
            )
        ],
        matchConditions=[_NOT_TRUSTED],
    )


def _guarded_scale() -> Obj:
    """Return the policy against scaling a version, by hand or by an autoscaler."""
    return _policy(
        "hallmark-guarded-scale",
        [_rule("apps", "UPDATE", "deployments/scale", "replicasets/scale")],
        [
            _validation(
                f"!oldObject.?status.?selector.orValue('').contains('{names.LABEL_DEPLOYMENT}')",
                "request.resource.resource + ' ' + request.name + ' belongs to a ModelDeployment: "
                f"scale that instead (kubectl scale mdep); ' + {_YOU} + '.'",
            )
        ],
        matchConditions=[_NOT_OPERATOR],
    )


def _service_selectors() -> Obj:
    return _policy(
        "hallmark-service-selectors",
        [_rule("", "CREATE UPDATE", "services")],
        [
            _validation(
                "!object.?spec.?selector.orValue({})"
                f".exists(label, label.startsWith('{GROUP}/'))",
                f"'Service ' + request.name + ' must not select by a label of {GROUP}: it would "
                f"reach versions that have no traffic; ' + {_YOU} + '. Use the Service that the "
                "ModelDeployment has.'",
            )
        ],
        matchConditions=[_NOT_TRUSTED],
    )


def _service_endpoints() -> tuple[Obj, Obj]:
    """Return the policy against addresses that a stranger adds to a guarded Service.

    Its parameters are the guarded Services of the request's namespace.
    """
    name = "hallmark-service-endpoints"
    policy = _policy(
        name,
        [
            _rule("discovery.k8s.io", "CREATE UPDATE", "endpointslices"),
            _rule("", "CREATE UPDATE", "endpoints"),
        ],
        [
            _validation(
                "params == null || params.metadata.name != (request.resource.resource == "
                "'endpoints' ? request.name : "
                "object.metadata.?labels[?'kubernetes.io/service-name'].orValue(''))",
                "'Service ' + params.metadata.name + ' belongs to a ModelDeployment: only "
                f"Kubernetes itself gives it addresses; ' + {_YOU} + '.'",
            )
        ],
        params={"apiVersion": "v1", "kind": "Service"},
        matchConditions=[_NOT_TRUSTED],
    )
    guarded = {"matchExpressions": [{"key": names.LABEL_DEPLOYMENT, "operator": "Exists"}]}
    return policy, _binding(name, {"selector": guarded, "parameterNotFoundAction": "Allow"})


def _predictor_accounts() -> Obj:
    """Return the policy that keeps a predictor's ServiceAccount to the predictor's Pods.

    It asks the authorizer whether the account may report drift, so that accounts of other
    programs whose names end alike are left alone.
    """
    return _policy(
        "hallmark-predictor-accounts",
        [_rule("", "CREATE", "pods", "serviceaccounts/token")],
        [
            _validation(
                "!variables.mayReport || (request.resource.resource == 'pods' ? "
                f"object.metadata.?labels[?'{names.LABEL_DEPLOYMENT}'].orValue('') == "
                "variables.deployment : "
                f"{_IS_OPERATOR} || {_IS_BUILT_IN} || "
                "'system:masters' in request.userInfo.groups)",
                "'ServiceAccount ' + variables.account + ' belongs to the predictors of "
                f"ModelDeployment ' + variables.deployment + ' alone; ' + {_YOU} + '.'",
            )
        ],
        matchConditions=[
            {
                "name": "a-predictor-by-its-name",
                "expression": "(request.resource.resource == 'pods' ? "
                "object.spec.?serviceAccountName.orValue('') : request.name)"
                ".endsWith('-predictor')",
            }
        ],
        variables=[
            {
                "name": "account",
                "expression": "request.resource.resource == 'pods' ? "
                "object.spec.serviceAccountName : request.name",
            },
            {
                "name": "deployment",
                "expression": "variables.account.substring(0, variables.account.size() - 10)",
            },
            {
                "name": "mayReport",
                "expression": "authorizer.serviceAccount(request.namespace, variables.account)"
                f".group('{GROUP}').resource('modeldeployments').subresource('status')"
                ".namespace(request.namespace).name(variables.deployment)"
                ".check('patch').allowed()",
            },
        ],
    )


def _actions() -> Obj:
    """Return the policy that binds an action to the user who asks for it.

    CEL reads no JSON. The text must be one flat object of the five keys with values that hold
    neither quotes nor backslashes; cut at its quotes, every fourth part is then a key, and the
    value of a key stands two parts behind it.
    """
    annotation = f"object.metadata.?annotations[?'{names.ANNOTATION_ACTION}'].orValue('')"
    old = f"oldObject.?metadata.?annotations[?'{names.ANNOTATION_ACTION}'].orValue('')"
    pair = r'"(id|action|target|by|reason)" ?: ?"[^"\\\\\\x00-\\x1f]*"'
    value = (
        "[1, 5, 9, 13, 17].filter(at, at < variables.parts.size() && "
        "variables.parts[at] == '{0}').map(at, variables.parts[at + 2])"
    )
    return _policy(
        "hallmark-actions",
        [_rule(GROUP, "CREATE UPDATE", "modeldeployments")],
        [
            _validation(
                f"variables.text.matches('^[{{] ?{pair}(, ?{pair}){{1,4}} ?[}}]$')",
                f"'The annotation {names.ANNOTATION_ACTION} must be one JSON object of id, action, "
                "by, reason and target, with texts that hold no quotes and no backslashes, such as "
                '{"action":"rollback","by":"you","id":"1","reason":"..."}\'',
            ),
            _validation(
                "variables.by == [request.userInfo.username]",
                f"\"'by' in the annotation {names.ANNOTATION_ACTION} must be the user who writes "
                f'it, once; " + {_YOU} + "."',
            ),
            _validation(
                "variables.action.size() == 1 && variables.action[0] in "
                "['rollback', 'acknowledge', 'promote', 'pause', 'resume', 'abort'] && "
                f"authorizer.group('{GROUP}').resource('modeldeployments')"
                ".namespace(request.namespace).name(object.metadata.name)"
                ".check(variables.action[0]).allowed()",
                "'You may not ' + (variables.action.size() == 1 ? variables.action[0] : 'do that "
                "to') + ' ModelDeployment ' + object.metadata.name + ': it needs the verb of that "
                f"name on modeldeployments; ' + {_YOU} + '. Actions are rollback, acknowledge, "
                "promote, pause, resume and abort.'",
            ),
        ],
        matchConditions=[
            {
                "name": "a-new-action",
                "expression": f"{annotation} != '' && {annotation} != {old}",
            }
        ],
        variables=[
            {"name": "text", "expression": annotation},
            {"name": "parts", "expression": "variables.text.split('\"')"},
            {"name": "by", "expression": value.format("by")},
            {"name": "action", "expression": value.format("action")},
        ],
    )


def _namespace_policy() -> Obj:
    label = f"{{0}}.?metadata.?labels[?'{names.LABEL_POLICY}'].orValue('')"
    return _policy(
        "hallmark-namespace-policy",
        [_rule("", "CREATE UPDATE", "namespaces", "namespaces/status", "namespaces/finalize")],
        [
            _validation(
                f"authorizer.group('{GROUP}').resource('modelpolicies').name(variables.chosen)"
                ".check('use').allowed()",
                "'You may not put namespace ' + object.metadata.name + ' under ModelPolicy ' + "
                f"variables.chosen + ': it needs the verb use on that policy; ' + {_YOU} + '.'",
            )
        ],
        matchConditions=[
            {
                "name": "another-policy",
                "expression": f"{label.format('object')} != {label.format('oldObject')}",
            }
        ],
        variables=[
            {"name": "label", "expression": label.format("object")},
            {
                "name": "chosen",
                "expression": f"variables.label == '' ? '{names.DEFAULT_POLICY}' : variables.label",
            },
        ],
    )


def policies() -> list[tuple[Obj, Obj]]:
    """Return every policy with its binding."""
    alone = [
        _requester_identity(),
        _operator_only(),
        _drift_report(),
        _version_in_use(),
        _guarded("hallmark-guarded-objects", names.LABEL_DEPLOYMENT, "ModelDeployment"),
        _guarded("hallmark-guarded-jobs", names.LABEL_JOB, "TrainingRun"),
        _guarded_templates(),
        _guarded_scale(),
        _service_selectors(),
        _predictor_accounts(),
        _actions(),
        _namespace_policy(),
    ]
    bound = [(policy, _binding(policy["metadata"]["name"])) for policy in alone]
    return [approval_identity(), *bound, _service_endpoints()]


def files() -> dict[str, list[Obj]]:
    """Return the generated files: objects by file name."""
    manifests = {
        f"{policy['metadata']['name'].removeprefix('hallmark-')}.yaml": [policy, binding]
        for policy, binding in policies()
    }
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(manifests),
    }
    return {**manifests, "kustomization.yaml": [kustomization]}


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "manifests/base/admission")
    write_generated(folder, files(), "python -m hallmark.api.admission")
