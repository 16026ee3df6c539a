"""``python -m tests.bench.evidence [--versions 1000] [--records 100000] [--mib 1024]``.

Each figure is one line of JSON; the exit code is 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import model_signing.verifying

from hallmark.api.artifacts import Manifest
from hallmark.api.files import BUNDLE, MANIFEST
from hallmark.api.texts import sha256_digest
from hallmark.keys import public_pem
from hallmark.local.folder import now
from hallmark.supply_chain.manifest import build_manifest, check_files
from hallmark.supply_chain.signing import sign_bundle
from hallmark.supply_chain.verify import SealedManifest, signed_resources, verify_sealed
from hallmark.verification.files import FolderFiles
from hallmark.verification.links import State
from hallmark.verification.opening import verify_export
from tests.bench.evidence.population import populated
from tests.bench.evidence.sealing import demo_model
from tests.bench.figures import Figure, figure
from tests.chains import Whole, whole_chain
from tests.unit.supply_chain.factories import FINGERPRINT, KEY, trusted

ROUNDS = 5
PARTS = 8


def main() -> int:
    """Measure everything, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", type=int, default=1000)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--mib", type=int, default=1024)
    asked = parser.parse_args()
    found: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        whole = whole_chain(path / "chain")
        whole.export(path / "export")
        for measured in (
            *_version(whole, path / "export"),
            *demo_model(path),
            *_gigabyte(path, asked.mib),
            *_thousand(whole, path, asked.versions, asked.records),
        ):
            found.append(measured)
            print(measured.line(), flush=True)
    return 0 if all(one.ok for one in found) else 1


def _cpu(work: Callable[[], object], rounds: int) -> list[float]:
    """Return the seconds of processors, which a busy machine hardly changes."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return times


def _timed(work: Callable[[], object], rounds: int = ROUNDS) -> list[float]:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return times


def _version(whole: Whole, export: Path) -> Iterator[Figure]:
    """A typical version: its share of an export with three, and a log."""
    versions = len(whole.folder.read().versions)

    def verified() -> None:
        assert verify_export(export, whole.trusted, now()).state is State.HOLDS

    verified()
    times = [seconds * 1000 / versions for seconds in _timed(verified, 20)]
    yield figure("verification of a version, with its share of the export", times, "ms", at_most=50)
    cpu = [seconds * 1000 / versions for seconds in _cpu(verified, 20)]
    yield figure("the same in processor time", cpu, "ms")


def _gigabyte(path: Path, mib: int) -> Iterator[Figure]:
    """Hash and verify the same signed files with ours and with model-signing, in turns."""
    folder = path / "large"
    folder.mkdir()
    part = os.urandom(1 << 20)
    for number in range(PARTS):
        with (folder / f"part-{number}.bin").open("wb") as file:
            for _ in range(mib // PARTS):
                file.write(part)
    files = FolderFiles(folder)
    names = sorted(files.names())
    files.measure(names)
    facts = {name: fact for name in names if (fact := files.fact(name))}
    manifest = build_manifest(
        namespace="team", model="large", run_id="0" * 12, spec_digest=FINGERPRINT,
        dataset_fingerprint=FINGERPRINT, image_digest=FINGERPRINT, files=facts,
    )  # fmt: skip
    digest = sha256_digest(manifest.to_bytes())
    bundle = sign_bundle(KEY, "large", signed_resources(manifest, digest))
    (folder / MANIFEST).write_bytes(manifest.to_bytes())
    signature, key = path / BUNDLE, path / "key.pem"
    signature.write_text(bundle)
    key.write_text(public_pem(KEY.public_key()))

    def ours() -> None:
        _verify(folder, manifest, digest, bundle)

    def theirs() -> None:
        with contextlib.redirect_stdout(io.StringIO()):
            config = model_signing.verifying.Config().use_elliptic_key_verifier(public_key=key)
            config.verify(folder, signature)

    ours(), theirs()
    own, other = [], []
    for _ in range(ROUNDS):
        own += _timed(ours, 1)
        other += _timed(theirs, 1)
    yield figure(f"hash and verify {mib} MiB", own, "s")
    yield figure(f"the same with model-signing {model_signing.__version__}", other, "s")
    own_cpu, other_cpu = _cpu(ours, ROUNDS), _cpu(theirs, ROUNDS)
    ratios = [b / a for a, b in zip(own_cpu, other_cpu, strict=True)]
    yield figure("model-signing's processor time over ours", ratios, "times", at_least=1)
    ratios = [b / a for a, b in zip(own, other, strict=True)]
    yield figure("model-signing's time over ours", ratios, "times", at_least=1)


def _verify(folder: Path, manifest: Manifest, digest: str, bundle: str) -> None:
    files = FolderFiles(folder)
    text = (files.read(MANIFEST, 1 << 20) or b"").decode()
    sealed = verify_sealed(text, digest, bundle, [trusted()], now())
    assert isinstance(sealed, SealedManifest)
    names = [file.name for file in manifest.files]
    files.measure(names)
    assert not check_files(manifest, {n: fact for n in names if (fact := files.fact(n))})


def _thousand(whole: Whole, path: Path, versions: int, records: int) -> Iterator[Figure]:
    target = path / "thousand"
    populated(whole, target, versions, records)

    def verified() -> None:
        verdict = verify_export(target, whole.trusted, now())
        broken = [
            link.said
            for one in verdict.subjects
            for link in one.links
            if link.state is State.BROKEN
        ]
        assert not broken, broken[:3]

    name = f"verify an export of {versions} versions and {records} records"
    yield figure(name, _timed(verified, 3), "s", at_most=60)
    yield figure("the same in processor time", _cpu(verified, 1), "s")


if __name__ == "__main__":
    sys.exit(main())
