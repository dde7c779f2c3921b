import html
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinnlp.display import highlight, legend, show
from clinnlp.errors import InputError
from clinnlp.schema import ASSERTIONS, ENTITY_LABELS
from small_result import TEXTS


class Reader(HTMLParser):
    """Read HTML back: its text, the text inside each mark, and whether its elements nest."""

    def __init__(self, page):
        super().__init__(convert_charrefs=False)
        self.text, self.open, self.marked, self.tags = "", [], [], []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.open.append((tag, len(self.text), dict(attributes).get("class")))

    def handle_endtag(self, tag):
        name, start, kind = self.open.pop()
        assert name == tag
        if tag == "mark":
            self.marked.append((kind, self.text[start:]))

    def handle_data(self, data):
        self.text += data

    def handle_entityref(self, name):
        self.text += html.unescape(f"&{name};")

    def handle_charref(self, name):
        assert name in ("13", "x27")
        self.text += chr(13 if name == "13" else 39)


def mention(start, end, label="DISEASE", assertion="present", **more):
    return {"start": start, "end": end, "label": label, "assertion": assertion, **more}


def test_words_are_marked_where_they_stand():
    page = Reader(highlight("No fever.\n", [mention(3, 8, "SYMPTOM", "absent")]))
    assert page.text == "No fever.\n"
    assert page.marked == [("SYMPTOM absent", "fever")]


@pytest.mark.parametrize("note_id", TEXTS)
def test_text_content_is_the_note_character_for_character(result, note_id):
    entities = result.entities[result.entities["note_id"] == note_id].to_dict("records")
    sections = result.sections[result.sections["note_id"] == note_id].to_dict("records")
    for row in entities:  # a missing cell of a frame is NaN; of a record it is None
        row.update({key: None for key, value in row.items() if value != value})
    page = Reader(highlight(TEXTS[note_id], entities, sections))
    assert page.text == TEXTS[note_id]
    assert {words for _, words in page.marked} == {row["text"] for row in entities}


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\r\n\tb", "a\r\n\tb"), ("a\0b", "a\ufffdb"), ("a\ud800b", "a\ufffdb"), ("\U0001f600 b", "\U0001f600 b")],
    ids=["crlf", "nul", "lone surrogate", "emoji"],
)
def test_characters_that_browsers_drop_shift_nothing(text, shown):
    assert Reader(highlight(text, [mention(len(text) - 1, len(text))])).text == shown
    assert Reader(highlight(text, [mention(len(text) - 1, len(text))])).marked == [("DISEASE present", "b")]


def test_carriage_return_is_a_reference_as_browsers_turn_a_bare_one_into_a_line_feed():
    assert highlight("a\r\n", []) == '<div class="clinnlp-note">a&#13;\n</div>'


def test_nested_spans_nest():
    page = Reader(highlight("lisinopril 10 mg", [mention(0, 10, "MEDICATION"), mention(0, 16, "DOSAGE")]))
    assert page.marked == [("MEDICATION present", "lisinopril"), ("DOSAGE present", "lisinopril 10 mg")]


def test_crossing_spans_are_cut_and_only_the_last_piece_keeps_its_small_word():
    page = Reader(highlight("abcdef", [mention(0, 4, "TEST", "absent"), mention(2, 6, "RESULT", "absent")]))
    assert page.text == "abcdef"
    assert ("RESULT absent", "ef") in page.marked
    assert ("part RESULT absent", "cd") in page.marked
    assert ("TEST absent", "abcd") in page.marked


@given(
    st.text(alphabet="ab<&\"'>\r\n\t\U0001f600", max_size=30),
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=8),
)
def test_any_spans_over_any_text_give_well_formed_html_of_that_text(text, spans):
    spans = [(a, b) for a, b in spans if a < b <= len(text)]
    page = Reader(highlight(text, [mention(a, b) for a, b in spans], [{"start": 0, "end": 1, "category": "other"}]))
    assert page.text == text
    marked = "".join(words for kind, words in page.marked)
    assert len(marked) == sum(b - a for a, b in spans)


def test_tooltip_says_why():
    row = mention(3, 8, "SYMPTOM", "absent", cue='"No', section="present_illness", source="model", score=0.934)
    page = Reader(highlight("No fever", [{**row, "code_system": "MeSH", "code": "D005334", "code_name": "Fever"}]))
    assert page.tags[1][1]["title"].split("\n") == [
        "symptom, absent",
        'cue: "No',
        "section: present_illness",
        "source: model, score 0.93",
        "MeSH D005334 Fever",
    ]


def test_show_gives_html_to_jupyter_and_a_line_to_print(result):
    view = show(result, "p01-01")
    assert repr(view) == "<note 'p01-01': 5 entities>"
    assert view._repr_html_() == show(result, "p01-01")._repr_html_()
    assert "chest pain</mark>" in view._repr_html_()
    assert "p01-01 · patient p01 · 2023-01-05 · Progress note" in view._repr_html_()


def test_show_of_hostile_note_holds_no_element_of_the_note(result):
    tags = {tag for tag, _ in Reader(show(result, "p01-03").html).tags}
    assert tags <= {"div", "style", "p", "strong", "mark", "b"}


def test_show_works_without_findings_date_and_type(result):
    assert "p02-01 · patient p02<" in show(result, "p02-01").html
    assert repr(show(result, "p03-01")) == "<note 'p03-01': 0 entities>"


def test_unknown_note_is_refused_with_some_there_are(result):
    with pytest.raises(InputError, match=r"no note 'x'.*p01-01"):
        show(result, "x")


def test_legend_explains_every_label_and_assertion():
    kinds = {kind for kind, _ in Reader(legend()).marked}
    assert kinds == {*ENTITY_LABELS, *ASSERTIONS}
