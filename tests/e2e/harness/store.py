"""Reading and damaging what is in the store, with the operator's own credentials."""

import json
from typing import TYPE_CHECKING

from tests.e2e.harness.api import Object

if TYPE_CHECKING:
    from tests.e2e.harness.world import World

_OPEN = """
import json, pathlib, sys
import obstore
from obstore.store import S3Store
options = json.loads(sys.argv[1])
folder = pathlib.Path("/var/run/hallmark/store")
store = S3Store(
    options["bucket"],
    endpoint=options["endpoint"],
    region=options["region"],
    access_key_id=(folder / "access-key-id").read_text().strip(),
    secret_access_key=(folder / "secret-access-key").read_text().strip(),
    client_options={"allow_http": True},
    virtual_hosted_style_request=False,
)
"""

_LIST = """
for batch in obstore.list(store, options["prefix"]):
    for entry in batch:
        print(entry["path"])
"""

_FLIP = """
data = bytearray(bytes(obstore.get(store, options["path"]).bytes()))
data[len(data) // 2] ^= 1
obstore.put(store, options["path"], bytes(data))
"""

_PUT = """
obstore.put(store, options["path"], options["text"].encode())
"""

_REMOVE = """
for batch in obstore.list(store, options["prefix"]):
    obstore.delete(store, [entry["path"] for entry in batch])
"""

_SEARCH = """
needles = [needle.encode() for needle in options["needles"]]
for batch in obstore.list(store, options["prefix"]):
    for entry in batch:
        data = bytes(obstore.get(store, entry["path"]).bytes())
        for needle in needles:
            if needle in data:
                print(entry["path"])
"""

_READ = """
sys.stdout.buffer.write(bytes(obstore.get(store, options["path"]).bytes()))
"""


class Store:
    """The artifact store that the default ModelPolicy names.

    Args:
        world: the installation.
    """

    def __init__(self, world: "World") -> None:
        self._world = world

    def _run(self, program: str, **options: object) -> str:
        place = self._world.api.get("ModelPolicy", None, "default")["spec"]["store"]
        whole = {
            "bucket": place["uri"].removeprefix("s3://").split("/")[0],
            "endpoint": place.get("endpoint"),
            "region": place.get("region", "us-east-1"),
            **options,
        }
        return self._world.in_operator(_OPEN + program, json.dumps(whole))

    def names(self, prefix: str) -> list[str]:
        """Return the objects below a prefix."""
        return self._run(_LIST, prefix=prefix).split()

    def read(self, path: str) -> str:
        """Return a text object."""
        return self._run(_READ, path=path)

    def put(self, path: str, text: str) -> None:
        """Write a text object."""
        self._run(_PUT, path=path, text=text)

    def remove(self, prefix: str) -> None:
        """Remove what is below a prefix, as a lost store would."""
        self._run(_REMOVE, prefix=prefix)

    def flip(self, path: str) -> None:
        """Flip the lowest bit of the byte in an object's middle; twice restores it."""
        self._run(_FLIP, path=path)

    def containing(self, prefix: str, *needles: str) -> list[str]:
        """Return the objects below a prefix that contain one of the texts."""
        return self._run(_SEARCH, prefix=prefix, needles=list(needles)).split()


def bundle_prefix(version: Object) -> str:
    """Return the folder of a ModelVersion's sealed bundle."""
    uri = str(version["spec"]["artifact"]["uri"])
    return uri.removeprefix("s3://").split("/", 1)[1].rstrip("/") + "/"
