"""Large corpora: the pipeline over notes that no memory holds, with several processes, and on after an interruption.

A `Recipe` describes a pipeline, so that each process or machine can build it; `annotate_partition` is what every part
of a corpus goes through, and `sum_up_patients` what the notes of a patient go through together.
"""

from __future__ import annotations

from clinnlp.scale.cluster import ClusterAnnotations
from clinnlp.scale.corpus import Outcome, annotate_corpus
from clinnlp.scale.partition import annotate_notes, annotate_partition, sum_up_patients
from clinnlp.scale.recipe import Recipe

__all__ = [
    "ClusterAnnotations",
    "Outcome",
    "Recipe",
    "annotate_corpus",
    "annotate_notes",
    "annotate_partition",
    "sum_up_patients",
]
