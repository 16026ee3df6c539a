"""Policies about HTTPRoutes: who has one made, and that nobody leads ours to other Pods."""

from __future__ import annotations

from hallmark.api import names
from hallmark.api.admission.building import NOT_TRUSTED, YOU, Pair, policy, rule, validation
from hallmark.api.route import GROUP as GATEWAY_GROUP
from hallmark.api.texts import GROUP


def route_authors() -> Pair:
    """Return the policy that has an HTTPRoute made for those who may make one themselves.

    Else an author of ModelDeployments could take a hostname of the cluster's Gateway through the
    operator.
    """
    route = "{0}.?spec.?strategy.?canary.?route"
    new, old = route.format("object"), route.format("oldObject")
    return policy(
        "hallmark-route-authors",
        [rule(GROUP, "CREATE UPDATE", "modeldeployments")],
        [
            validation(
                f"authorizer.group('{GATEWAY_GROUP}').resource('httproutes')"
                ".namespace(request.namespace).check('create').allowed()",
                "'spec.strategy.canary.route has an HTTPRoute made in namespace ' + "
                "request.namespace + ': it needs the right to create httproutes of "
                f"{GATEWAY_GROUP} there; ' + {YOU} + '.'",
            )
        ],
        matchConditions=[
            {"name": "another-route", "expression": f"{new}.hasValue() && {new} != {old}"}
        ],
    )


def guarded_routes() -> Pair:
    """Return the policy that guards the HTTPRoutes that the operator made or would watch.

    Their status is the gateways', and so are finalizers and annotations: a controller keeps what
    it knows there.
    """
    ours = (
        "({0} != null && {0}.metadata.?labels.orValue({{}}).exists(label, "
        f"label == '{names.LABEL_DEPLOYMENT}' || label == '{names.LABEL_MANAGED_BY}' && "
        f"{{0}}.metadata.labels[label] == '{names.MANAGED_BY}'))"
    )
    kept = " && ".join(
        f"object.{part} == oldObject.{part}"
        for part in ("spec", "metadata.?labels", "metadata.?ownerReferences")
    )
    may_delete = (
        f"authorizer.group('{GROUP}').resource('modeldeployments').namespace(request.namespace)"
        f".check('{names.VERB_CLEAN_UP}').allowed()"
    )
    return policy(
        "hallmark-guarded-routes",
        [rule(GATEWAY_GROUP, "CREATE UPDATE DELETE", "httproutes")],
        [
            validation(
                f"request.operation == 'UPDATE' && {kept} || "
                f"request.operation == 'DELETE' && {may_delete}",
                "'HTTPRoute ' + request.name + ' in namespace ' + request.namespace + ' carries "
                f"the label {names.LABEL_DEPLOYMENT}, or {names.LABEL_MANAGED_BY}: "
                f"{names.MANAGED_BY}: only the operator creates, changes and deletes it; ' + "
                f"{YOU} + '. Change spec.strategy.canary.route of the ModelDeployment instead. "
                f"(Deleting it needs the verb {names.VERB_CLEAN_UP} on modeldeployments.)'",
            )
        ],
        matchConditions=[
            NOT_TRUSTED,
            {
                "name": "ours",
                "expression": f"{ours.format('object')} || {ours.format('oldObject')}",
            },
        ],
    )
