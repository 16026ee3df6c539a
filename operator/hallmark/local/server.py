"""Serves a model on this machine: one address, whichever version has the traffic."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

import uvicorn
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from hallmark.api.conditions import ConditionStatus
from hallmark.api.model_deployment import ActionName, ModelDeployment
from hallmark.api.model_version import ModelVersion
from hallmark.errors import ConfigurationError, HallmarkError
from hallmark.local.folder import Folder
from hallmark.local.page import docs_page
from hallmark.local.pods import REPORT_SECONDS, LocalPods, nothing_serves
from hallmark.local.rollouts import Rollouts, ask_here, drift_here
from hallmark.local.runs import image_here
from hallmark_predictor.example import example_row
from hallmark_predictor.server import server_config

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_LOOK = 0.5
"""Seconds between two looks at whether another command changed the state."""
_AGAIN = 2.0
"""Seconds after which what failed is tried again."""
_PATIENCE = 60.0
"""Seconds that a server has to carry out an action."""

Tell = Callable[[str], None]
"""Takes a sentence for whoever looks at the terminal."""


@dataclass(frozen=True)
class Address:
    """Where a model is served."""

    host: str = "127.0.0.1"
    port: int = 8080

    def bind(self) -> socket.socket:
        """Return a socket that is bound here.

        Raises:
            ConfigurationError: it cannot be.
        """
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((self.host, self.port))
        except OSError as error:
            bound.close()
            raise ConfigurationError(
                f"Expected to serve at {self.host}:{self.port}, found that it cannot be had "
                f"({error.strerror}); give another --port (0 takes a free one) or --host."
            ) from error
        return bound


class Front:
    """Sends each request to the version that has the traffic, and has pages of its own."""

    def __init__(self, pods: LocalPods, host: str, url: str) -> None:
        """Start without a deployment, which ``Keeper`` sets."""
        self.deployment: ModelDeployment | None = None
        self._pods, self._url = pods, url
        self._only_loopback = host in LOOPBACK

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        answer = self._own_answer(scope)
        if answer is not None:
            await answer(scope, receive, send)
            return
        pod = self._pods.serving()
        if pod is None or pod.app is None:
            await nothing_serves(scope, receive, send, self._why())
            return
        await pod.app(scope, receive, send)

    def _own_answer(self, scope: Scope) -> Response | None:
        if self._only_loopback and _host_of(scope) not in LOOPBACK:
            # A page of a stranger, whose name leads here, must not read answers.
            message = "This address answers to localhost alone; serve with --host for others."
            return JSONResponse({"error": message}, HTTPStatus.MISDIRECTED_REQUEST)
        if scope["method"] != "GET":
            return None
        match scope["path"]:
            case "/":
                return RedirectResponse("/docs")
            case "/docs":
                return self._docs()
            case "/example":
                return self._example()
            case "/drift" if self.deployment is not None:
                return JSONResponse(drift_here(self._pods, self.deployment))
        return None

    def _example(self) -> Response | None:
        pod = self._pods.serving()
        if pod is None or pod.model is None:
            return None
        return JSONResponse({"instances": [example_row(pod.model.schema)]})

    def _docs(self) -> Response | None:
        deployment, pod = self.deployment, self._pods.serving()
        if deployment is None or pod is None or pod.model is None:
            return None
        drift = drift_here(self._pods, deployment)
        return HTMLResponse(docs_page(pod.model.schema, pod.trust, drift, self._url))

    def _why(self) -> str:
        ready = self.deployment.status.condition("Ready") if self.deployment else None
        return ready.message if ready and ready.message else "No version serves yet."


class Keeper:
    """Looks at the rollout whenever something may have changed, in a thread of its own."""

    def __init__(
        self, folder: Folder, name: str, rollouts: Rollouts, front: Front, tell: Tell
    ) -> None:
        """Prepare; ``look`` looks once, ``start`` goes on until ``end``."""
        self._folder, self._name = folder, name
        self._rollouts, self._front, self._tell = rollouts, front, tell
        self.woken = threading.Event()
        self._ended = False
        self._told = ""
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Go on looking."""
        self._thread.start()

    def end(self) -> None:
        """Look no more; what is under way ends first."""
        self._ended = True
        self.woken.set()
        self._thread.join(timeout=10)

    def look(self) -> float | None:
        """Bring the rollout as far as it goes; return when to look again, in seconds.

        Raises:
            HallmarkError: the folder cannot be used.
        """
        again = self._rollouts.reconcile()
        deployment = self._front.deployment = self._folder.read().deployment(self._name)
        if deployment is not None:
            self._say(deployment)
        return again

    def _say(self, deployment: ModelDeployment) -> None:
        ready = deployment.status.condition("Ready")
        drift = deployment.status.condition("DriftDetected")
        active = deployment.status.active_model_version or "nothing"
        said = f"{active} serves ({ready.reason})." if ready else f"{active} serves."
        if ready and ready.message and ready.status is not ConditionStatus.TRUE:
            said += f" {ready.message}"
        if drift and drift.reason not in {"Inconclusive", "NoDrift"}:
            said += f" {drift.message}"
        if said != self._told:
            self._told = said
            self._tell(said)

    def _run(self) -> None:
        seen, due = self._stamp(), time.monotonic()
        while not self._ended:
            woken = self.woken.wait(_LOOK)
            self.woken.clear()
            stamp = self._stamp()
            if self._ended or not (woken or stamp != seen or time.monotonic() >= due):
                continue
            again = self._look_safely()
            seen = self._stamp()
            due = time.monotonic() + (again if again is not None else float("inf"))

    def _look_safely(self) -> float | None:
        try:
            return self.look()
        except (HallmarkError, OSError) as error:
            # What serves goes on; it is tried again.
            if str(error) != self._told:
                self._told = str(error)
                self._tell(f"error: {error}")
            return _AGAIN

    def _stamp(self) -> tuple[int, int]:
        with suppress(OSError):
            found = self._folder.registry_file.stat()
            return found.st_mtime_ns, found.st_ino
        return 0, 0


