"""Extract entities, summarise and flag conditions in de-identified clinical notes.

>>> import clinnlp
>>> nlp = clinnlp.load()
>>> doc = nlp("Denies chest pain. Takes lisinopril 10 mg daily.")
>>> [(e.text, e.label_, e._.assertion) for e in doc.ents]
[('chest pain', 'SYMPTOM', 'absent'), ('lisinopril', 'MEDICATION', 'present'), ('10 mg daily', 'DOSAGE', 'present')]
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clinnlp import cohort, conditions, models, plots, review
    from clinnlp.annotations import Annotations
    from clinnlp.errors import ClinnlpError
    from clinnlp.faithfulness import check_summary
    from clinnlp.notes import read_notes
    from clinnlp.pipeline import annotate, load

__version__ = "0.1.0"

_HOME = {
    "read_notes": "clinnlp.notes",
    "load": "clinnlp.pipeline",
    "annotate": "clinnlp.pipeline",
    "Annotations": "clinnlp.annotations",
    "ClinnlpError": "clinnlp.errors",
    "check_summary": "clinnlp.faithfulness",
}
_MODULES = (
    "abbreviations", "agreement", "cohort", "comorbidity", "conditions", "conflicts", "evaluate", "explorer",
    "faithfulness", "flags", "formats", "generate", "icd10", "models", "patients", "plots", "privacy", "ranking",
    "review", "scale", "search", "snapshot", "summarise", "terminology",
)  # fmt: skip

__all__ = [
    "Annotations", "ClinnlpError", "abbreviations", "agreement", "annotate", "check_summary", "cohort",
    "comorbidity", "conditions", "conflicts", "evaluate", "explorer", "faithfulness", "flags", "formats",
    "generate", "icd10", "load", "models", "patients", "plots", "privacy", "ranking", "read_notes", "review",
    "scale", "search", "snapshot", "summarise", "terminology",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import clinnlp` stays quick."""
    if name in _MODULES:
        return import_module(f"clinnlp.{name}")
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'clinnlp' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
