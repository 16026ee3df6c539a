"""The API server, as the user of the command line."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kubernetes.aio import client as kubernetes_client, config as kubernetes_config
from multidict import CIMultiDict

from hallmark.cli.options import AsGroups, AsUser, Context, Kubeconfig, Namespace
from hallmark.cluster.client import ApiCluster
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import SELF_SUBJECT_REVIEW
from hallmark.cluster.transport import HINTS
from hallmark.errors import ClusterError, ConfigurationError

_FORBIDDEN = 403

# A missing kubeconfig is told in a sentence of ours; its own warning has none.
logging.getLogger("kubernetes").setLevel(logging.ERROR)


@dataclass(frozen=True)
class User:
    """Who acts, and where.

    Attributes:
        context: The kubeconfig's context, or None for the current one.
        name: Whom to act as, if not as oneself.
        groups: The groups to act in.
        kubeconfig: The file, or None for the environment's.
    """

    context: str | None = None
    name: str | None = None
    groups: Sequence[str] | None = None
    kubeconfig: str | None = None

    def __post_init__(self) -> None:
        """Refuse groups without a user.

        Raises:
            ConfigurationError: there are some.
        """
        if self.groups and not self.name:
            raise ConfigurationError("Expected --as beside --as-group; add the user's name.")


@dataclass(frozen=True)
class Place:
    """Where a command works: as whom, and in which namespace."""

    user: User
    asked: str | None = None
    """The namespace that was named."""

    @cached_property
    def namespace(self) -> str:
        """The namespace that was named, or the context's.

        Raises:
            ConfigurationError: there is no usable kubeconfig.
        """
        return namespace_of(self.user, self.asked)

    @property
    def option(self) -> str:
        """How a command for the same namespace ends."""
        return f" -n {self.namespace}"


def placed(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command, whose first parameter is a ``Place``, the options that say which."""
    own = inspect.signature(command, eval_str=True)
    connection: list[tuple[str, Any]] = [
        ("namespace", Namespace),
        ("kubeconfig", Kubeconfig),
        ("context", Context),
        ("as_user", AsUser),
        ("as_groups", AsGroups),
    ]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in connection
    ]
    first, *mine = own.parameters.values()

    def run(**given: Any) -> None:  # noqa: ANN401 - what typer read of the command line
        namespace, kubeconfig, context, name, groups = (
            given.pop(option.name) for option in options
        )
        place = Place(User(context, name, groups, kubeconfig), namespace)
        command(**{first.name: place}, **given)

    mine = [own_.replace(kind=inspect.Parameter.KEYWORD_ONLY) for own_ in mine]
    run.__signature__ = inspect.Signature([*mine, *options])  # type: ignore[attr-defined]  # what typer reads
    run.__name__, run.__doc__, run.__annotations__ = command.__name__, command.__doc__, {}
    return run


@asynccontextmanager
async def cluster_of(user: User) -> AsyncIterator[ApiCluster]:
    """Connect to the API server of the user's kubeconfig, as that user.

    Raises:
        ConfigurationError: there is no usable kubeconfig.
        ClusterError: the API server refused; the sentence says which right is missing.
    """
    identity = [("Impersonate-User", user.name)] if user.name else []
    identity += [("Impersonate-Group", group) for group in user.groups or ()]
    configuration = kubernetes_client.Configuration()
    configuration.client_session_kwargs = {"headers": CIMultiDict(identity)}
    try:
        await kubernetes_config.load_kube_config(  # type: ignore[no-untyped-call]  # the client has no types
            config_file=_kubeconfig(user),
            context=user.context,
            client_configuration=configuration,
            persist_config=False,
        )
    except (kubernetes_config.ConfigException, OSError) as error:
        raise _no_kubeconfig(error) from error
    cluster = ApiCluster(kubernetes_client.ApiClient(configuration))
    try:
        yield cluster
    except ApiError as error:
        raise _for_people(error) from error
    finally:
        await cluster.close()


def _for_people(error: ApiError) -> ClusterError:
    """Return the error without the advice that is the operator's."""
    if error.status != _FORBIDDEN:
        return error
    said = str(error).replace(
        HINTS[_FORBIDDEN], "; ask whoever manages the roles of this cluster for that right"
    )
    return ClusterError(said)


def namespace_of(user: User, asked: str | None) -> str:
    """Return the namespace that was asked for, or the context's.

    Raises:
        ConfigurationError: there is no usable kubeconfig.
    """
    if asked:
        return asked
    try:
        contexts, active = kubernetes_config.list_kube_config_contexts(_kubeconfig(user))  # type: ignore[no-untyped-call]  # the client has no types
    except (kubernetes_config.ConfigException, OSError) as error:
        raise _no_kubeconfig(error) from error
    chosen = next((found for found in contexts if found["name"] == user.context), active)
    return str(chosen["context"].get("namespace") or "default")


async def user_name(cluster: ApiCluster) -> str:
    """Return the name under which the API server knows the user.

    Raises:
        ClusterError: the API server does not say.
    """
    kind = SELF_SUBJECT_REVIEW
    review = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {}}
    found = await cluster.create(review)
    return str(found["status"]["userInfo"]["username"])


def _kubeconfig(user: User) -> str | None:
    return user.kubeconfig or os.environ.get("KUBECONFIG") or None


def _no_kubeconfig(error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"Expected a kubeconfig (--kubeconfig, KUBECONFIG or ~/.kube/config), found none that can "
        f"be used: {error}. Without a cluster: hallmark local --help."
    )
