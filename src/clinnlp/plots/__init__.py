"""Pictures of a result, each beside the small table that it draws.

Of all notes: `conditions_by_status`, `notes_over_time` and `top_entities`. Of a patient: `timeline`. Of a cohort:
`status_matrix`, `co_occurrence_map`, `prevalence_intervals` and `flow_to_flags`. Of a model: `reliability`.
"""

from clinnlp.plots.flow import flow_counts, flow_to_flags
from clinnlp.plots.history import condition_history, timeline, timeline_spec
from clinnlp.plots.intervals import prevalence_intervals, reliability
from clinnlp.plots.matrices import co_occurrence, co_occurrence_map, status_matrix, status_shares
from clinnlp.plots.overview import (
    conditions_by_status,
    counts_by_status,
    entity_counts,
    notes_over_time,
    notes_per_period,
    top_entities,
)
from clinnlp.plots.style import STYLES, Style, condition_name

__all__ = [
    "STYLES", "Style", "co_occurrence", "co_occurrence_map", "condition_history", "condition_name",
    "conditions_by_status", "counts_by_status", "entity_counts", "flow_counts", "flow_to_flags", "notes_over_time",
    "notes_per_period", "prevalence_intervals", "reliability", "status_matrix", "status_shares", "timeline",
    "timeline_spec", "top_entities",
]  # fmt: skip
