"""`python -m tests.cluster <command>`."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence

from tests.cluster.cluster import Cluster
from tests.cluster.errors import ClusterError
from tests.cluster.images import build_images


def _up(cluster: Cluster, options: argparse.Namespace) -> int:
    cluster.up(control_plane_only=options.control_plane_only)
    return 0


def _down(cluster: Cluster, options: argparse.Namespace) -> int:
    del options
    cluster.down()
    return 0


def _status(cluster: Cluster, options: argparse.Namespace) -> int:
    del options
    running = cluster.running
    print(f"{cluster.name}: {'running' if running else 'not running'}")
    return 0 if running else 1


def _kubeconfig(cluster: Cluster, options: argparse.Namespace) -> int:
    del options
    print(cluster.kubeconfig)
    return 0


def _kubectl(cluster: Cluster, options: argparse.Namespace) -> int:
    arguments = options.arguments
    command = cluster.kubectl_command(*(arguments[1:] if arguments[:1] == ["--"] else arguments))
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 - the terminal belongs to kubectl from here on


def _load(cluster: Cluster, options: argparse.Namespace) -> int:
    for reference in options.images:
        cluster.load_image(reference)
    return 0


def _images(cluster: Cluster, options: argparse.Namespace) -> int:
    del options
    built = build_images()
    for name, reference in built.items():
        if cluster.running:
            cluster.load_image(reference)
        print(f"{name} {reference}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    commands = parser.add_subparsers(required=True)

    def command(
        name: str, text: str, run: Callable[[Cluster, argparse.Namespace], int]
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument("--name", default="demo", help="the cluster's name (demo)")
        added.set_defaults(run=run)
        return added

    up = command("up", "start a cluster, or leave it as it runs", _up)
    up.add_argument("--control-plane-only", action="store_true", help="no node")
    command("down", "remove a cluster", _down)
    command("status", "say whether a cluster runs", _status)
    command("kubeconfig", "print the path of a cluster's kubeconfig", _kubeconfig)
    kubectl = command("kubectl", "run kubectl against a cluster", _kubectl)
    kubectl.add_argument("arguments", nargs=argparse.REMAINDER)
    command("images", "build all images and give them to a cluster that runs", _images)
    load = command("load", "give images to a cluster", _load)
    load.add_argument("images", nargs="+")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        The exit code.
    """
    options = _parser().parse_args(arguments)
    try:
        run: Callable[[Cluster, argparse.Namespace], int] = options.run
        return run(Cluster(options.name), options)
    except (ClusterError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the next up or down continues from here", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
