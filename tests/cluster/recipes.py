"""Which images there are, what goes into each, and the tag that follows from it: pure functions."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
IGNORED_FOLDERS = frozenset({"__pycache__"})


@dataclass(frozen=True)
class Recipe:
    """An image that is built from a Dockerfile.

    Attributes:
        name: its name, and the build's target.
        dockerfile: the Dockerfile, relative to the repository.
        sources: the files and folders that the Dockerfile copies, relative to the repository.
    """

    name: str
    dockerfile: str
    sources: tuple[str, ...]

    @property
    def repository(self) -> str:
        """The image's name without the tag."""
        return f"localhost/hallmark-{self.name}"

    def files(self, root: Path = REPOSITORY) -> list[Path]:
        """Return the files of the build's context, relative to the repository, in order."""
        found = [Path(self.dockerfile)]
        for source in self.sources:
            found += sorted(_files_below(root, root / source))
        return found

    def reference(self, base: str, root: Path = REPOSITORY) -> str:
        """Return the image's name with a tag that derives from everything that goes in.

        Args:
            base: the base image's name.
            root: the repository.
        """
        return f"{self.repository}:{digest(root, self.files(root), base)}"


def _files_below(root: Path, path: Path) -> Iterable[Path]:
    if path.is_file():
        return [path.relative_to(root)]
    return [
        file.relative_to(root)
        for file in path.rglob("*")
        if file.is_file() and not IGNORED_FOLDERS & set(file.parts) and file.suffix != ".pyc"
    ]


def digest(root: Path, files: Iterable[Path], base: str) -> str:
    """Return twelve hex digits over names and contents of files and the name of the base."""
    total = hashlib.sha256(base.encode())
    for file in files:
        content = hashlib.sha256((root / file).read_bytes()).hexdigest()
        total.update(f"\0{file.as_posix()}\0{content}".encode())
    return total.hexdigest()[:12]


SHARED = ("requirements/shared.txt", "requirements/wheels.py")
OPERATOR = Recipe(
    "operator", "operator/Dockerfile", (*SHARED, "requirements/operator.txt", "operator/hallmark")
)
TRAINER = Recipe(
    "trainer", "operator/Dockerfile", (*SHARED, "requirements/trainer.txt", "operator/hallmark")
)
PREDICTOR = Recipe(
    "predictor",
    "predictor/Dockerfile",
    (*SHARED, "requirements/predictor.txt", "operator/hallmark", "predictor/hallmark_predictor"),
)
DASHBOARD = Recipe(
    "dashboard",
    "dashboard/Dockerfile",
    (*SHARED, "requirements/dashboard.txt", "operator/hallmark", "dashboard/hallmark_dashboard"),
)
ALL = (OPERATOR, TRAINER, PREDICTOR, DASHBOARD)
