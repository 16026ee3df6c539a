"""``hallmark deploy``, ``predict`` and ``drift``: what serves, asked and asked about."""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Annotated, Any

import typer

from hallmark.api.generated import to_yaml
from hallmark.api.model_deployment import ModelDeployment, ModelDeploymentSpec, RollbackMode
from hallmark.api.texts import API_VERSION, clip
from hallmark.cli.cluster import Place, cluster_of, placed
from hallmark.cli.exits import ExitCode
from hallmark.cli.files import read_bounded
from hallmark.cli.objects import get_deployment, parsed_or_raise, standing_of
from hallmark.cli.options import DryRun
from hallmark.cli.output import Format, Output, console, plain, print_as, print_table, say, state
from hallmark.cli.waiting import Deadline, Timeout, Wait, until, wait_for
from hallmark.cluster.cluster import CONFLICT, ApiError, Cluster
from hallmark.cluster.kinds import MODEL_DEPLOYMENT, SERVICE, Obj
from hallmark.drift.budget import spent
from hallmark.errors import ClusterError, ConfigurationError
from hallmark.resources.decisions import checked

Deployment = Annotated[
    str, typer.Argument(metavar="MODELDEPLOYMENT", help="The ModelDeployment's name.")
]
_MAX_BODY = 8 << 20
_SECONDS = 30


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (deploy, predict, drift):
        app.command()(placed(command))


def deploy(
    place: Place,
    name: Deployment,
    model: Annotated[
        str | None, typer.Option(help="Follow the newest approved version of this model.")
    ] = None,
    version: Annotated[str | None, typer.Option(help="Serve this ModelVersion alone.")] = None,
    replicas: Annotated[int | None, typer.Option(help="How many Pods serve.")] = None,
    bake: Annotated[
        str | None, typer.Option(help="How long it must stay healthy to be stable.")
    ] = None,
    window: Annotated[int | None, typer.Option(help="Rows in a drift window.")] = None,
    threshold: Annotated[str | None, typer.Option(help="The PSI above which it drifts.")] = None,
    rollback: Annotated[RollbackMode | None, typer.Option(help="Who decides on it.")] = None,
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout: Timeout = "10m",
) -> None:
    """Serve a model: create a ModelDeployment, or change what is named of one.

    With --wait, exit code 0: it serves; 10: it is stopped; 3: it waits, for example for approval.
    """
    changes = _changes(model, version, replicas, rollback, bake, window, threshold)
    asyncio.run(_deploy(place, name, changes, until(timeout, wait=wait), dry_run=dry_run))


def _changes(
    model: str | None,
    version: str | None,
    replicas: int | None,
    rollback: RollbackMode | None,
    bake: str | None,
    window: int | None,
    threshold: str | None,
) -> dict[str, Any]:
    """Return the part of a spec that was named; the other way to choose a version goes."""
    if model and version:
        raise ConfigurationError(
            "Expected --model (follows the newest approved version) or --version, found both."
        )
    chosen: dict[str, Any] = {}
    if model:
        chosen = {"model": model, "modelVersion": None}
    if version:
        chosen = {"model": None, "modelVersion": version}
    parts: dict[str, Any] = {
        **chosen,
        "replicas": replicas,
        "rollback": rollback.value if rollback else None,
        "strategy": {"bake": bake} if bake else None,
        "drift": _named(window=window, threshold=threshold) or None,
    }
    return {key: value for key, value in parts.items() if value is not None or key in chosen}


def _named(**values: object) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None}


async def _deploy(
    place: Place, name: str, changes: dict[str, Any], end: Deadline, *, dry_run: bool
) -> None:
    namespace = place.namespace
    new = {key: value for key, value in changes.items() if value is not None}
    new = new if "model" in new or "modelVersion" in new else {"model": name, **new}
    checked(ModelDeploymentSpec, **new)
    obj = {
        "apiVersion": API_VERSION,
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": new,
    }
    if dry_run:
        typer.echo(to_yaml(obj), nl=False)
        return
    async with cluster_of(place.user) as cluster:
        written = await _write(cluster, obj, changes)
        say(f"{written} ModelDeployment {namespace}/{name}.")
        if end is None:
            say(f"See what it does: hallmark explain mdep/{name}{place.option}")
            return
        await _settled(cluster, namespace, name, end)


