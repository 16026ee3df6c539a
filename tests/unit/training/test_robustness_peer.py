"""The exact radius against attacks of the adversarial-robustness-toolbox."""

from __future__ import annotations

from tests.bench.assay import robustness


def test_no_attack_succeeds_inside_a_radius_and_each_does_beyond_it() -> None:
    setting = robustness.make_setting(robustness.PEER_ROWS)
    robustness.compare(setting, robustness.make_peer(setting))
