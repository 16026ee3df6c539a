"""The API server, as the user of the command line."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from kubernetes.aio import client as kubernetes_client
from kubernetes.aio import config as kubernetes_config
from multidict import CIMultiDict

from hallmark.cluster.client import ApiCluster
from hallmark.cluster.kinds import SELF_SUBJECT_REVIEW
from hallmark.errors import ConfigurationError


@dataclass(frozen=True)
class User:
    """Who acts, and where.

    Attributes:
        context: The kubeconfig's context, or None for the current one.
        name: Whom to act as, if not as oneself.
        groups: The groups to act in.
    """

    context: str | None = None
    name: str | None = None
    groups: Sequence[str] | None = None

    def __post_init__(self) -> None:
        """Refuse groups without a user.

        Raises:
            ConfigurationError: there are some.
        """
        if self.groups and not self.name:
            raise ConfigurationError("Expected --as beside --as-group; add the user's name.")


@asynccontextmanager
async def cluster_of(user: User) -> AsyncIterator[ApiCluster]:
    """Connect to the API server of the user's kubeconfig, as that user.

    Raises:
        ConfigurationError: there is no usable kubeconfig.
    """
    identity = [("Impersonate-User", user.name)] if user.name else []
    identity += [("Impersonate-Group", group) for group in user.groups or ()]
    configuration = kubernetes_client.Configuration()
    configuration.client_session_kwargs = {"headers": CIMultiDict(identity)}
    try:
        await kubernetes_config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=_kubeconfig(),
            context=user.context,
            client_configuration=configuration,
            persist_config=False,
        )
    except (kubernetes_config.ConfigException, OSError) as error:
        raise _no_kubeconfig(error) from error
    cluster = ApiCluster(kubernetes_client.ApiClient(configuration))
    try:
        yield cluster
    finally:
        await cluster.close()


def namespace_of(user: User, asked: str | None) -> str:
    """Return the namespace that was asked for, or the context's.

    Raises:
        ConfigurationError: there is no usable kubeconfig.
    """
    if asked:
        return asked
    try:
        contexts, active = kubernetes_config.list_kube_config_contexts(_kubeconfig())  # type: ignore[no-untyped-call]
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


def _kubeconfig() -> str | None:
    return os.environ.get("KUBECONFIG") or None


def _no_kubeconfig(error: Exception) -> ConfigurationError:
    return ConfigurationError(f"Expected a kubeconfig (KUBECONFIG or ~/.kube/config): {error}")
