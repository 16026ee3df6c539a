"""The chain without a cluster, end to end: real processes, real rows, real requests."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from hallmark.api.dependencies import AcceptedVex, Dependencies, Vulnerabilities
from hallmark.api.model_approval import ReviewDecision
from hallmark.api.model_deployment import ActionName
from hallmark.audit.verify import verify_log
from hallmark.keys import load_private_key, public_pem
from hallmark.local.folder import Folder
from hallmark.local.pods import LocalPods
from hallmark.local.reviews import decide_here, looked_at
from hallmark.local.rollouts import Rollouts
from hallmark.local.runs import image_here
from hallmark.local.server import act_here
from tests.data.hmda import MODEL, hmda_csv
from tests.integration.local_chain import Chain, Server, traffic
from tests.unit.supply_chain.osv_entries import affected, entry, snapshot
from tests.unit.supply_chain.test_foreign_vex import open_vex, statement

FIRST, SECOND = "mortgage-v1", "mortgage-v2"
OTHER = {"parameters": [{"name": "C", "value": "0.5"}], "testFraction": "0.4"}


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    """A folder with rows, in which nothing was run."""
    (tmp_path / "hmda.csv").write_bytes(hmda_csv())
    return Chain(tmp_path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    """A chain with a version that is approved, and another that waits; copied, never changed."""
    chain = Chain(tmp_path_factory.mktemp("trained"))
    (chain.path / "hmda.csv").write_bytes(hmda_csv())
    first = chain.run(chain.write_run(FIRST), "--approve", "--no-serve")
    assert first.returncode == 0, first.stderr + first.stdout
    assert re.search(r"^passed +rocAuc +0\.\d+ +at least 0.80 +run", first.stdout, re.MULTILINE)
    report = re.search(r"Report: (.*report\.html)", first.stdout)
    assert report
    assert "<h1" in Path(report[1]).read_text()
    second = chain.run(chain.write_run(SECOND, trainer=OTHER))
    assert second.returncode == 3, second.stderr + second.stdout
    return chain


@pytest.fixture
def copied(trained: Chain, tmp_path: Path) -> Chain:
    """A copy of that chain: a folder may be moved."""
    shutil.copytree(trained.path, tmp_path / "copy")
    return Chain(tmp_path / "copy")


@pytest.fixture
def serving(chain: Chain) -> Iterator[list[Server]]:
    """Take servers, and end those that still run."""
    servers: list[Server] = []
    yield servers
    for server in servers:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


def test_the_folder_is_laid_out_to_be_read(trained: Chain) -> None:
    first, second = trained.registry["models"][MODEL]["versions"]

    assert (first["name"], first["approved"], first["revoked"]) == (FIRST, True, False)
    assert (second["name"], second["approved"]) == (SECOND, False)
    for part in (first["model"], first["sbom"], first["report"], "logs/secure_mlops.log"):
        assert (trained.state / part).stat().st_size
    assert {file.stat().st_mode & 0o777 for file in trained.state.glob("keys/*.pem")} == {0o600}
    assert not (trained.state / "runs").exists()


def test_drift_rolls_back_while_it_serves(copied: Chain, serving: list[Server]) -> None:
    server = Server(copied, "--window=100", "--consecutive=2")
    serving.append(server)
    answer = server.predict(traffic(150))
    assert answer["modelVersion"] == FIRST
    assert len(answer["predictions"]) == 150
    assert FIRST in server.get("/docs")
    assert json.loads(server.get("/drift"))["rows"] == 150

    # Another version takes over; nothing is trained or restarted.
    second = copied.run(copied.path / f"{SECOND}.yaml", "--approve", "--no-serve")
    assert second.returncode == 0, second.stderr + second.stdout
    assert "Sealed before, nothing was trained" in second.stdout
    server.wait_for(f"^{SECOND} serves")
    for _ in range(2):
        assert server.predict(traffic(100))["modelVersion"] == SECOND
    assert json.loads(server.get("/drift"))["verdict"] != "Drift"

    for _ in range(3):
        server.predict(traffic(100, shift=2.0))
    server.wait_for(f"^{FIRST} serves .*has drifted: ")
    assert server.predict(traffic(10))["modelVersion"] == FIRST
    shown = copied.run("status")
    assert f"rolled back from {SECOND} to {FIRST}" in shown.stdout
    assert f"{MODEL}: {FIRST} serves at {server.url}" in shown.stdout
    assert server.end() == 0

    key = load_private_key((copied.state / "keys" / "audit.pem").read_bytes())
    verdict = verify_log(copied.state / "logs" / "secure_mlops.log", public_pem(key.public_key()))
    assert verdict.ok, verdict.problems
    log = (copied.state / "logs" / "secure_mlops.log").read_text()
    for event in ("gate", "seal", "approve", "verify", "promote", "drift", "rollback"):
        assert f'"event":"{event}"' in log


@pytest.mark.slow
def test_a_rollback_by_hand_needs_no_server(copied: Chain, serving: list[Server]) -> None:
    folder = Folder(copied.state)
    for name in (FIRST, SECOND):
        if name == SECOND:
            decide_here(folder, name, ReviewDecision.APPROVED, "Read.")
        server = Server(copied)
        serving.append(server)
        server.wait_for(f"^{name} serves")
        assert server.end() == 0

    back = copied.run("rollback", "--reason=Too many refusals.")
    assert back.returncode == 0, back.stderr
    assert f"Rolling back to '{FIRST}'." in back.stdout
    assert f"{MODEL}: {FIRST} serves." in back.stdout
    again = copied.run("rollback", "--reason=Once more.")
    assert again.returncode == 10
    assert "Nothing was done" in again.stdout

    # Revoked bytes stop, and nothing else is left that may serve.
    decide_here(folder, SECOND, ReviewDecision.REVOKED, "Leak.")
    version, _ = decide_here(folder, FIRST, ReviewDecision.REVOKED, "Leak.")
    assert version.status.is_true("Revoked")
    deployment = act_here(folder, MODEL, ActionName.ACKNOWLEDGE, "Seen.")
    pods = LocalPods(folder.store(), image_here())
    rollouts = Rollouts(folder, MODEL, pods)
    rollouts.reconcile()
    assert deployment.status.last_action
    assert pods.serving() is None


def test_a_refusal_is_a_sentence_and_an_exit_code(chain: Chain) -> None:
    refused = chain.run(chain.write_run("mortgage-v1", with_protected=True))

    assert refused.returncode == 10
    sentence = "Gate demographicParityDifference.afam failed: expected at most 0.12, measured"
    assert sentence in refused.stdout
    assert chain.registry["versions"] == []
    assert "Traceback" not in refused.stderr
    assert sentence in json.dumps(chain.registry["runs"][0]["status"]["conditions"])


def test_without_an_answer_nothing_is_approved(copied: Chain) -> None:
    waits = copied.run(copied.path / f"{SECOND}.yaml")
    assert waits.returncode == 3, waits.stderr
    assert "Sealed before, nothing was trained" in waits.stdout
    assert copied.registry["models"][MODEL]["versions"][1]["approved"] is False

    denied = copied.run("deny", SECOND, "--reason=Too few rows.")
    assert denied.returncode == 0, denied.stderr
    assert copied.run(copied.path / f"{SECOND}.yaml", "--approve").returncode == 10


def test_bytes_that_were_changed_never_serve(copied: Chain) -> None:
    for model in copied.state.glob("models/*/*/model.onnx"):
        model.write_bytes(model.read_bytes()[:-1] + b"\0")

    command = copied.command("serve", "--port=0")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        first = server.stderr.readline()
        server.send_signal(signal.SIGINT)
    assert first.startswith("nothing serves")
    assert "model.onnx" in first


def test_a_snapshot_in_the_folder_is_held_against_its_versions(copied: Chain) -> None:
    folder = Folder(copied.state)
    registry = folder.read()
    rules = Dependencies(vulnerabilities=Vulnerabilities())
    spec = registry.policy.spec.replace(dependencies=rules)
    demanding = registry.replace(policy=registry.policy.replace(spec=spec))

    def passed() -> tuple[str, str]:
        (version, _) = looked_at(folder, demanding, demanding.versions[0])
        found = version.status.condition("PolicyPassed")
        assert found is not None
        return found.reason, found.message

    assert passed()[0] == "PolicyFailed"
    snapshot(copied.state / "osv", entry("GHSA-0", affected("else")))
    assert passed()[0] == "PolicyPassed"
    snapshot(copied.state / "osv", entry("GHSA-1", affected("numpy", ranges=[])))
    reason, message = passed()
    assert (reason, "GHSA-1 in 'numpy'" in message) == ("PackagesRefused", True)


def _listens(chain: Chain) -> None:
    """Let a chain's policy refuse known vulnerabilities, and hear words on them."""
    with Folder(chain.state).transaction() as transaction:
        registry = transaction.registry
        rules = Dependencies(vulnerabilities=Vulnerabilities(vex=AcceptedVex()))
        spec = registry.policy.spec.replace(dependencies=rules)
        transaction.commit(registry.replace(policy=registry.policy.replace(spec=spec)))


