"""What each metric says, for people who do not know its name. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from hallmark.api.gates import (
    DEMOGRAPHIC_PARITY_DIFFERENCE,
    DEMOGRAPHIC_PARITY_RATIO,
    EQUAL_OPPORTUNITY_DIFFERENCE,
    EQUALIZED_ODDS_DIFFERENCE,
    PROXY,
)

MEANINGS: Mapping[str, str] = {
    "accuracy": "the share of the test rows that is decided rightly",
    "balancedAccuracy": "the share that is decided rightly, as the mean of all classes",
    "rocAuc": "how well it puts rows in order: 0.5 is chance, 1 is perfect",
    "prAuc": "the mean precision over all that can be found: 1 is perfect",
    "logLoss": "how wrong its probabilities are, being sure and wrong most of all: 0 is perfect",
    "brier": "how wrong its probabilities are, squared: 0 is perfect",
    "expectedCalibrationError": "how far its probabilities are from what comes true: 0 is perfect",
    "certifiedAccuracy": "the share that is decided rightly and provably stays so when all "
    "numbers change a little",
    "certifiedAccuracyL2": "the share that is decided rightly and provably stays so when a row "
    "moves a little",
    "meanRobustRadius": "how far all numbers may change before it decides otherwise",
    "meanRobustRadiusL2": "how far a row may move before it decides otherwise",
    "attackedAccuracy": "the share that is decided rightly and that no attack of ours turned",
    "noiseStability": "the share of decisions that stay the same under noise",
    "dataQuality": "the quality of the rows, from 0 to 100",
    "quality.completeness": "how few cells are empty",
    "quality.validity": "how few cells are not as declared",
    "quality.uniqueness": "how few rows stand twice",
    "quality.consistency": "how few rows contradict others",
    "quality.balance": "how evenly the classes occur",
    "duplicateFraction": "the share of rows that stand there already",
    "contradictionFraction": "the share of rows with a twin of another class",
    "outlierFraction": "the share of numbers far from the others of their column",
    "anomalyFraction": "the share of rows whose numbers are seldom together",
    "minorityFraction": "the share of rows of the rarest class",
    "smallestGroupRows": "the rows of the smallest group of a sensitive attribute",
    "targetLeakage": "how much one feature by itself gives the target away: 1 is all of it",
    "sharedRowFraction": "the share of test rows whose features it learned from too",
    DEMOGRAPHIC_PARITY_DIFFERENCE: "how far apart the groups' shares decided as positive are",
    DEMOGRAPHIC_PARITY_RATIO: "the smallest of the groups' shares decided as positive, by the "
    "greatest: 1 is equal",
    EQUALIZED_ODDS_DIFFERENCE: "how far apart the groups' rates of right and of wrong positive "
    "decisions are",
    EQUAL_OPPORTUNITY_DIFFERENCE: "how far apart the groups' shares of positives that are found "
    "are",
    PROXY: "how well the other features give the attribute away: 0.5 is chance",
}
"""By name, without the attribute behind it."""


def meaning(metric: str) -> str:
    """Return what a metric says, as a phrase; nothing for one that nobody measures."""
    return MEANINGS.get(metric) or MEANINGS.get(metric.partition(".")[0], "")
