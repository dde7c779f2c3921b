"""Cohorts and agreement. Expected figures are from the literature or worked out by hand, as each test says."""

import sys

import pandas as pd
import pytest

from clinnlp import agreement, cohort
from clinnlp.errors import InputError, MissingExtraError
from clinnlp.schema import TABLES
from small_result import ROWS, build

HF = "heart_failure"


def made(statuses, per_patient=1, groups=None):
    """A result with a note a status (None: silent), `per_patient` notes for each patient, with a group each."""
    ids = [f"n{i:04}" for i in range(len(statuses))]
    patients = [f"p{i // per_patient:04}" for i in range(len(statuses))]
    notes = [{"note_id": n, "patient_id": p, "text": "Words."} for n, p in zip(ids, patients, strict=True)]
    flags = [
        {"note_id": n, "patient_id": p, "condition": HF, "status": s, "basis": "stated", "start": 0, "end": 5}
        for n, p, s in zip(ids, patients, statuses, strict=True)
        if s
    ]
    order = ["present", "historical", "uncertain", "absent", "family", "implied"]
    best = {p: min((f["status"] for f in flags if f["patient_id"] == p), key=order.index, default=None)
            for p in patients}  # fmt: skip
    summed = [
        {"patient_id": p, "condition": HF, "status": s, "notes_for": 0, "notes_against": 0}
        for p, s in best.items()
        if s
    ]
    # `build` fills in other columns as missing, which a column of booleans or whole numbers cannot hold
    result = build({"notes": notes, "flags": with_all(flags, "flags"), "patient_flags": summed})
    if groups is not None:
        result.notes["sex"] = groups
    return result


def with_all(rows, table):
    blank = {"int64": 0, "float64": 0.0, "bool": False}
    return [{c: blank.get(t) for c, t in TABLES[table].items()} | row for row in rows]


def reviewed(result, truth, ids, reviewer="Ada"):
    """Verdicts on notes by someone who knows which are cases."""
    shown = result.flags.set_index("note_id")["status"].reindex(ids).fillna("silent").tolist()
    verdicts = ["agree" if (s in cohort.CASES) == (i in truth) else "disagree" for i, s in zip(ids, shown, strict=True)]
    return pd.DataFrame({"note_id": ids, "condition": HF, "status": shown, "verdict": verdicts, "reviewer": reviewer})


def usual(groups=None):
    """The usual case: 50 of 60 flagged and 50 of 900 unflagged notes are checked; 45 and 1 of these are cases."""
    result = made(["present"] * 60 + [None] * 800 + ["absent"] * 100, groups=groups)
    ids = result.notes["note_id"].tolist()
    return result, reviewed(result, {*ids[:45], ids[60]}, [*ids[:50], *ids[60:110]])


def only(table):
    (row,) = table.to_dict("records")
    return row


# the cohort


def test_cohort_table_has_every_patient_and_condition(result):
    table = cohort.cohort_table(result)
    assert table.index.tolist() == ["p01", "p02", "p03"]
    assert table["notes"].tolist() == [3, 1, 1]
    assert table.loc["p01", ["first_date", "last_date"]].dt.strftime("%Y-%m-%d").tolist() == [
        "2023-01-05",
        "2023-06-20",
    ]
    assert pd.isna(table.loc["p02", "first_date"])
    assert table["heart_failure"].tolist() == [True, False, False]
    assert table["stroke_tia"].tolist() == [False, True, False]  # historical
    assert not table[["pneumonia", "cancer", "diabetes", "gout"]].any(axis=None)  # uncertain, family, implied, silent
    assert cohort.cohort_table(result, statuses="family")["cancer"].tolist() == [True, False, False]


def test_cohort_table_carries_own_columns_that_have_one_value_a_patient(result):
    result.notes["sex"] = ["F", None, "F", "M", "M"]
    result.notes["ward"] = list("abcde")
    result.notes["tags"] = [["x"], ["y"], [], [], []]
    result.notes["blank"] = None
    table = cohort.cohort_table(result)
    assert table["sex"].tolist() == ["F", "M", "M"]
    assert not {"ward", "tags", "blank"} & set(table.columns)
    with pytest.raises(InputError, match="1 patients have several values of 'tags'"):
        cohort.prevalence(result, HF, by="tags")
    result.notes["gout"] = 1
    with pytest.raises(InputError, match=r"'gout'.*Rename"):
        cohort.cohort_table(result)