async def _write(cluster: Cluster, obj: Obj, changes: dict[str, Any]) -> str:
    """Create the object, or merge what was named into the one that is there."""
    metadata = obj["metadata"]
    try:
        await cluster.create(obj)
    except ApiError as error:
        if error.status != CONFLICT:
            raise
        if not changes:
            return "There is already, unchanged:"
        await cluster.merge(
            MODEL_DEPLOYMENT, metadata["namespace"], metadata["name"], {"spec": changes}
        )
        return "Changed"
    return "Created"


async def _settled(cluster: Cluster, namespace: str, name: str, end: Deadline) -> None:
    told = ""

    def look(obj: Obj) -> ModelDeployment | None:
        nonlocal told
        found = parsed_or_raise(ModelDeployment, obj)
        now = standing_of(found.status)
        line = plain(f"{now.reason}: {now.message}")
        if line != told:
            console(stderr=True).print(line)
        told = line
        seen = found.status.observed_generation == found.metadata.generation
        return found if seen and now.kind in {"good", "stopped"} else None

    found = await wait_for(cluster, MODEL_DEPLOYMENT, namespace, name, look, end)
    now = standing_of(found.status)
    if now.kind != "good":
        raise typer.Exit(ExitCode.REFUSED)
    say(f"{name}: {found.status.active_model_version} serves at {found.status.url}.", "green")


def predict(
    place: Place,
    name: Deployment,
    data: Annotated[
        str,
        typer.Option(
            "--data", "-d", help="A row or {'instances': [...]} as JSON; @FILE; - for input."
        ),
    ],
    url: Annotated[
        str | None,
        typer.Option(help="Ask this address, such as of a port-forward, not the API server."),
    ] = None,
    output: Output = Format.JSON,
) -> None:
    """Ask a model for a prediction, through the API server's proxy to its Service.

    That needs the right to 'create services/proxy' in the namespace, as the role hallmark-caller
    has it. Exit code 10: the predictor refused the rows.
    """
    body = _request(_read(data))
    if url:
        answer = _predictions(name, *_post(url.rstrip("/") + "/predict", body))
    else:
        answer = _predictions(name, *asyncio.run(_through_proxy(place, name, body)))
    if output is Format.TABLE:
        rows = [
            (found["label"], *(f"{value:.4f}" for value in found["probabilities"].values()))
            for found in answer.get("predictions", [])
        ]
        first = (answer.get("predictions") or [{"probabilities": {}}])[0]
        print_table(("LABEL", *(f"P({label})" for label in first["probabilities"])), rows)
        return
    print_as(answer, output)


def _read(data: str) -> str:
    try:
        if data == "-":
            return sys.stdin.read(_MAX_BODY)
        if not data.startswith("@"):
            return data
        return read_bounded(Path(data[1:]), _MAX_BODY).decode()
    except (OSError, UnicodeDecodeError) as error:
        where = data[1:] or "the input"
        raise ConfigurationError(f"--data: {where} cannot be read: {error}.") from error


