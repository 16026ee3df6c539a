"""A verified model: what scores, its schema, and its baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from hallmark.api.documents import (
    Baseline,
    Manifest,
    ServedSchema,
    Trust,
    UnreadableDocument,
    read,
)
from hallmark.api.files import BASELINE, MODEL_ONNX, SCHEMA
from hallmark.api.structs import DriftWindow
from hallmark.drift.budget import kept_windows
from hallmark.drift.counts import BinCounter, watched
from hallmark.drift.probing import ClientWatch
from hallmark.drift.psi import Reference, moved
from hallmark.drift.region import Region
from hallmark.drift.windows import WindowCounter
from hallmark_predictor.runtime import open_graph
from hallmark_predictor.scoring import Answers, OpenGraph, Scorer, open_scorer
from hallmark_predictor.verification import Refused


class Model(Struct, frozen=True):
    """A verified model, ready to answer."""

    trust: Trust
    manifest: Manifest
    schema: ServedSchema
    score: Scorer
    windows: WindowCounter
    """Counts the rows that it answers."""
    reference: Reference
    """What closed windows are measured against."""
    watch: ClientWatch | None
    """Looks for odd rows; None where the version was sealed without a region."""

    @property
    def columns(self) -> int:
        """How many columns a counted row has: the features, the score and the label."""
        return len(self.schema.features) + 2

    def newest_stability(self) -> dict[str, float]:
        """Return the PSI of each watched feature in the newest closed window, if there is one."""
        if not self.windows.kept:
            return {}
        found = self.reference.stability(self.windows.kept[-1].counts).psi.tolist()
        return dict(zip(self.reference.names, found, strict=True))

    def drifts(self, windows: Sequence[DriftWindow]) -> bool:
        """Tell whether the last of closed windows drifts; the operator asks for evidence, too."""
        counts = [window.counts for window in windows]
        return bool(moved(counts, self.reference, float(self.trust.drift.threshold)).any())


def open_model(
    trust: Trust,
    manifest: Manifest,
    files: Mapping[str, bytes],
    open_graph: OpenGraph = open_graph,
    answers: Answers | None = None,
) -> Model | Refused:
    """Load the verified bytes, and see that they fit each other by answering the golden rows."""
    try:
        schema = read(ServedSchema, files[SCHEMA])
        baseline = read(Baseline, files[BASELINE])
    except UnreadableDocument as error:
        return Refused(
            f"The sealed {error.title} cannot be read ({error.where}: {error.what}). "
            "Use images of trainer and predictor of the same version."
        )
    if schema.model != manifest.model:
        return Refused(
            f"The schema is of the model '{schema.model}', the manifest of '{manifest.model}'."
        )
    if schema.positive is not None and schema.positive not in schema.classes:
        return Refused(
            f"The sealed schema's positive class is none of its {len(schema.classes)} classes."
        )
    try:
        features = watched(baseline, trust.drift)
        counter, reference = BinCounter(features, schema), Reference(features)
        reference.stability({feature.name: feature.counts for feature in features})
        score = open_scorer(files[MODEL_ONNX], schema, open_graph, answers)
        windows = WindowCounter(counter, trust.drift.window, kept_windows(trust.drift))
        watch = _watch_of(baseline, schema)
    except Exception as error:
        return Refused(f"The sealed model cannot be loaded: {str(error)[:300]}")
    return Model(trust, manifest, schema, score, windows, reference, watch)


def _watch_of(baseline: Baseline, schema: ServedSchema) -> ClientWatch | None:
    if baseline.region is None:
        return None
    region = Region(baseline.region, len(schema.classes))
    if region.width != len(schema.features):
        raise ValueError(
            f"The baseline's region is of {region.width} features, the schema has "
            f"{len(schema.features)}."
        )
    return ClientWatch(region)
