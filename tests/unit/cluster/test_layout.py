"""A cluster's name decides all its addresses, ports and folders."""

import ipaddress
from itertools import combinations
from pathlib import Path

import pytest

from tests.cluster.layout import SLOTS, Layout, cache_folder, clusters_folder, slot_of

NAMES = ("demo", "test", "bench", "integration", "a-colleague")


def layout(slot: int) -> Layout:
    return Layout("any", slot, Path("/state/any"))


def test_demo_and_test_have_slots_of_their_own() -> None:
    assert (slot_of("demo"), slot_of("test")) == (0, 1)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_always_has_the_same_slot_in_range(name: str) -> None:
    assert slot_of(name) == slot_of(name)
    assert 0 <= slot_of(name) < SLOTS


def test_no_other_name_is_given_a_fixed_slot() -> None:
    assert min(slot_of(f"cluster-{number}") for number in range(2000)) == 2


@pytest.mark.parametrize(
    "name", ["", "Demo", "1st", "a b", "../up", "x" * 31], ids=lambda name: repr(name)
)
def test_a_name_that_could_leave_its_folder_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no cluster name"):
        slot_of(name)


def test_no_two_slots_share_a_network() -> None:
    layouts = [layout(slot) for slot in (0, 1, 2, 15, 16, 254, 255)]
    for one, other in combinations(layouts, 2):
        for kind in ("node_cidr", "pod_cidr", "service_cidr"):
            ours = ipaddress.ip_network(getattr(one, kind))
            theirs = ipaddress.ip_network(getattr(other, kind))
            assert not ours.overlaps(theirs)


def test_the_networks_of_one_cluster_do_not_overlap() -> None:
    for slot in range(SLOTS):
        each = layout(slot)
        kinds = (each.node_cidr, each.pod_cidr, each.service_cidr)
        for one, other in combinations(map(ipaddress.ip_network, kinds), 2):
            assert not one.overlaps(other)


def test_the_demo_has_the_usual_address_for_dns() -> None:
    assert Layout.of("demo").dns_address == "10.96.0.10"
    assert Layout.of("demo").api_service_address == "10.96.0.1"


def test_a_device_name_fits_into_the_kernels_limit() -> None:
    assert all(len(layout(slot).device) <= 15 for slot in range(SLOTS))


def test_a_control_plane_alone_listens_on_loopback_ports_that_no_other_slot_has() -> None:
    ports: list[int] = []
    for slot in range(SLOTS):
        alone = Layout("any", slot, Path("/state/any"), control_plane_only=True)
        assert alone.node_address == "127.0.0.1"
        ports += [alone.api_port, alone.etcd_port, alone.etcd_peer_port]
    assert len(set(ports)) == len(ports)
    # From here on the kernel chooses ports itself.
    assert max(ports) < 32768


def test_folders_follow_the_xdg_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert cache_folder() == tmp_path / "cache" / "hallmark"
    assert clusters_folder() == tmp_path / "state" / "hallmark" / "clusters"
    assert Layout.of("demo").kubeconfig.is_relative_to(tmp_path / "state")


def test_folders_have_their_usual_place_without_the_variables(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "hallmark"
