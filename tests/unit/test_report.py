import json
import re

import pytest

import clinnlp
from clinnlp.report import write_report
from small_result import HOSTILE, ROWS, TEXTS, build

BLOCK = re.compile(r'<script type="application/json" id="([\w-]+)">(.*?)</script>', re.DOTALL)


@pytest.fixture
def page(result, tmp_path):
    return write_report(result, tmp_path / "new folder" / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def data(page):
    return {name: json.loads(text) for name, text in BLOCK.findall(page)}


def test_page_holds_a_block_a_patient(data):
    assert list(data) == ["overview", "patient-0", "patient-1", "patient-2"]
    assert [patient["id"] for patient in data["overview"]["patients"]] == ["p01", "p02", "p03"]
    assert data["overview"]["counts"]["notes"] == 5


def test_note_text_cannot_end_its_block_and_no_placeholder_is_filled_in_it(page, data):
    assert "onerror" in page
    assert not any(set("<>&") & set(block) for _, block in BLOCK.findall(page))
    assert "{{data}} ${x}" in data["patient-0"]["notes"][2]["html"]
    assert "\u2028" not in page.split("plotly.js v")[0]
    assert "&lt;/script&gt;&lt;img" in data["patient-0"]["notes"][2]["html"]


def test_only_the_scripts_of_the_page_may_run_and_nothing_may_be_fetched(page):
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    assert "default-src 'none'" in policy
    assert policy.count("'sha256-") == 2
    assert "unsafe-inline" not in policy.split("script-src")[1]
    markup = BLOCK.sub("", page).replace(re.search(r"<script>/\*\*.*?</script>", page, re.DOTALL)[0], "")
    assert not re.search(r"https?://|\bsrc=|@import|url\(", markup)


def test_plotly_is_embedded_once_and_the_version_named(page):
    assert page.count("* plotly.js v") == 1
    assert f"clinnlp {clinnlp.__version__}" in page
    assert "Not for clinical decisions" in page


def test_evidence_quotes_the_note_with_what_stands_around(data):
    for name in ("patient-0", "patient-1"):
        for flag in data[name]["flags"]:
            assert flag["evidence"]
            for found in flag["evidence"]:
                text = TEXTS[found["note"]]
                assert text[found["start"] : found["end"]] == found["text"]
                assert found["before"] + found["text"] + found["after"] in text


def test_flags_are_sorted_by_status_and_have_their_basis(data):
    flags = data["patient-0"]["flags"]
    assert [(flag["condition"], flag["status"]) for flag in flags] == [
        ("heart failure", "present"),
        ("hypertension", "present"),
        ("pneumonia", "uncertain"),
        ("cancer", "family"),
    ]
    assert data["patient-1"]["flags"][1]["basis"] == ["medication"]


def test_best_evidence_of_a_flag_is_shown_when_the_evidence_table_lacks_it(tmp_path):
    rows = {**ROWS, "evidence": []}
    page = write_report(build(rows), tmp_path / "r.html").read_text(encoding="utf-8")
    flags = json.loads(dict(BLOCK.findall(page))["patient-1"])["flags"]
    assert [(found["text"], found["polarity"]) for flag in flags for found in flag["evidence"]] == [
        ("stroke", "for"),
        ("metformin", "for"),
    ]


def test_notes_without_date_come_last(data):
    assert [note["id"] for note in data["patient-0"]["notes"]] == ["p01-01", "p01-02", "p01-03"]
    assert data["overview"]["patients"][1]["first"] is None


def test_notes_without_patient_get_a_page(tmp_path):
    rows = {"notes": [{"note_id": "n1", "text": HOSTILE}, {"note_id": "n2", "patient_id": "p", "text": ""}]}
    page = write_report(build(rows), tmp_path / "r.html").read_text(encoding="utf-8")
    data = {name: json.loads(text) for name, text in BLOCK.findall(page)}
    assert [patient["id"] for patient in data["overview"]["patients"]] == ["p", None]
    assert data["patient-1"]["timeline"] is None


def test_empty_result_gives_a_page(empty_result, tmp_path):
    page = write_report(empty_result, str(tmp_path / "r.html")).read_text(encoding="utf-8")
    assert json.loads(dict(BLOCK.findall(page))["overview"])["patients"] == []


def test_same_result_gives_the_same_page(result, page, tmp_path):
    assert write_report(result, tmp_path / "again.html").read_text(encoding="utf-8") == page
