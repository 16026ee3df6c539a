"""Configuration files, command lines and archives say what they must."""

import json
import tarfile
import tomllib
from pathlib import Path

import pytest

from tests.cluster import components, configs, mounts, pip_settings
from tests.cluster.archive import StaticImage, layer, write
from tests.cluster.binaries import GO_VERSION, parse_go_version
from tests.cluster.engines import superseded
from tests.cluster.layout import Layout

NODE = Layout("any", 7, Path("/state/any"))
ALONE = Layout("any", 7, Path("/state/any"), control_plane_only=True)


def test_containerds_configuration_keeps_to_the_clusters_folder() -> None:
    parsed = tomllib.loads(configs.containerd(NODE))
    cri = parsed["plugins"]["io.containerd.grpc.v1.cri"]
    assert parsed["root"].startswith("/state/any/")
    assert cri["cni"]["conf_dir"] == "/state/any/config/cni"
    assert cri["netns_mounts_under_state_dir"] is True


def test_the_pod_network_is_the_layouts() -> None:
    bridge = json.loads(configs.cni(NODE))["plugins"][0]
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.244.7.0/24"}]]


def test_each_kubelet_has_a_cgroup_of_its_own() -> None:
    parsed = json.loads(configs.kubelet(NODE))
    assert parsed["cgroupRoot"] == "/hallmark-any"
    assert parsed["clusterDNS"] == [NODE.dns_address]


def test_a_kubeconfig_carries_its_certificates() -> None:
    parsed = json.loads(configs.kubeconfig("https://x", b"ca", b"certificate", b"key"))
    assert parsed["clusters"][0]["cluster"]["certificate-authority-data"] == "Y2E="
    assert parsed["users"][0]["user"]["client-key-data"] == "a2V5"


@pytest.mark.parametrize("component", components.ALL, ids=lambda each: each.__name__)
def test_every_command_line_names_the_clusters_folder(component: object) -> None:
    # By this a process is told from a stranger that got its pid.
    assert callable(component)
    assert any("/state/any" in argument for argument in component(NODE).arguments)


def test_every_component_has_a_place_in_the_order_of_stopping() -> None:
    assert {each(NODE).name for each in components.ALL} == set(components.STOP_ORDER)
    assert set(components.CONTROL_PLANE) <= set(components.STOP_ORDER)


def test_a_control_plane_alone_admits_pods_without_a_service_account() -> None:
    option = "--disable-admission-plugins=ServiceAccount"
    assert option in components.api_server(ALONE).arguments
    assert option not in components.api_server(NODE).arguments


def test_mounts_are_found_below_a_folder_the_last_first() -> None:
    row = "36 35 98:0 / {} rw - ext4 /dev/x rw"
    points = ["/", "/state/any", "/state/any/a", "/state/any-other", "/state/any/a/b\\040c"]
    text = "\n".join(row.format(point) for point in points)
    found = mounts.parse(text, Path("/state/any"))
    assert found == ["/state/any/a/b c", "/state/any/a", "/state/any"]


@pytest.mark.parametrize(
    ("text", "enough"),
    [
        ("go version go1.26.8 linux/amd64", True),
        ("go version go2.0 linux/arm64", True),
        ("go version go1.19.8 linux/amd64", False),
        ("", False),
    ],
)
def test_the_version_of_go_is_read(text: str, enough: bool) -> None:
    assert (parse_go_version(text) >= GO_VERSION) is enough


def test_pips_settings_name_no_file_of_the_machine(tmp_path: Path) -> None:
    certificates = tmp_path / "authorities.crt"
    certificates.touch()
    listing = "\n".join(
        [
            f":env:.cert='{certificates}'",
            ":env:.timeout='180'",
            "global.cert='/elsewhere'",
            "global.find-links='/wheels'",
            "global.index-url='https://mirror/simple'",
        ]
    )
    settings = pip_settings.parse(listing)
    found = pip_settings.bundle(settings, {})
    rendered = pip_settings.render(settings, found)
    assert found == certificates
    assert rendered == (
        "[global]\ncert = /run/secrets/ca.crt\nindex-url = https://mirror/simple\ntimeout = 180\n"
    )


@pytest.fixture
def image(tmp_path: Path) -> StaticImage:
    program = tmp_path / "program"
    program.write_bytes(b"machine code")
    return StaticImage("localhost/thing", {"/bin/thing": program}, ("/bin/thing",), ("/data",))


def test_an_image_of_files_has_the_same_bytes_each_time(image: StaticImage) -> None:
    assert layer(image) == layer(image)
    assert image.reference.startswith("localhost/thing:")


def test_an_image_of_files_runs_as_nobody_in_particular(image: StaticImage, tmp_path: Path) -> None:
    write(image, tmp_path / "image.tar")
    with tarfile.open(tmp_path / "image.tar") as archive:
        manifest = json.load(archive.extractfile("manifest.json") or pytest.fail("no manifest"))
        config = json.load(archive.extractfile(manifest[0]["Config"]) or pytest.fail("no config"))
    assert manifest[0]["RepoTags"] == [image.reference]
    assert config["config"]["User"] == "65532"


def test_all_but_the_newest_tags_of_each_image_are_superseded() -> None:
    tags = [{"names": [f"localhost/one:{number}"], "created": number} for number in range(4)]
    others = [{"names": None, "created": 9}, {"names": ["localhost/two:0"], "created": 0}]
    found = superseded(json.dumps(tags + others), count=2)
    assert found == ["localhost/one:1", "localhost/one:0"]
