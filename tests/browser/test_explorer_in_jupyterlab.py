"""The explorer where it is used: in a real JupyterLab, by mouse and by keys that JupyterLab must not hear."""

import nbformat
import pytest
from nbconvert import HTMLExporter

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror='window.hacked=1'>"
CODE = f"""
import clinnlp
import pandas as pd
from clinnlp.explorer import explore

texts = [
    "HISTORY:\\n" + "Nothing else of note.\\n" * 60 + "Known hypertension. \\U0001f600 Mother had hypertension.",
    "Denies chest pain. {HOSTILE} On lisinopril for HTN.",
    "PLAN: Twisted ankle, otherwise well.\\n" + "Nothing else of note.\\n" * 60 + "Anterior MI in 2012.",
]
frame = pd.DataFrame({{"note_id": ["n1", "n2", "n3"], "patient_id": ["p1", "p1", "p2"], "text": texts}})
result = clinnlp.annotate(clinnlp.read_notes(frame), clinnlp.load(exclude=["clinnlp_ner"]))
"""
IN_VIEW = """element => {
    const box = element.closest(".text").getBoundingClientRect();
    const place = element.getBoundingClientRect();
    return place.top >= box.top && place.bottom <= box.bottom && place.width > 0;
}"""


@pytest.fixture(scope="module")
def lab(serve_lab):
    return serve_lab("explorer.ipynb", ["# Explorer", CODE.strip(), "explore(result)"])


@pytest.fixture
def page(lab, open_notebook):
    _, address = lab
    page = open_notebook(address)
    page.wait_for_selector(".clinnlp-explorer .text mark")
    return page


def option(box, name, words):
    return box.get_by_role("listbox", name=name, exact=True).get_by_role("option").filter(has_text=words)


def test_notes_are_chosen_filtered_explained_and_searched(page, lab):
    folder, _ = lab
    box = page.locator(".clinnlp-explorer")
    text, details, about = (box.locator(part) for part in (".text", ".details", ".about"))
    cells = page.locator(".jp-Notebook .jp-Cell").count()

    option(box, "notes of the patient", "n2").click()
    about.filter(has_text="n2").wait_for()
    shown = "box => [...box.childNodes].map(node => node.textContent).join('')"
    assert text.evaluate(shown) == f"Denies chest pain. {HOSTILE} On lisinopril for HTN."
    assert text.locator("mark").all_text_contents() == ["chest pain", "lisinopril", "HTN"]

    medication = box.locator(".filters").get_by_role("button", name="medication")
    medication.click()
    text.locator("mark").nth(1).wait_for(state="detached")
    assert text.locator("mark").all_text_contents() == ["lisinopril"]
    assert medication.get_attribute("aria-pressed") == "true"
    page.keyboard.press("Enter")  # it kept the focus
    text.locator("mark").nth(2).wait_for()

    text.locator("mark", has_text="chest pain").click()
    assert details.locator("dt:text-is('cue') + dd").text_content() == "Denies"
    assert "No flag rests on it." in details.inner_text()
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    assert details.locator("h4").text_content() == "HTN"
    assert details.locator(".facts .status").text_content() == "hypertension"
    assert "speaks for it\nrule hypertension.name" in details.inner_text()
    for key in "ddx":  # in JupyterLab: delete the cell, cut the cell
        page.keyboard.press(key)
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells

    option(box, "notes of the patient", "n1").focus()
    page.keyboard.press("Enter")
    about.filter(has_text="n1").wait_for()
    for place in (0, 1):  # a click leads to the evidence, another to the next
        box.locator(".flags").get_by_role("button", name="hypertension").click()
        mark = text.locator("mark", has_text="hypertension").nth(place)
        assert "target" in mark.get_attribute("class")
        assert mark.evaluate(IN_VIEW)
    assert "evidence 2 of 2" in details.inner_text()

    query = box.get_by_role("searchbox", name="Search all notes")
    query.fill("twisted ank")
    hit = option(box, "results", "n3")
    hit.click()
    about.filter(has_text="n3").wait_for()
    assert text.locator(".found").all_text_contents() == ["Twisted ankle"]
    assert hit.get_attribute("aria-selected") == "true"
    box.get_by_role("radio", name="Meaning").click()
    query.fill("heart attack")
    query.press("Enter")
    hit = option(box, "results", "Anterior MI in 2012.")
    hit.press("Enter")
    place = text.locator(".found", has_text="MI")
    place.wait_for()
    assert place.evaluate(IN_VIEW)
    assert "".join(text.locator(".found").all_text_contents()) == "Anterior MI in 2012."
    assert 0 < float(hit.locator("small").first.text_content()) <= 1

    page.keyboard.press("Control+s")
    page.wait_for_selector(".lm-DockPanel .lm-TabBar-tab.lm-mod-current:not(.jp-mod-dirty):has-text('explorer.ipynb')")
    html, _ = HTMLExporter().from_notebook_node(without_widgets(folder / "explorer.ipynb"))
    assert 'class="clinnlp-note"' in html  # as it is seen where widgets do not run
    assert "widget-view+json" not in html.partition("<body")[2]


def without_widgets(path):
    notebook = nbformat.read(path, 4)
    notebook.metadata.pop("widgets", None)
    return notebook
