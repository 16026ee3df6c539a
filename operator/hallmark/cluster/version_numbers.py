"""The number of a model's next version: from a ConfigMap, so that it is never given twice."""

from __future__ import annotations

import re

from hallmark.api import names
from hallmark.cluster.cache import ObjectCache
from hallmark.cluster.cluster import ApiError, Cluster, ForeignObject
from hallmark.cluster.kinds import CONFIG_MAP, MODEL_VERSION, Obj
from hallmark.cluster.ownership import same_owner
from hallmark.resources.labels import standard_labels

ATTEMPTS = 8
_KEY = "highest"
_NUMBER = re.compile(r"[0-9]{1,9}")


async def reserve_version(
    cluster: Cluster, cache: ObjectCache, namespace: str, model: str
) -> int | ForeignObject:
    """Return a number that no version of the model has had, and remember it.

    A ConfigMap of that name that somebody else made is not touched: admission lets only the
    operator write one that carries its labels.

    What was reserved stays taken even when nothing comes of it: gaps may be, repeats never. The
    versions that exist count as well, in case somebody deleted or lowered the ConfigMap.

    Raises:
        ApiError: others reserved numbers all the time, or the API server failed.
    """
    name = f"{model}-versions"
    for _ in range(ATTEMPTS):
        found = await cluster.get(CONFIG_MAP, namespace, name)
        if found is not None and not same_owner(found, _config_map(namespace, name, model, 0)):
            return ForeignObject(CONFIG_MAP.kind, namespace, name)
        number = 1 + max(_read(found), _highest_in_use(cache, namespace, model))
        try:
            if found is None:
                await cluster.create(_config_map(namespace, name, model, number))
            else:
                precondition = {"resourceVersion": found["metadata"]["resourceVersion"]}
                patch = {"metadata": precondition, "data": {_KEY: str(number)}}
                await cluster.merge(CONFIG_MAP, namespace, name, patch)
        except ApiError as error:
            if error.status != 409:
                raise
            continue
        return number
    raise ApiError(f"Could not reserve a version number in ConfigMap '{name}'.", 409, "Conflict")


def _highest_in_use(cache: ObjectCache, namespace: str, model: str) -> int:
    versions = cache.objects("model", namespace, model, kind=MODEL_VERSION)
    return max((version["spec"]["version"] for version in versions), default=0)


def _read(found: Obj | None) -> int:
    text = ((found or {}).get("data") or {}).get(_KEY, "0")
    return int(text) if _NUMBER.fullmatch(text) else 0


def _config_map(namespace: str, name: str, model: str, number: int) -> Obj:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {**standard_labels(model, "versions"), names.LABEL_MODEL: model},
        },
        "data": {_KEY: str(number)},
    }
