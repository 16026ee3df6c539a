"""Policies about who writes which part of the five kinds."""

from __future__ import annotations

from hallmark.api import names
from hallmark.api.admission.building import (
    IS_BUILT_IN,
    IS_OPERATOR,
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


def operator_only() -> Pair:
    """Return the policy that keeps ModelVersions and every status to the operator."""
    return policy(
        "hallmark-operator-only",
        [
            rule(GROUP, "CREATE UPDATE", "modelversions"),
            rule(
                GROUP,
                "UPDATE",
                "trainingruns/status",
                "modelversions/status",
                "modelapprovals/status",
                "modelpolicies/status",
            ),
        ],
        [
            validation(
                # The garbage collector takes finalizers off.
                f"request.operation == 'UPDATE' && variables.part == '' && ({IS_BUILT_IN})",
                '"Only the operator writes " + request.resource.resource + variables.part + "; " + '
                f'{YOU} + "."',
            )
        ],
        matchConditions=[NOT_OPERATOR],
        variables=[
            {
                "name": "part",
                "expression": "request.?subResource.orValue('') == '' ? '' : "
                "'/' + request.subResource",
            }
        ],
    )


def system_namespace() -> Pair:
    """Return the policy that keeps runs and Deployments away from the operator's keys."""
    return policy(
        "hallmark-system-namespace",
        [rule(GROUP, "CREATE", "trainingruns", "modeldeployments")],
        [
            validation(
                f"request.namespace != '{names.SYSTEM_NAMESPACE}'",
                "'Namespace ' + request.namespace + ' is the operator\\'s own, where its keys are: "
                "no ' + request.resource.resource + ' there; ' + "
                f"{YOU} + '. Use another namespace.'",
            )
        ],
    )


def drift_report() -> Pair:
    """Return the policy that lets a predictor's Pod write its own entry alone."""
    others = (
        "{0}.all(key, key == {1} || key in {2} && {2}[key] == {0}[key]) && "
        "{2}.all(key, key == {1} || key in {0})"
    )
    bins = "{0}.?counts.orValue({{}}).map(name, {0}.counts[name].size()).sum()"
    return policy(
        "hallmark-drift-report",
        [rule(GROUP, "UPDATE", "modeldeployments/status")],
        [
            validation(
                "request.userInfo.username == 'system:serviceaccount:' + request.namespace + ':' "
                "+ request.name + '-predictor'",
                '"Only the operator writes the status, and the predictors of ModelDeployment " + '
                f'request.name + " their drift reports; " + {YOU} + "."',
            ),
            validation(
                "variables.pod != ''",
                '"A drift report needs a token that is bound to a Pod; this one is not."',
            ),
            validation(
                others.format("variables.new", "'drift'", "variables.old"),
                '"A predictor may change status.drift alone; leave the other fields of the status '
                'as they are."',
            ),
            validation(
                others.format("variables.newDrift", "variables.pod", "variables.oldDrift"),
                '"Pod " + variables.pod + " may change its own entry of status.drift alone."',
            ),
            validation(
                "variables.pod in variables.newDrift",
                '"Pod " + variables.pod + " must not remove its entry of status.drift."',
            ),
            validation(
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
        matchConditions=[NOT_OPERATOR],
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


def version_in_use() -> Pair:
    """Return the policy that keeps a version while a ModelDeployment needs it."""
    return policy(
        "hallmark-version-in-use",
        [rule(GROUP, "DELETE", "modelversions")],
        [
            validation(
                "variables.usedBy.size() == 0",
                '"ModelVersion " + oldObject.metadata.name + " is in use: " + '
                'variables.usedBy.join(", ") + " serves it or could roll back to it. Let them '
                'move on or delete them first."',
            )
        ],
        matchConditions=[NOT_TRUSTED],
        variables=[
            {"name": "usedBy", "expression": "oldObject.?status.?usedBy.orValue([])"},
        ],
    )


def unheard_words() -> Pair:
    """Return the policy that keeps a denial or revocation until the operator has heard it.

    One that was deleted before would be lost: by another reviewer, while the operator is away.
    """
    return policy(
        "hallmark-unheard-words",
        [rule(GROUP, "DELETE", "modelapprovals")],
        [
            validation(
                "oldObject.spec.decision in ['Approved', 'Assessed'] || "
                "oldObject.?status.?conditions.orValue([]).exists(shown, shown.type == 'Ready')",
                "'ModelApproval ' + oldObject.metadata.name + ' says ' + oldObject.spec.decision + "
                f"', and the operator has not heard that yet; ' + {YOU} + '. Wait until it shows "
                "Ready: what was denied or revoked stays so without the object.'",
            )
        ],
        matchConditions=[NOT_TRUSTED, NOT_IN_AN_EMERGENCY],
    )


def predictor_accounts() -> Pair:
    """Return the policy that keeps a predictor's ServiceAccount to the predictor's Pods.

    It asks the authorizer whether the account may report drift, so that accounts of other
    programs whose names end alike are left alone.
    """
    return policy(
        "hallmark-predictor-accounts",
        [rule("", "CREATE", "pods", "serviceaccounts/token")],
        [
            validation(
                "!variables.mayReport || (request.resource.resource == 'pods' ? "
                f"object.metadata.?labels[?'{names.LABEL_DEPLOYMENT}'].orValue('') == "
                "variables.deployment : "
                f"{IS_OPERATOR} || {IS_BUILT_IN} || "
                "'system:masters' in request.userInfo.groups)",
                "'ServiceAccount ' + variables.account + ' belongs to the predictors of "
                f"ModelDeployment ' + variables.deployment + ' alone; ' + {YOU} + '.'",
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