def _one_line(text: str) -> str:
    return " ".join(text.split())


WORD = ("vex", FIRST, "--vulnerability=CVE-2026-1", "--package=NumPy", "--detail=Not imported.")
LIFTS = ("--analysis=not_affected", "--justification=code_not_reachable")


def test_words_on_vulnerabilities_are_said_and_changed(copied: Chain, tmp_path: Path) -> None:
    _listens(copied)
    flaws = [entry(f"CVE-2026-{one}", affected("numpy", ranges=[])) for one in (1, 2)]
    snapshot(copied.state / "osv", *flaws)

    done = copied.run(*WORD, *LIFTS)
    assert done.returncode == 0, done.stderr
    said = _one_line(done.stdout)
    assert "CVE-2026-1 in 'numpy': not_affected (code_not_reachable), says local:" in said
    assert ("CVE-2026-1 in 'numpy' " in said, "CVE-2026-2 in 'numpy'" in said) == (False, True)

    # What others say is taken over whole.
    parts = [{"@id": "pkg:pypi/numpy"}]
    file = tmp_path / "vex.json"
    told = statement(products=parts, vulnerability={"name": "CVE-2026-2"})
    file.write_text(json.dumps(open_vex(told)))
    taken = copied.run("vex", FIRST, f"--from={file}")
    assert taken.returncode == 0, taken.stderr
    assert Folder(copied.state).read().versions[0].status.is_true("PolicyPassed")

    # The last word of one person counts, both ways, and each change is on record.
    for word, passes in ((("--analysis=exploitable",), False), (LIFTS, True)):
        assert copied.run(*WORD, *word).returncode == 0
        registry = Folder(copied.state).read()
        assert registry.versions[0].status.is_true("PolicyPassed") is passes
        assert len([one for one in registry.approvals if one.spec.assessment]) == 2
    key = load_private_key((copied.state / "keys" / "audit.pem").read_bytes())
    log = copied.state / "logs" / "secure_mlops.log"
    assert verify_log(log, public_pem(key.public_key())).ok
    assert log.read_text().count('"event":"assess"') >= 4


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (WORD, "or all of --vulnerability"),
        ((*WORD, LIFTS[0]), "Expected --justification"),
        ((*WORD, *LIFTS, "--from=x"), "Expected --from with a VEX file, or"),
        ((*WORD, *LIFTS, "--not-after=2020-01-01T00:00:00Z"), "has passed"),
        ((WORD[0], "other", *WORD[2:], *LIFTS), "found no 'other'"),
        ((WORD[0], FIRST, "--from=/no/such"), "cannot be read"),
    ],
)
def test_words_that_make_no_sense_change_nothing(
    trained: Chain, given: tuple[str, ...], said: str
) -> None:
    before = trained.registry
    done = trained.run(*given)
    assert (done.returncode, trained.registry) == (1, before)
    assert said in _one_line(done.stderr)