def test_cohort_without_patients_says_how_to_get_them(result):
    result.notes["patient_id"] = pd.Series(None, index=result.notes.index, dtype="str")
    with pytest.raises(InputError, match="No note has a patient_id"):
        cohort.cohort_table(result)


def test_select_cuts_all_tables_to_the_patients(result):
    result.notes.attrs["errors"] = [{"note_id": "p01-01", "stage": "read"}, {"note_id": "p03-01", "stage": "read"}]
    part = cohort.select(result, ["p02", "p03"])
    for name, table in part.tables().items():
        whole = getattr(result, name)
        owner = table["patient_id"] if "patient_id" in table else table["note_id"].str[:3]
        owners = whole["patient_id"] if "patient_id" in whole else whole["note_id"].str[:3]
        assert len(table) == owners.isin(["p02", "p03"]).sum()
        assert set(owner) <= {"p02", "p03"}
    assert len(part.flags) == 2
    assert [e["note_id"] for e in part.notes.attrs["errors"]] == ["p03-01"]
    assert len(result.notes.attrs["errors"]) == 2
    assert len(cohort.select(result, "p01").notes) == 3
    with pytest.raises(InputError, match=r"1 of 2 patients.*p99"):
        cohort.select(result, ["p01", "p99"])


# prevalence


def test_wilson_interval_of_10_in_100():
    row = only(cohort.prevalence(made(["present"] * 10 + [None] * 90), HF))
    assert (row["n"], row["cases"], row["prevalence"]) == (100, 10, 0.1)
    assert (row["low"], row["high"]) == pytest.approx((0.0552, 0.1744), abs=5e-5)  # by hand: (p+z²/2n ± z√..)/(1+z²/n)


def test_no_case_has_the_low_limit_of_zero():
    assert only(cohort.prevalence(made([None] * 6), HF))["low"] == 0  # not 3e-17


def test_prevalence_in_groups_of_a_column_counts_patients_not_notes():
    result = made(["present", "present", None, "absent", "historical", None], per_patient=2, groups=list("FFMMFF"))
    table = cohort.prevalence(result, [HF, "gout"], by="sex")
    assert table.columns.tolist() == ["condition", "group", "n", "cases", "prevalence", "low", "high"]
    assert table[["condition", "group", "n", "cases"]].values.tolist() == [
        [HF, "F", 2, 2], [HF, "M", 1, 0], ["gout", "F", 2, 0], ["gout", "M", 1, 0],
    ]  # fmt: skip
    assert (table.loc[table["cases"] == 0, "low"] == 0).all()


def test_prevalence_in_groups_of_a_series_keeps_those_without_a_group():
    result = made(["present", None, None])
    old = pd.Series([True, False, True], index=["p0000", "p0001", "p9999"], name="old")
    table = cohort.prevalence(result, HF, by=old)
    assert table["group"].tolist()[:2] == [False, True]
    assert pd.isna(table["group"][2])
    assert table["n"].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"condition": "hart_failure"}, "no condition 'hart_failure'.*heart_failure"),
        ({"by": "age"}, "no column 'age'.*sex"),
        ({"by": "sex"}, r"2 patients have several values of 'sex': p0000, p0001\..*first"),
        ({"by": pd.Series(["x"], index=[0], name="arm")}, "No patient has a value of 'arm'.*p0000, p0001"),
        ({"statuses": ("present", "perhaps")}, "Unknown statuses: perhaps"),
        ({"statuses": ()}, "none given"),
        ({"confidence": 95}, "between 0 and 1"),
    ],
)
def test_prevalence_refuses(arguments, message):
    result = made(["present", None, None, None], per_patient=2, groups=list("FMFM"))
    with pytest.raises(InputError, match=message):
        cohort.prevalence(result, **{"condition": HF, **arguments})


@pytest.mark.parametrize(
    ("module", "call"),
    [
        ("statsmodels.stats.proportion", lambda result: cohort.prevalence(result, HF)),
        ("tableone", lambda result: cohort.table_one(result)),
        ("statsmodels.stats.inter_rater", lambda _: agreement.kappa(pd.DataFrame(columns=agreement.COLUMNS))),
    ],
)
def test_missing_extra_is_named(monkeypatch, result, module, call):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r'pip install "clinnlp\[cohort\]"'):
        call(result)


