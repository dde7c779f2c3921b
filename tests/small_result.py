"""A small invented result, built from the tables alone: what plots, display and report are tested with."""

from types import SimpleNamespace

from clinnlp.schema import TABLES, make_table

HOSTILE = (
    'HPI: </script><img src=x onerror="window.hacked=1"> says "5 < 6 & 7 > 2"\u2028<b>bold</b> {{data}} ${x}.\n'
    "Assessment: 'Fever' denied, <script>window.hacked=2</script> pneumonia likely.\n"
)
NOTES = [
    ("p01-01", "p01", "2023-01-05", "Progress note",
     "HISTORY OF PRESENT ILLNESS: \U0001f600 Denies chest pain.\r\n\tTakes lisinopril 10 mg daily for hypertension.\r\n"
     "FAMILY HISTORY: Mother had breast cancer.\r\nVITALS: BP 142/88.\r\n"),
    ("p01-02", "p01", "2023-06-20", "Discharge summary",
     "HOSPITAL COURSE: Treated for heart failure. Possible pneumonia.\n" + "Nothing else happened that day.\n" * 60
     + "PLAN: Return if fever develops. Hypertension is stable.\n"),
    ("p01-03", "p01", None, "Letter", HOSTILE),
    ("p02-01", "p02", None, None, "Prior stroke. HbA1c 8.2 %. On metformin."),
    ("p03-01", "p03", "2024-02-01", "Progress note", ""),
]  # fmt: skip
TEXTS = {note[0]: note[4] for note in NOTES}


def span(note_id, words, **more):
    """Find the words in the note and make a row of them."""
    start = TEXTS[note_id].index(words)
    return {"note_id": note_id, "start": start, "end": start + len(words), "text": words, **more}


def entity(note_id, words, label, assertion="present", **more):
    axes = {"absent": "negated"}
    flags = {f"is_{axis}": axes.get(assertion, assertion) == axis
             for axis in ("negated", "uncertain", "historical", "hypothetical", "family")}  # fmt: skip
    row = {"label": label, "assertion": assertion, "source": "model", "score": 0.9, **flags, **more}
    return span(note_id, words, **row)


def header(note_id, words, category):
    row = span(note_id, words, category=category, header=words)
    return {**row, "body_start": row["end"] + 1, "body_end": row["end"] + 40}


def evidence(note_id, condition, words, polarity="for", assertion="present"):
    rule = f"term:{condition}"
    return span(note_id, words, condition=condition, polarity=polarity, assertion=assertion, rule=rule, section="other")


def flag(note_id, condition, status, words, basis="stated"):
    found = span(note_id, words)
    more = {"patient_id": note_id[:3], "condition": condition, "status": status, "basis": basis, "evidence": words}
    return {**found, **more, "rule": f"term:{condition}"}


def patient_flag(patient, condition, status, first, last, notes_for, notes_against):
    row = {"patient_id": patient, "condition": condition, "status": status, "first_date": first, "last_date": last}
    return {**row, "notes_for": notes_for, "notes_against": notes_against}


ROWS = {
    "notes": [dict(zip(TABLES["notes"], note, strict=True)) for note in NOTES],
    "sections": [
        header("p01-01", "HISTORY OF PRESENT ILLNESS", "present_illness"),
        header("p01-01", "FAMILY HISTORY", "family_history"),
        header("p01-02", "HOSPITAL COURSE", "hospital_course"),
        header("p01-02", "PLAN", "assessment_plan"),
        header("p01-03", "Assessment", "assessment_plan"),
    ],
    "entities": [
        entity("p01-01", "chest pain", "SYMPTOM", "absent", cue="Denies", section="present_illness"),
        entity("p01-01", "lisinopril", "MEDICATION", code_system="RxNorm", code="29046", code_name="lisinopril"),
        entity("p01-01", "lisinopril 10 mg", "DOSAGE"),
        entity("p01-01", "hypertension", "DISEASE"),
        entity("p01-01", "breast cancer", "DISEASE", "family", cue="Mother"),
        entity("p01-02", "heart failure", "DISEASE"),
        entity("p01-02", "pneumonia", "DISEASE", "uncertain", cue="Possible"),
        entity("p01-02", "fever", "SYMPTOM", "hypothetical", cue="if"),
        entity("p01-02", "Hypertension", "DISEASE"),
        entity("p01-03", "<b>bold</b>", "SYMPTOM", cue='"<i>'),
        entity("p01-03", "pneumonia", "DISEASE", "uncertain"),
        entity("p02-01", "stroke", "DISEASE", "historical", score=None),
    ],
    "medications": [span("p01-01", "lisinopril", dose="10 mg", frequency="daily", status="active")],
    "measurements": [
        {**span("p01-01", "142/88"), "test": "BP", "value": "142/88", "interpretation": "high"},
        {**span("p02-01", "8.2"), "test": "HbA1c", "value": "8.2", "number": 8.2, "unit": "%"},
    ],
    "flags": [
        flag("p01-01", "hypertension", "present", "hypertension"),
        flag("p01-01", "cancer", "family", "breast cancer"),
        flag("p01-02", "heart_failure", "present", "heart failure"),
        flag("p01-02", "hypertension", "present", "Hypertension"),
        flag("p01-02", "pneumonia", "uncertain", "pneumonia"),
        flag("p01-03", "pneumonia", "uncertain", "pneumonia"),
        flag("p02-01", "stroke_tia", "historical", "stroke"),
        flag("p02-01", "diabetes", "implied", "metformin", basis="medication"),
    ],
    "evidence": [
        evidence("p01-01", "hypertension", "hypertension"),
        evidence("p01-01", "cancer", "breast cancer", "context", "family"),
        evidence("p01-02", "heart_failure", "heart failure"),
        evidence("p01-02", "hypertension", "Hypertension"),
        evidence("p01-02", "pneumonia", "pneumonia", "context", "uncertain"),
        evidence("p01-03", "pneumonia", "pneumonia", "context", "uncertain"),
        evidence("p02-01", "stroke_tia", "stroke", "for", "historical"),
        evidence("p02-01", "diabetes", "metformin"),
    ],
    "patient_flags": [
        patient_flag("p01", "cancer", "family", "2023-01-05", "2023-01-05", 0, 0),
        patient_flag("p01", "heart_failure", "present", "2023-06-20", "2023-06-20", 1, 0),
        patient_flag("p01", "hypertension", "present", "2023-01-05", "2023-06-20", 2, 0),
        patient_flag("p01", "pneumonia", "uncertain", "2023-06-20", "2023-06-20", 0, 0),
        patient_flag("p02", "diabetes", "implied", None, None, 1, 0),
        patient_flag("p02", "stroke_tia", "historical", None, None, 1, 0),
    ],
    "summaries": [
        span("p01-01", "Takes lisinopril 10 mg daily for hypertension.", rank=1, kind="sentence", score=0.8),
        span("p01-02", "Treated for heart failure.", rank=1, kind="sentence", section="hospital_course", score=0.9),
        span("p01-02", "heart failure", rank=1, kind="problem"),
        span("p01-02", "Return if fever develops.", rank=1, kind="plan", section="assessment_plan"),
    ],
    "errors": [{"note_id": "p03-01", "stage": "read", "error": "The note is empty."}],
}


def build(rows=ROWS):
    """Build the tables from rows by table; a table without rows is empty."""
    made = {}
    for name, columns in TABLES.items():
        made[name] = make_table(name, [{c: row.get(c) for c in columns} for row in rows.get(name, [])])
    return SimpleNamespace(**made)
