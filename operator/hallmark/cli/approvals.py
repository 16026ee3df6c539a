"""``hallmark approve``, ``deny`` and ``revoke``: a decision on the very version that was read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from hallmark.api.generated import to_yaml
from hallmark.api.model_approval import ModelApprovalSpec, ReviewDecision
from hallmark.api.model_version import ModelVersion
from hallmark.cli.cluster import Place, User, cluster_of, placed, user_name
from hallmark.cli.objects import objects_of
from hallmark.cli.options import DryRun, Reason
from hallmark.cli.review import FromExport, exported, offered, require_shown
from hallmark.cluster.kinds import MODEL_VERSION, Obj
from hallmark.errors import ClusterError, ConfigurationError
from hallmark.files import KEY_BYTES, read_whole
from hallmark.keys import Signer, open_signer
from hallmark.policies.model_version.attestation import attest
from hallmark.policies.model_version.records import final_word, who_decided
from hallmark.resources import decisions
from hallmark.resources.decisions import not_after
from hallmark.token_uri import names_token


@dataclass(frozen=True)
class Said(decisions.Said):
    """What a reviewer says of a version on the command line.

    Attributes:
        key: The file with the approver's key that attests it, if a relay applies it.
    """

    key: Path | None = None


Version = Annotated[str, typer.Argument(metavar="MODELVERSION", help="The ModelVersion's name.")]
Name = Annotated[str | None, typer.Option("--name", help="The ModelApproval's name.")]
Target = Annotated[
    list[str] | None,
    typer.Option("--target", help="A ModelDeployment that may serve it (default: all)."),
]
AttestWith = Annotated[
    Path | None,
    typer.Option(
        "--attest-with",
        help="The approver's private key: a PEM file, or a 'pkcs11:' URI of one in a token. It "
        "signs the decision, so that a relay such as Argo CD may apply it.",
    ),
]
ShownDigest = Annotated[
    str | None,
    typer.Option("--shown", help="The digest that 'hallmark review' or the review page showed."),
]
Approver = Annotated[
    str | None,
    typer.Option("--approver", help="Who decides, with --export: as the ModelPolicy names you."),
]
NotAfter = Annotated[
    str | None,
    typer.Option("--not-after", help="When it ends: 2027-01-31T00:00:00Z, or in 720h."),
]


_AGAINST = {
    ReviewDecision.DENIED: ("deny", "Deny one ModelVersion, for good."),
    ReviewDecision.REVOKED: ("revoke", "Revoke one ModelVersion, for good, also where it serves."),
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(placed(approve))
    for decision, (verb, text) in _AGAINST.items():
        app.command(verb, help=text)(placed(_against(decision)))


def approve(
    place: Place,
    version: Version,
    reason: Reason,
    target: Target = None,
    end: NotAfter = None,
    name: Name = None,
    key: AttestWith = None,
    dry_run: DryRun = False,
    shown: ShownDigest = None,
    export: FromExport = None,
    approver: Approver = None,
) -> None:
    """Approve one ModelVersion: exactly the bytes that its digests name.

    With --export no cluster is asked: it prints the attested object, for Git.
    """
    ends = not_after(end, datetime.now(UTC))
    said = Said(ReviewDecision.APPROVED, reason, tuple(target or ()), ends, name, shown, key=key)
    if export is None:
        if approver is not None:
            raise ConfigurationError("--approver: the cluster says who you are; leave it out.")
        asyncio.run(_decide(place.user, place.namespace, version, said, dry_run))
        return
    if approver is None or key is None:
        raise ConfigurationError(
            "--export: expected --approver and --attest-with too: without a cluster only your key "
            "vouches for your name."
        )
    offer = offered(exported(export, place.asked), version)
    if said.shown_digest is not None:
        require_shown(offer, said.shown_digest)
    typer.echo(to_yaml(model_approval(offer.version, said, approver)), nl=False)


def _against(decision: ReviewDecision) -> Callable[..., None]:
    """Return the command that decides against a version."""

    def run(
        place: Place,
        version: Version,
        reason: Reason,
        name: Name = None,
        key: AttestWith = None,
        dry_run: DryRun = False,
    ) -> None:
        said = Said(decision, reason, name=name, key=key)
        asyncio.run(_decide(place.user, place.namespace, version, said, dry_run))

    return run


async def _decide(user: User, namespace: str, name: str, said: Said, dry_run: bool) -> None:
    async with cluster_of(user) as cluster:
        found = await cluster.get(MODEL_VERSION, namespace, name)
        if found is None:
            raise ClusterError(
                f"Expected a ModelVersion {namespace}/{name}, found none; see which there are: "
                f"kubectl get mver -n {namespace}"
            )
        version = read_version(found)
        require_open(version, said)
        if said.shown_digest is not None:
            objects = await objects_of(cluster, namespace)
            if not objects.hidden:  # Else the operator alone can tell what serves.
                require_shown(offered(objects, name), said.shown_digest)
        approver = await user_name(cluster)
        approval = model_approval(version, said, approver)
        if dry_run:
            typer.echo(to_yaml(approval), nl=False)
            return
        await cluster.create(approval)
    typer.echo(
        f"{said.decision} by {approver}: {version.spec.model} version {version.spec.version} "
        f"({name}, {version.spec.artifact.manifest_digest}).\nSee whether it counts: "
        f"kubectl get mapr {approval['metadata']['name']} -n {namespace}"
    )


def read_version(obj: Obj) -> ModelVersion:
    """Return the ModelVersion that the API server sent.

    Raises:
        ConfigurationError: it has another form than this command line knows.
    """
    try:
        return ModelVersion.model_validate(obj)
    except ValidationError as error:
        name = obj.get("metadata", {}).get("name", "")
        raise ConfigurationError(
            f"ModelVersion {name} has a form that this command does not know; bring the command "
            "and crds/ to the same version."
        ) from error


def require_open(version: ModelVersion, said: Said) -> None:
    """Raise where an approval would change nothing, because the bytes were denied or revoked.

    Raises:
        ConfigurationError: they were; the sentence says by whom.
    """
    final = final_word(version.status.approvals)
    if final is not None and said.decision is ReviewDecision.APPROVED:
        raise ConfigurationError(
            f"Expected a version that may be approved, found '{version.metadata.name}': "
            f"{who_decided(final)} Ask for a new run."
        )


def read_key(path: Path, option: str = "--attest-with") -> Signer:
    """Return the private key in a file that an option names.

    Raises:
        ConfigurationError: it cannot be read, or holds no such key.
    """
    try:
        named = str(path)
        return open_signer(named.encode() if names_token(named) else read_whole(path, KEY_BYTES))
    except OSError as error:
        raise ConfigurationError(
            f"{option}: expected a file with a private key, found that {path} cannot be read "
            f"({type(error).__name__})."
        ) from error


def model_approval(version: ModelVersion, said: Said, approver: str) -> Obj:
    """Return the ModelApproval that says so, attested where there is a key.

    Raises:
        ConfigurationError: what was said does not fit one, or the key cannot be used.
    """
    approval = decisions.model_approval(version, said, approver)
    if said.key is not None:
        decided = ModelApprovalSpec.model_validate(approval["spec"])
        approval["spec"]["attestation"] = attest(read_key(said.key), version.spec.model, decided)
    return approval
