import json
import re

import pandas as pd
import pytest

from clinnlp import plots
from clinnlp.errors import InputError
from clinnlp.schema import FLAG_STATUSES
from small_result import ROWS, build, patient_flag

GROUPED = pd.DataFrame(
    [
        ("gout", "young", 20, 1, 0.05, 0.01, 0.24),
        ("gout", "old", 40, 10, 0.25, 0.14, 0.40),
        ("copd", "young", 20, 4, 0.20, 0.08, 0.42),
        ("copd", "old", 40, 12, 0.30, 0.18, 0.45),
    ],
    columns=["condition", "group", "n", "cases", "prevalence", "low", "high"],
)
BINS = pd.DataFrame(
    {
        "predicted": [0.9, 0.3, 0.6],
        "observed": [0.8, 0.4, 0.6],
        "low": [0.7, 0.2, 0.5],
        "high": [0.87, 0.6, 0.7],
        "n": [100, 25, 0],
    }
)
FIGURES = {
    "matrix": plots.status_matrix,
    "notes": lambda result: plots.status_matrix(result, unit="notes"),
    "counts": plots.co_occurrence_map,
    "lifts": lambda result: plots.co_occurrence_map(result, measure="lift"),
    "flow": plots.flow_to_flags,
    "flow of one": lambda result: plots.flow_to_flags(result, "pneumonia"),
    "prevalence": lambda _: plots.prevalence_intervals(GROUPED),
    "reliability": lambda _: plots.reliability(BINS),
}
EMPTY = {
    **{name: FIGURES[name] for name in ("matrix", "notes", "counts", "lifts", "flow")},
    "flow of one": FIGURES["flow of one"],
    "prevalence": lambda _: plots.prevalence_intervals(GROUPED.head(0)),
    "reliability": lambda _: plots.reliability(BINS.head(0)),
}


def cells(figure, part="text"):
    """What a heat map holds: {(row, column): cell}, without its empty cells."""
    (drawn,) = figure.data
    grid = {
        (y, x): cell for y, row in zip(drawn.y, drawn[part], strict=True) for x, cell in zip(drawn.x, row, strict=True)
    }
    return {place: cell for place, cell in grid.items() if cell not in ("", None)}


def cohort(*conditions, of=20):
    """Patients with the conditions given, one set a patient, among `of` patients."""
    notes = [{**ROWS["notes"][0], "note_id": f"n{i}", "patient_id": f"p{i}"} for i in range(of)]
    rows = [
        patient_flag(f"p{i}", name, "present", None, None, 1, 0) for i, had in enumerate(conditions) for name in had
    ]
    return build({"notes": notes, "patient_flags": rows})