def test_table_one_describes_the_cohort():
    result = made(
        ["present", None, "historical", None, None, None], per_patient=2, groups=["F", "F", "M", "M", None, None]
    )
    result.notes["age"] = ["50", "50", "60", "60", "70", "70"]  # as read from CSV
    result.notes["ward"] = list("abcdef")
    shown = cohort.table_one(result).tableone
    cells = {(row, level): cell for (row, level), cell in shown["Overall"].items()}
    assert cells["n", ""] == 3
    assert cells["notes per patient, median [Q1,Q3]", ""] == "2.0 [2.0,2.0]"
    assert cells["age, mean (SD)", ""] == "60.0 (10.0)"
    assert cells["sex, n (%)", "F"] == "1 (33.3)"
    assert cells["sex, n (%)", "None"] == "1 (33.3)"
    assert cells["heart failure, n (%)", "yes"] == "2 (66.7)"
    assert ("heart failure, n (%)", "no") not in cells
    assert not any("ward" in row or "gout" in row for row, _ in cells)


def test_table_one_by_group_with_options(recwarn):
    result = made(["present", None, "historical", None], groups=["F", "F", "M", None])
    table = cohort.table_one(result, by="sex", conditions=[HF, "gout"], missing=False).tableone
    table.columns = table.columns.get_level_values(1)
    assert table.columns.tolist() == ["Overall", "F", "M", "missing"]
    assert table.loc[("heart failure, n (%)", "yes")].tolist() == ["2 (50.0)", "1 (50.0)", "1 (100.0)", "0 (0.0)"]
    assert table.loc[("gout, n (%)", "no"), "Overall"] == "4 (100.0)"
    assert not recwarn.list
    has = cohort.cohort_table(result)[HF]
    assert cohort.table_one(result, by=has, columns=["sex"]).tableone.columns.get_level_values(1)[-1] == "True"


# what a hand-checked sample says


def test_accuracy_is_weighted_by_stratum():
    table = agreement.flag_accuracy(*usual_arguments()).set_index("measure")
    # by hand: cases 60 * 45/50 = 54 among the flagged, 900 * 1/50 = 18 among the unflagged
    assert table.loc["precision", "estimate"] == pytest.approx(45 / 50)
    assert table.loc["npv", "estimate"] == pytest.approx(49 / 50)
    assert table.loc["sensitivity", "estimate"] == pytest.approx(54 / 72)  # unweighted it would be 45/46
    assert table.loc["specificity", "estimate"] == pytest.approx(882 / 888)
    assert table[["checked", "of"]].values.tolist() == [[50, 60], [50, 900], [100, 960], [100, 960]]
    assert ((table["low"] < table["estimate"]) & (table["estimate"] < table["high"])).all()


def usual_arguments():
    result, reviews = usual()
    return result, HF, reviews


def test_precision_has_the_interval_of_jeffreys():
    table = agreement.flag_accuracy(*usual_arguments()).set_index("measure")
    # quantiles of beta(45.5, 5.5), as scipy.stats.beta.ppf gives them
    assert table.loc["precision", ["low", "high"]].tolist() == pytest.approx([0.7954, 0.9602], abs=2e-3)


def test_corrected_prevalence_is_that_of_rogan_and_gladen():
    arguments = usual_arguments()
    row = only(agreement.corrected_prevalence(*arguments))
    measures = agreement.flag_accuracy(*arguments).set_index("measure")["estimate"]
    se, sp = measures["sensitivity"], measures["specificity"]
    assert (row["unit"], row["n"], row["flagged"], row["apparent"]) == ("notes", 960, 60, 60 / 960)
    assert row["prevalence"] == pytest.approx((60 / 960 + sp - 1) / (se + sp - 1))
    assert row["prevalence"] == pytest.approx(72 / 960)  # the weighted share of cases
    assert row["low"] < 72 / 960 < row["high"]


def test_rogan_gladen_formula_in_the_literature():
    # epiR, example of epi.prev: 23 of 150 cows positive, sensitivity 0.96, specificity 0.89: 5.1 cases in 100 cows
    apparent, se, sp = 23 / 150, 0.96, 0.89
    true = (apparent + sp - 1) / (se + sp - 1)
    found, missed = se * true / apparent, (1 - se) * true / (1 - apparent)
    assert agreement._corrected(apparent, apparent, found, missed) == pytest.approx(0.051, abs=5e-4)


