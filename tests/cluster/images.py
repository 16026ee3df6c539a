"""Builds the images of this repository; an unchanged tree builds nothing."""

import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import archive, binaries, packages, pip_settings, recipes
from tests.cluster.archive import StaticImage
from tests.cluster.engines import Buildah, Docker, Engine, run
from tests.cluster.kind import docker_answers
from tests.cluster.layout import cache_folder
from tests.cluster.progress import Progress
from tests.cluster.recipes import REPOSITORY, Recipe


def pause() -> StaticImage:
    """Return the image that holds a Pod's namespaces."""
    catatonit = {"/catatonit": Path("/usr/bin/catatonit")}
    return StaticImage("localhost/pause", catatonit, ("/catatonit", "-P"), tag="1")


def versitygw() -> StaticImage:
    """Return the image of the embedded object store; its data folder is /data."""
    files = {"/versitygw": binaries.program("versitygw")}
    return StaticImage("localhost/versitygw", files, ("/versitygw",), folders=("/data",))


def metrics_server() -> StaticImage:
    """Return the image of what tells autoscalers the use of Pods; few tests need it."""
    files = {"/metrics-server": binaries.program("metrics-server")}
    return StaticImage("localhost/metrics-server", files, ("/metrics-server",))


STATIC = {
    "localhost/pause": pause,
    "localhost/versitygw": versitygw,
    "localhost/metrics-server": metrics_server,
}


@contextmanager
def packed(reference: str, present: Collection[str]) -> Iterator[Path]:
    """Pack an image of buildah's storage for a node.

    Args:
        reference: the image.
        present: the digests of the blobs that the node has.

    Yields:
        An archive with all that the node lacks; it is gone afterwards.
    """
    with (
        Buildah().pruning(),
        tempfile.TemporaryDirectory(prefix="hallmark-image-") as folder,
    ):
        target = Path(folder) / "image.tar"
        Buildah().storage.pack(reference, present, target)
        yield target


def _stage(recipe: Recipe, context: Path) -> None:
    for file in recipe.files():
        target = context / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / file, target)


def _build(engine: Engine, recipe: Recipe, base: str, progress: Progress) -> str:
    reference = recipe.reference(base)
    if engine.has(reference):
        return reference
    with (
        progress.step(f"building {reference}"),
        tempfile.TemporaryDirectory(prefix="hallmark-image-") as folder,
    ):
        context = Path(folder) / "context"
        _stage(recipe, context)
        options = ["--target", recipe.name, *pip_settings.secrets(Path(folder))]
        if base:
            options += ["--build-arg", f"BASE={base}"]
        engine.build(reference, context / recipe.dockerfile, context, options)
    return reference


def build_one(recipe: Recipe) -> str:
    """Build one image with buildah, if its content has changed; return its reference."""
    engine = Buildah()
    with binaries.exclusive(cache_folder() / "images.lock"):
        return _build(engine, recipe, engine.base(Progress()), Progress())


def _build_static(image: StaticImage) -> str:
    """Give a static image to the Docker engine; nodes without one import it directly."""
    if docker_answers():
        with tempfile.NamedTemporaryFile(suffix=".tar") as file:
            archive.write(image, Path(file.name))
            run("docker", "load", "--input", file.name)
    return image.reference


def build_metrics_server(progress: Progress) -> str:
    """Build the image of metrics-server; return its reference."""
    binaries.build((binaries.METRICS_SERVER,), progress)
    return _build_static(metrics_server())


def build_images(progress: Progress | None = None) -> dict[str, str]:
    """Build every image whose content has changed.

    Args:
        progress: what tells the steps; by default they go to standard error.

    Returns:
        The reference of each of `operator`, `trainer`, `predictor`, `dashboard` and `versitygw`;
        the tags derive from the content.

    Raises:
        ClusterError: if a build fails.
    """
    progress = progress or Progress()
    engine: Engine = Docker() if docker_answers() else Buildah()
    if isinstance(engine, Buildah):
        packages.install(progress)
    with binaries.exclusive(cache_folder() / "images.lock"):
        base = engine.base(progress)
        built = {each.name: _build(engine, each, base, progress) for each in recipes.ALL}
    binaries.build((binaries.VERSITYGW,), progress)
    return built | {"versitygw": _build_static(versitygw())}
