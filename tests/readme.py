"""The README's commands and what it shows of them: read, held against a run, renewed from one.

A block is marked by a comment before it: ``<!-- runs: local -->`` (a shell block that a test runs
as it stands) or ``<!-- runs: demo -->`` (chapters of ``make demo``, which runs the very commands
that it prints). ``python -m tests.readme TRANSCRIPT`` writes the demo's chapters anew from what it
printed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
_BLOCK = re.compile(
    r"^<!-- runs: (?P<where>\w+) -->\n+```\w*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
_TITLE = re.compile(r"^\[ *\d+/ ?\d+ *\] (?P<title>.+)$")
_LAST = re.compile(r"^demo: ok.*$", re.MULTILINE)
_PATHS = re.compile(r"[^\s'=]*/demo/")
_VARIES = (
    (re.compile(r"(export \w+=).*"), r"\1#"),
    (re.compile(r"(-[a-z0-9]{8,10})?-[a-z0-9]{5}\b(?= +\d)"), "-#"),
    (re.compile(r"[0-9a-f]{10,}"), "#"),
    (re.compile(r"(\d+(\.\d+)?(ms|s|m|h|d)?)+\b"), "#"),
    (re.compile(r"(\w)#|#(\w)"), r"\1#\2"),
    (re.compile(r"\s+"), " "),
)
_INDENT = 9
_SHOWN_WORDS = 140
"""Characters of a line that are compared; longer ones are cut on the screen."""


@dataclass(frozen=True)
class Chapter:
    """A step of the demo: its title, its lines, and the commands among them."""

    title: str
    lines: tuple[str, ...]

    @property
    def commands(self) -> tuple[str, ...]:
        """What is typed."""
        return tuple(line[2:] for line in self.lines if line.startswith("$ "))

    @property
    def shown(self) -> tuple[str, ...]:
        """What is printed."""
        return tuple(line for line in self.lines if not line.startswith("$ ") and line.strip())


def blocks(text: str, where: str) -> list[str]:
    """Return the marked blocks that run there, in order."""
    return [found["text"] for found in _BLOCK.finditer(text) if found["where"] == where]


def chapters(text: str) -> list[Chapter]:
    """Return the chapters in what the demo prints."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if title := _TITLE.match(line):
            found.append((title["title"], []))
        elif found and line.startswith(" " * _INDENT):
            found[-1][1].append(_short(line[_INDENT:]))
    return [Chapter(title, tuple(lines)) for title, lines in found]


def _short(line: str) -> str:
    """Return a line with the demo's own files by their names alone."""
    return line if line.strip().startswith("export ") else _PATHS.sub("", line)


def shape(line: str) -> str:
    """Return a line without what differs from run to run: numbers, digests, names of Pods."""
    for varies, instead in _VARIES:
        line = varies.sub(instead, line)
    return line.strip()[:_SHOWN_WORDS]


def unlike(shown: Sequence[Chapter], run: Sequence[Chapter]) -> Iterator[str]:
    """Yield in sentences what stands in the README and was not so in a run.

    Args:
        shown: the README's chapters, some of the demo's.
        run: all that were told.
    """
    told = {chapter.title: chapter for chapter in run}
    titles = [chapter.title for chapter in run]
    order = [titles.index(chapter.title) for chapter in shown if chapter.title in told]
    if order != sorted(order):
        yield "The chapters stand in another order than they were told."
    for chapter in shown:
        if chapter.title not in told:
            yield f"Chapter '{chapter.title}' was not told."
            continue
        ran = told[chapter.title]
        yield from (
            f"'{chapter.title}': '{command}' was not run."
            for command in chapter.commands
            if command not in ran.commands
        )
        shapes = {shape(line) for line in ran.shown}
        yield from (
            f"'{chapter.title}': nothing printed is like '{line.strip()}'."
            for line in chapter.shown
            if shape(line) not in shapes
        )


def renewed(readme: str, transcript: str) -> str:
    """Return the README with its chapters as they were told this time."""
    titles = [chapter.title for chapter in chapters("\n".join(blocks(readme, "demo")))]
    parts = re.split(r"(?=^\[ *\d+/ ?\d+ *\] )", transcript, flags=re.MULTILINE)
    kept = [part.strip("\n") for part in parts if any(_is(part, title) for title in titles)]
    last = _LAST.search(transcript)
    told = [_LAST.sub("", part).strip("\n") for part in kept]
    lines = "\n\n".join([*told, *([last[0]] if last else [])]).split("\n")
    fresh = "\n".join(map(_short, lines))

    def replaced(found: re.Match[str]) -> str:
        if found["where"] != "demo":
            return found[0]
        return found[0].replace(found["text"], f"{fresh}\n")

    return _BLOCK.sub(replaced, readme)


def _is(part: str, title: str) -> bool:
    found = _TITLE.match(part.partition("\n")[0])
    return found is not None and found["title"] == title


if __name__ == "__main__":
    README.write_text(renewed(README.read_text(), Path(sys.argv[1]).read_text()))
