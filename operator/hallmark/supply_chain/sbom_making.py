"""The software bill of materials of a model, made: CycloneDX 1.6, with a model card.

The same inputs give the same bytes: there is no timestamp, and the serial number is derived from
all the rest.
"""

from __future__ import annotations

import functools
import json
import platform
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cyclonedx.contrib.license.exceptions import InvalidSpdxLicenseException
from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.dependency import Dependency
from cyclonedx.model.license import License
from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from hallmark.api.files import MODEL_ONNX
from hallmark.api.model_card import ModelCard
from hallmark.api.report import Report
from hallmark.api.texts import canonical_json
from hallmark.supply_chain.debian import (
    MD5SUMS_PROPERTY,
    DebianPackage,
    debian_links,
    debian_packages,
)
from hallmark.supply_chain.installed import image_wheels, installed_libraries
from hallmark.supply_chain.library import (
    FILES_PROPERTY,
    USED_PROPERTY,
    Library,
    links,
    tops,
    used_by,
)
from hallmark.supply_chain.model_card import DATASET_REF, dataset_card, model_card
from hallmark.supply_chain.serving import serving_libraries

_MODEL_REF = "model"
_PRIVATE_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "sbom.hallmark.dev")


@dataclass(frozen=True)
class Parts:
    """The software that a model is made with and serves with.

    Attributes:
        libraries: Python packages.
        debian: packages of the image's Debian; none outside an image.
        python: the interpreter and its version.
    """

    libraries: tuple[Library, ...]
    debian: tuple[DebianPackage, ...] = ()
    python: str = ""


@functools.cache
def parts_here() -> Parts:
    """Return the software of this process: of its image, or of its interpreter alone.

    Only in an image is the system the one that the model was made with, and no more than that.
    """
    image = image_wheels(Path(sys.prefix)) is not None
    return Parts(
        libraries=used_by(installed_libraries(), serving_libraries(), same_interpreter=not image),
        debian=debian_packages(Path("/")) if image else (),
        python=f"{platform.python_implementation()} {platform.python_version()}",
    )


def build_sbom(
    *,
    model: str,
    run_id: str,
    parts: Parts,
    fingerprint: str,
    report: Report,
    card: ModelCard,
    files: Mapping[str, str],
) -> bytes:
    """Return the bill of materials as canonical JSON.

    Sealing checks it against the schema of CycloneDX (``read_sbom``): the trainer's image does
    not have the validator.

    Args:
        model: The model's name.
        run_id: The run's id; the model component's version.
        parts: The software.
        fingerprint: The dataset's digest.
        report: What was measured; the model card holds its metrics.
        card: What its author says of the model.
        files: Digest (``sha256:...``) by name of the files that the bill describes.
    """
    root = Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=model,
        version=run_id,
        bom_ref=_MODEL_REF,
        hashes=[_hash(files[MODEL_ONNX])] if MODEL_ONNX in files else [],
        properties=[Property(name="hallmark:python", value=parts.python)] if parts.python else [],
    )
    described = [_dataset(fingerprint), *(_file(name, files[name]) for name in sorted(files))]
    used = sorted(parts.libraries, key=lambda library: (library.name, library.version))
    libraries = [_library(library) for library in used]
    packages = sorted(parts.debian, key=lambda package: package.purl)
    system = [_system(package) for package in packages]
    edges, system_edges = links(used), debian_links(packages)
    direct = [
        *described,
        *(libraries[place] for place in tops(edges)),
        *(system[place] for place in tops(system_edges)),
    ]
    bom = Bom(
        components=[*described, *libraries, *system],
        dependencies=[
            _needs(root, direct),
            *(_needs(component, []) for component in described),
            *_graph(libraries, edges),
            *_graph(system, system_edges),
        ],
    )
    bom.metadata.component = root
    bom.metadata.lifecycles.add(PredefinedLifecycle(LifecyclePhase.BUILD))
    bom.metadata.tools.components.add(Component(type=ComponentType.APPLICATION, name="hallmark"))
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    del document["metadata"]["timestamp"], document["serialNumber"]
    # The library knows neither model cards nor what data is yet.
    document["metadata"]["component"]["modelCard"] = model_card(report, card)
    for component in document["components"]:
        if component["bom-ref"] == DATASET_REF:
            component["data"] = [dataset_card(report)]
    seed = canonical_json(document).decode()
    return canonical_json({**document, "serialNumber": uuid.uuid5(_PRIVATE_NAMESPACE, seed).urn})


def _dataset(fingerprint: str) -> Component:
    return Component(
        type=ComponentType.DATA,
        name="training-dataset",
        version=fingerprint,
        bom_ref=DATASET_REF,
        hashes=[_hash(fingerprint)],
    )


def _file(name: str, digest: str) -> Component:
    return Component(
        type=ComponentType.FILE, name=name, bom_ref=f"file:{name}", hashes=[_hash(digest)]
    )


def _library(library: Library) -> Component:
    """Return a package. Words that are no SPDX expression are a licence's name."""
    properties = [Property(name=USED_PROPERTY, value=use) for use in library.used_in]
    if library.files:
        properties.append(Property(name=FILES_PROPERTY, value=library.files))
    return Component(
        type=ComponentType.LIBRARY,
        name=library.name,
        version=library.version or None,
        description=library.summary or None,
        purl=PackageURL.from_string(library.purl),
        bom_ref=library.purl,
        hashes=[_hash(library.wheel)] if library.wheel else [],
        licenses=[LicenseFactory().make_from_string(library.licence)] if library.licence else [],
        properties=properties,
    )


def _system(package: DebianPackage) -> Component:
    listed = package.md5sums
    properties = [Property(name=MD5SUMS_PROPERTY, value=listed)] if listed else []
    return Component(
        type=ComponentType.LIBRARY,
        name=package.name,
        version=package.version,
        purl=PackageURL.from_string(package.purl),
        bom_ref=package.purl,
        licenses=[_named(name) for name in package.licences],
        properties=properties,
    )


@functools.lru_cache(maxsize=1024)
def _named(name: str) -> License:
    """Return a licence that has one name; Debian's differ from SPDX's here and there."""
    try:
        return LicenseFactory().make_with_id(name)
    except InvalidSpdxLicenseException:
        return LicenseFactory().make_with_name(name)


def _hash(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest.removeprefix("sha256:"))


def _needs(component: Component, needed: Sequence[Component]) -> Dependency:
    return Dependency(component.bom_ref, [Dependency(found.bom_ref) for found in needed])


def _graph(components: Sequence[Component], edges: Sequence[Sequence[int]]) -> list[Dependency]:
    return [
        _needs(component, [components[place] for place in needed])
        for component, needed in zip(components, edges, strict=True)
    ]
