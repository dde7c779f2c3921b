"""Take the pictures of the front page from the sample notes: `python docs/pictures.py` needs a Chromium.

`note.png` is part of a highlighted note with the flags that it gives, `report.png` the page of a patient in the report.
Both are light, and drawn at twice their size.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
from base64 import b64decode, b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import compress, crc32

import numpy as np

import clinnlp
from clinnlp.display import escape, highlight, records, stylesheet
from clinnlp.plots import STYLES, condition_name
from clinnlp.schema import ENTITY_LABELS, FLAG_STATUSES

if TYPE_CHECKING:
    import pandas as pd
    from playwright.sync_api import Page
    from spacy.language import Language

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
NOTE, FIRST, LAST = "p06-01", "present_illness", "family_history"
PATIENT, CONDITION = "p01", "atrial fibrillation"
SYMBOLS = dict(zip(("present", "historical", "uncertain", "implied", "absent", "family"), "●■◆▲✕★", strict=True))
PIXELS = """async source => {
  const image = new Image();
  image.src = source;
  await image.decode();
  const { width, height } = image, canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  let text = "";
  for (let i = 0; i < data.length; i += 30000) text += String.fromCharCode(...data.subarray(i, i + 30000));
  return [width, height, btoa(text)];
}"""
STYLE = """
body { margin: 0; background: #fff; color: #1f2937; font: 14px/1.5 "Liberation Sans", Arial, sans-serif; }
#card { width: 1000px; padding: 14px 20px 16px; box-sizing: border-box; }
header { display: flex; justify-content: space-between; align-items: center; margin-bottom: 12px;
  padding-bottom: 10px; border-bottom: 1px solid #e5e7eb; }
header .clinnlp-legend { margin: 0; font-size: 13px; }
header .clinnlp-legend p { margin: 0; gap: 4px 9px; }
main { display: grid; grid-template-columns: 1fr 290px; gap: 22px; }
.clinnlp-note { line-height: 1.74; }
aside { border-left: 1px solid #e5e7eb; padding-left: 20px; }
h2 { margin: 1px 0 6px; font-size: 14px; }
ul { list-style: none; margin: 0; padding: 0; }
li { display: grid; grid-template-columns: 18px 1fr auto; padding: 3px 0 4px; border-bottom: 1px solid #eef0f2;
  line-height: 1.35; }
li:last-child { border: 0; }
li i { font-style: normal; font-size: 12px; line-height: 1.6; }
li small { color: #4b5563; font-size: 12.5px; }
li q { grid-column: 2 / 4; color: #4b5563; font-size: 12.5px; }
"""


@contextmanager
def browser_page(width: int, height: int) -> Iterator[Page]:
    """Open a page of a Chromium without a network."""
    from playwright.sync_api import sync_playwright

    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=2, color_scheme="light", offline=True
        )
        yield context.new_page()
        browser.close()


def take_note(notes: pd.DataFrame, nlp: Language) -> None:
    """Picture part of a note, read as a note of its own, and the flags that it gives."""
    whole = clinnlp.annotate(notes[notes["note_id"] == NOTE], nlp)
    sections = whole.sections.set_index("category")
    text = whole.notes["text"][0][sections["start"][FIRST] : sections["body_end"][LAST]].rstrip()
    part = clinnlp.annotate(notes[notes["note_id"] == NOTE].assign(text=text), nlp)
    order = part.flags["status"].map(FLAG_STATUSES.index)
    flags = records(part.flags.assign(order=order).sort_values(["order", "start"]))
    kinds = [label for label in ENTITY_LABELS if label in set(part.entities["label"])]
    legend = " ".join(f'<mark class="{kind}">{kind.lower()}</mark>' for kind in kinds)
    html = (
        f'<meta charset="utf-8"><style>{stylesheet()}{STYLE}</style><div id="card">'
        f'<header><b>{part.notes["note_type"][0]}</b><div class="clinnlp-legend"><p>{legend}</p></div></header>'
        f"<main>{highlight(text, records(part.entities), records(part.sections))}"
        f"<aside><h2>Conditions, and the words behind them</h2><ul>{''.join(map(_line, flags))}</ul></aside>"
        "</main></div>"
    )
    with browser_page(1000, 700) as page:
        page.set_content(html)
        page.locator("#card").screenshot(path=IMAGES / "note.png")
        shrink(page, IMAGES / "note.png")


def take_report(result: clinnlp.Annotations) -> None:
    """Picture a condition of a patient in the report, its evidence, and the words that the first piece leads to."""
    with tempfile.TemporaryDirectory() as folder, browser_page(1360, 740) as page:
        result.save(folder)
        page.goto((Path(folder) / "report.html").as_uri())
        page.locator("#patients").get_by_text(PATIENT, exact=True).click()
        condition = page.locator("#flags .fold", has_text=CONDITION)
        condition.click()
        page.locator("#flags .quote:visible").first.click()
        page.screenshot(path=IMAGES / "report.png")
        shrink(page, IMAGES / "report.png")


def shrink(page: Page, picture: Path) -> None:
    """Write a picture again with the 256 colours that come nearest to all of it: shades at the edges of letters merge.

    The colours are chosen one by one, each time the one that is furthest from those chosen, weighed by how often it
    is used. No colour moves by more than the eye can see.
    """
    source = f"data:image/png;base64,{b64encode(picture.read_bytes()).decode()}"
    width, height, data = page.evaluate(PIXELS, source)
    pixels = np.frombuffer(b64decode(data), np.uint8).reshape(-1, 4)[:, :3]
    colours, place, uses = np.unique(pixels, axis=0, return_inverse=True, return_counts=True)
    colours = colours.astype(int)
    nearest = np.zeros(len(colours), np.uint8)
    distance = np.full(len(colours), np.inf)
    palette = []
    for number in range(256):
        palette.append(colours[np.argmax(np.where(distance > 0, np.minimum(distance, 1e6), 0) * uses**0.5)])
        moved = ((colours - palette[-1]) ** 2).sum(axis=1)
        nearest[moved < distance] = number
        distance = np.minimum(distance, moved)
    rows = np.pad(nearest[place].reshape(height, width), ((0, 0), (1, 0)))  # each row begins with a 0: it is as it is
    header = struct.pack(">2I5B", width, height, 8, 3, 0, 0, 0)
    parts = (b"IHDR", header), (b"PLTE", np.array(palette, np.uint8).tobytes()), (b"IDAT", compress(rows.tobytes(), 9))
    chunks = (struct.pack(">I", len(d)) + t + d + struct.pack(">I", crc32(t + d)) for t, d in (*parts, (b"IEND", b"")))
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def _line(flag: dict[str, Any]) -> str:
    status = flag["status"]
    return (
        f'<li><i style="color:{STYLES[status].colour}">{SYMBOLS[status]}</i>'
        f"<b>{escape(condition_name(flag['condition']))}</b><small>{status}</small>"
        f"<q>{escape(flag['evidence'])}</q></li>"
    )


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    notes, nlp = clinnlp.read_notes(ROOT / "sample_data" / "notes.csv"), clinnlp.load()
    take_note(notes, nlp)
    take_report(clinnlp.annotate(notes, nlp))
    for picture in sorted(IMAGES.glob("*.png")):
        print(f"{picture.name}: {picture.stat().st_size // 1000} kB")
