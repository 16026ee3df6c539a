"""The current context of the user's kubeconfig as a cluster, after asking."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.cluster.errors import ClusterError

YES = "CLUSTER_YES"


class CurrentContext:
    """A cluster that somebody else made; it is never started, changed or removed as a whole."""

    @property
    def kubeconfig(self) -> Path:
        """The user's kubeconfig."""
        default = Path.home() / ".kube" / "config"
        return Path(os.environ.get("KUBECONFIG", str(default)).split(os.pathsep)[0])

    @property
    def kubectl_program(self) -> str:
        """The user's kubectl."""
        found = shutil.which("kubectl")
        if not found:
            raise ClusterError("CLUSTER=current needs kubectl on the PATH")
        return found

    def _kubectl(self, *arguments: str) -> str:
        done = subprocess.run(
            [self.kubectl_program, f"--kubeconfig={self.kubeconfig}", *arguments],
            text=True,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise ClusterError(f"kubectl {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done.stdout.strip()

    def _node(self) -> dict[str, Any]:
        nodes: dict[str, Any] = json.loads(self._kubectl("get", "nodes", "--output=json"))
        first: dict[str, Any] = nodes["items"][0]
        return first

    @property
    def node_address(self) -> str:
        """The internal address of the first node."""
        addresses = self._node()["status"]["addresses"]
        return str(next(each["address"] for each in addresses if each["type"] == "InternalIP"))

    @property
    def host_address(self) -> str:
        """Unknown here."""
        raise ClusterError("this machine has no known address in the current context's cluster")

    @property
    def pod_cidr(self) -> str:
        """The Pod network of the first node."""
        return str(self._node()["spec"].get("podCIDR", ""))

    @property
    def service_cidr(self) -> str:
        """The network of the Services, where the cluster has ServiceCIDR objects."""
        return self._kubectl("get", "servicecidr", "--output=jsonpath={.items[0].spec.cidrs[0]}")

    @property
    def storage_root(self) -> str:
        """Unknown here."""
        raise ClusterError("hostPath volumes are not used in the current context's cluster")

    @property
    def running(self) -> bool:
        """Whether its API server answers."""
        try:
            return self._kubectl("get", "--raw", "/readyz") == "ok"
        except ClusterError:
            return False

    def prepare(self, *, control_plane_only: bool) -> None:
        """Do nothing: it runs already."""
        del control_plane_only

    def up(self, *, control_plane_only: bool) -> None:
        """Ask whether this is the right cluster.

        Raises:
            ClusterError: unless the answer is yes.
        """
        del control_plane_only
        context = self._kubectl("config", "current-context")
        if os.environ.get(YES) == "1":
            return
        if not sys.stdin.isatty():
            raise ClusterError(
                f"there is no terminal to ask whether to use context {context!r}; set {YES}=1"
            )
        if input(f"Use the current context {context!r}? [y/N] ").strip().lower() != "y":
            raise ClusterError("nothing was done")

    def down(self) -> None:
        """Refuse: it is not ours.

        Raises:
            ClusterError: always.
        """
        raise ClusterError("CLUSTER=current was not made here, so it is not removed here")

    def load_image(self, reference: str) -> None:
        """Do nothing: push the image to a registry that the cluster pulls from."""

    def make_volume_dir(self, name: str, uid: int) -> str:
        """Refuse, see `storage_root`.

        Raises:
            ClusterError: always.
        """
        return f"{self.storage_root}/{name}/{uid}"

    def restart_component(self, name: str) -> None:
        """Refuse.

        Raises:
            ClusterError: always.
        """
        raise ClusterError(f"{name} of the current context's cluster is not ours to restart")
