"""The review widget where it is used: in a real JupyterLab, whose own shortcuts must not hear the widget's keys."""

import nbformat
import pytest

pytestmark = pytest.mark.browser
HOSTILE = "<img src=x onerror='window.hacked=1'>"
CODE = f"""
import clinnlp
import pandas as pd
from clinnlp.review import review

texts = [
    "HISTORY:\\n" + "Nothing else of note.\\n" * 60 + "Known hypertension. \\U0001f600 Mother had hypertension.",
    "No hypertension. {HOSTILE}",
    "Twisted ankle, otherwise well.",
]
notes = clinnlp.read_notes(pd.DataFrame({{"note_id": ["n1", "n2", "n3"], "text": texts}}))
result = clinnlp.annotate(notes, clinnlp.load(exclude=["clinnlp_ner"]))
"""
VISIBLE = """() => {
    const box = document.querySelector(".clinnlp-review .text").getBoundingClientRect();
    const mark = document.querySelector(".clinnlp-review mark").getBoundingClientRect();
    return mark.top >= box.top && mark.bottom <= box.bottom && mark.width > 0;
}"""
SHOW = 'review(result, condition="hypertension", path="reviews.csv", reviewer="kg")'


@pytest.fixture(scope="module")
def lab(serve_lab):
    """Serve a notebook that opens the review; give its folder and its address."""
    return serve_lab("review.ipynb", ["# Review", CODE.strip(), SHOW])


@pytest.fixture
def page(lab, open_notebook):
    _, address = lab
    page = open_notebook(address)
    page.wait_for_selector(".clinnlp-review .text mark")
    return page


def saved(folder):
    return (folder / "reviews.csv").read_text(encoding="utf-8").splitlines()


def test_three_notes_are_reviewed_by_keys_that_jupyterlab_does_not_hear(page, lab):
    folder, _ = lab
    box = page.locator(".clinnlp-review")
    text = box.locator(".text")
    cells = page.locator(".jp-Notebook .jp-Cell").count()
    page.wait_for_function(VISIBLE)
    signs = "marks => marks.map(mark => [mark.textContent, mark.className, getComputedStyle(mark, '::before').content])"
    assert text.locator("mark").evaluate_all(signs) == [
        ["hypertension", "for present first target", '"+"'],
        ["hypertension", "context family first", '"~"'],
    ]

    box.click(position={"x": 5, "y": 5})
    for number, key in enumerate("adu", 1):
        assert box.locator(".count strong").text_content() == f"{number} of 3"
        if number == 2:
            assert text.evaluate("box => box.textContent") == f"No hypertension. {HOSTILE}"
        page.keyboard.press(key)
        box.locator(f".count:has-text('{number} reviewed')").wait_for()
    assert saved(folder) == [
        "note_id,condition,status,verdict,reviewer",
        "n1,hypertension,present,agree,kg",
        "n2,hypertension,absent,disagree,kg",
        "n3,hypertension,silent,unsure,kg",
    ]

    for key in "ddx":  # in JupyterLab: delete the cell, cut the cell
        page.keyboard.press(key)
    box.locator("button[data-key=d][aria-pressed=true]").wait_for()
    for key in ("z", "Backspace"):
        page.keyboard.press(key)
    box.locator("button[data-key=u][aria-pressed=true]").wait_for()
    page.keyboard.press("Control+s")  # the shortcuts with a modifier still are JupyterLab's
    page.wait_for_selector(".lm-DockPanel .lm-TabBar-tab.lm-mod-current:not(.jp-mod-dirty):has-text('review.ipynb')")
    assert page.locator(".jp-Notebook .jp-Cell").count() == cells == 3
    on_disk = nbformat.read(folder / "review.ipynb", 4).cells
    assert [bool(cell.get("outputs")) for cell in on_disk] == [False, False, True]
