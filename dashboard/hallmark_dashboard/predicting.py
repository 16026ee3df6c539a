"""Requests to what serves: rows in, the predictor's own answer out."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import aiohttp
from fastapi import Response
from pydantic_core import to_json

from hallmark.cluster.kinds import MODEL_DEPLOYMENT
from hallmark_dashboard.access.callers import Caller
from hallmark_dashboard.answers import read_at_most
from hallmark_dashboard.api.schemas import PredictRequest
from hallmark_dashboard.problems import Problem, Right
from hallmark_dashboard.services import Services

PAUSES = (0.1, 0.3, 0.9, 2.0)
"""Seconds between attempts to connect to what serves."""
LARGEST_ANSWER = 8 * 1024 * 1024
_PASSED_HEADERS = ("hallmark-model-version", "hallmark-manifest-digest")


async def predict(services: Services, caller: Caller, asked: PredictRequest) -> Response:
    """Send rows to a ModelDeployment's Service, and return its answer.

    It needs the virtual verb ``predict``: each row counts towards the drift that the operator
    judges.

    Raises:
        Problem: The caller may not, nothing serves, or it does not answer.
    """
    seen = await services.seen(caller, asked.namespace, MODEL_DEPLOYMENT)
    deployment = seen.deployment(asked.namespace, asked.deployment)
    right = Right("predict", "modeldeployments", asked.namespace, asked.deployment)
    await services.rights.require(caller, right)
    if not deployment.status.active_digest:
        raise Problem(
            HTTPStatus.CONFLICT,
            f"Deployment {asked.namespace}/{asked.deployment} serves no version yet.",
        )
    base = services.settings.predict_url.format(name=asked.deployment, namespace=asked.namespace)
    body = to_json({"instances": asked.instances})
    try:
        async with await send(services.client(), f"{base}/predict", body) as answer:
            data = await read_at_most(answer, LARGEST_ANSWER)
            if data is None:
                raise Problem(
                    HTTPStatus.BAD_GATEWAY, f"The answer is longer than {LARGEST_ANSWER} bytes."
                )
            kept = {
                name: answer.headers[name] for name in _PASSED_HEADERS if name in answer.headers
            }
            # Whoever answers there decides no more than numbers: never how a browser takes them.
            return Response(data, _status(answer.status), kept, media_type="application/json")
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Problem(
            HTTPStatus.BAD_GATEWAY,
            f"Deployment {asked.namespace}/{asked.deployment} did not answer "
            f"({type(error).__name__}); see its condition Available.",
        ) from error


async def send(client: aiohttp.ClientSession, url: str, body: bytes) -> aiohttp.ClientResponse:
    """Send a request; where no connection is made, and so no row was sent, try again for a while.

    Networks learn of a new Pod up to some seconds after it is Ready, and refuse it until then.
    """
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    for pause in PAUSES:
        try:
            return await client.post(url, data=body, headers=headers, allow_redirects=False)
        except aiohttp.ClientConnectorError:
            await asyncio.sleep(pause)
    return await client.post(url, data=body, headers=headers, allow_redirects=False)


def _status(status: int) -> int:
    """Return the predictor's status; what is none of an answer or a refusal is a bad gateway."""
    return status if status == HTTPStatus.OK or 400 <= status < 600 else HTTPStatus.BAD_GATEWAY
