"""Policies about what people say: who approves, asks, acts and chooses a policy."""

from __future__ import annotations

from hallmark.api import names
from hallmark.api.admission.building import YOU, Pair, policy, rule, validation
from hallmark.api.texts import GROUP


def approval_identity() -> Pair:
    """Return the policy and the binding that vouch for an approver's name."""
    version = (
        f"authorizer.group('{GROUP}').resource('modelversions').namespace(request.namespace)"
        ".name(object.spec.modelVersion.name)"
    )
    return policy(
        names.APPROVAL_IDENTITY_POLICY,
        [rule(GROUP, "CREATE", "modelapprovals")],
        [
            validation(
                "variables.isRelayed || object.spec.approver == request.userInfo.username",
                f"\"'approver' must be the user who creates the approval: \" + {YOU} + "
                '", found " + object.spec.approver + ". Only a relay (verb relay-approval) may '
                "name another, with that person's attestation.\"",
            ),
            validation(
                f"variables.isRelayed || {version}.check('approve').allowed()",
                '"You may not decide on ModelVersion " + object.spec.modelVersion.name + ": " + '
                f'{YOU} + ", who lacks the verb approve on modelversions in namespace " + '
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


def requester_identity() -> Pair:
    """Return the policy that vouches for a requester's name, or for the relay's who declares it."""
    relay = f"'{names.ANNOTATION_RELAY}'"
    annotation = "object.metadata.?annotations[?{0}].orValue('')"
    return policy(
        names.REQUESTER_IDENTITY_POLICY,
        [rule(GROUP, "CREATE UPDATE", "trainingruns")],
        [
            validation(
                "request.operation != 'CREATE' || variables.isOwn || "
                f"authorizer.group('{GROUP}').resource('trainingruns')"
                ".namespace(request.namespace).check('relay-request').allowed()",
                f'"\'requestedBy\' must be the user who creates the run: " + {YOU} + ", found " '
                '+ object.spec.requestedBy + ". Only a relay (verb relay-request) may name '
                'another."',
            ),
            validation(
                "request.operation != 'CREATE' || "
                "variables.relay == (variables.isOwn ? '' : request.userInfo.username)",
                f'"The annotation {names.ANNOTATION_RELAY} must be the user who creates the run '
                f'where it names another requester, and on no other run; " + {YOU} + "."',
            ),
            validation(
                "request.operation == 'CREATE' || variables.relay == "
                + annotation.format(relay).replace("object", "oldObject", 1),
                f'"The annotation {names.ANNOTATION_RELAY} cannot change."',
            ),
        ],
        variables=[
            {
                "name": "isOwn",
                "expression": "object.spec.requestedBy == request.userInfo.username",
            },
            {"name": "relay", "expression": annotation.format(relay)},
        ],
    )


def namespace_policy() -> Pair:
    """Return the policy that has a namespace put under a ModelPolicy by who may use that."""
    label = f"{{0}}.?metadata.?labels[?'{names.LABEL_POLICY}'].orValue('')"
    return policy(
        "hallmark-namespace-policy",
        [rule("", "CREATE UPDATE", "namespaces", "namespaces/status", "namespaces/finalize")],
        [
            validation(
                f"authorizer.group('{GROUP}').resource('modelpolicies').name(variables.chosen)"
                ".check('use').allowed()",
                "'You may not put namespace ' + object.metadata.name + ' under ModelPolicy ' + "
                f"variables.chosen + ': it needs the verb use on that policy; ' + {YOU} + '.'",
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
