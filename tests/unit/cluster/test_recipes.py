"""An image's tag changes with what goes into it, and with nothing else."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.recipes import ALL, REPOSITORY, Recipe

RECIPE = Recipe("thing", "thing/Dockerfile", ("lock.txt", "code"))
BASE = "localhost/base:1"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, content in {
        "thing/Dockerfile": "FROM x",
        "lock.txt": "a==1",
        "code/one.py": "1",
        "code/deep/two.py": "2",
        "other/unused.py": "3",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    return tmp_path


def edit(name: str) -> Callable[[Path], object]:
    return lambda tree: (tree / name).write_text("changed")


def compile_code(tree: Path) -> None:
    cache = tree / "code" / "__pycache__"
    cache.mkdir()
    (cache / "one.cpython-311.pyc").write_bytes(b"compiled")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(edit("thing/Dockerfile"), id="an edited Dockerfile"),
        pytest.param(edit("lock.txt"), id="another lock file"),
        pytest.param(edit("code/deep/two.py"), id="edited code"),
        pytest.param(edit("code/new.py"), id="a new file"),
        pytest.param(lambda tree: (tree / "code/one.py").unlink(), id="a removed file"),
        pytest.param(
            lambda tree: (tree / "code/one.py").rename(tree / "code/eins.py"), id="a renamed file"
        ),
    ],
)
def test_the_tag_changes_with(tree: Path, change: Callable[[Path], object]) -> None:
    before = RECIPE.reference(BASE, tree)
    change(tree)
    assert RECIPE.reference(BASE, tree) != before


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(edit("other/unused.py"), id="a file that is not copied"),
        pytest.param(compile_code, id="compiled code"),
        pytest.param(lambda tree: (tree / "lock.txt").touch(), id="a later time of change"),
    ],
)
def test_the_tag_stays_with(tree: Path, change: Callable[[Path], object]) -> None:
    before = RECIPE.reference(BASE, tree)
    change(tree)
    assert RECIPE.reference(BASE, tree) == before


def test_the_tag_changes_with_the_base(tree: Path) -> None:
    assert RECIPE.reference(BASE, tree) != RECIPE.reference("localhost/base:2", tree)


@pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: recipe.name)
def test_every_dockerfile_copies_exactly_what_its_recipe_names(recipe: Recipe) -> None:
    text = (REPOSITORY / recipe.dockerfile).read_text()
    stages = [
        text.split(f" AS {name}\n")[1].split("\nFROM ")[0] for name in ("shared", recipe.name)
    ]
    lines = "\n".join(stages).splitlines()
    copied = [line.split()[1] for line in lines if line.startswith("COPY ")]
    assert sorted(copied) == sorted(recipe.sources)
