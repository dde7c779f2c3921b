"""Notes as HTML, with what was found in them highlighted where it stands."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from clinnlp.errors import InputError
from clinnlp.schema import ENTITY_LABELS

if TYPE_CHECKING:
    import pandas as pd

    from clinnlp.annotations import Annotations

Rows = Iterable[Mapping[str, Any]]
MEANINGS = {
    "present": "has it",
    "historical": "had it before",
    "uncertain": "may have it",
    "hypothetical": "if it happens",
    "absent": "does not have it",
    "family": "a relative has it",
}
UNSHOWABLE = re.compile("[\0\ud800-\udfff]")  # a browser drops or refuses these, which would shift all that follows


@dataclass(frozen=True)
class NoteView:
    """A note that Jupyter shows as highlighted HTML; printed, it is one line."""

    note_id: str
    found: int
    html: str = field(repr=False)

    def __repr__(self) -> str:
        """Name the note and count its entities."""
        return f"<note {self.note_id!r}: {self.found} entities>"

    def _repr_html_(self) -> str:
        return self.html


def show(result: Annotations, note_id: str) -> NoteView:
    """Show a note with its entities and section headers highlighted.

    Raises
    ------
    InputError
        When the result has no note `note_id`.
    """
    rows = result.notes[result.notes["note_id"] == note_id]
    if rows.empty:
        known = ", ".join(result.notes["note_id"].head(10))
        raise InputError(f"There is no note {note_id!r}. The first notes are: {known or 'none'}.")
    note = records(rows)[0]
    entities = result.entities[result.entities["note_id"] == note_id]
    sections = result.sections[result.sections["note_id"] == note_id]
    date = f"{note['date']:%Y-%m-%d}" if note["date"] else None
    about = [note["note_id"], note["patient_id"] and f"patient {note['patient_id']}", date, note["note_type"]]
    page = (
        f'<div class="clinnlp"><style>{stylesheet()}</style>'
        f"<p><strong>{escape(' · '.join(str(part) for part in about if part))}</strong></p>"
        f"{legend()}{highlight(note['text'] or '', records(entities), records(sections))}</div>"
    )
    return NoteView(note_id, len(entities), page)


def highlight(text: str, entities: Rows, sections: Rows = ()) -> str:
    """Mark entities and section headers in a note; the text content of the HTML is the note, character for character.

    Parameters
    ----------
    text
        The note.
    entities
        Rows of the table `entities`; only start, end, label and assertion are required. They may nest and overlap.
    sections
        Rows of the table `sections`.

    >>> highlight("No fever", [{"start": 3, "end": 8, "label": "SYMPTOM", "assertion": "absent"}])
    '<div class="clinnlp-note">No <mark class="SYMPTOM absent" title="symptom, absent">fever</mark></div>'
    """
    spans = [(row["start"], row["end"], _entity_tag(row)) for row in entities]
    spans += [(row["start"], row["end"], f'b title="section: {escape(row["category"])}"') for row in sections]
    return f'<div class="clinnlp-note">{_nest(text, spans)}</div>'


def legend() -> str:
    """Explain the colours and lines of `highlight`."""
    labels = " ".join(f'<mark class="{label}">{label.lower()}</mark>' for label in ENTITY_LABELS)
    assertions = " ".join(f'<mark class="{name}">{meaning}</mark>' for name, meaning in MEANINGS.items())
    return f'<div class="clinnlp-legend"><p>{labels}</p><p>{assertions} <b>Section header</b></p></div>'


def stylesheet() -> str:
    """Read the style sheet that `highlight` and `legend` need."""
    return (files("clinnlp.resources") / "report" / "note.css").read_text(encoding="utf-8")


def escape(text: str) -> str:
    r"""Escape text for HTML so that each character stays one character.

    >>> escape("<b>\r\n")
    '&lt;b&gt;&#13;\n'
    """
    return UNSHOWABLE.sub("\ufffd", html.escape(text)).replace("\r", "&#13;")


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn a table into one dict a row, with None for missing values."""
    return table.astype(object).where(table.notna(), None).to_dict("records")  # type: ignore[return-value]


def _entity_tag(row: Mapping[str, Any]) -> str:
    return f'mark class="{escape(row["label"])} {escape(row["assertion"])}" title="{escape(_tooltip(row))}"'


def _tooltip(row: Mapping[str, Any]) -> str:
    """Say why an entity is what it is: a line each for assertion, cue, section, source and code."""
    lines = [f"{row['label'].lower()}, {row['assertion']}"]
    lines += [f"{name}: {row[name]}" for name in ("cue", "section") if row.get(name)]
    if source := row.get("source"):
        score = row.get("score")
        lines.append(f"source: {source}" + (f", score {score:.2f}" if score is not None else ""))
    if row.get("code"):
        lines.append(" ".join(str(row[name]) for name in ("code_system", "code", "code_name") if row.get(name)))
    return "\n".join(lines)


def _nest(text: str, spans: Iterable[tuple[int, int, str]]) -> str:
    """Wrap spans in elements; where two cross, the one that began first is cut in two.

    Each span is its start, its end and the inside of its opening tag. A piece that goes on elsewhere has the class
    "part".
    """
    waiting = sorted((s for s in spans if s[0] < s[1]), key=lambda s: (s[0], -s[1]), reverse=True)
    ends = {end for _, end, _ in waiting}
    out: list[str] = []
    open_: list[tuple[int, str, int]] = []  # the end, the tag and the place in `out` of what is open, outermost first
    position = 0
    for cut in sorted(ends | {start for start, _, _ in waiting}):
        out.append(escape(text[position:cut]))
        position = cut
        if cut in ends:
            keep = next((i for i, (end, _, _) in enumerate(open_) if end <= cut), len(open_))
            closing, open_ = open_[keep:], open_[:keep]
            out += [f"</{tag.split()[0]}>" for _, tag, _ in reversed(closing)]
            for end, tag, place in closing:
                if end > cut:
                    out[place] = out[place].replace('class="', 'class="part ')
                    open_.append((end, tag, len(out)))
                    out.append(f"<{tag}>")
        while waiting and waiting[-1][0] == cut:
            _, end, tag = waiting.pop()
            open_.append((end, tag, len(out)))
            out.append(f"<{tag}>")
    return "".join(out) + escape(text[position:])
