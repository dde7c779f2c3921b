"""Notes with all that a cluster may trip over: several of a patient, none, no text, one that fails, and copies."""

from functools import cache
from pathlib import Path

import pandas as pd

import clinnlp
from clinnlp.scale import Recipe

RECIPE = Recipe(exclude=("clinnlp_ner", "clinnlp_codes"), summary_sentences=1)
SAMPLE = clinnlp.read_notes(Path(__file__).parents[2] / "sample_data" / "notes.csv").iloc[:14]
COPIED = "Known heart failure with an ejection fraction of 30 %, on furosemide and lisinopril daily.\n\n"
MORE = pd.DataFrame(
    {
        "note_id": ["x1", "x2", "x3", "x4"],
        "patient_id": [None, None, "px", "px"],
        "date": pd.to_datetime([None, "2021-05-01 14:10", "2021-05-02", "2021-05-03"], format="ISO8601"),
        "text": ["Gout.", None, COPIED + "Comes for a check.", COPIED + "No heart failure today, denies cough."],
    }
)
NOTES = pd.concat([SAMPLE, MORE], ignore_index=True).astype(SAMPLE.dtypes.to_dict())


@cache
def local():
    """Give the result of this machine."""
    return clinnlp.annotate(NOTES, RECIPE)


def assert_same(result):
    """Compare all tables with those of this machine, to the last offset."""
    assert len(local().errors) == 1
    assert local().evidence["copied_from"].notna().any()
    for name, table in local().tables().items():
        pd.testing.assert_frame_equal(getattr(result, name), table, obj=name)
