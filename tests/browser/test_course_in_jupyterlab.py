"""The first notebook of the course as a learner meets it: opened in JupyterLab, all cells run, in both themes."""

import json
import shutil
from pathlib import Path

import pytest

from conftest import TOKEN, serving

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
NAME = "00_start_here.ipynb"
LIGHTNESS = """element => {
    const [r, g, b] = getComputedStyle(element).color.match(/[0-9.]+/g).map(Number);
    return (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255;
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Serve a copy of the course whose outputs were cleared; give the address of the first notebook."""
    folder, home = tmp_path_factory.mktemp("course"), tmp_path_factory.mktemp("home")
    shutil.copytree(ROOT / "sample_data", folder / "sample_data")
    notebook = json.loads((ROOT / "notebooks" / NAME).read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / NAME).write_text(json.dumps(notebook), encoding="utf-8")
    with serving(folder, home) as port:
        yield f"http://127.0.0.1:{port}/lab/tree/notebooks/{NAME}?token={TOKEN}"


def test_all_cells_run_plots_appear_and_the_explorer_answers_in_both_themes(address, open_notebook):
    page = open_notebook(address)
    page.locator(".jp-OutputArea-output", has_text="Not yet: chest pain").wait_for()  # the last of its cells has run
    errors = page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']").all_inner_texts()
    assert ["The notes lack the column note_id and text" in error for error in errors] == [True]
    assert page.locator(".jp-CodeCell .jp-Placeholder").count() == 2  # the folded checks
    page.locator(".js-plotly-plot .point").first.wait_for(state="attached")

    box = page.locator(".clinnlp-explorer")
    for theme, drug in (("Light", "furosemide"), ("Dark", "apixaban")):
        page.click(".lm-MenuBar-item:has-text('Settings')")
        page.hover(".lm-Menu-item:has-text('Theme')")
        page.click(f".lm-Menu-item[data-command='apputils:change-theme']:has-text('JupyterLab {theme}')")
        page.wait_for_selector(f"body[data-jp-theme-name='JupyterLab {theme}']", state="attached")
        box.locator(".text mark", has_text=drug).first.click()
        details = box.locator(".details")
        details.locator("h4", has_text=drug).wait_for()
        assert "medication" in details.inner_text()
        assert (details.evaluate(LIGHTNESS) > 0.5) == (theme == "Dark")
