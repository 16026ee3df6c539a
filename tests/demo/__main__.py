"""The whole story on a real Kubernetes: `python -m tests.demo`."""

import sys

from tests.cluster import Cluster, ClusterError
from tests.demo.screen import Screen
from tests.demo.story import STEPS, Story
from tests.demo.terminal import CommandError
from tests.e2e.harness.api import RefusedError

CLUSTER = "demo"


def main() -> int:
    """Tell the story.

    Returns:
        The exit code: 0 if everything happened as told.
    """
    screen = Screen(STEPS)
    try:
        story = Story(Cluster(CLUSTER), screen)
        story.tell()
    except (AssertionError, ClusterError, CommandError, RefusedError) as error:
        print(f"\ndemo: failed in step {screen.steps_done + 1} of {STEPS}: {error}")
        print(f"The cluster stays up; remove it with: make cluster-down CLUSTER_NAME={CLUSTER}")
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted; run it again, it starts from the beginning")
        return 130
    print(story.last_line())
    return 0


if __name__ == "__main__":
    sys.exit(main())