def contrast(colour, other):
    """The contrast of two colours, as the Web Content Accessibility Guidelines define it."""

    def light(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    low, high = sorted([light(colour), light(other)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("unit", ["patients", "notes"])
def test_matrix_holds_the_numbers_of_its_table_and_shades_by_their_share(result, unit):
    table = plots.status_shares(result, unit)
    figure = plots.status_matrix(result, unit)
    places = list(zip(table["condition"].map(plots.condition_name), table["status"], strict=True))
    assert cells(figure) == dict(zip(places, table[unit].astype("str"), strict=True))
    assert cells(figure, "z") == dict(zip(places, table["share"], strict=True))


def test_matrix_of_notes_counts_notes_and_shares_add_up_in_each_row():
    flags = [
        {**ROWS["flags"][0], "note_id": f"n{i}", "status": status}
        for i, status in enumerate(["present"] * 3 + ["absent"])
    ]
    flags.append({**ROWS["flags"][0], "condition": "gout"})
    table = plots.status_shares(build({"flags": flags}), "notes").head(2)
    assert table[["status", "notes", "share"]].to_numpy().tolist() == [["present", 3, 0.75], ["absent", 1, 0.25]]


def test_matrix_has_a_column_for_each_status_in_order_and_the_most_frequent_condition_on_top(result):
    (drawn,) = plots.status_matrix(result).data
    assert drawn.x == FLAG_STATUSES
    assert drawn.y[:3] == ("heart failure", "hypertension", "stroke/TIA")


def test_co_occurrence_counts_patients_with_both_and_those_expected_by_chance():
    had = [["gout", "copd"]] * 4 + [["gout"]] * 4 + [["copd"]] * 6
    table = plots.co_occurrence(cohort(*had, of=20)).set_index(["condition", "other"])
    assert table["patients"].to_dict() == {
        ("copd", "copd"): 10,
        ("copd", "gout"): 4,
        ("gout", "copd"): 4,
        ("gout", "gout"): 8,
    }
    assert table.loc[("copd", "gout"), ["expected", "lift"]].tolist() == [4, 1]
    assert table.loc[("copd", "copd"), ["expected", "lift"]].isna().all()


def test_co_occurrence_keeps_the_most_frequent_and_only_what_patients_have(result):
    names = plots.co_occurrence(result)["condition"].unique().tolist()
    assert names == ["heart_failure", "hypertension", "stroke_tia"]
    table = plots.co_occurrence(cohort(["gout"], ["gout", "copd"], ["gout", "copd"], ["asthma"]), n=2)
    assert table["condition"].unique().tolist() == ["gout", "copd"]


def test_map_of_counts_holds_the_numbers_of_its_table():
    result = cohort(["gout", "copd"], ["gout", "copd"], ["gout"])
    table = plots.co_occurrence(result)
    drawn = cells(plots.co_occurrence_map(result))
    plain = {place: int(re.sub("</?b>", "", text)) for place, text in drawn.items()}
    names = zip(table["condition"].map(plots.condition_name), table["other"].map(plots.condition_name), strict=True)
    assert plain == dict(zip(names, table["patients"], strict=True))
    assert drawn["gout", "gout"] == "<b>3</b>"


@pytest.mark.parametrize(("of", "text"), [(20, "1.0"), (25, "1.2*")])
def test_map_of_lifts_marks_in_words_what_fewer_than_five_expected_patients_say(of, text):
    had = [["gout", "asthma"]] * 5 + [["gout"]] * 5 + [["asthma"]] * 5
    figure = plots.co_occurrence_map(cohort(*had, of=of), measure="lift")
    assert cells(figure)["gout", "asthma"] == text
    assert cells(figure)["gout", "gout"] == "<b>10</b>"
    assert "* unreliable: fewer than 5 patients expected" in figure.layout.title.subtitle.text


def test_lift_is_coloured_alike_for_twice_and_half_and_never_off_the_scale():
    twice = plots.co_occurrence_map(cohort(*[["gout", "asthma"]] * 2, of=4), measure="lift")
    never = plots.co_occurrence_map(cohort(["gout"], ["asthma"], of=4), measure="lift")
    assert cells(twice, "z")["gout", "asthma"] == 1
    assert cells(never, "z")["gout", "asthma"] == -2
    assert ("gout", "gout") not in cells(never, "z")
    assert cells(never)["gout", "asthma"] == "0.0*"


def test_numbers_read_on_every_shade(result):
    for name in ("matrix", "counts", "lifts"):
        (drawn,) = FIGURES[name](result).data
        assert all(contrast(drawn.textfont.color, colour) >= 4.5 for _, colour in drawn.colorscale)


@pytest.mark.parametrize("condition", [None, "pneumonia"])
def test_flow_draws_its_table_and_every_mention_reaches_a_patient(result, condition):
    table = plots.flow_counts(result, condition)
    (drawn,) = plots.flow_to_flags(result, condition).data
    names = [label.rsplit(" (")[0] for label in drawn.node.label]
    ends = {"mention to note": ("mention", "note"), "note to patient": ("note", "patient")}
    rows = [
        (f"{ends[row.step][0]}: {row.source}", f"{ends[row.step][1]}: {row.target}", row.mentions)
        for row in table.itertuples()
    ]
    links = zip(drawn.link.source, drawn.link.target, drawn.link.value, strict=True)
    assert [(names[source], names[target], value) for source, target, value in links] == rows
    assert all(label.startswith(f"{row[2]} mentions") for label, row in zip(drawn.link.label, rows, strict=True))
    mentions = result.evidence if condition is None else result.evidence[result.evidence["condition"] == condition]
    assert table.groupby("step")["mentions"].sum().tolist() == [len(mentions)] * 2


def test_flow_follows_a_mention_to_its_note_and_patient(result):
    assert plots.flow_counts(result, "pneumonia").to_dict("records") == [
        {"step": step, "source": "uncertain", "target": "uncertain", "mentions": 2, "note_flags": 2, "patient_flags": 1}
        for step in ("mention to note", "note to patient")
    ]


def test_flow_tells_context_and_missing_flags_apart():
    rows = [
        {**ROWS["evidence"][0], "assertion": assertion, "polarity": polarity}
        for assertion, polarity in [("present", "for"), ("present", "context"), ("hypothetical", "context")]
    ]
    result = build({"notes": ROWS["notes"], "evidence": rows})
    table = plots.flow_counts(result)
    assert table["source"].tolist() == ["present", "present as context", "hypothetical", "no flag"]
    assert set(table["target"]) == {"no flag"}


def test_flow_counts_a_patient_once_though_notes_differ():
    flags = [
        {**ROWS["flags"][0], "note_id": note, "status": s} for note, s in [("p01-01", "present"), ("p01-02", "absent")]
    ]
    rows = [{**ROWS["evidence"][0], "note_id": flag["note_id"], "assertion": flag["status"]} for flag in flags]
    result = build({**ROWS, "flags": flags, "evidence": rows})
    labels = plots.flow_to_flags(result).data[0].node.label
    assert labels[-1] == "patient: present (1)"
    assert labels[2:4] == ("note: present (1)", "note: absent (1)")


def test_nodes_of_a_flow_have_names_of_their_own_in_the_order_of_statuses(result):
    labels = plots.flow_to_flags(result).data[0].node.label
    assert len(set(labels)) == len(labels)
    notes = [label.split(": ")[1].split(" (")[0] for label in labels if label.startswith("note")]
    assert notes == [status for status in plots.STYLES if status in notes]


def test_prevalence_draws_each_row_of_its_table():
    figure = plots.prevalence_intervals(GROUPED)
    names = figure.layout.yaxis.ticktext
    drawn = set()
    for dots, words in zip(figure.data[::2], figure.data[1::2], strict=True):
        lows = [x - less for x, less in zip(dots.x, dots.error_x.arrayminus, strict=True)]
        highs = [x + more for x, more in zip(dots.x, dots.error_x.array, strict=True)]
        for x, y, low, high, text in zip(dots.x, dots.y, lows, highs, words.text, strict=True):
            drawn.add((names[round(y)], dots.name, x, round(low, 6), round(high, 6), text.strip()))
    assert drawn == {
        (plots.condition_name(row.condition), row.group, row.prevalence, row.low, row.high, f"{row.cases} / {row.n}")
        for row in GROUPED.itertuples()
    }


def test_prevalence_puts_the_most_frequent_first_and_groups_side_by_side_in_their_order():
    figure = plots.prevalence_intervals(GROUPED)
    assert figure.layout.yaxis.ticktext == ("COPD", "gout")
    assert figure.layout.yaxis.range == (1.5, -0.5)  # from the bottom to the top
    assert [dots.name for dots in figure.data[::2]] == ["young", "old"]
    young, old = figure.data[0], figure.data[2]
    assert all(above < below for above, below in zip(sorted(young.y), sorted(old.y), strict=True))
    assert all(abs(y - round(y)) < 0.5 for y in (*young.y, *old.y))


def test_groups_differ_in_colour_and_symbol():
    many = pd.concat([GROUPED.assign(group=f"group {i}") for i in range(7)])
    dots = plots.prevalence_intervals(many).data[::2]
    assert len({dot.marker.symbol for dot in dots}) == len({dot.marker.color for dot in dots}) == 7


def test_prevalence_without_groups_needs_no_legend():
    table = GROUPED[GROUPED["group"] == "old"].drop(columns="group")
    assert plots.prevalence_intervals(table).layout.showlegend is False
    assert plots.prevalence_intervals(table.assign(group=None)).data[0].x == (0.25, 0.30)


def test_patients_of_no_known_group_are_named_as_such():
    table = GROUPED.assign(group=GROUPED["group"].replace("young", None))
    assert [dots.name for dots in plots.prevalence_intervals(table).data[::2]] == ["not known", "old"]


def test_group_without_patients_leaves_its_dot_out():
    table = pd.concat(
        [GROUPED, GROUPED.head(1).assign(group="none", n=0, cases=0, prevalence=None, low=None, high=None)]
    )
    assert plots.prevalence_intervals(table).data[4].x == (None,)


def test_tables_that_cannot_be_drawn_are_refused_with_what_to_do():
    with pytest.raises(InputError, match=r"lacks high\..*Give the columns condition, n"):
        plots.prevalence_intervals(GROUPED.drop(columns="high"))
    with pytest.raises(InputError, match=r"prevalence is not a share.*Divide"):
        plots.prevalence_intervals(GROUPED.assign(prevalence=25.0))
    with pytest.raises(InputError, match="8 groups; at most 7"):
        plots.prevalence_intervals(pd.concat([GROUPED.assign(group=str(i)) for i in range(8)]))
    with pytest.raises(InputError, match="lacks observed"):
        plots.reliability(BINS.drop(columns="observed"))


def test_unknown_options_are_refused_with_those_there_are(result):
    with pytest.raises(InputError, match=r"'visits'.*patients, notes"):
        plots.status_matrix(result, unit="visits")
    with pytest.raises(InputError, match=r"'odds'.*count, lift"):
        plots.co_occurrence_map(result, measure="odds")


def test_reliability_draws_each_bin_that_holds_something_beside_the_diagonal():
    diagonal, bins = plots.reliability(BINS).data
    assert (diagonal.x, diagonal.y, diagonal.line.dash) == ((0, 1), (0, 1), "dash")
    assert (bins.x, bins.y, bins.text) == ((0.3, 0.9), (0.4, 0.8), ("25", "100"))
    assert bins.error_y.array == pytest.approx([0.2, 0.07])
    assert bins.error_y.arrayminus == pytest.approx([0.2, 0.1])


def test_numbers_that_are_all_alike_are_told_once():
    figure = plots.reliability(BINS.assign(n=[90, 91, 90]))
    assert figure.data[1].mode == "markers"
    assert "n = 90 or 91 a point" in figure.layout.title.subtitle.text
    assert "n = 90 a point" in plots.reliability(BINS.assign(n=90)).layout.title.subtitle.text
    assert plots.reliability(BINS).data[1].mode == "markers+text"


def test_points_of_a_reliability_plot_have_areas_as_their_numbers():
    small, large = plots.reliability(BINS).data[1].marker.size
    assert (large / small) ** 2 == pytest.approx(4)


@pytest.mark.parametrize("draw", EMPTY.values(), ids=EMPTY)
def test_empty_tables_give_a_sentence(draw, empty_result):
    (sentence,) = draw(empty_result).layout.annotations
    assert sentence.text.endswith(".")


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_figures_name_what_they_show_and_are_the_same_each_time(draw, result):
    figure = draw(result)
    assert figure.layout.title.text
    if figure.data[0].type != "sankey":
        assert figure.layout.xaxis.title.text
        assert figure.layout.yaxis.title.text
    drawn = figure.to_json()
    assert drawn == draw(result).to_json()
    assert "NaN" not in drawn
    assert len(json.dumps(json.loads(drawn)["layout"]["template"])) < 1_500