def _request(text: str) -> dict[str, Any]:
    """Return the request's body for a row, some rows, or a whole body."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise ConfigurationError(f"--data: expected JSON: {error}.") from error
    except RecursionError as error:
        raise ConfigurationError("--data: expected rows, found JSON nested too deeply.") from error
    if isinstance(found, list):
        return {"instances": found}
    if not isinstance(found, dict):
        raise ConfigurationError("--data: expected an object (a row) or a list of rows.")
    whole = found.keys() in ({"instances"}, {"features"})
    return found if whole else {"features": found}


async def _through_proxy(place: Place, name: str, body: dict[str, Any]) -> tuple[int, bytes]:
    path = SERVICE.path(place.namespace, f"{name}:80", "proxy/predict")
    async with cluster_of(place.user) as cluster:
        deployment = await get_deployment(cluster, place.namespace, name)
        if deployment.status.active_model_version is None:
            now = standing_of(deployment.status)
            raise ClusterError(f"No version of {name} serves ({now.reason}). {now.message}")
        return await cluster.relay(path, body, _MAX_BODY)


def _post(url: str, body: dict[str, Any]) -> tuple[int, bytes]:
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"--url: expected http:// or https://, found {url!r}.")
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(  # noqa: S310 - checked above
        url, json.dumps(body).encode(), headers, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310 - checked above
            return answer.status, answer.read(_MAX_BODY)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(_MAX_BODY)
    except (OSError, HTTPException, ValueError) as error:
        raise ClusterError(f"{url} did not answer: {error}.") from error


def _predictions(name: str, status: int, data: bytes) -> dict[str, Any]:
    """Return a predictor's answer; end in its own words where it refused the rows.

    Raises:
        ClusterError: it did not predict for another reason, or is no predictor.
    """
    try:
        answer = json.loads(data)
    except (ValueError, RecursionError):
        answer = None
    found: dict[str, Any] = answer if isinstance(answer, dict) else {}
    predictions = found.get("predictions")
    if (
        status == HTTPStatus.OK
        and isinstance(predictions, list)
        and all(map(_is_prediction, predictions))
    ):
        return found
    said = clip(str(found.get("error") or data.decode(errors="replace")), 1024)
    if status in {400, 413, 415, 422}:
        console(stderr=True).print(plain(f"The rows were refused ({status}): {said}"))
        raise typer.Exit(ExitCode.REFUSED)
    raise ClusterError(
        f"Expected predictions of {name}, found an answer with status {status}: {said}"
    )


def _is_prediction(found: object) -> bool:
    if not isinstance(found, dict) or not isinstance(found.get("label"), str):
        return False
    shares = found.get("probabilities")
    return isinstance(shares, dict) and all(isinstance(one, float | int) for one in shares.values())


def drift(place: Place, name: Deployment, output: Output = Format.TABLE) -> None:
    """Show how far the traffic is from the training data. Exit code 10: it has drifted."""
    found = asyncio.run(_deployment(place, name))
    known = found.status.drift_state
    if output is not Format.TABLE:
        reports = {pod: report.to_wire() for pod, report in found.status.drift.items()}
        shown = {
            "drift": found.spec.drift.to_wire(),
            "state": known.to_wire() if known else None,
            "reports": reports,
        }
        print_as(shown, output)
    else:
        _show_drift(found)
    if known is not None and known.verdict == "Drift":
        raise typer.Exit(ExitCode.REFUSED)


async def _deployment(place: Place, name: str) -> ModelDeployment:
    async with cluster_of(place.user) as cluster:
        return await get_deployment(cluster, place.namespace, name)


def _power(exponent: str) -> str:
    return f"10^{exponent}" if exponent else ""


def _share(text: str) -> str:
    return f"{float(text):.1%}" if text else ""


def _show_drift(found: ModelDeployment) -> None:
    known, limit = found.status.drift_state, found.spec.drift
    condition = found.status.condition("DriftDetected")
    word = known.verdict if known else "Unknown"
    said = condition.message if condition and condition.message else "No report was judged yet."
    say(f"{found.metadata.name}: {word}. {said}")
    if known and known.top:
        rows = [
            (
                moved.feature,
                moved.psi,
                limit.threshold,
                _power(moved.evidence),
                moved.jensen_shannon,
                _share(moved.nulls),
                _share(moved.training_nulls),
            )
            for moved in known.top
        ]
        heads = ("FEATURE", "PSI", "LIMIT", "EVIDENCE", "JS DISTANCE", "NULLS", "IN TRAINING")
        print_table(heads, rows)
    if known and known.needed:
        say(
            f"Drift is a reason to roll back from evidence {_power(known.needed)} on: chance alone "
            f"may do so with a probability of {limit.false_rollback_risk} in its whole life; "
            f"{spent(limit, known.windows):.2g} of that was spent on {known.windows} windows."
        )
    pods = [
        (
            pod,
            report.rows,
            len(report.windows),
            report.windows[-1].end if report.windows else "",
            state("active", "good")
            if report.manifest_digest == found.status.active_digest
            else "another version",
        )
        for pod, report in sorted(found.status.drift.items())
    ]
    if pods:
        print_table(("POD", "ROWS", "WINDOWS", "LAST WINDOW", "OF"), pods)
    last = found.status.last_rollback
    if last is not None:
        say(f"Rolled back at {last.time} from {last.from_} to {last.to} ({last.reason}).")
