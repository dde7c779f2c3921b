import os
import sys

import pandas as pd
import pytest

from clinnlp import review as module
from clinnlp.errors import InputError, MissingExtraError
from clinnlp.review import COLUMNS, cut, read_reviews, review
from small_result import HOSTILE, ROWS, TEXTS, build, flag

HEADER = ",".join(COLUMNS)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "reviews.csv"


@pytest.fixture
def start(result, path):
    """Open a review of hypertension (p01-01 and p01-02 are flagged, three notes are silent), or as told."""

    def opened(condition="hypertension", reviewer="kg", result=result, **more):
        return review(result, condition, path, reviewer=reviewer, **more)

    return opened


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def shown(widget):
    return widget.view["about"].split(" · ")[0]


def test_flagged_notes_come_first_then_the_silent_ones(start):
    widget = start()
    seen = []
    for _ in range(6):
        seen.append((shown(widget), widget.view["status"], widget.view["position"]))
        widget.press("ArrowRight")
    assert seen == [
        ("p01-01", "present", 0), ("p01-02", "present", 1), ("p01-03", "silent", 2), ("p02-01", "silent", 3),
        ("p03-01", "silent", 4), ("p03-01", "silent", 4),
    ]  # fmt: skip
    widget.press("ArrowLeft")
    assert shown(widget) == "p02-01"


def test_view_says_what_is_judged(start):
    view = start().view
    assert view["about"] == "p01-01 · patient p01 · 2023-01-05 · Progress note"
    assert (view["condition"], view["meaning"], view["total"]) == ("hypertension", "the patient has it", 5)
    assert "".join(piece["text"] for piece in view["pieces"]) == TEXTS["p01-01"]
    assert [piece["text"] for piece in view["pieces"] if piece["evidence"] is not None] == ["hypertension"]
    (found,) = view["evidence"]
    assert (found["polarity"], found["assertion"], found["rule"]) == ("for", "present", "term:hypertension")
    assert start("stroke_tia").view["condition"] == "stroke/TIA"


def test_verdicts_are_in_the_file_at_once(start, path):
    widget = start()
    expected = [HEADER]
    for key, line in [
        ("a", "p01-01,hypertension,present,agree,kg"),
        ("D", "p01-02,hypertension,present,disagree,kg"),  # caps lock
        ("u", "p01-03,hypertension,silent,unsure,kg"),
    ]:
        widget.press(key)
        expected.append(line)
        assert lines(path) == expected
    assert (shown(widget), widget.view["reviewed"]) == ("p02-01", 3)


def test_second_verdict_replaces_the_first_and_leads_on_to_what_is_left(start, path):
    widget = start()
    widget.press("a")
    widget.press("ArrowLeft")
    assert widget.view["verdict"] == "agree"
    widget.press("d")
    assert lines(path) == [HEADER, "p01-01,hypertension,present,disagree,kg"]
    assert shown(widget) == "p01-02"
    widget.press("ArrowRight")
    for _ in range(3):
        widget.press("a")
    assert shown(widget) == "p01-02"  # the one passed over
    widget.press("a")
    assert "All 5 are reviewed" in widget.view["message"]


@pytest.mark.parametrize("key", ["z", "Backspace"])
def test_undo_gives_back_what_was_there(start, path, key):
    widget = start()
    widget.press("a")
    widget.press("ArrowLeft")
    widget.press("u")
    widget.press("a")
    widget.press(key)
    assert (shown(widget), widget.view["verdict"]) == ("p01-02", None)
    assert lines(path) == [HEADER, "p01-01,hypertension,present,unsure,kg"]
    widget.press(key)
    assert (shown(widget), widget.view["verdict"]) == ("p01-01", "agree")
    widget.press(key)
    assert lines(path) == [HEADER]
    widget.press(key)
    assert "nothing to undo" in widget.view["message"]


def test_opening_again_resumes(start):
    first = start()
    first.press("a")
    first.press("ArrowRight")
    first.press("d")
    again = start()
    assert (shown(again), again.view["reviewed"]) == ("p01-02", 2)
    again.press("ArrowLeft")
    assert again.view["verdict"] == "agree"
    assert again.reviews.equals(first.reviews)


def test_opening_what_is_finished_starts_at_the_first_note(start):
    widget = start(notes=["p02-01", "p01-01"])
    widget.press("a")
    widget.press("a")
    again = start(notes=["p02-01", "p01-01"])
    assert (shown(again), again.view["reviewed"], again.view["verdict"]) == ("p02-01", 2, "agree")


def test_verdict_on_a_status_that_has_changed_is_asked_for_again(start, path):
    start().press("a")
    flags = [flag("p01-01", "hypertension", "uncertain", "hypertension")]
    later = start(result=build({**ROWS, "flags": flags}))
    assert (shown(later), later.view["verdict"], later.view["reviewed"]) == ("p01-01", None, 0)
    assert "agree when the status was present" in later.view["former"]
    assert later.reviews.empty
    later.press("d")
    assert lines(path) == [HEADER, "p01-01,hypertension,uncertain,disagree,kg"]


