"""Policies about annotations in which people speak to the operator: actions, acknowledgements.

CEL reads no JSON. Such a text must be one flat object of known keys, with values that hold neither
quotes nor backslashes; cut at its quotes, every fourth part is then a key, and the value of a key
stands two parts behind it.
"""

from __future__ import annotations

from hallmark.api import names
from hallmark.api.admission.building import (
    IS_BUILT_IN,
    NOT_OPERATOR,
    YOU,
    Obj,
    Pair,
    policy,
    rule,
    validation,
)
from hallmark.api.model_deployment import ActionName
from hallmark.api.texts import GROUP

_ACTIONS = tuple(ActionName)
_NAMED = ", ".join(_ACTIONS[:-1]) + f" and {_ACTIONS[-1]}"

_MOMENT = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?Z$"


def _is_flat(keys: tuple[str, ...], least: int) -> str:
    """Return CEL: ``variables.text`` is one flat JSON object with so many of the keys."""
    pair = rf'"({"|".join(keys)})" ?: ?"[^"\\\\\\x00-\\x1f]*"'
    more = f"{{{least - 1},{len(keys) - 1}}}"
    return f"variables.text.matches('^[{{] ?{pair}(, ?{pair}){more} ?[}}]$')"


def _values(key: str, keys: tuple[str, ...], parts: str = "variables.parts") -> str:
    """Return CEL: the values that a flat text gives a key, in a list."""
    places = [1 + 4 * number for number in range(len(keys))]
    return (
        f"{places}.filter(at, at < {parts}.size() && {parts}[at] == '{key}')"
        f".map(at, {parts}[at + 2])"
    )


def actions() -> Pair:
    """Return the policy that binds an action to who asks, and keeps it until it has run."""
    keys = ("id", "action", "target", "by", "reason", "until")
    annotation = f"?metadata.?annotations[?'{names.ANNOTATION_ACTION}'].orValue('')"
    new, old = (
        f"object.{annotation}".replace(".?metadata", ".metadata", 1),
        f"oldObject.{annotation}",
    )
    none = "variables.text == '' || "
    mdep = "ModelDeployment ' + object.metadata.name + '"
    return policy(
        "hallmark-actions",
        [rule(GROUP, "CREATE UPDATE", "modeldeployments")],
        [
            validation(
                none + _is_flat(keys, 2),
                f"'The annotation {names.ANNOTATION_ACTION} must be one JSON object of id, action, "
                "by, reason, target and until, with texts that hold no quotes and no backslashes, "
                'such as {"action":"rollback","by":"you","id":"1","reason":"..."}\'',
            ),
            validation(
                none + "variables.by == [request.userInfo.username]",
                f"\"'by' in the annotation {names.ANNOTATION_ACTION} must be the user who writes "
                f'it, once; " + {YOU} + "."',
            ),
            validation(
                none + "variables.action.size() == 1 && variables.action[0] in "
                f"{[action.value for action in _ACTIONS]} && "
                f"authorizer.group('{GROUP}').resource('modeldeployments')"
                ".namespace(request.namespace).name(object.metadata.name)"
                ".check(variables.action[0]).allowed()",
                "'You may not ' + (variables.action.size() == 1 ? variables.action[0] : 'do that "
                f"to') + ' {mdep}: it needs the verb of that "
                f"name on modeldeployments; ' + {YOU} + '. Actions are {_NAMED}.'",
            ),
            validation(
                none + "variables.id.size() == 1 && "
                "variables.id[0].matches('^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$')",
                f"\"'id' in the annotation {names.ANNOTATION_ACTION} must be there once: 1 to 64 "
                "letters, digits, dots, colons, dashes and underscores, the first one a letter or "
                'a digit."',
            ),
            validation(
                none + "variables.target.size() <= 1 && variables.reason.size() <= 1 && "
                "variables.target.all(text, text.size() <= 63) && "
                "variables.reason.all(text, text.size() <= 256)",
                f"\"In the annotation {names.ANNOTATION_ACTION}, 'target' (at most 63 characters) "
                "and 'reason' (at most 256) may be there once.\"",
            ),
            validation(
                none + "(variables.action == ['hold'] ? variables.until.size() == 1 && "
                f"variables.until[0].matches('{_MOMENT}') && variables.reason.size() == 1 && "
                "variables.reason[0].matches('[^ ]') : variables.until.size() == 0)",
                f"\"In the annotation {names.ANNOTATION_ACTION}, a hold needs 'until', a moment "
                "such as 2030-01-31T12:00:00Z, and a 'reason', each once; no other action has "
                "an 'until'.\"",
            ),
            validation(
                none + "variables.id.size() != 1 || !(variables.id[0].lowerAscii() in "
                "variables.used)",
                f"'The id ' + variables.id[0] + ' was used before on {mdep}: each action runs "
                "once. Take a new id.'",
            ),
            validation(
                none + "!has(object.metadata.deletionTimestamp)",
                f"'{mdep} is being deleted: no action runs on it any more.'",
            ),
            validation(
                "variables.old == '' || (variables.oldId.size() == 1 && "
                "variables.oldId[0] == variables.last) || "
                f"variables.last.startsWith('{names.UNREADABLE}')",
                "'The action ' + (variables.oldId.size() == 1 ? variables.oldId[0] : 'that stands "
                f"there') + ' of {mdep} has not run yet, and would be lost: wait until "
                f"status.lastAction names it, then ask again; ' + {YOU} + '.'",
            ),
        ],
        matchConditions=[{"name": "another-action", "expression": f"{new} != {old}"}],
        variables=[
            {"name": "text", "expression": new},
            {"name": "old", "expression": old},
            {"name": "parts", "expression": "variables.text.split('\"')"},
            {"name": "oldParts", "expression": "variables.old.split('\"')"},
            *({"name": key, "expression": _values(key, keys)} for key in keys),
            {"name": "oldId", "expression": _values("id", keys, "variables.oldParts")},
            {
                "name": "last",
                "expression": "oldObject.?status.?lastAction.?id.orValue('')",
            },
            {
                "name": "used",
                "expression": "oldObject.?status.?actionIDs.orValue([]) + "
                "[variables.last.lowerAscii()]",
            },
        ],
    )


