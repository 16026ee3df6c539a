"""Delayed truth over loopback: whichever process of a Pod is asked, all is counted, and once."""

from __future__ import annotations

import json
import signal
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from hallmark.api.feedback import Feedback
from hallmark.api.model_deployment import Drift
from hallmark_predictor.receipts import Receipts, SecretFiles
from tests.unit.predictor.factories import (
    DEPLOYMENT,
    NAMESPACE,
    instances,
    model,
    sealed,
    traffic,
)
from tests.unit.predictor.test_process import Process, eventually
from tests.unit.predictor.test_workers import WORKERS, listeners, newest

TOKEN = "t" * 40
CLIENTS = 12
"""So many connections that the kernel deals some to each process."""


def post(process: Process, path: str, body: object, **headers: str) -> tuple[int, Any]:
    with closing(process.connect()) as client:
        client.request("POST", path, json.dumps(body).encode(), headers)
        answer = client.getresponse()
        return answer.status, json.loads(answer.read())


def test_outcomes_count_once_whichever_process_takes_them(tmp_path: Path) -> None:
    folder = tmp_path / "feedback"
    folder.mkdir()
    (folder / "token").write_text(f"{TOKEN}\n")
    (folder / "receipts").write_text("k" * 40)
    drift = Drift(window=100, feedback=Feedback(window=100, minimum_accuracy="0.5"))
    with ExitStack() as stack:
        whole = sealed(drift=drift)
        process = Process(tmp_path, stack, whole)
        process.start(f"--workers={WORKERS}", f"--feedback={folder}", "--drain-seconds=0.2")
        process.wait_until("/readyz")
        eventually(lambda: listeners(process.port) == WORKERS)
        receipts = []
        for client in range(CLIENTS):
            asked = {"instances": instances(traffic(10, client))}
            status, found = post(process, "/predict", asked)
            assert status == 200
            receipts += [told["receipt"] for told in found["predictions"]]
        bearer = {"authorization": f"Bearer {TOKEN}"}
        for counted in (10, 0):
            for start in range(0, len(receipts), 10):
                told = [{"receipt": one, "outcome": "yes"} for one in receipts[start : start + 10]]
                status, found = post(process, "/feedback", {"outcomes": told}, **bearer)
                assert (status, found["counted"], found["refused"]) == (200, counted, 10 - counted)
        files = SecretFiles(folder, NAMESPACE, DEPLOYMENT)
        earlier = Receipts(files, "sha256:" + "7" * 64, model().schema)

        def counted_of_earlier() -> int:
            told = [{"receipt": earlier.one(0, 0.5).decode(), "outcome": "yes"}]
            counted: int = post(process, "/feedback", {"outcomes": told}, **bearer)[1]["counted"]
            return counted

        assert counted_of_earlier() == 0, "nobody has told yet which version has the traffic"
        process.api.name_active(whole.trust.manifest_digest)
        eventually(lambda: counted_of_earlier() == 1)
        process.api.name_active("sha256:" + "7" * 64)
        eventually(lambda: counted_of_earlier() == 0)
        assert post(process, "/feedback", {"outcomes": []}, authorization="Bearer no")[0] == 401

        process.send(signal.SIGTERM)
        assert process.exit_code() == 0
        last = newest(process).outcomes
        assert last is not None
        assert (last.outcomes, len(last.windows)) == (120, 1)
        assert last.refused >= 122
        assert [one.version for one in last.earlier] == ["7" * 16]
