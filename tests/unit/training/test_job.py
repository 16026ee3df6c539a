"""The Job against a real HTTP server on loopback and real files."""

from __future__ import annotations

import http.server
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from hallmark.api import files as api
from hallmark.api.artifacts import Manifest
from hallmark.api.tasks import TrainOutcome, TrainStage
from hallmark.api.texts import sha256_digest
from hallmark.api.training_run import Progress
from hallmark.data.sources import Mounts
from hallmark.errors import ArtifactError
from hallmark.training import job
from hallmark.training.job import Paths, run
from hallmark.training.upload import ProgressReporter, put
from tests.data.hmda import hmda_csv, hmda_spec
from tests.unit.training.factories import task

TOKEN = "X-Amz-Signature=secret"


@dataclass
class Uploads:
    """What a store took, and the statuses that it answers first."""

    port: int = 0
    taken: list[tuple[str, bytes, float]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    answered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Released once for every request that was answered."""

    def urls(self) -> dict[str, str]:
        """Return a presigned URL for every slot."""
        return {
            slot: f"http://127.0.0.1:{self.port}/runs/1/{slot}?{TOKEN}" for slot in api.UPLOAD_SLOTS
        }

    def files(self) -> dict[str, bytes]:
        """Return the last content of each name."""
        return {name: content for name, content, _ in self.taken}


@pytest.fixture
def uploads() -> Iterator[Uploads]:
    found = Uploads()

    class Handler(http.server.BaseHTTPRequestHandler):
        """Takes what is put."""

        def do_PUT(self) -> None:
            """Answer with the next status, else 200."""
            content = self.rfile.read(int(self.headers["Content-Length"]))
            status = found.statuses.pop(0) if found.statuses else 200
            if status == 200:
                name = self.path.partition("?")[0].rpartition("/")[2]
                found.taken.append((name, content, time.monotonic()))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            found.answered.release()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


def files(folder: Path, uploads: Uploads, spec: dict[str, Any], data: bytes) -> Paths:
    (folder / "task.json").write_bytes(task(spec).to_bytes())
    (folder / "urls.json").write_text(json.dumps({"urls": uploads.urls()}))
    (folder / "hmda.csv").write_bytes(data)
    return Paths(
        task=folder / "task.json",
        urls=folder / "urls.json",
        termination=folder / "termination-log",
        mounts=Mounts(config_map=folder),
    )


def ended(paths: Paths) -> TrainOutcome:
    return TrainOutcome.model_validate_json(paths.termination.read_bytes())


def test_done(tmp_path: Path, uploads: Uploads) -> None:
    paths = files(tmp_path, uploads, hmda_spec(with_protected=False), hmda_csv())
    lines: list[str] = []
    assert run(paths, lines.append) == 0
    outcome = ended(paths)
    assert outcome.stage is TrainStage.DONE
    assert set(uploads.files()) == set(api.UPLOAD_SLOTS)
    manifest = uploads.files()[api.MANIFEST]
    assert outcome.manifest_digest == sha256_digest(manifest)
    for entry in Manifest.model_validate_json(manifest).files:
        assert entry.digest in {sha256_digest(content) for content in uploads.files().values()}
    names = [name for name, _, _ in uploads.taken if name != api.PROGRESS]
    assert names[-1] == api.MANIFEST
    assert [json.loads(line)["event"] for line in lines][-1] == "ended"


def test_progress_comes_at_most_every_two_seconds(tmp_path: Path, uploads: Uploads) -> None:
    paths = files(tmp_path, uploads, hmda_spec(with_protected=True), hmda_csv())
    assert run(paths, lambda _: None) == api.REFUSED_EXIT_CODE
    times = [moment for name, _, moment in uploads.taken if name == api.PROGRESS]
    assert times
    assert all(later - earlier >= 1.9 for earlier, later in itertools.pairwise(times))
    assert set(uploads.files()) == {api.PROGRESS}
    Progress.model_validate_json(uploads.files()[api.PROGRESS])
    assert ended(paths).stage is TrainStage.GATES


def test_a_long_step_is_told_again_with_its_seconds(uploads: Uploads) -> None:
    with ProgressReporter(uploads.urls(), period=0.05, long=0.1) as reporter:
        reporter.report(Progress(stage="Train", percent=50, message="Fitting."))
        for _ in range(3):
            assert uploads.answered.acquire(timeout=60)
    told = [Progress.model_validate_json(content) for _, content, _ in uploads.taken]
    assert told[0].message == "Fitting."
    assert told[1].message.startswith("Fitting. Still at it after ")
    assert {progress.percent for progress in told} == {50}


SECRETS = ("ann.lee@example.org", "4111111111111111")


def test_a_refusal_shows_no_value_anywhere(tmp_path: Path, uploads: Uploads) -> None:
    head, first, *rest = hmda_csv().decode().splitlines()
    rows = [f"{head},note", f"{first},mail {SECRETS[0]} card {SECRETS[1]}"]
    rows += [f"{row},fine" for row in rest]
    paths = files(tmp_path, uploads, hmda_spec(with_protected=False), "\n".join(rows).encode())
    lines: list[str] = []
    assert run(paths, lines.append) == 10
    outcome = ended(paths)
    assert outcome.stage is TrainStage.PII
    assert "PII in column 'note', first in row 1" in outcome.message
    told = "".join(lines) + outcome.to_bytes().decode() + str(uploads.files())
    assert not any(secret in told for secret in SECRETS)


def test_no_data_is_a_refusal_too(tmp_path: Path, uploads: Uploads) -> None:
    paths = files(tmp_path, uploads, hmda_spec(with_protected=False), b"")
    (tmp_path / "hmda.csv").unlink()
    assert run(paths, lambda _: None) == 10
    assert ended(paths).message == (
        "Source of 'hmda.csv': expected a file that can be read, found No such file or directory."
    )


def test_a_store_that_refuses_is_an_unexpected_end(tmp_path: Path, uploads: Uploads) -> None:
    paths = files(tmp_path, uploads, hmda_spec(with_protected=False), hmda_csv())
    urls = {slot: url for slot, url in uploads.urls().items() if slot != api.MODEL_ONNX}
    paths.urls.write_text(json.dumps({"urls": urls}))
    assert run(paths, lambda _: None) == job.UNEXPECTED_EXIT_CODE
    assert ended(paths).message.startswith("There is no upload URL for 'model.onnx'")
    assert api.MANIFEST not in uploads.files()


def test_transient_failures_are_tried_again(uploads: Uploads) -> None:
    uploads.statuses = [503, 500]
    put(uploads.urls(), api.REPORT, b"{}")
    assert uploads.files() == {api.REPORT: b"{}"}


FAILURES = {
    "no right, tried once": ([403], 5, "HTTP status 403"),
    "transient for ever": ([503, 503], 2, "attempt 2): HTTP status 503"),
}


@pytest.mark.parametrize("case", FAILURES.values(), ids=FAILURES)
def test_a_failed_upload_says_which_file_but_not_the_url(
    case: tuple[list[int], int, str], uploads: Uploads
) -> None:
    statuses, attempts, expected = case
    uploads.statuses = list(statuses)
    with pytest.raises(ArtifactError) as error:
        put(uploads.urls(), api.REPORT, b"{}", attempts=attempts, pause=lambda _: None)
    assert "did not take 'report.json' (2 bytes" in str(error.value)
    assert expected in str(error.value)
    assert "secret" not in str(error.value)
    assert not uploads.statuses


def test_nobody_listens() -> None:
    with pytest.raises(ArtifactError, match="ConnectionRefusedError"):
        put({api.REPORT: f"http://127.0.0.1:1/x?{TOKEN}"}, api.REPORT, b"{}", attempts=1)


def test_progress_that_cannot_be_uploaded_disturbs_nothing(uploads: Uploads) -> None:
    uploads.statuses = [500] * 10
    with ProgressReporter(uploads.urls()) as reporter:
        reporter.report(Progress(stage="Train", percent=50))
        assert uploads.answered.acquire(timeout=60)
    assert not uploads.taken
    with ProgressReporter({}) as reporter:
        reporter.report(Progress(stage="Train", percent=50))


def test_an_unexpected_error_is_told_by_type_and_place_alone() -> None:
    try:
        int("4111111111111111x")
    except ValueError as error:
        found = job.describe_unexpected(error)
    assert found.startswith("Unexpected ValueError at test_job.py, line ")
    assert "4111" not in found


def test_a_torn_task_is_told_without_its_text(tmp_path: Path, uploads: Uploads) -> None:
    paths = files(tmp_path, uploads, hmda_spec(with_protected=False), b"")
    paths.task.write_text('{"namespace": "secret"')
    assert run(paths, lambda _: None) == 1
    assert "task.json is not a TrainTask" in ended(paths).message
    assert "secret" not in ended(paths).message


def test_the_module_ends_with_a_sentence_where_nothing_is_mounted(tmp_path: Path) -> None:
    log = tmp_path / "termination-log"
    log.touch()
    found = subprocess.run(
        [sys.executable, "-m", "hallmark.training"],
        env={**os.environ, "TERMINATION_LOG": str(log)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert found.returncode == 1
    outcome = TrainOutcome.model_validate_json(log.read_bytes())
    assert outcome.message.startswith("/etc/hallmark/task.json cannot be read (FileNotFoundError)")
    assert "Traceback" not in found.stderr
