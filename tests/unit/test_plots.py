import json

import pytest

from clinnlp import plots
from clinnlp.errors import InputError
from clinnlp.schema import ASSERTIONS, FLAG_STATUSES
from small_result import ROWS, build

FIGURES = {
    "conditions": plots.conditions_by_status,
    "notes": plots.notes_over_time,
    "entities": plots.top_entities,
    "timeline": lambda result: plots.timeline(result, patient_id="p01"),
}


def only_notes(**cells):
    """The small result without any finding, with cells of its notes changed."""
    return build({"notes": [{**row, **cells} for row in ROWS["notes"]]})


def bars(figure):
    """What a figure draws: {(bar, part): length}."""
    drawn = {}
    for trace in figure.data:
        names, lengths = (trace.y, trace.x) if trace.orientation == "h" else (trace.x, trace.y)
        drawn |= {(bar, trace.name): length for bar, length in zip(names, lengths, strict=True)}
    return drawn


def text_of(figure):
    return " ".join(note.text for note in figure.layout.annotations)


def test_conditions_table_puts_what_patients_have_first(result):
    table = plots.counts_by_status(result)
    assert table.columns.tolist() == ["condition", "status", "patients"]
    assert table["condition"].tolist()[:3] == ["heart_failure", "hypertension", "stroke_tia"]


def test_conditions_figure_draws_its_table(result):
    table = plots.counts_by_status(result)
    drawn = bars(plots.conditions_by_status(result))
    names = table["condition"].map(plots.condition_name)
    assert drawn == dict(zip(zip(names, table["status"], strict=True), table["patients"], strict=True))


def test_notes_are_counted_by_month_over_a_year(result):
    table = plots.notes_per_period(result)
    assert table["period"].dt.strftime("%Y-%m-%d").tolist() == ["2023-01-01", "2023-06-01", "2024-02-01"]
    figure = plots.notes_over_time(result)
    assert sum(bars(figure).values()) == 3
    assert "2 notes without a date" in figure.layout.title.text


@pytest.mark.parametrize(
    ("last", "period"),
    [("2023-01-20", "day"), ("2025-06-01", "month"), ("2029-01-01", "quarter"), ("2060-01-01", "year")],
)
def test_period_suits_the_span_of_dates(last, period):
    rows = [{**ROWS["notes"][i], "date": date} for i, date in enumerate(["2023-01-05", last])]
    assert plots.notes_over_time(build({"notes": rows})).layout.title.text == f"Notes per {period}"


def test_rare_note_types_are_drawn_together():
    rows = [{**ROWS["notes"][0], "note_id": f"n{i}", "note_type": f"type {i}"} for i in range(10)]
    result = build({"notes": rows})
    figure = plots.notes_over_time(result)
    assert len(plots.notes_per_period(result)) == 10
    assert [trace.name for trace in figure.data][-1] == "other types"
    assert sum(bars(figure).values()) == 10


def test_entities_are_counted_whatever_their_case_and_the_first_n_kept(result):
    table = plots.entity_counts(result, n=2)
    assert table.to_dict("records") == [
        {"entity": "hypertension", "label": "DISEASE", "assertion": "present", "mentions": 2},
        {"entity": "pneumonia", "label": "DISEASE", "assertion": "uncertain", "mentions": 2},
    ]
    assert ("hypertension (disease)", "present") in bars(plots.top_entities(result, n=2))


def test_markup_in_names_is_shown_as_text(result):
    assert ("&lt;b&gt;bold&lt;/b&gt; (symptom)", "present") in bars(plots.top_entities(result))


def test_timeline_has_a_point_for_each_dated_flag_and_says_what_is_left_out(result):
    figure = plots.timeline(result, patient_id="p01")
    rows = figure.layout.yaxis.ticktext
    points = {(x, rows[round(y)], trace.name) for trace in figure.data for x, y in zip(trace.x, trace.y, strict=True)}
    assert points == {
        ("2023-01-05", "cancer", "family"),
        ("2023-01-05", "hypertension", "present"),
        ("2023-06-20", "heart failure", "present"),
        ("2023-06-20", "hypertension", "present"),
        ("2023-06-20", "pneumonia", "uncertain"),
    }
    assert "1 note without a date" in figure.layout.title.text
    assert len(plots.condition_history(result, "p01")) == 6


