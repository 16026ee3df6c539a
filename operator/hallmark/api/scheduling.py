"""Where the Pods of a ModelDeployment run: spread and priority."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from hallmark.api.common import ApiModel, ForeignName
from hallmark.api.rules import list_map


class Unsatisfiable(StrEnum):
    """What happens to a Pod that cannot be spread as asked for."""

    SCHEDULE_ANYWAY = "ScheduleAnyway"
    DO_NOT_SCHEDULE = "DoNotSchedule"


class TopologySpread(ApiModel):
    """How the Pods of a version are spread over zones or nodes."""

    topology_key: Annotated[
        str,
        Field(pattern=r"^([a-z0-9.-]+/)?[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$", max_length=317),
    ] = "topology.kubernetes.io/zone"
    """The label of nodes that names a zone, such as ``kubernetes.io/hostname`` for nodes."""
    max_skew: Annotated[int, Field(ge=1, le=1000)] = 1
    """By how many Pods two zones may differ."""
    when_unsatisfiable: Unsatisfiable = Unsatisfiable.SCHEDULE_ANYWAY


class Scheduling(ApiModel):
    """Where the Pods run. Changing it starts the Pods of what serves anew, one after the other."""

    priority_class_name: ForeignName | None = None
    """A PriorityClass that the ModelPolicy allows (``deployments.priorityClasses``)."""
    topology_spread: Annotated[
        list[TopologySpread], Field(max_length=4, json_schema_extra=list_map("topologyKey"))
    ] = Field(default_factory=list)
    """How the Pods of each version are spread; each key once."""
