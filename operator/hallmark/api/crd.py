"""Turn the models of the five kinds into CustomResourceDefinitions.

``python -m hallmark.api.crd`` writes ``crds/*.yaml``. The transformation is pure: pydantic's JSON
schema goes in, a structural schema with a bound on every list, map and string comes out, and
anything that Kubernetes could not enforce raises instead of being weakened.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, NoDefault
from pydantic_core.core_schema import WithDefaultSchema

from hallmark.api.common import Resource
from hallmark.api.conditions import UNSEEN
from hallmark.api.generated import prose, write_generated
from hallmark.api.model_approval import ModelApproval
from hallmark.api.model_deployment import ModelDeployment
from hallmark.api.model_policy import ModelPolicy
from hallmark.api.model_version import ModelVersion
from hallmark.api.texts import GROUP, VERSION
from hallmark.api.training_run import TrainingRun
from hallmark.errors import ConfigurationError

Schema = dict[str, Any]
Column = dict[str, str | int]

_DROPPED = {"title", "$defs"}
_REFUSED = {
    "oneOf",
    "allOf",
    "not",
    "prefixItems",
    "patternProperties",
    "propertyNames",
    "if",
    "$dynamicRef",
}


def _column(name: str, path: str, kind: str = "string", *, wide: bool = False) -> Column:
    column: Column = {"name": name, "type": kind, "jsonPath": path}
    return {**column, "priority": 1} if wide else column


def _condition(name: str, type_: str, part: str = "status", *, wide: bool = False) -> Column:
    return _column(name, f'.status.conditions[?(@.type=="{type_}")].{part}', wide=wide)


_READY = (
    _condition("Ready", "Ready"),
    _condition("Reason", "Ready", "reason"),
)
_MESSAGE = _condition("Message", "Ready", "message", wide=True)
_AGE = _column("Age", ".metadata.creationTimestamp", "date")


@dataclass(frozen=True)
class Kind:
    """The part of a kind's CRD beside its schema.

    Attributes:
        model: the pydantic model.
        plural: the name in URLs and RBAC rules.
        singular: what kubectl takes for one of them.
        short_name: the abbreviation for kubectl.
        columns: what ``kubectl get`` prints.
        selectable: fields for ``--field-selector``.
        namespaced: whether objects live in a namespace.
        scalable: whether there is a ``/scale`` subresource.
    """

    model: type[Resource]
    plural: str
    singular: str
    short_name: str
    columns: tuple[Column, ...]
    selectable: tuple[str, ...] = ()
    namespaced: bool = True
    scalable: bool = False

    @property
    def name(self) -> str:
        """The kind, as manifests write it."""
        return str(self.model.model_fields["kind"].default)


KINDS = (
    Kind(
        TrainingRun,
        "trainingruns",
        "trainingrun",
        "trun",
        (
            _column("Model", ".spec.model"),
            *_READY,
            _column("Quality", ".status.quality"),
            _column("Accuracy", '.status.metrics[?(@.name=="accuracy")].value'),
            _column("Stage", ".status.progress.stage"),
            _column("Percent", ".status.progress.percent", "integer"),
            _MESSAGE,
            _AGE,
        ),
        selectable=(".spec.model",),
    ),
    Kind(
        ModelVersion,
        "modelversions",
        "modelversion",
        "mver",
        (
            _column("Model", ".spec.model"),
            _column("Version", ".spec.version", "integer"),
            _condition("Verified", "Verified"),
            _condition("Approved", "Approved"),
            *_READY,
            _column("Digest", ".spec.artifact.manifestDigest", wide=True),
            _MESSAGE,
            _AGE,
        ),
        selectable=(".spec.model",),
    ),
    Kind(
        ModelApproval,
        "modelapprovals",
        "modelapproval",
        "mapr",
        (
            _column("Version", ".spec.modelVersion.name"),
            _column("Decision", ".spec.decision"),
            _column("Approver", ".spec.approver"),
            *_READY,
            _column("Not-After", ".spec.notAfter", wide=True),
            _MESSAGE,
            _AGE,
        ),
        selectable=(".spec.modelVersion.name", ".spec.decision"),
    ),
    Kind(
        ModelDeployment,
        "modeldeployments",
        "modeldeployment",
        "mdep",
        (
            *_READY,
            _column("Active", ".status.activeModelVersion"),
            _column("Candidate", ".status.candidateModelVersion"),
            _condition("Drift", "DriftDetected"),
            _column("Pods", ".status.readyReplicas", "integer"),
            _column("URL", ".status.url", wide=True),
            _MESSAGE,
            _AGE,
        ),
        selectable=(".spec.model", ".spec.modelVersion"),
        scalable=True,
    ),
    Kind(
        ModelPolicy,
        "modelpolicies",
        "modelpolicy",
        "mpol",
        (
            *_READY,
            _column("Approvals", ".spec.approvals.minimum", "integer"),
            _column("Store", ".spec.store.uri", wide=True),
            _MESSAGE,
            _AGE,
        ),
        namespaced=False,
    ),
)


class _JsonSchema(GenerateJsonSchema):
    """pydantic's generator, and the defaults that come from factories."""

    def get_default_value(self, schema: WithDefaultSchema) -> Any:  # noqa: ANN401 - as inherited
        """Return ``{}`` for a model, so that the API server fills in the defaults inside it."""
        factory: Any = schema.get("default_factory")
        if factory is None:
            return super().get_default_value(schema)
        value = factory()
        if isinstance(value, BaseModel):
            return {}
        return value or NoDefault


