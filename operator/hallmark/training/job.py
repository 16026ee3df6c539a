"""The training Job: files and URLs in, uploads and a termination message out."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TypeVar

from pydantic import ValidationError

from hallmark.api.artifacts import UploadURLs
from hallmark.api.files import REFUSED_EXIT_CODE
from hallmark.api.findings import Finding
from hallmark.api.tasks import TrainOutcome, TrainStage, TrainTask
from hallmark.api.training_run import Progress
from hallmark.data.sources import Mounts, SourceRules, fetch
from hallmark.errors import ConfigurationError, HallmarkError
from hallmark.files import DOCUMENT_BYTES, read_whole
from hallmark.training.assay import assay
from hallmark.training.dataset import Announce
from hallmark.training.outcome import Artifacts, RefusedRun, refuse, termination_message
from hallmark.training.upload import ProgressReporter, put

UNEXPECTED_EXIT_CODE = 1
_PACKAGE = "hallmark"
Document = TypeVar("Document", TrainTask, UploadURLs)


@dataclass(frozen=True)
class Paths:
    """The paths of the Job's files."""

    task: Path = Path("/etc/hallmark/task.json")
    urls: Path = Path("/var/run/hallmark/urls/urls.json")
    termination: Path = Path("/dev/termination-log")
    mounts: Mounts = field(default_factory=Mounts)


class Journal:
    """The Job's log: one JSON line per stage, and the newest stage. No line has a value."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._started = time.monotonic()
        self.stage = TrainStage.SOURCE

    def log(self, event: str, **fields: object) -> None:
        """Write a line."""
        seconds = round(time.monotonic() - self._started, 3)
        self._write(json.dumps({"event": event, "seconds": seconds, **fields}) + "\n")


def run(paths: Paths, write: Callable[[str], object] = sys.stderr.write) -> int:
    """Return the exit code of the whole Job: 0 done, 10 refused, 1 unexpected.

    Args:
        paths: Where its files are.
        write: Takes the log's lines.
    """
    journal = Journal(write)
    try:
        task, urls = _read(paths.task, TrainTask), _read(paths.urls, UploadURLs).urls
        outcome = _run(task, urls, paths, journal)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic in polars is no Exception
        sentence = describe_unexpected(error)
        journal.log("failed", stage=journal.stage, message=sentence)
        _end(paths, TrainOutcome(stage=journal.stage, message=sentence))
        return UNEXPECTED_EXIT_CODE
    journal.log("ended", stage=outcome.stage, message=outcome.message)
    _end(paths, outcome)
    return 0 if outcome.stage is TrainStage.DONE else REFUSED_EXIT_CODE


def _run(task: TrainTask, urls: dict[str, str], paths: Paths, journal: Journal) -> TrainOutcome:
    with ProgressReporter(urls) as reporter:

        def announce(stage: TrainStage, percent: int, message: str) -> None:
            journal.stage = stage
            journal.log("stage", stage=stage, percent=percent, message=message)
            reporter.report(Progress(stage=stage, percent=percent, message=message))

        result = carry_out(task, paths.mounts, announce)
        if isinstance(result, Artifacts):
            announce(TrainStage.DONE, 95, "Uploading.")
            for slot, content in result.files.items():
                put(urls, slot, content)
            announce(TrainStage.DONE, 100, "Done.")
    return result.outcome


def carry_out(task: TrainTask, mounts: Mounts, announce: Announce) -> RefusedRun | Artifacts:
    """Fetch the dataset and assay it; nothing is uploaded.

    Args:
        task: What to do.
        mounts: Where the dataset's files are.
        announce: Told of each stage.
    """
    announce(TrainStage.SOURCE, 0, "Fetching the dataset.")
    data = _fetch(task, mounts)
    if isinstance(data, RefusedRun):
        return data
    with data:
        return assay(task, data, announce)


def _fetch(task: TrainTask, mounts: Mounts) -> BinaryIO | RefusedRun:
    rules = SourceRules(
        allowed=task.allowed_sources,
        allow_private=task.allow_private_addresses,
        endpoint=task.source_endpoint,
        max_bytes=task.read_limits.max_bytes,
    )
    if task.spec.dataset is None:
        nothing = Finding(check="Source", expected="a dataset", found="none")
        return refuse(TrainStage.SOURCE, [nothing])
    source = fetch(task.spec.dataset, rules, mounts)
    return refuse(TrainStage.SOURCE, [source]) if isinstance(source, Finding) else source


def _read(path: Path, model: type[Document]) -> Document:
    try:
        return model.model_validate_json(read_whole(path, DOCUMENT_BYTES))
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read ({type(error).__name__}); the operator mounts it."
        ) from None
    except ValidationError as error:
        first = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise ConfigurationError(
            f"{path} is not a {model.__name__} ({error.error_count()} errors, first at "
            f"'{first}'); operator and trainer must be of the same release."
        ) from None


def _end(paths: Paths, outcome: TrainOutcome) -> None:
    paths.termination.write_bytes(termination_message(outcome))


def describe_unexpected(error: BaseException) -> str:
    """Return a sentence on an unexpected error: our own text, else only its type and place."""
    if isinstance(error, HallmarkError):
        return str(error)[:1024]
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if f"/{_PACKAGE}/" in frame.filename] or frames[-1:]
    place = f"{Path(ours[-1].filename).name}, line {ours[-1].lineno}" if ours else "unknown place"
    return (
        f"Unexpected {type(error).__name__} at {place}: this is a defect of the trainer. "
        "Report it with the trainer's image and the stage."
    )