def test_everything_checked_gives_the_plain_interval():
    result = made(["present"] * 20 + [None] * 80)
    ids = result.notes["note_id"].tolist()
    row = only(agreement.corrected_prevalence(result, HF, reviewed(result, set(ids[:20]), ids)))
    measures = agreement.flag_accuracy(result, HF, reviewed(result, set(ids[:20]), ids))
    assert (measures[["estimate", "high"]] == 1).all(axis=None)
    wilson = only(cohort.prevalence(result, HF))
    assert row["prevalence"] == pytest.approx(0.2)
    assert (row["low"], row["high"]) == pytest.approx((wilson["low"], wilson["high"]), abs=0.02)


def test_groups_are_corrected_with_the_same_sensitivity_and_specificity():
    result, reviews = usual(groups=["F"] * 30 + ["M"] * 530 + ["F"] * 400)
    table = agreement.corrected_prevalence(result, HF, reviews, by="sex").set_index("group")
    se, sp = 54 / 72, 882 / 888
    for group, flagged, n in (("F", 30, 430), ("M", 30, 530)):
        assert table.loc[group, "prevalence"] == pytest.approx((flagged / n + sp - 1) / (se + sp - 1))
        assert table.loc[group, "low"] < table.loc[group, "prevalence"] < table.loc[group, "high"]


def test_a_group_without_flags_is_not_sure_to_have_no_case():
    result, reviews = usual(groups=["F"] * 950 + ["M"] * 10)
    row = agreement.corrected_prevalence(result, HF, reviews, by="sex").set_index("group").loc["M"]
    assert (row["prevalence"], row["low"]) == (0, 0)
    assert row["high"] > 0.1


def test_statuses_say_what_a_verdict_means():
    result = made(["present"] * 10 + ["absent"] * 10 + [None] * 10)
    ids = result.notes["note_id"].tolist()
    reviews = reviewed(result, set(ids[:10]), ids).assign(verdict="agree")
    reviews.loc[[10, 20], "verdict"] = "disagree"  # an absent and a silent note that show a case
    assert only(agreement.corrected_prevalence(result, HF, reviews))["prevalence"] == pytest.approx(12 / 30)


def test_last_verdict_counts_and_differing_ones_count_as_not_checked():
    result, reviews = usual()
    again = reviews.iloc[:3].assign(verdict="disagree")
    other = reviews.iloc[10:14].assign(verdict=["agree", "disagree", "unsure", None], reviewer="Ben")
    table = agreement.flag_accuracy(result, HF, pd.concat([reviews, again, other])).set_index("measure")
    assert table.loc["precision", "checked"] == 48
    assert table.loc["precision", "estimate"] == pytest.approx((45 - 3 - 2) / 48)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.iloc[[*range(3), *range(50, 52)]], "Still to check, at least: 2 flagged, 3 unflagged;"),
        (lambda r: r.assign(verdict="unsure"), "at least: 5 flagged, 5 unflagged"),
        (lambda r: r.assign(verdict=["disagree"] * 50 + ["agree"] * 50), "0 of 50 flagged and 0 of 50 unflagged are"),
        (lambda r: r.assign(verdict=["agree"] * 50 + ["disagree"] * 50), "50 of 50 flagged and 50 of 50 unflagged"),
        (lambda r: r.assign(note_id="x" + r["note_id"]), "100 reviewed notes are not in the result.*xn0000"),
        (lambda r: r.assign(status="historical"), "100 notes were reviewed with another status"),
        (lambda r: r.assign(verdict="yes"), "100 verdicts are not one of agree, disagree, unsure"),
        (lambda r: r.drop(columns=["status", "reviewer"]), "lack the column status, reviewer"),
    ],
)
def test_corrected_prevalence_refuses(change, message):
    result, reviews = usual()
    with pytest.raises(InputError, match=message):
        agreement.corrected_prevalence(result, HF, change(reviews))


def test_without_flags_there_is_nothing_to_correct():
    result = made([None] * 20)
    reviews = reviewed(result, set(), result.notes["note_id"].tolist())
    with pytest.raises(InputError, match="0 of 0 flagged and 0 of 20 unflagged"):
        agreement.corrected_prevalence(result, HF, reviews)


