"""The tour of the README is what the demo does: the commands as written, the lines as shown."""

import pytest

from tests.demo.screen import Screen
from tests.demo.story import STEPS, Story
from tests.e2e.harness.world import World
from tests.readme import README, blocks, chapters, unlike


@pytest.mark.slow
def test_the_tour_of_the_readme_is_what_happens(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    tour = [found for block in blocks(README.read_text(), "demo") for found in chapters(block)]
    Story(world.cluster, Screen(STEPS)).tell_in(world)
    told = chapters(capsys.readouterr().out)
    assert list(unlike(tour, told)) == []