def audit_anchor() -> Pair:
    """Return the policy that keeps the audit log's anchor to the operator.

    A person may do one thing to it: say in an annotation that a break was looked at.
    """
    keys = ("break", "by", "reason")
    mark = f"'{names.ANNOTATION_ACKNOWLEDGE}'"
    others = (
        "variables.{0}.all(key, key == "
        + mark
        + " || key in variables.{1} && variables.{1}[key] == variables.{0}[key])"
    )
    same = (
        "metadata.?labels",
        "metadata.?finalizers",
        "metadata.?ownerReferences",
        "?data",
        "?binaryData",
        "?immutable",
    )
    unchanged = " && ".join(f"object.{part} == oldObject.{part}" for part in same)
    return policy(
        names.AUDIT_ANCHOR_POLICY,
        [rule("", "CREATE UPDATE DELETE", "configmaps")],
        [
            validation(
                "request.operation == 'UPDATE' || "
                f"request.operation == 'DELETE' && ({IS_BUILT_IN})",
                f"'ConfigMap {names.AUDIT_ANCHOR} says how far the audit log reached: only the "
                f"operator makes it and nobody deletes it; ' + {YOU} + '.'",
            ),
            validation(
                f"request.operation != 'UPDATE' || {unchanged} && "
                f"{others.format('new', 'old')} && {others.format('old', 'new')}",
                f"'Only the operator changes ConfigMap {names.AUDIT_ANCHOR}; a person may write "
                f"the annotation {names.ANNOTATION_ACKNOWLEDGE} alone; ' + {YOU} + '.'",
            ),
            validation(
                f"request.operation != 'UPDATE' || variables.text == '' || ({_is_flat(keys, 3)} && "
                "variables.by == [request.userInfo.username] && "
                "variables.broken.size() == 1 && variables.reason.size() == 1 && "
                "variables.reason[0].size() > 0 && variables.reason[0].size() <= 512)",
                f"'The annotation {names.ANNOTATION_ACKNOWLEDGE} must be one JSON object of break, "
                "by (you) and reason, each once, with texts that hold no quotes and no "
                f"backslashes; ' + {YOU} + '.'",
            ),
            validation(
                "request.operation != 'UPDATE' || variables.text == variables.oldText || "
                f"authorizer.group('{GROUP}').resource('auditlogs').check('acknowledge').allowed()",
                "'You may not acknowledge a break of the audit log: it needs the verb acknowledge "
                f"on auditlogs; ' + {YOU} + '.'",
            ),
        ],
        matchConditions=[
            NOT_OPERATOR,
            {
                "name": "the-anchor",
                "expression": f"request.namespace == '{names.SYSTEM_NAMESPACE}' && "
                "(request.operation == 'DELETE' ? oldObject : object).metadata.name == "
                f"'{names.AUDIT_ANCHOR}'",
            },
        ],
        variables=_anchor_variables(keys, mark),
    )


def _anchor_variables(keys: tuple[str, ...], mark: str) -> list[Obj]:
    annotations = "request.operation == 'UPDATE' ? {0}.metadata.?annotations.orValue({1}) : {1}"
    return [
        {"name": "new", "expression": annotations.format("object", "{}")},
        {"name": "old", "expression": annotations.format("oldObject", "{}")},
        {"name": "text", "expression": f"variables.new[?{mark}].orValue('')"},
        {"name": "oldText", "expression": f"variables.old[?{mark}].orValue('')"},
        {"name": "parts", "expression": "variables.text.split('\"')"},
        {"name": "by", "expression": _values("by", keys)},
        {"name": "broken", "expression": _values("break", keys)},
        {"name": "reason", "expression": _values("reason", keys)},
    ]
