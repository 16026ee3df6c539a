"""Watches that fall silent make the liveness probe fail, though the process lives."""

from __future__ import annotations

import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from tests.integration.frozen_proxy import FrozenProxy, frozen_proxy
from tests.integration.operator_process import Installation, deployed, store
from tests.integration.operator_world import kubeconfig

__all__ = ["deployed", "kubeconfig", "store"]


@pytest.fixture
def through_proxy(deployed: Installation) -> Iterator[FrozenProxy]:
    """The operator started anew, with a way to the API server that can fall silent."""
    direct = Path(deployed.kubeconfig)
    config = yaml.safe_load(direct.read_text())
    server = urlsplit(config["clusters"][0]["cluster"]["server"])
    assert server.hostname is not None
    with frozen_proxy(server.hostname, server.port or 443) as proxy:
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{proxy.port}"
        proxied = direct.with_name("proxied-kubeconfig")
        proxied.write_text(yaml.safe_dump(config))
        deployed.end()
        deployed.kubeconfig = str(proxied)
        deployed.start(HALLMARK_LONGEST_SILENCE_SECONDS="5")
        deployed.wait_until_healthy()
        yield proxy
        deployed.end(signal.SIGKILL)


def health(port: int) -> tuple[int, str]:
    """Return the liveness probe's status and text."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_liveness_fails_when_watches_fall_silent(
    deployed: Installation, through_proxy: FrozenProxy
) -> None:
    end = time.monotonic() + 7
    while time.monotonic() < end:
        assert health(deployed.port)[0] == 200, "a working watch keeps the operator alive"
        time.sleep(0.5)
    through_proxy.freeze()
    end = time.monotonic() + 30
    while (found := health(deployed.port))[0] == 200 and time.monotonic() < end:
        time.sleep(0.2)
    assert found[0] == 503
    assert found[1].startswith("No heartbeat came through the watch for ")
    assert deployed.process is not None
    assert deployed.process.poll() is None, "the process lives: only the probe can tell"