def test_patients_are_cases_by_one_note_and_none_only_by_all():
    result = made(["present", None] * 10 + [None, None] * 10, per_patient=2)
    ids = result.notes["note_id"].tolist()
    confirmed = [i for i in ids[:20:2] if i != ids[0]]  # one note each is enough, but for the first patient
    reviews = reviewed(result, {*confirmed, ids[39]}, [*confirmed, *ids[:2], *ids[20:]])
    row = only(agreement.corrected_prevalence(result, HF, reviews, unit="patients"))
    assert (row["unit"], row["n"], row["flagged"]) == ("patients", 20, 10)
    assert row["prevalence"] == pytest.approx(10 / 20)  # nine of ten flagged patients, and the last
    with pytest.raises(InputError, match=r"1 patients are half checked for heart_failure: p0000\."):
        agreement.corrected_prevalence(result, HF, reviews[reviews["note_id"] != ids[1]], unit="patients")
    with pytest.raises(InputError, match="Give 'notes' or 'patients'"):
        agreement.corrected_prevalence(result, HF, reviews, unit="patient")


# what to check next


def test_first_draw_is_random_and_repeatable_and_has_enough_of_both():
    result, _ = usual()
    drawn = agreement.next_to_review(result, HF)
    assert drawn.columns.tolist() == ["note_id", "condition", "status", "stratum", "weight"]
    assert drawn["stratum"].value_counts().to_dict() == {"unflagged": 15, "flagged": 5}
    assert set(drawn.loc[drawn["stratum"] == "unflagged", "status"]) <= {"silent", "absent"}
    assert dict(zip(drawn["stratum"], drawn["weight"], strict=True)) == {"flagged": 60 / 5, "unflagged": 900 / 15}
    assert drawn["note_id"].is_unique
    assert (drawn["stratum"] != drawn["stratum"].shift()).sum() > 2  # mixed
    assert drawn.equals(agreement.next_to_review(result, HF))
    assert not drawn.equals(agreement.next_to_review(result, HF, random_state=1))


def test_draws_follow_neyman():
    # by hand: with ten verdicts as supposed, 18 of 30 flagged and 2.5 of 30 unflagged are cases
    result = made(["present"] * 200 + [None] * 800)
    ids = result.notes["note_id"].tolist()
    reviews = reviewed(result, {*ids[:10], *ids[200:202]}, [*ids[:20], *ids[200:220]])
    drawn = agreement.next_to_review(result, HF, reviews, n=60)
    total = drawn["stratum"].value_counts() + 20
    spread = {"flagged": 200 * (0.6 * 0.4) ** 0.5, "unflagged": 800 * (2.5 / 30 * 27.5 / 30) ** 0.5}
    assert total["flagged"] / 100 == pytest.approx(spread["flagged"] / sum(spread.values()), abs=0.01)
    assert not set(drawn["note_id"]) & set(reviews["note_id"])


def test_the_sample_drawn_has_a_narrower_interval_than_an_even_one():
    result = made(["present"] * 100 + [None] * 900)
    ids = result.notes["note_id"].tolist()
    truth = {*ids[:90], *ids[100:1000:20]}
    start = reviewed(result, truth, [*ids[:100:5], *ids[100:1000:45]])
    rest = [i for i in ids if i not in set(start["note_id"])]
    even = [i for i in rest if i < ids[100]][:60] + [i for i in rest if i >= ids[100]][:60]

    def width(more):
        row = only(agreement.corrected_prevalence(result, HF, pd.concat([start, reviewed(result, truth, list(more))])))
        return row["high"] - row["low"]

    assert width(agreement.next_to_review(result, HF, start, n=120)["note_id"]) < width(even)


def test_no_more_is_drawn_than_there_is():
    result = made(["present"] * 4 + [None] * 3)
    drawn = agreement.next_to_review(result, HF, n=50)
    assert sorted(drawn["note_id"]) == result.notes["note_id"].tolist()
    everything = reviewed(result, set(), result.notes["note_id"].tolist())
    assert agreement.next_to_review(result, HF, everything).empty


def test_notes_without_text_are_not_drawn(result):
    assert "p03-01" not in agreement.next_to_review(result, HF)["note_id"].tolist()


