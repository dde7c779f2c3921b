"""The report as its readers see it: opened from disk in a browser that has no network to go to."""

from pathlib import Path
from types import SimpleNamespace

import pytest

import clinnlp
from clinnlp.report import write_report
from small_result import HOSTILE, TEXTS, build

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return write_report(build(), tmp_path_factory.mktemp("report") / "report.html").as_uri()


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    notes = clinnlp.read_notes(Path(__file__).parents[2] / "sample_data" / "notes.csv")
    result = clinnlp.annotate(notes, clinnlp.load())
    return result, write_report(result, tmp_path_factory.mktemp("sample") / "report.html").as_uri()


@pytest.fixture
def visit(browser, address):
    """Open the report at a place; afterwards nothing may have gone wrong or been fetched."""
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.set_default_timeout(10_000)
    seen = SimpleNamespace(troubles=[], requests=[])
    page.on("console", lambda message: seen.troubles.append(message.text) if message.type != "log" else None)
    page.on("pageerror", lambda error: seen.troubles.append(str(error)))
    page.on("request", lambda request: seen.requests.append(request.url))

    def open_at(place="", report=address):
        page.goto("about:blank")
        page.goto(report + place)
        return page

    yield open_at
    hacked = page.evaluate("window.hacked")
    page.close()
    assert seen.troubles == []
    assert [url for url in seen.requests if not url.startswith(("file:", "data:", "blob:", "about:"))] == []
    assert hacked is None


def marked(page):
    """The marked words, when they are in view and have the focus."""
    page.wait_for_selector(".target")
    in_view = page.evaluate("""() => {
        const box = document.querySelector(".target").getBoundingClientRect();
        return box.top >= 0 && box.bottom <= innerHeight && box.width > 0;
    }""")
    assert in_view
    assert page.evaluate("document.activeElement === document.querySelector('.target')")
    return "".join(page.locator(".target").all_text_contents())


def at(note_id, words):
    start = TEXTS[note_id].index(words)
    return f"#note={note_id}&span={start}-{start + len(words)}"


def test_overview_draws_its_figures_and_lists_patients_and_errors(visit):
    page = visit()
    assert page.locator("#figures .plot svg.main-svg").first.is_visible()
    assert page.locator("#figures .plot").count() == 3
    for plot in page.locator("#figures .plot").all():
        assert plot.locator("svg").first.bounding_box()["width"] <= plot.bounding_box()["width"]
    assert page.locator("#patients tbody tr").count() == 3
    assert "The note is empty." in page.locator("#errors").inner_text()


def test_search_narrows_the_patients(visit):
    page = visit()
    for words, left in {"heart fail": ["p01"], "P02": ["p02"], "p03-01": ["p03"], "nobody": []}.items():
        page.fill("#search", words)
        assert page.locator("#patients tbody tr:visible a").all_text_contents() == left


def test_flag_leads_to_evidence_and_evidence_to_the_words(visit):
    page = visit()
    page.click("#patients >> text=p01")
    assert page.locator("#timeline svg").first.is_visible()
    page.click("#flags button:has-text('hypertension')")
    for words in ("hypertension", "Hypertension"):
        page.locator("#flags").get_by_role("link", name=words, exact=True).click()
        assert marked(page) == words


def test_the_keyboard_alone_reaches_the_words(visit):
    page = visit("#patient=p01")
    page.focus("#flags button:has-text('heart failure')")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert marked(page) == "heart failure"


def test_a_link_works_twice_and_going_back_keeps_the_evidence_open(visit):
    page = visit("#patient=p01")
    page.click("#flags button:has-text('heart failure')")
    for _ in range(2):  # the second click does not change the address
        page.evaluate("window.scrollTo(0, 0); document.activeElement.blur()")
        page.click("#flags a.quote")
        assert marked(page) == "heart failure"
    page.go_back()
    assert page.locator("#flags a.quote").first.is_visible()


def test_summary_medication_and_measurement_lead_to_their_words(visit):
    page = visit("#note=p01-01")
    note = page.locator(".note[data-id='p01-01']")
    note.locator(".summary a").click()
    assert marked(page) == "Takes lisinopril 10 mg daily for hypertension."
    note.locator("summary", has_text="Measurements").click()
    note.get_by_role("link", name="142/88").click()
    assert marked(page) == "142/88"


