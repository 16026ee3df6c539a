"""Policies about size: nobody makes an object of the five kinds large through its metadata.

A schema bounds the spec; nothing bounds metadata but the 256 KiB that the API server allows for
annotations. An object near etcd's limit takes no status any more, and the operator keeps it in
memory. So everything in metadata has a limit, and what is over it (from before the policy) may
stay and shrink, but not grow.
"""

from __future__ import annotations

from hallmark.api import names
from hallmark.api.admission.building import (
    NOT_OPERATOR,
    YOU,
    Obj,
    Pair,
    policy,
    rule,
    validation,
)
from hallmark.api.texts import GROUP

KINDS = ("trainingruns", "modelversions", "modelapprovals", "modeldeployments", "modelpolicies")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""Where ``kubectl apply`` without ``--server-side`` keeps the whole object as JSON."""

MAX_LABELS = 64
"""The API server bounds a label to 380 bytes."""
MAX_ANNOTATIONS = 64
MAX_ANNOTATION_BYTES = 16_384
MAX_ACTION_BYTES = 4_096
MAX_LAST_APPLIED_BYTES = 65_536
"""Where neither records nor policies stand in the spec."""
MAX_OWNERS = 16
MAX_OWNER_BYTES = 8_192
MAX_FIELD_BYTES = 65_536
"""Of ``managedFields``, once for what is written directly and once for subresources."""
FIELDS_PER_SPEC = 4
"""Every writer's fields repeat the keys of the spec, and the items of its sets."""

_NAME = "request.resource.resource + ' ' + object.metadata.name"
_ACTION = f"{{0}}[?'{names.ANNOTATION_ACTION}'].orValue('')"
_ESCAPED = r"[\x00-\x08\x0b-\x1f<>&\x{2028}\x{2029}]"
"""Characters that are stored as six bytes. JSON as kubectl writes it holds none of them."""
_LARGE = f"['{LAST_APPLIED}', '{names.ANNOTATION_ACTION}']"
"""Annotations with a limit of their own, so that nobody keeps an action out by filling the rest."""
_LAST_APPLIED = f"{{0}}[?'{LAST_APPLIED}'].orValue('')"


def metadata_bounds() -> Pair:
    """Return the policy that bounds the whole of an object's metadata."""
    return policy(
        "hallmark-metadata-bounds",
        [rule(GROUP, "CREATE UPDATE", *KINDS)],
        [*_number_bounds(), *_annotation_bounds(), _finalizers(), *_managed_field_bounds()],
        variables=[
            *_now_and_before("labels", "{0}.?metadata.?labels.orValue({{}})"),
            *_now_and_before("annotations", "{0}.?metadata.?annotations.orValue({{}})"),
            *_now_and_before("finalizers", "{0}.?metadata.?finalizers.orValue([])"),
            *_now_and_before("owners", "{0}.?metadata.?ownerReferences.orValue([])"),
            *_now_and_before("fields", "{0}.?metadata.?managedFields.orValue([])"),
            *_sizes(),
        ],
    )


def field_managers() -> Pair:
    """Return the policy that keeps ``managedFields`` small where a subresource is written.

    Each server-side apply under another name adds an entry, and the policy above sees no scale.
    What a writer of the status says of metadata is not stored, yet its field names are.
    """
    known = ["", "kubectl", "kubectl-edit", "kubectl-patch", "kubectl-replace"]
    return policy(
        "hallmark-field-managers",
        [rule(GROUP, "UPDATE", "modeldeployments/scale", "modeldeployments/status")],
        [
            validation(
                "request.?options.?fieldManager.orValue('') in "
                f"{[*known, names.PREDICTOR_FIELD_MANAGER]}",
                "'Whoever writes the ' + request.subResource + ' of modeldeployments ' + "
                "request.name + ' does so under no fieldManager of his own, found ' + "
                f"request.options.fieldManager + '; ' + {YOU} + '. Leave it out and send a merge "
                "patch or the whole.'",
            ),
            validation(
                "object.?metadata.?managedFields.orValue([]).all(entry, "
                "entry.?subresource.orValue('') == '' || "
                "!entry.?fieldsV1[?'f:metadata'].hasValue() || "
                "entry in oldObject.?metadata.?managedFields.orValue([]))",
                "'Whoever writes the ' + request.subResource + ' of modeldeployments ' + "
                f"request.name + ' sends no metadata with it; ' + {YOU} + '. Leave it out.'",
            ),
        ],
        matchConditions=[NOT_OPERATOR],
    )


def _now_and_before(name: str, expression: str) -> list[Obj]:
    """Return a variable of the object and, with the suffix Before, the same of the old one."""
    return [
        {"name": name, "expression": expression.format("object")},
        {"name": f"{name}Before", "expression": expression.format("oldObject")},
    ]


def _written(*expressions: str) -> str:
    """Return CEL of a text in which values are written out with all they hold.

    ``format`` goes through nested maps, which no other function of CEL can, and costs one unit of
    the budget whatever the size.
    """
    return f"'%s'.format([[{', '.join(expressions)}]])"


def _stored(text: str, escaped: str) -> str:
    """Return CEL of the bytes that a text has as it is stored: ``size`` counts characters."""
    return f"size(bytes({text})) + 5 * {text}.findAll(r'{escaped}').size()"


