"""Vocabularies of one's own: CSV files and RRF files."""

import pytest

import clinnlp
from clinnlp.errors import InputError
from clinnlp.terminology import read_rrf, read_terms


def entities(text, **options):
    nlp = clinnlp.load(exclude=["clinnlp_ner"], **options)
    return [(e.text, e.label_, e._.code_system, e._.code, e._.code_name) for e in nlp(text).ents]


def test_own_terms_are_found_and_win(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text(
        "term,code,system,label,name\nblue foot,L1,LOCAL,SYMPTOM,Blue foot sign\nHTN,L2,LOCAL,,\n"
        "zorbinol,L3,LOCAL,MEDICATION,\nZQ,L4,LOCAL,DISEASE,Zeta quirk\n",
        encoding="utf-8",
    )
    text = "Left blue foot, HTN, takes zorbinol 5 mg daily. ZQ, zq."
    assert entities(text, vocabulary=str(path)) == [
        ("Left blue foot", "SYMPTOM", "LOCAL", "L1", "Blue foot sign"), ("HTN", "DISEASE", "LOCAL", "L2", "HTN"),
        ("zorbinol", "MEDICATION", "LOCAL", "L3", "zorbinol"), ("ZQ", "DISEASE", "LOCAL", "L4", "Zeta quirk"),
    ]  # fmt: skip
    assert [e[0] for e in entities(text)] == ["HTN"]


def test_an_own_term_wins_over_the_senses_of_an_abbreviation(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("term,code,system\nRA,L9,LOCAL\n", encoding="utf-8")
    for text in ("Known RA.", "Her RA is quiet after years of joint pain."):
        assert ("RA", "DISEASE", "LOCAL", "L9", "RA") in entities(text, vocabulary=str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("term,code\na,b\n", "lacks the column system"), ("term,code,system,label\ngout,1,X,ILLNESS\n", "ILLNESS"),
        ("term,code,system\ngout,1,X\n...,2,X\n", "line 3"), ("", "Give a CSV file"),
    ],
)  # fmt: skip
def test_a_bad_file_says_what_is_wrong(content, message, tmp_path):
    path = tmp_path / "own.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_terms(path)


def row(concept, system, kind, code, term, language="ENG", suppressed="N"):
    cells = [
        concept,
        language,
        "P",
        "L1",
        "PF",
        "S1",
        "Y",
        "A1",
        "",
        "",
        "",
        system,
        kind,
        code,
        term,
        "0",
        suppressed,
        "",
    ]
    return "|".join(cells) + "|\n"


def test_rrf_files(tmp_path):
    (tmp_path / "MRCONSO.RRF").write_text(
        row("C1", "SNOMEDCT_US", "PT", "38341003", "Hypertensive disorder")
        + row("C1", "SNOMEDCT_US", "SY", "38341003", 'Raised "pressure"')
        + row("C1", "SNOMEDCT_US", "SY", "38341003", "Alta presion", language="SPA")
        + row("C1", "OTHER", "PT", "1", "Hypertension")
        + row("C2", "SNOMEDCT_US", "PT", "2", "Idea of a rock")
        + row("C3", "SNOMEDCT_US", "PT", "3", "Itching", suppressed="Y"),
        encoding="utf-8",
    )
    (tmp_path / "MRSTY.RRF").write_text(
        "C1|T047|B2|Disease or Syndrome|AT1||\nC2|T078|A1|Idea or Concept|AT2||\nC3|T184|B2|Sign|AT3||\n",
        encoding="utf-8",
    )
    table = read_rrf(tmp_path, sources=["SNOMEDCT_US"])
    assert table.values.tolist() == [
        ["Hypertensive disorder", "38341003", "SNOMEDCT_US", "DISEASE", "Hypertensive disorder"],
        ['Raised "pressure"', "38341003", "SNOMEDCT_US", "DISEASE", "Hypertensive disorder"],
    ]
    assert set(read_rrf(tmp_path)["system"]) == {"SNOMEDCT_US", "OTHER"}
    table.to_csv(tmp_path / "snomed.csv", index=False)
    assert entities("Hypertensive disorder.", vocabulary=str(tmp_path / "snomed.csv"))[0][2:4] == (
        "SNOMEDCT_US",
        "38341003",
    )
    with pytest.raises(InputError, match=r"RXNCONSO\.RRF"):
        read_rrf(tmp_path / "none")