def structural(
    schema: Schema, definitions: Schema, path: str, within: tuple[str, ...] = ()
) -> Schema:
    """Return the structural form of one node of a JSON schema.

    Args:
        schema: the node, as pydantic generates it.
        definitions: the ``$defs`` of its document.
        path: where the node stands, for errors.
        within: the definitions that are being inlined around it.

    Returns:
        The node with references inlined and nothing in it that Kubernetes does not take.

    Raises:
        ConfigurationError: the node cannot be said structurally, or it has no bound.
    """
    schema, within = _resolve(schema, definitions, path, within)
    refused = sorted(_REFUSED & schema.keys())
    if refused:
        raise ConfigurationError(f"{path}: {', '.join(refused)} cannot be said in a CRD.")
    node = {key: value for key, value in schema.items() if key not in _DROPPED}
    if "description" in node:
        node["description"] = prose(node["description"])
    if "const" in node:
        node["enum"] = [node.pop("const")]
    if node.get("default", 0) is None:
        del node["default"]
    for bound in ("Minimum", "Maximum"):
        if f"exclusive{bound}" in node:
            node[bound.lower()] = node[f"exclusive{bound}"]
            node[f"exclusive{bound}"] = True
    return _children(node, definitions, path, within)


def _resolve(
    schema: Schema, definitions: Schema, path: str, within: tuple[str, ...]
) -> tuple[Schema, tuple[str, ...]]:
    """Follow ``$ref`` and fold ``anyOf [X, null]``; what stands beside them wins."""
    while "$ref" in schema or "anyOf" in schema:
        beside = {key: value for key, value in schema.items() if key not in {"$ref", "anyOf"}}
        if "$ref" in schema:
            name = str(schema["$ref"]).removeprefix("#/$defs/")
            if name in within:
                raise ConfigurationError(f"{path}: {name} contains itself; a CRD cannot say that.")
            within = (*within, name)
            schema = {**definitions[name], **beside}
            continue
        choices = [choice for choice in schema["anyOf"] if choice.get("type") != "null"]
        if len(choices) != 1:
            raise ConfigurationError(f"{path}: a union of {len(choices)} types is not structural.")
        schema = {**choices[0], **beside}
    return schema, within