def _sizes() -> list[Obj]:
    """Return the variables that count, now and before."""
    sizes: dict[str, str] = {}
    for suffix in ("", "Before"):
        annotations = f"variables.annotations{suffix}"
        last_applied, action = (key.format(annotations) for key in (_LAST_APPLIED, _ACTION))
        fields = f"variables.fields{suffix}.filter(entry, entry.?subresource.orValue('')"
        texts = {
            "annotation": _written(annotations),
            "large": _written(last_applied, action),
            "owner": _written(f"variables.owners{suffix}"),
            "field": _written(f"{fields} == '')"),
            "otherField": _written(f"{fields} != '')"),
        }
        for name, text in texts.items():
            sizes[f"{name}Text{suffix}"] = text
            sizes[f"{name}Bytes{suffix}"] = _stored(f"variables.{name}Text{suffix}", "[<>&]")
        sizes |= {
            f"annotationCount{suffix}": f"{annotations}.size() - {_LARGE}.filter(key, "
            f"key in {annotations}).size()",
            f"smallBytes{suffix}": f"variables.annotationBytes{suffix} - "
            f"variables.largeBytes{suffix}",
            f"actionBytes{suffix}": f"size(bytes({action}))",
            f"lastAppliedBytes{suffix}": _stored(last_applied, _ESCAPED),
        }
    now, before = (_ACTION.format(f"variables.annotations{suffix}") for suffix in ("", "Before"))
    sizes["specBytes"] = f"size(bytes({_written('object.?spec.orValue({})')}))"
    # Only there another policy keeps actions to those who may act.
    sizes["acts"] = f"request.resource.resource == 'modeldeployments' && !({now} in ['', {before}])"
    return [{"name": name, "expression": expression} for name, expression in sizes.items()]


def _bound(count: str, before: str, limit: str, what: str, advice: str, unless: str = "") -> Obj:
    """Return the validation that a count is within its limit, or does not grow.

    Args:
        count: CEL of a number.
        before: CEL of the same number for the old object.
        limit: CEL of the largest number.
        what: is counted, for the sentence.
        advice: a sentence that says what to do.
        unless: CEL of what is let through, whatever it counts.
    """
    taken = f"{count} <= {limit} || {count} <= {before}"
    return validation(
        f"{unless} || {taken}" if unless else taken,
        f"{_NAME} + ' would have ' + string({count}) + ' {what}, and may have ' + "
        f"string({limit}) + '; ' + {YOU} + '. {advice}'",
    )


def _number_bounds() -> list[Obj]:
    counts = {
        "labels": ("variables.labels{0}.size()", MAX_LABELS),
        "annotations": ("variables.annotationCount{0}", MAX_ANNOTATIONS),
        "ownerReferences": ("variables.owners{0}.size()", MAX_OWNERS),
    }
    return [
        _bound(count.format(""), count.format("Before"), str(limit), what, "Leave some out.")
        for what, (count, limit) in counts.items()
    ]


def _bytes_bound(name: str, limit: int | str, what: str, advice: str, unless: str = "") -> Obj:
    size = f"variables.{name}"
    return _bound(size, f"{size}Before", str(limit), f"bytes of {what}", advice, unless)


def _annotation_bounds() -> list[Obj]:
    last_applied = (
        "(request.resource.resource in ['trainingruns', 'modelpolicies'] ? 262144 : "
        f"{MAX_LAST_APPLIED_BYTES})"
    )
    return [
        _bytes_bound(
            "smallBytes",
            MAX_ANNOTATION_BYTES,
            "annotations (keys and values)",
            "Keep large texts elsewhere.",
        ),
        _bytes_bound(
            "actionBytes",
            MAX_ACTION_BYTES,
            f"the annotation {names.ANNOTATION_ACTION}",
            "Give a shorter reason.",
        ),
        _bytes_bound(
            "lastAppliedBytes",
            last_applied,
            f"the annotation {LAST_APPLIED}, as it is stored",
            "Use kubectl apply --server-side, which writes none.",
        ),
        _bytes_bound("ownerBytes", MAX_OWNER_BYTES, "ownerReferences", "Leave some out."),
    ]


def _finalizers() -> Obj:
    """Return the validation against finalizers that nobody here would ever take off."""
    own = "['foregroundDeletion', 'orphan']"
    return validation(
        "variables.finalizers.size() <= (variables.finalizersBefore.size() > 2 ? "
        "variables.finalizersBefore.size() : 2) && "
        f"variables.finalizers.all(name, name in {own} || name in variables.finalizersBefore)",
        f"{_NAME} + ' takes no finalizers but those with which Kubernetes deletes "
        "(foregroundDeletion, orphan), found ' + variables.finalizers.filter(name, "
        f"!(name in {own} || name in variables.finalizersBefore))[?0]"
        f".orValue('one of them several times') + '; ' + {YOU} + '. Leave it out.'",
    )


def _managed_field_bounds() -> list[Obj]:
    advice = (
        "Write with fewer field managers, or let metadata.managedFields be one empty entry, "
        "which forgets them all."
    )
    limit = f"({MAX_FIELD_BYTES} + {FIELDS_PER_SPEC} * variables.specBytes)"
    # Each action is written by another person, whose name an author must not keep out.
    return [
        _bytes_bound("fieldBytes", limit, "managedFields", advice, "variables.acts"),
        _bytes_bound("otherFieldBytes", MAX_FIELD_BYTES, "managedFields of subresources", advice),
    ]