def test_a_file_with_more_words_than_a_version_holds_is_refused(
    trained: Chain, tmp_path: Path
) -> None:
    before, file = trained.registry, tmp_path / "vex.json"
    parts = [{"@id": "pkg:pypi/numpy"}]
    told = [
        statement(products=parts, vulnerability={"name": f"CVE-2026-{number}"})
        for number in range(64)
    ]
    file.write_text(json.dumps(open_vex(*told)))
    done = trained.run("vex", FIRST, f"--from={file}")
    assert (done.returncode, trained.registry) == (1, before)
    assert "Expected at most 63 words on mortgage-v1" in _one_line(done.stderr)


def test_a_run_that_was_killed_is_run_again(chain: Chain) -> None:
    file = chain.write_run("mortgage-v1")
    command = chain.command(file, "--approve", "--no-serve")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "Train" in line:
                process.kill()
                break
    assert list((chain.state / "runs").iterdir())

    done = chain.run(file, "--approve", "--no-serve")
    assert done.returncode == 0, done.stderr
    assert [one["name"] for one in chain.registry["models"][MODEL]["versions"]] == ["mortgage-v1"]
    assert not (chain.state / "runs").exists()


def test_a_run_that_is_interrupted_leaves_nothing(chain: Chain) -> None:
    command = chain.command(chain.write_run(FIRST), "--approve", "--no-serve")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if "Measuring" in line:
                process.send_signal(signal.SIGINT)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert not (chain.state / "runs").exists()
    assert chain.registry["versions"] == []


def test_a_page_of_a_stranger_reads_nothing(copied: Chain, serving: list[Server]) -> None:
    server = Server(copied)
    serving.append(server)

    answer = httpx.get(f"{server.url}/drift", headers={"Host": "evil.example.org"})
    assert answer.status_code == 421
    assert "rows" not in answer.json()
