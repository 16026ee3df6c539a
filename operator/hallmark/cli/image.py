"""``hallmark image``: an image that serves one version by itself."""

from __future__ import annotations

import hashlib
import re
import shlex
import subprocess
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hallmark.api.artifacts import Manifest
from hallmark.api.drift import Drift
from hallmark.api.trust import Trust
from hallmark.cli.extra import needs_the_extra
from hallmark.cli.output import say
from hallmark.cli.reproducing import chosen
from hallmark.cli.verifying import State
from hallmark.errors import ConfigurationError
from hallmark.files import read_whole

if TYPE_CHECKING:
    from hallmark.local.image import Read

_BASE = re.compile(r"([a-z0-9][A-Za-z0-9._/:-]*)@sha256:([a-f0-9]{64})")
_TAG = re.compile(r"[a-z0-9][A-Za-z0-9._/:-]*")
_TRUST_BYTES = 4 << 20


class Engine(StrEnum):
    """What builds images."""

    DOCKER = "docker"
    PODMAN = "podman"
    BUILDAH = "buildah"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(image)


def image(
    name: Annotated[
        str,
        typer.Argument(metavar="VERSION", help="A version, or MODEL/VERSION by name or number."),
    ],
    folder: Annotated[Path, typer.Argument(help="A new folder: the build's context.")],
    state: State = None,
    bundle: Annotated[
        Path | None,
        typer.Option(help="The version's folder in an export or a store, with --trust-file."),
    ] = None,
    trust_file: Annotated[
        Path | None,
        typer.Option(
            "--trust-file", help="trust.json of the ConfigMap '<deployment>-trust-...' for it."
        ),
    ] = None,
    build: Annotated[
        Engine | None, typer.Option("--build", help="Build it too, with this.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option("--base", help="The predictor's image by digest: NAME@sha256:HEX."),
    ] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="What the image is called.")] = None,
) -> None:
    """Write what an image needs that serves one version by itself, and build it with --build.

    The predictor's own checks come first: seal, approvals, bytes. The Dockerfile is the sealed one.
    """
    if (build or base is not None) and not _BASE.fullmatch(base or ""):
        raise ConfigurationError(
            f"--base: expected the predictor's image by digest (NAME@sha256: and 64 hex digits), "
            f"found {base or 'none'!r}; a tag can be moved to other bytes."
        )
    if tag is not None and not _TAG.fullmatch(tag):
        raise ConfigurationError(f"--tag: expected an image's name, found {tag!r}.")
    with needs_the_extra():
        from hallmark.local.image import context, write_context
    document, read = _source(name, state, bundle, trust_file)
    files = context(document, read, datetime.now(UTC))
    trust = Trust.model_validate_json(document)
    _require_named(name, trust)
    write_context(folder, files)
    digest = hashlib.sha256(trust.manifest.encode()).hexdigest()
    command = _command(build or Engine.DOCKER, folder, digest, base or "NAME@sha256:HEX", tag)
    if build is None:
        say(f"{folder}: {len(files)} files. Build it: {shlex.join(command)}")
        return
    try:
        ended = subprocess.run(command, check=False).returncode  # noqa: S603 - each part was checked
    except OSError as error:
        raise ConfigurationError(f"{build.value} cannot be run ({error.strerror}).") from error
    if ended != 0:
        raise ConfigurationError(f"The image was not built; {build.value} has said why.")


def _command(engine: Engine, folder: Path, digest: str, base: str, tag: str | None) -> list[str]:
    """Return the command that builds: no shell reads it."""
    name, _, sha256 = base.partition("@sha256:")
    # OCI's own form has no place for a health check.
    start = [engine.value, "build", *([] if engine is Engine.DOCKER else ["--format", "docker"])]
    given = {"BASE": name, "BASE_SHA256": sha256, "MANIFEST_SHA256": digest}
    options = [part for key, value in given.items() for part in ("--build-arg", f"{key}={value}")]
    return [*start, *options, *(["--tag", tag] if tag else []), str(folder)]


def _require_named(asked: str, trust: Trust) -> None:
    """Refuse a trust file that is about another version than the one that was named."""
    model, slash, version = asked.rpartition("/")
    own = Manifest.model_validate_json(trust.manifest).model
    numbered = version == str(trust.version) if slash else False
    if (slash and model != own) or not (version == trust.model_version or numbered):
        raise ConfigurationError(
            f"Expected the trust file of '{asked}', found that of {own}/{trust.model_version} "
            f"(number {trust.version})."
        )


def _source(
    name: str, state: Path | None, bundle: Path | None, trust_file: Path | None
) -> tuple[bytes, Read]:
    if state is not None and bundle is None and trust_file is None:
        return _of_folder(name, state)
    if state is not None or bundle is None or trust_file is None:
        raise ConfigurationError(
            "Expected --state for a chain of 'hallmark local', or --bundle and --trust-file."
        )
    from hallmark.local.image import require_not_rejected
    from hallmark.verification.files import FolderFiles

    try:
        document = read_whole(trust_file, _TRUST_BYTES)
    except OSError as error:
        raise ConfigurationError(f"{trust_file} cannot be read ({error.strerror}).") from error
    # In an export the bundle lies in models/<namespace>.<model>/<digest>.
    require_not_rejected(document, FolderFiles((bundle / "../../..").resolve()))
    return document, FolderFiles(bundle).read


def _of_folder(name: str, state: Path) -> tuple[bytes, Read]:
    from hallmark.api.files import MANIFEST
    from hallmark.local.folder import Folder
    from hallmark.local.image import require_standing
    from hallmark.local.reviews import looked_at
    from hallmark.policies.model_deployment.trust import trust_here
    from hallmark.supply_chain.manifest_form import MAX_BYTES
    from hallmark.verification.bundle import folder_of
    from hallmark.verification.files import FolderFiles

    folder = Folder(state)
    registry = folder.read()
    version, _ = looked_at(folder, registry, chosen(registry.versions, name))
    require_standing(version)
    files = FolderFiles(state / folder_of(version))
    manifest = (files.read(MANIFEST, MAX_BYTES) or b"").decode(errors="replace")
    model = version.spec.model
    deployment = registry.deployment(model)
    drift = deployment.spec.drift if deployment else Drift()
    now, policy = datetime.now(UTC), registry.policy.spec
    return trust_here(version, policy, manifest, model, drift, now).to_bytes(), files.read