def _children(node: Schema, definitions: Schema, path: str, within: tuple[str, ...]) -> Schema:
    match node.get("type"):
        case "object" if "properties" in node:
            if node.pop("additionalProperties", False) is not False:
                raise ConfigurationError(f"{path}: both named and free properties.")
            node["properties"] = {
                name: structural(child, definitions, f"{path}.{name}", within)
                for name, child in node["properties"].items()
            }
        case "object":
            values = node.get("additionalProperties")
            if not isinstance(values, dict):
                raise ConfigurationError(f"{path}: a map must say what its values are.")
            _require(node, path, "maxProperties", "max_length on the dict")
            node["additionalProperties"] = structural(values, definitions, f"{path}[*]", within)
        case "array":
            _require(node, path, "maxItems", "max_length on the list")
            node["items"] = structural(node["items"], definitions, f"{path}[]", within)
        case "string":
            if "enum" not in node:
                _require(node, path, "maxLength", "max_length on the string")
        case "integer" | "boolean":
            pass
        case other:
            raise ConfigurationError(f"{path}: the type {other!r} is not allowed in a kind.")
    return node


def _require(node: Schema, path: str, bound: str, remedy: str) -> None:
    if bound not in node:
        raise ConfigurationError(f"{path}: no {bound}; set {remedy}.")


def _status(node: Schema) -> Schema:
    """Return the status: unseen by default, so that kstatus takes no new object for ready."""
    return {**_without_defaults(node), "default": {"observedGeneration": UNSEEN}}


def _without_defaults(node: Schema) -> Schema:
    """Drop defaults below ``status``: the operator writes what it knows, and nothing else."""
    kept = {key: value for key, value in node.items() if key != "default"}
    if "properties" in kept:
        kept["properties"] = {
            name: _without_defaults(child) for name, child in kept["properties"].items()
        }
    for nested in ("items", "additionalProperties"):
        if isinstance(kept.get(nested), dict):
            kept[nested] = _without_defaults(kept[nested])
    return kept


def open_api_schema(kind: Kind) -> Schema:
    """Return the whole schema of a kind: ``spec`` required, ``status`` unseen by default."""
    document = kind.model.model_json_schema(schema_generator=_JsonSchema)
    definitions = document.get("$defs", {})
    parts = {
        part: structural(document["properties"][part], definitions, f"{kind.name}.{part}")
        for part in ("spec", "status")
    }
    root: Schema = {
        "type": "object",
        "description": prose(document["description"]),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": parts["spec"],
            "status": _status(parts["status"]),
        },
    }
    rules = document.get("x-kubernetes-validations")
    return {**root, "x-kubernetes-validations": rules} if rules else root


def custom_resource_definition(kind: Kind) -> dict[str, Any]:
    """Return the CustomResourceDefinition of a kind."""
    subresources: dict[str, Any] = {"status": {}}
    if kind.scalable:
        subresources["scale"] = {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        }
    version: dict[str, Any] = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [dict(column) for column in kind.columns],
        "subresources": subresources,
        "schema": {"openAPIV3Schema": open_api_schema(kind)},
    }
    if kind.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in kind.selectable]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{GROUP}",
            "labels": {"app.kubernetes.io/part-of": "hallmark"},
        },
        "spec": {
            "group": GROUP,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": {
                "kind": kind.name,
                "listKind": f"{kind.name}List",
                "plural": kind.plural,
                "singular": kind.singular,
                "shortNames": [kind.short_name],
                "categories": ["hallmark"],
            },
            "versions": [version],
        },
    }


def files() -> dict[str, list[dict[str, Any]]]:
    """Return the generated files: objects by file name."""
    definitions = {f"{kind.plural}.yaml": [custom_resource_definition(kind)] for kind in KINDS}
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(definitions),
    }
    return {**definitions, "kustomization.yaml": [kustomization]}


if __name__ == "__main__":
    write_generated(
        Path(sys.argv[1] if len(sys.argv) > 1 else "crds"), files(), "python -m hallmark.api.crd"
    )
