"""The review widget where it is used: in a real JupyterLab, whose own shortcuts must not hear the widget's keys."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
import test_report_in_browser
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

pytestmark = pytest.mark.browser
browser = test_report_in_browser.browser  # the fixture
TOKEN = "of-this-test"
WAIT = 60_000  # ms; a slow machine takes long to start a kernel
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
def lab(tmp_path_factory):
    """Serve a folder with one notebook by a JupyterLab that sees nobody's settings; give the folder and the address."""
    folder, home = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("home")
    cells = [new_markdown_cell("# Review"), new_code_cell(CODE.strip()), new_code_cell(SHOW)]
    notebook = new_notebook(cells=cells, metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    nbformat.write(notebook, folder / "review.ipynb")
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    places += ("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    own = {name: str(home / name.lower()) for name in places}
    settings = Path(own["JUPYTERLAB_SETTINGS_DIR"]) / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = '{"fetchNews": "false", "checkForUpdates": false}'
    (settings / "notification.jupyterlab-settings").write_text(quiet, encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--notebook-dir={folder}",
        "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0", "--LabApp.extension_manager=readonly",
    ]  # fmt: skip
    environment = {**os.environ, "HOME": str(home), "JUPYTER_TOKEN": TOKEN, **own}
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        await_server(server, port, home / "log")
        yield folder, f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def await_server(server, port, log):
    end = time.monotonic() + WAIT / 1000
    while time.monotonic() < end:
        if server.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


@pytest.fixture
def page(browser, lab):
    """Open the notebook and run all its cells; afterwards nothing may have been fetched from elsewhere."""
    _, address = lab
    page = browser.new_page(viewport={"width": 1280, "height": 1400})
    page.set_default_timeout(WAIT)
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(f"{address}/lab/tree/review.ipynb?token={TOKEN}")
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    page.wait_for_selector("#jp-main-statusbar >> text=/Python 3.*Idle/")
    page.click(".lm-MenuBar-item:has-text('Run')")
    page.click(".lm-Menu-item[data-command='runmenu:run-all']")
    page.wait_for_selector(".clinnlp-review .text mark")
    yield page
    hacked = page.evaluate("window.hacked")
    page.close()
    assert [url for url in requests if not url.startswith((address, "data:", "blob:", "about:"))] == []
    assert hacked is None


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