def test_click_on_the_timeline_leads_to_the_words(visit):
    page = visit("#patient=p01")
    point = page.locator("#timeline .points path").first.bounding_box()
    page.mouse.move(point["x"] + point["width"] / 2, point["y"] + point["height"] / 2)
    page.mouse.down()
    page.mouse.up()
    assert marked(page) == "hypertension"


def test_deep_link_marks_exactly_its_characters(visit):
    places = [
        ("p01-01", "hypertension"),  # after an emoji
        ("p01-01", "\r\n\tTakes lisinopril 10 mg"),  # over a line break, a tab and two entities
        ("p01-02", "Hypertension is stable"),  # far down
        ("p01-03", "<b>bold</b> {{data}}"),  # after a line separator
    ]
    page = visit(at(*places[0]))
    for note_id, words in places:
        page.evaluate("place => { location.hash = place; }", at(note_id, words))
        page.wait_for_function(
            "words => document.querySelector('.target')?.textContent.startsWith(words)", arg=words[:4]
        )
        assert marked(page) == words


def test_address_of_nothing_says_so(visit):
    assert "no note nope" in visit("#note=nope&span=1-2").locator("#message").inner_text()
    assert "no patient <i>" in visit("#patient=<i>").locator("#message").inner_text()


def test_span_that_is_not_there_opens_the_note(visit):
    page = visit()
    for span in ("", "&span=5-2", "&span=x", "&span=99999-100000"):
        page.evaluate("place => { location.hash = place; }", f"#note=p01-01{span}")
        page.wait_for_selector(".note[data-id='p01-01'] .text")
        assert page.locator(".target").count() == 0


def test_hostile_note_is_shown_as_text_and_runs_nothing(visit):
    page = visit(at("p01-03", "onerror"))
    assert page.locator(".note[data-id='p01-03'] .text").evaluate("box => box.textContent") == HOSTILE
    assert page.locator(".note img, .note script").count() == 0


def test_legend_switches_the_highlighting_of_a_label(visit):
    page = visit("#note=p01-01")
    colour = "mark => getComputedStyle(mark).backgroundColor"
    assert page.locator(".note mark.SYMPTOM").first.evaluate(colour) != "rgba(0, 0, 0, 0)"
    page.click("#legend label:has-text('symptom')")
    assert page.locator(".note mark.SYMPTOM").first.evaluate(colour) == "rgba(0, 0, 0, 0)"
    assert page.locator(".note mark.DISEASE").first.evaluate(colour) != "rgba(0, 0, 0, 0)"


def test_narrow_page_does_not_scroll_sideways(visit):
    page = visit()
    page.set_viewport_size({"width": 380, "height": 700})
    for place in ("#", "#patient=p01", at("p01-01", "hypertension")):
        page.evaluate("place => { location.hash = place; }", place)
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_every_flag_of_a_sample_patient_leads_to_its_evidence(visit, sample):
    result, report = sample
    patient = result.patient_flags["patient_id"].iloc[0]
    page = visit(f"#patient={patient}", report)
    buttons = page.locator("#flags button")
    assert buttons.count() == (result.patient_flags["patient_id"] == patient).sum()
    for button in buttons.all():
        button.click()
    notes = result.notes.loc[result.notes["patient_id"] == patient, "note_id"]
    evidence = result.evidence[result.evidence["note_id"].isin(notes)]
    texts = dict(zip(result.notes["note_id"], result.notes["text"], strict=True))
    places = page.locator("#flags a.quote").evaluate_all("links => links.map(a => a.hash)")
    wanted = {f"#note={r.note_id}&span={r.start}-{r.end}" for r in evidence.itertuples()}
    assert set(places) == wanted
    for place in places[::7]:
        page.evaluate("place => { location.hash = place; }", place)
        note_id, span = place.removeprefix("#note=").split("&span=")
        start, end = map(int, span.split("-"))
        words = texts[note_id][start:end].replace("\r\n", "\n")
        page.wait_for_function("w => document.querySelector('.target')?.textContent.startsWith(w)", arg=words[:3])
        assert marked(page) == words
