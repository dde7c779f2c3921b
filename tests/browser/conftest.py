"""A browser without a network to go to, and a JupyterLab that sees nobody's settings."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
)  # fmt: skip
TOKEN = "of-this-test"
WAIT = 60_000  # ms; a slow machine takes long to start a kernel


@pytest.fixture(scope="module")
def browser():
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        missing = f"None of {', '.join(NAMES)} is installed. Install Chromium, for example: apt-get install chromium"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    playwright = pytest.importorskip("playwright.sync_api").sync_playwright().start()
    chromium = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
    yield chromium
    chromium.close()
    playwright.stop()


@pytest.fixture(scope="module")
def serve_lab(tmp_path_factory):
    """Serve a folder with one notebook, whose first cell is prose; give the folder and the notebook's address."""
    with ExitStack() as servers:

        def serve(name, sources):
            folder, home = tmp_path_factory.mktemp("notebooks"), tmp_path_factory.mktemp("home")
            cells = [new_markdown_cell(sources[0]), *map(new_code_cell, sources[1:])]
            kernel = {"name": "python3", "display_name": "Python 3"}
            nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), folder / name)
            port = servers.enter_context(serving(folder, home))
            return folder, f"http://127.0.0.1:{port}/lab/tree/{name}?token={TOKEN}"

        yield serve


@contextmanager
def serving(folder, home):
    """Run a JupyterLab in a folder with settings of its own, all cells in the page; give its port."""
    places = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    places += ("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    own = {name: str(home / name.lower()) for name in places}
    for plugin, values in {
        "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
        "notebook-extension/tracker": {"windowingMode": "none"},
    }.items():
        settings = Path(own["JUPYTERLAB_SETTINGS_DIR"]) / "@jupyterlab" / f"{plugin}.jupyterlab-settings"
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(json.dumps(values), encoding="utf-8")
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
        yield port
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
def open_notebook(browser):
    """Open a notebook and run all its cells; afterwards nothing may have run from a note or been fetched elsewhere."""
    pages, requests = [], []

    def opened(address):
        page = browser.new_page(viewport={"width": 1280, "height": 1400})
        pages.append((page, address.split("/lab/")[0]))
        page.set_default_timeout(WAIT)
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address)
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        page.wait_for_selector("#jp-main-statusbar >> text=/Python 3.*Idle/")
        page.click(".lm-MenuBar-item:has-text('Run')")
        page.click(".lm-Menu-item[data-command='runmenu:run-all']")
        return page

    yield opened
    for page, server in pages:
        hacked = page.evaluate("window.hacked")
        page.close()
        assert [url for url in requests if not url.startswith((server, "data:", "blob:", "about:"))] == []
        assert hacked is None