def test_timeline_points_carry_evidence_and_offsets(result):
    present = plots.timeline(result, patient_id="p01").data[0]
    hover, note_id, start, end = present.customdata[0]
    text = result.notes.set_index("note_id").loc[note_id, "text"]
    assert text[start:end] in hover


def test_timeline_without_dates_sets_notes_side_by_side(result):
    figure = plots.timeline(result, patient_id="p02")
    assert figure.layout.xaxis.type == "category"
    assert set(figure.data[0].x) == {"p02-01"}


def test_notes_without_dates_stand_in_the_order_of_their_ids():
    rows = [{**ROWS["flags"][0], "patient_id": "p01", "note_id": f"n{i}"} for i in range(4)]
    for row, status in zip(rows, ["absent", "present", "absent", "present"], strict=True):
        row["status"] = status
    notes = [{**ROWS["notes"][0], "note_id": row["note_id"], "date": None} for row in rows]
    figure = plots.timeline(build({"notes": notes, "flags": rows}), patient_id="p01")
    assert figure.layout.xaxis.categoryarray == ("n0", "n1", "n2", "n3")


def test_what_notes_of_one_day_say_of_a_condition_does_not_hide_one_another():
    notes = [{**ROWS["notes"][0], "note_id": f"n{i}"} for i in range(9)]
    flags = [{**ROWS["flags"][0], "note_id": f"n{i}", "status": FLAG_STATUSES[i % 4]} for i in range(9)]
    flags.append({**ROWS["flags"][0], "note_id": "n0", "condition": "gout"})
    figure = plots.timeline(build({"notes": notes, "flags": flags}), patient_id="p01")
    points = [point for trace in figure.data for point in zip(trace.customdata, trace.y, strict=True)]
    drawn = {note_id: y for (hover, note_id, *_), y in points if "gout" not in hover}
    assert sorted(drawn, key=drawn.get) == [f"n{i}" for i in range(9)]
    assert len(set(drawn.values())) == 9
    assert {round(y - figure.layout.yaxis.ticktext.index("hypertension")) for y in drawn.values()} == {0}


def test_timeline_names_its_axis_of_dates(result):
    assert plots.timeline(result, patient_id="p01").layout.xaxis.title.text == "date of the note"


def test_unknown_patient_is_refused_with_those_there_are(result):
    with pytest.raises(InputError, match=r"no patient 'p9'.*p01, p02, p03"):
        plots.timeline(result, patient_id="p9")


def test_patient_without_flags_gets_a_sentence(result):
    assert "no flags" in text_of(plots.timeline(result, patient_id="p03"))


@pytest.mark.parametrize("draw", [v for k, v in FIGURES.items() if k != "timeline"], ids=lambda f: f.__name__)
def test_empty_tables_give_a_sentence(draw, empty_result):
    assert text_of(draw(empty_result))


def test_no_dates_at_all_give_a_sentence():
    assert "No note has a date" in text_of(plots.notes_over_time(only_notes(date=None)))


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_figures_are_slim_and_the_same_each_time(draw, result):
    figure = draw(result).to_json()
    assert len(json.dumps(json.loads(figure)["layout"]["template"])) < 1_500
    assert figure == draw(result).to_json()


def test_each_status_looks_different_without_colour():
    names = {*ASSERTIONS, *FLAG_STATUSES}
    assert names == set(plots.STYLES)
    assert len({style.pattern for style in plots.STYLES.values()}) == len(names)
    assert len({style.symbol for style in plots.STYLES.values()}) == len(names)


@pytest.mark.parametrize("draw", ["notes", "timeline"])
def test_single_date_is_drawn_on_an_axis_of_days(draw):
    rows = {name: [row for row in ROWS[name] if row["note_id"] == "p01-01"] for name in ("notes", "flags")}
    first, last = FIGURES[draw](build(rows)).layout.xaxis.range
    assert (first, last) == ("2022-12-29", "2023-01-12")
