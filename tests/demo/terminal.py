"""Runs the commands that the demo shows, with exactly the arguments that it shows."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.cluster import Cluster
from tests.demo.screen import Screen


class CommandError(Exception):
    """A command of the story did not do what it should."""


class Terminal:
    """A terminal whose KUBECONFIG names the cluster.

    Args:
        cluster: the cluster.
        screen: where commands and outputs are shown.
    """

    def __init__(self, cluster: Cluster, screen: Screen) -> None:
        self._cluster, self._screen = cluster, screen

    def kubectl(
        self,
        *arguments: str,
        fails: bool = False,
        show: bool = True,
        lines: int = 12,
    ) -> str:
        """Run kubectl.

        Args:
            *arguments: what follows `kubectl`.
            fails: the command is to be refused.
            show: print what it wrote.
            lines: how many lines to print at most.

        Returns:
            What it wrote, also to standard error.

        Raises:
            CommandError: if it fails, or is to fail and does not.
        """
        program = self._cluster.kubectl_command()[0]
        return self._run("kubectl", program, arguments, fails=fails, show=show, lines=lines)

    def settings(self) -> list[str]:
        """Return the commands after which another terminal is like this one."""
        program = Path(self._cluster.kubectl_command()[0])
        return [
            f"export PATH={_from_home(program.parent)}:$PATH",
            f"export KUBECONFIG={_from_home(self._cluster.kubeconfig)}",
        ]

    def hallmark(self, *arguments: str, fails: bool = False) -> str:
        """Run Hallmark's command line, see `kubectl`."""
        beside = Path(sys.executable).parent / "hallmark"
        program = str(beside) if beside.exists() else shutil.which("hallmark") or "hallmark"
        return self._run("hallmark", program, arguments, fails=fails, show=True, lines=12)

    def _run(
        self,
        name: str,
        program: str,
        arguments: tuple[str, ...],
        *,
        fails: bool,
        show: bool,
        lines: int,
    ) -> str:
        self._screen.command(name, arguments)
        done = subprocess.run(
            [program, *arguments],
            text=True,
            capture_output=True,
            check=False,
            env={**os.environ, "KUBECONFIG": str(self._cluster.kubeconfig)},
        )
        text = done.stdout + done.stderr
        if show:
            self._screen.output(text, lines)
        if bool(done.returncode) != fails:
            wanted = "be refused" if fails else "succeed"
            shown = "" if show else f"\n{text}"
            raise CommandError(f"Expected `{name} {arguments[0]}` to {wanted}; it did not.{shown}")
        return text


def _from_home(path: Path) -> str:
    """Return a path as a person types it, whose home is his own."""
    home = Path.home()
    return f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