def test_patients_are_drawn_with_all_their_notes_the_half_checked_first():
    result = made(["present", None] * 10 + [None, None] * 10, per_patient=2)
    ids = result.notes["note_id"].tolist()
    drawn = agreement.next_to_review(result, HF, reviewed(result, set(), ids[30:31]), n=4, unit="patients")
    assert drawn["note_id"][0] == ids[31]
    assert len(drawn) == 1 + 3 * 2
    assert drawn["note_id"][1:].str[1:].astype(int).floordiv(2).value_counts().tolist() == [2, 2, 2]


def test_what_is_drawn_can_be_reviewed_and_counted():
    result = build({**ROWS, "notes": [dict(row, text="Words.") for row in ROWS["notes"]]})
    drawn = agreement.next_to_review(result, "hypertension")
    reviews = drawn.assign(verdict="agree", reviewer="Ada")
    row = only(agreement.corrected_prevalence(result, "hypertension", reviews))
    assert (row["n"], row["flagged"], row["prevalence"]) == (5, 2, pytest.approx(0.4))


# two reviewers


def two(*counts):
    """Verdicts of two reviewers, by how often they agree with a flag: both, the first, the second, neither."""
    pairs = [(a, b) for a in ("agree", "disagree") for b in ("agree", "disagree")]
    given = [pair for pair, count in zip(pairs, counts, strict=True) for _ in range(count)]
    rows = [
        (f"n{i}", HF, "present", v, name) for i, pair in enumerate(given) for v, name in zip(pair, "AB", strict=True)
    ]
    return pd.DataFrame(rows, columns=agreement.COLUMNS)


@pytest.mark.parametrize(
    ("counts", "kappa"),
    [
        ((20, 5, 10, 15), 0.4),  # by hand: observed 35/50, by chance 0.5
        ((45, 15, 25, 15), 0.1304),  # the two tables by which kappa is often explained: agreement 0.6 in both,
        ((25, 35, 5, 35), 0.2593),  # by chance 0.54 and 0.46
    ],
)
def test_kappa_in_textbooks(counts, kappa):
    row = only(agreement.kappa(two(*counts)))
    assert (row["reviewer_1"], row["reviewer_2"], row["n"]) == ("A", "B", sum(counts))
    assert row["kappa"] == pytest.approx(kappa, abs=5e-5)
    assert row["agreement"] == pytest.approx((counts[0] + counts[3]) / sum(counts))


def test_kappa_has_the_interval_of_fleiss_cohen_and_everitt():
    row = only(agreement.kappa(two(20, 5, 10, 15)))
    # by hand, with p_o 0.7, p_e 0.5, kappa 0.4 and margins (0.5, 0.5), (0.6, 0.4)
    a = 0.4 * (1 - 1.1 * 0.6) ** 2 + 0.3 * (1 - 0.9 * 0.6) ** 2
    b = 0.6**2 * (0.1 * (0.6 + 0.5) ** 2 + 0.2 * (0.4 + 0.5) ** 2)
    error = ((a + b - (0.4 - 0.5 * 0.6) ** 2) / (0.5**2 * 50)) ** 0.5
    assert (row["low"], row["high"]) == pytest.approx((0.4 - 1.96 * error, 0.4 + 1.96 * error), abs=1e-4)


def test_disagreements_are_listed_with_both_verdicts():
    reviews = pd.concat(
        [two(3, 1, 0, 2), pd.DataFrame([("n99", HF, "silent", "agree", "A")], columns=agreement.COLUMNS)]
    )
    assert agreement.disagreements(reviews).to_dict("records") == [
        {"note_id": "n3", "condition": HF, "status": "present", "A": "agree", "B": "disagree"}
    ]
    assert only(agreement.kappa(reviews))["n"] == 6


@pytest.mark.parametrize(
    ("reviews", "message"),
    [
        (two(3, 0, 0, 3).query("reviewer == 'A'"), "by 1: A"),
        (two(3, 0, 0, 3).query("reviewer == 'C'"), "by 0: nobody"),
        (pd.concat([two(2, 0, 0, 2), two(1, 0, 0, 1).assign(reviewer="C")]), "by 3: A, B, C"),
        (two(2, 0, 0, 2).query("(note_id < 'n2') == (reviewer == 'A')"), "A and B checked no note in common"),
        (two(6, 0, 0, 0), "A and B gave 'agree' all 6 times"),
    ],
)
def test_kappa_refuses(reviews, message):
    with pytest.raises(InputError, match=message):
        agreement.kappa(reviews)
