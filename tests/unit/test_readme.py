"""The README's tour: what can be said of it without a cluster, and of how it is held to a run."""

from __future__ import annotations

import functools
import shlex
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from hallmark.cli.app import app
from tests.demo import story
from tests.readme import README, Chapter, blocks, chapters, renewed, shape, unlike

TEXT = README.read_text()
TOUR = [chapter for block in blocks(TEXT, "demo") for chapter in chapters(block)]
COMMANDS = [command for chapter in TOUR for command in chapter.commands]
VERBS = {"apply", "wait", "get", "exec", "create", "label", "describe", "delete"}


def test_there_is_a_tour_and_a_first_block() -> None:
    assert len(TOUR) > 4
    assert len(COMMANDS) > 10
    assert len(blocks(TEXT, "local")) == 1


@pytest.mark.parametrize("chapter", TOUR, ids=lambda chapter: chapter.title)
def test_the_demo_has_the_chapter(chapter: Chapter) -> None:
    source = Path(story.__file__).read_text()
    people = {"alice": "{AUTHOR}", "rita": "{REVIEWER}"}
    title = " ".join(people.get(word, word) for word in chapter.title.split())
    assert f'"{title}"' in source


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_one_that_can_be_typed(command: str) -> None:
    program, *arguments = shlex.split(command)
    if program == "kubectl":
        assert arguments[0] in VERBS
        return
    assert program == "hallmark"
    found = get_command(app)
    assert isinstance(found, typer.core.TyperGroup)
    name, *rest = arguments
    found.commands[name].make_context(name, rest)


RUN = """
[ 1/ 2 ] First
         A sentence.
           export KUBECONFIG=/var/x/demo/kubeconfig
         $ kubectl apply --filename /home/x/demo/a.yaml
           a created
         $ kubectl get a
           NAME   AGE
           a-5d   12s
         (1.5 s)

[ 2/ 2 ] Second
         $ kubectl get b
           b
         (0.4 s)

demo: ok, 2 steps
"""
ELSEWHERE = {"/home/x/demo/": "", "12s": "3m", "1.5 s": "20.1 s", "=/var/x/demo": "=/y/test"}
SHOWN = functools.reduce(lambda text, change: text.replace(*change), ELSEWHERE.items(), RUN)


def said(shown: str) -> list[str]:
    return list(unlike(chapters(shown), chapters(RUN)))


def test_what_differs_from_run_to_run_is_no_difference() -> None:
    assert said(SHOWN) == []
    first = "credit-b0f96a354abf-5556ffbbc6-99n2m   1/1  Running  0  2s"
    for other in (
        "6667aabbc1-k2x8p   1/1  Running  0  11s",
        "ff9c89d5c-cfx6p   1/1  Running  0  2m1s",
    ):
        assert shape(first) == shape(f"credit-aaaaaaaaaabb-{other}")


@pytest.mark.parametrize(
    ("shown", "sentence"),
    [
        (SHOWN.replace("get a", "get c"), "'First': 'kubectl get c' was not run."),
        (SHOWN.replace("a created", "a configured"), "nothing printed is like 'a configured'"),
        (SHOWN.replace("] First", "] Zeroth"), "Chapter 'Zeroth' was not told."),
        (SHOWN.replace("] First", "] X").replace("] Second", "] First"), "was not run."),
    ],
    ids=["another command", "another answer", "another chapter", "chapters changed about"],
)
def test_everything_else_is_one(shown: str, sentence: str) -> None:
    assert any(sentence in found for found in said(shown))


def test_it_is_renewed_from_what_a_run_printed() -> None:
    old = f"Before.\n\n<!-- runs: demo -->\n```\n{SHOWN.partition('[ 2/ 2')[0]}```\n\nAfter.\n"
    new = renewed(old, RUN)
    assert new.startswith("Before.")
    assert new.endswith("After.\n")
    assert "12s" in new
    assert "/home" not in new
    assert "export KUBECONFIG=/var/x/demo/kubeconfig" in new, "it is typed as it stands"
    assert "Second" not in new
    assert new.count("demo: ok, 2 steps") == 1
    assert said("\n".join(blocks(new, "demo"))) == []