def test_conditions_and_reviewers_share_a_file(start, path):
    mine, yours, other = start(), start(reviewer="mb"), start("pneumonia")  # opened before any has written
    mine.press("a")
    yours.press("d")
    other.press("u")
    mine.press("a")
    rows = ["p01-01,hypertension,present,agree,kg", "p01-01,hypertension,present,disagree,mb",
            "p01-02,pneumonia,uncertain,unsure,kg", "p01-02,hypertension,present,agree,kg"]  # fmt: skip
    assert lines(path) == [HEADER, *rows]
    assert mine.reviews["note_id"].tolist() == ["p01-01", "p01-02"]
    assert yours.reviews.to_numpy().tolist() == [rows[1].split(",")]
    assert read_reviews(path).to_numpy().tolist() == [row.split(",") for row in rows]
    assert shown(start(reviewer="new")) == "p01-01"


def test_tables_have_the_columns_of_the_file_even_when_empty(start, path):
    widget = start()
    assert list(widget.reviews) == list(COLUMNS)
    widget.press("a")
    widget.press("z")
    assert list(read_reviews(path)) == list(COLUMNS)
    assert set(read_reviews(path).dtypes) == {pd.StringDtype(na_value=float("nan"))}


@pytest.mark.parametrize(
    "notes",
    [
        ["p02-01", "p01-01", "p02-01"],
        pd.Series(["p02-01", "p01-01"]),
        [{"note_id": "p02-01", "condition": "hypertension"}, {"note_id": "p01-01"}],
        pd.DataFrame({"note_id": ["p02-01", "p01-01"], "stratum": ["silent", "present"]}),
        pd.DataFrame({"note_id": ["p02-01", "p03-01", "p01-01"], "condition": ["hypertension", "cancer", None]}),
    ],
    ids=["list", "series", "dicts", "frame", "frame of two conditions"],
)
def test_notes_are_reviewed_in_the_order_given(start, notes):
    widget = start(notes=notes)
    assert (shown(widget), widget.view["total"]) == ("p02-01", 2)
    widget.press("ArrowRight")
    assert (shown(widget), widget.view["status"]) == ("p01-01", "present")


def test_notes_bring_their_conditions(start, path):
    pairs = pd.DataFrame({"note_id": ["p01-01", "p01-01"], "condition": ["cancer", "hypertension"]})
    widget = start(None, notes=pairs)
    widget.press("a")
    widget.press("d")
    assert lines(path)[1:] == ["p01-01,cancer,family,agree,kg", "p01-01,hypertension,present,disagree,kg"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"condition": "hypertensoin"}, "no condition 'hypertensoin'"),
        ({"condition": None}, "Give condition="),
        ({"reviewer": " "}, "reviewer has no name"),
        ({"notes": []}, "nothing to review"),
        ({"notes": ["p01-01", "p99", "p98"]}, "2 of the notes are not in the result: p98, p99"),
        ({"notes": pd.DataFrame({"id": ["p01-01"]})}, "no note_id"),
    ],
)
def test_wrong_arguments_are_explained(start, more, words):
    with pytest.raises(InputError, match=words):
        start(**more)


def test_path_that_cannot_be_a_file_is_refused_at_once(result, tmp_path):
    for path in (tmp_path, tmp_path / "missing" / "reviews.csv"):
        with pytest.raises(InputError, match="cannot be a file"):
            review(result, "hypertension", path, reviewer="kg")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a file of reviews"),
        (b"note_id,text\nn1,Secret words\n", "not a file of reviews"),
        (HEADER.replace(",", ";").encode() + b"\n", "not a file of reviews"),
        (f"{HEADER}\nn1,asthma,present,agree,kg\nn2,asthma,pres".encode(), "Row 2 .* is damaged"),
        (f"{HEADER}\nn1,asthma,present,agree,\n".encode(), "Row 1 .* is damaged"),
        (f"{HEADER}\nn1,asthma,present,agree,kg,more\n".encode(), "Row 1 .* is damaged"),
        (f"{HEADER}\nn1,asthma,present,yes,kg\n".encode(), "Row 1 .* unknown verdict"),
        (f"{HEADER}\nn1,asthma,Secret,agree,kg\n".encode(), "Row 1 .* unknown verdict or status"),
        (f'{HEADER}\n"n1,asthma,present,agree,kg\n'.encode(), "cannot be read as CSV"),
        (b"PK\x03\x04\xff\xfe\x00", "cannot be read as CSV"),
    ],
)
def test_damaged_or_foreign_file_is_one_clear_error_and_stays_as_it_is(start, path, content, words):
    path.write_bytes(content)
    for read in (lambda: read_reviews(path), start):
        with pytest.raises(InputError, match=words) as caught:
            read()
        assert "Secret" not in str(caught.value)
    assert path.read_bytes() == content


def test_missing_file_is_an_error_for_reading_alone(path):
    with pytest.raises(InputError, match="no file"):
        read_reviews(path)