def serve_here(folder: Folder, model: str, address: Address, tell: Tell) -> None:
    """Serve a model until a signal comes.

    Raises:
        ConfigurationError: the address is taken, or the model is served here already.
        HallmarkError: nothing can serve; the sentence says why.
    """
    with folder.lock(_serving(model), 1.0), address.bind() as bound:
        port = bound.getsockname()[1]
        host = f"[{address.host}]" if ":" in address.host else address.host
        shown = "localhost" if address.host in LOOPBACK else host
        url = f"http://{shown}:{port}"
        woken = threading.Event()
        pods = LocalPods(folder.store(), image_here(), woken.set)
        front = Front(pods, address.host, url)
        keeper = Keeper(folder, model, Rollouts(folder, model, pods, url), front, tell)
        keeper.woken = woken
        keeper.look()
        keeper.start()
        tell(f"Serving at {url} (page: {url}/docs). Ctrl-C ends it.")
        server = uvicorn.Server(server_config(front, address.host, port))
        try:
            with suppress(KeyboardInterrupt):
                asyncio.run(_serve(server, bound, pods))
        finally:
            keeper.end()


async def _serve(server: uvicorn.Server, bound: socket.socket, pods: LocalPods) -> None:
    """Serve until a signal comes, and have drift reported all the time."""

    async def report() -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            pods.report()

    reporting = asyncio.create_task(report())
    try:
        await server.serve(sockets=[bound])
    finally:
        reporting.cancel()


def act_here(
    folder: Folder, model: str, action: ActionName, reason: str, target: str | None = None
) -> ModelDeployment:
    """Ask for an action, and return the deployment after it.

    Where the model is served, its server carries it out; else this process does.

    Raises:
        ConfigurationError: the model never served here, or its server does not answer.
    """
    identity = ask_here(folder, model, action, reason, target)
    if not folder.is_locked(_serving(model)):
        with folder.lock(_serving(model), 1.0):
            Rollouts(folder, model, LocalPods(folder.store(), image_here())).reconcile()
    end = time.monotonic() + _PATIENCE
    while True:
        found = folder.read().deployment(model)
        if found and found.status.last_action and found.status.last_action.id == identity:
            return found
        if time.monotonic() > end:
            raise ConfigurationError(
                f"The server of '{model}' did not carry out the action within {_PATIENCE:.0f} s; "
                "see what it says on its terminal."
            )
        time.sleep(0.1)


def is_served(folder: Folder, model: str) -> bool:
    """Tell whether a process serves the model from this folder."""
    return folder.is_locked(_serving(model))


def follow(folder: Folder, version: ModelVersion) -> ModelDeployment:
    """Return the deployment once its server has decided about an approved version.

    Raises:
        ConfigurationError: the server does not answer.
    """
    digest, model = version.spec.artifact.manifest_digest, version.spec.model
    end = time.monotonic() + _PATIENCE
    while is_served(folder, model) and time.monotonic() < end:
        found = folder.read().deployment(model)
        status = found.status if found else None
        refused = status is not None and any(
            one.manifest_digest == digest for one in status.refused
        )
        if found is not None and status is not None and (status.active_digest == digest or refused):
            return found
        time.sleep(0.1)
    raise ConfigurationError(
        f"The server of '{model}' did not decide about {version.metadata.name} within "
        f"{_PATIENCE:.0f} s; see what it says on its terminal."
    )


def _serving(model: str) -> str:
    return f"serving-{model}"


def _host_of(scope: Scope) -> str:
    """Return the host that a request names, without its port."""
    found = next((value for name, value in scope["headers"] if name == b"host"), b"")
    text = found.decode("latin-1")
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0]
