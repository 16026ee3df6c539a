import hashlib
from pathlib import Path

import pytest

from hallmark.errors import ConfigurationError
from hallmark_predictor.settings import ApiServer, read_settings

SHA = "0" * 64
POD = {"POD_NAME": "p", "POD_NAMESPACE": "n", "HALLMARK_DEPLOYMENT": "d"}
IN_CLUSTER = POD | {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}


def test_the_defaults_are_the_mounts_of_a_pod() -> None:
    found = read_settings([f"--trust-sha256={SHA}"], IN_CLUSTER)
    assert found.trust_file == Path("/etc/hallmark/trust/trust.json")
    assert found.urls_file == Path("/var/run/hallmark/urls/urls.json")
    assert found.termination_log == Path("/dev/termination-log")
    assert (found.pod, found.namespace, found.deployment, found.port) == ("p", "n", "d", 8080)
    credentials = Path("/var/run/secrets/kubernetes.io/serviceaccount")
    assert found.api_server == ApiServer("fd00::1", 6443, credentials)


def test_outside_of_a_cluster_there_is_no_api_server() -> None:
    assert read_settings([f"--trust-sha256={SHA}"], POD).api_server is None


@pytest.mark.parametrize("name", POD)
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        read_settings([f"--trust-sha256={SHA}"], POD | {name: ""})


def test_a_port_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="KUBERNETES_SERVICE_PORT"):
        read_settings(
            [f"--trust-sha256={SHA}"], IN_CLUSTER | {"KUBERNETES_SERVICE_PORT": "tcp://x"}
        )


@pytest.mark.parametrize("arguments", [[], ["--trust-sha256=sha256:00"], ["--trust-sha256="]])
def test_without_the_trust_files_hash_it_does_not_start(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        read_settings(arguments, POD)


def test_without_a_cluster_the_trust_file_says_where_it_belongs(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    path.write_bytes(b'{"namespace": "team", "deployment": "loans"}')
    found = read_settings([f"--trust={path}", f"--bundle={tmp_path}"], {})
    assert found.trust_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (found.namespace, found.deployment, found.api_server) == ("team", "loans", None)
    assert (found.trust_file, found.bundle) == (path, tmp_path)


def test_in_a_cluster_no_file_speaks_for_itself(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    path.write_bytes(b'{"namespace": "team", "deployment": "loans"}')
    with pytest.raises(SystemExit):
        read_settings([f"--trust={path}", f"--bundle={tmp_path}"], IN_CLUSTER)


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"[]", b"{}", b"\xff", b'{"namespace": "team"}', None),
        pytest.param(b"[" * 100_000, id="deep nesting"),
    ],
)
def test_a_trust_file_that_is_none_is_told_so(tmp_path: Path, data: bytes | None) -> None:
    path = tmp_path / "trust.json"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ConfigurationError, match=str(path)):
        read_settings([f"--trust={path}", f"--bundle={tmp_path}"], {})