def test_file_saved_by_a_spreadsheet_is_read(path):
    path.write_bytes(f"\ufeff{HEADER}\r\nNA,asthma,present,agree,NA\r\n007,asthma,silent,unsure,kg\r\n".encode())
    assert read_reviews(path)["note_id"].tolist() == ["NA", "007"]
    assert read_reviews(path)["reviewer"].tolist() == ["NA", "kg"]


def test_awkward_ids_come_back_whole(result, path):
    result.notes.loc[0, "note_id"] = 'a,"b"\r\nc'
    review(result, "asthma", path, reviewer="Dr. Ö, kg", notes=['a,"b"\r\nc']).press("a")
    row = read_reviews(path).iloc[0]
    assert (row["note_id"], row["reviewer"]) == ('a,"b"\r\nc', "Dr. Ö, kg")


def test_crash_while_writing_loses_nothing(start, path, monkeypatch):
    widget = start()
    widget.press("a")
    before = path.read_bytes()

    def crash(file):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(KeyboardInterrupt):
        widget.press("d")
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_verdict_that_cannot_be_saved_is_not_shown_as_given(start, path, monkeypatch):
    widget = start()
    widget.press("a")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "replace", full)
        for key in ("d", "z"):
            widget.press(key)
            assert widget.view["error"].startswith("Not saved")
            assert "No space left" in widget.view["error"]
            assert (shown(widget), widget.view["reviewed"]) == ("p01-02", 1)
    assert lines(path) == [HEADER, "p01-01,hypertension,present,agree,kg"]
    widget.press("d")
    assert (widget.view["error"], widget.view["reviewed"]) == ("", 2)


def test_file_damaged_meanwhile_is_left_alone(start, path):
    widget = start()
    path.write_text("someone else's", encoding="utf-8")
    widget.press("a")
    assert widget.view["error"].startswith("Not saved. reviews.csv is not a file of reviews")
    assert (shown(widget), widget.view["reviewed"]) == ("p01-01", 0)
    assert path.read_text(encoding="utf-8") == "someone else's"


@pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")
def test_shared_file_keeps_its_mode_and_its_link(start, path, tmp_path):
    real = tmp_path / "shared.csv"
    real.write_text(HEADER + "\n", encoding="utf-8")
    real.chmod(0o664)
    path.symlink_to(real)
    start().press("a")
    assert path.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o664
    assert len(lines(real)) == 2


def test_unknown_key_is_an_error_that_changes_nothing(start, path):
    widget = start()
    widget.press("q")
    assert "'q' does nothing" in widget.view["error"]
    assert not path.exists()


def test_press_from_the_browser_counts_for_the_note_it_was_meant_for(start, path):
    widget = start()
    for position in (0, 0):  # a double click: the second finds another note shown
        widget._handle_custom_msg({"key": "a", "position": position}, [])
    assert lines(path) == [HEADER, "p01-01,hypertension,present,agree,kg"]
    widget._handle_custom_msg({"key": "ArrowRight", "position": 0}, [])
    assert widget.view["position"] == 2


def test_every_press_is_answered(start):
    widget = start()
    answers = [widget.view["answers"]]
    for key in ("ArrowLeft", "ArrowLeft", "z"):
        widget.press(key)
        answers.append(widget.view["answers"])
    assert len(set(answers)) == 4


def test_overlapping_evidence_goes_to_the_shortest():
    text = "acute \U0001f600 heart failure"
    spans = [{"start": 0, "end": 21}, {"start": 8, "end": 13}, {"start": 8, "end": 13}]
    pieces = cut(text, spans)
    assert "".join(piece["text"] for piece in pieces) == text
    assert [(p["start"], p["text"], p["evidence"], p["part"]) for p in pieces] == [
        (0, "acute \U0001f600 ", 0, True), (8, "heart", 1, False), (13, " failure", 0, False),
    ]  # fmt: skip
    assert cut("", []) == []


def test_note_without_text_is_shown_empty(result, path):
    result.notes.loc[0, "text"] = None
    assert review(result, "asthma", path, reviewer="kg", notes=["p01-01"]).view["pieces"] == []


def test_note_text_stays_out_of_the_file_and_never_becomes_markup(start, path):
    widget = start("pneumonia", notes=["p01-03"])
    assert "".join(piece["text"] for piece in widget.view["pieces"]) == HOSTILE
    widget.press("a")
    assert lines(path)[1:] == ["p01-03,pneumonia,uncertain,agree,kg"]
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "http:", "https:"):
        assert way not in widget._esm + widget._css


def test_print_names_no_address(start):
    assert repr(start()) == "<review by kg: 0 of 5 notes reviewed>"


def test_missing_extra_is_named_and_reading_needs_none(result, path, monkeypatch):
    module._widget_class.cache_clear()
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(MissingExtraError, match=r'pip install "clinnlp\[notebooks\]"'):
        review(result, "hypertension", path, reviewer="kg")
    path.write_text(f"{HEADER}\nn1,asthma,present,agree,kg\n", encoding="utf-8")
    assert len(read_reviews(path)) == 1


def test_result_without_a_note_has_nothing_to_review(empty_result, path):
    with pytest.raises(InputError, match="nothing to review"):
        review(empty_result, "hypertension", path, reviewer="kg")
