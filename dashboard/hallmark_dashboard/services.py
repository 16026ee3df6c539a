"""What routes work with: one object, made at the start, reached through the request."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus

import aiohttp
from prometheus_client import CollectorRegistry
from starlette.requests import Request

from hallmark.api.dependencies import Dependencies
from hallmark.api.model_policy import ModelPolicySpec
from hallmark.api.model_version import ModelVersion
from hallmark.api.names import AUDIT_ANCHOR, SYSTEM_NAMESPACE
from hallmark.api.report import Report
from hallmark.audit.outside import HEAD_KEY
from hallmark.bundles.stores import Stores
from hallmark.cluster.client import ApiCluster
from hallmark.cluster.cluster import ApiError
from hallmark.cluster.kinds import CONFIG_MAP, MODEL_POLICY, Kind
from hallmark.policies.model_version.words import words_in_force
from hallmark.supply_chain.osv_feed import Feed
from hallmark_dashboard.access.callers import Caller, Callers
from hallmark_dashboard.access.door import Door
from hallmark_dashboard.access.rights import NAMESPACED_KINDS, Rights
from hallmark_dashboard.audits import Audits
from hallmark_dashboard.bills import Bill, violations
from hallmark_dashboard.evidence import Evidence
from hallmark_dashboard.metrics import Metrics
from hallmark_dashboard.problems import Problem
from hallmark_dashboard.security.limits import ADDRESS, IDENTITY, SIGN_IN, WRITES, Buckets
from hallmark_dashboard.security.sessions import Sessions
from hallmark_dashboard.seen import Seen
from hallmark_dashboard.settings import Settings, session_key
from hallmark_dashboard.watch import Watch

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass
class Limits:
    """How often somebody may ask, by what."""

    address: Buckets
    identity: Buckets
    sign_in: Buckets
    writes: Buckets


@dataclass
class Services:
    """Everything that routes work with.

    Attributes:
        settings: What the environment says.
        cluster: The API server with the dashboard's own rights, which read.
        door: The API server with a caller's rights.
        watch: The memory of the cluster.
        callers: Whose a token is.
        rights: What a caller may do.
        sessions: The browsers' cookies.
        evidence: What is sealed.
        audits: The audit log.
        limits: How often somebody may ask.
        metrics: For Prometheus.
        now: The time (aware).
    """

    settings: Settings
    cluster: ApiCluster
    door: Door
    watch: Watch
    callers: Callers
    rights: Rights
    sessions: Sessions
    evidence: Evidence
    audits: Audits
    limits: Limits
    metrics: Metrics
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    feed: Feed = field(init=False)
    """What says which vulnerabilities packages have."""
    http: aiohttp.ClientSession | None = None
    """To predictors and the OpenID provider; opened when first needed."""

    def __post_init__(self) -> None:
        """Take the snapshot of OSV that the settings name."""
        self.feed = Feed(self.settings.osv)

    async def violations(
        self,
        version: ModelVersion,
        bill: Bill,
        policy: ModelPolicySpec | None,
        report: Report | None,
    ) -> tuple[str, ...]:
        """Return a sentence for everything that a policy has against a version's packages."""
        rules = policy.dependencies if policy else Dependencies()
        now, also = self.now(), report.packages if report else {}
        words = words_in_force(version.status.approvals, policy, now)
        return await asyncio.to_thread(
            violations, bill, rules, partial(self.feed.about, now=now), now, also, words
        )

    def client(self) -> aiohttp.ClientSession:
        """Return what reaches predictors: no cookies, no redirects, no environment's proxy.

        A connection that is kept would lead to the version that served before.
        """
        if self.http is None:
            self.http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=30, sock_connect=5),
            )
        return self.http

    async def anchor(self) -> bytes | None:
        """Return the audit log's head that is kept outside its volume; None where it cannot be."""
        try:
            found = await self.cluster.get(CONFIG_MAP, SYSTEM_NAMESPACE, AUDIT_ANCHOR)
        except ApiError:
            return None
        text = ((found or {}).get("data") or {}).get(HEAD_KEY)
        return text.encode() if isinstance(text, str) else None

    async def close(self) -> None:
        """Close all connections."""
        if self.http is not None:
            await self.http.close()
        await self.door.close()
        await self.cluster.close()

    async def seen(self, caller: Caller, namespace: str | None = None, *kinds: Kind) -> Seen:
        """Return what a caller may see, in one namespace or in all.

        Raises:
            Problem: No namespace can have that name, or the API server cannot be asked.
        """
        if namespace is not None and not _NAMESPACE.fullmatch(namespace):
            raise Problem(HTTPStatus.NOT_FOUND, "There is no namespace of such a name.")
        wanted = kinds or NAMESPACED_KINDS
        asked = tuple(kind for kind in wanted if kind != MODEL_POLICY)
        spaces = [namespace] if namespace else self.watch.namespaces(asked)
        sight = await self.rights.sight(caller, spaces, asked)
        return Seen(self.watch, caller, sight, self.now())


def build_services(settings: Settings, cluster: ApiCluster, door: Door) -> Services:
    """Return the services over connected clients.

    Raises:
        ConfigurationError: The cookies' key cannot be used.
    """
    clock = time.monotonic
    watch = Watch(cluster)
    return Services(
        settings=settings,
        cluster=cluster,
        door=door,
        watch=watch,
        callers=Callers(cluster.create),
        rights=Rights(door),
        sessions=Sessions(session_key(settings.session_key), time.time),
        evidence=Evidence(Stores(settings.store_credentials, settings.store_endpoint)),
        audits=Audits(settings.audit_log),
        limits=Limits(
            Buckets(ADDRESS, clock),
            Buckets(IDENTITY, clock),
            Buckets(SIGN_IN, clock),
            Buckets(WRITES, clock),
        ),
        metrics=Metrics(CollectorRegistry(), watch),
    )


def services_of(request: Request) -> Services:
    """Return the services of the application that a request reached."""
    found: Services = request.app.state.services
    return found
