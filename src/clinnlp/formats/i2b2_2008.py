"""The i2b2 challenge of 2008 (obesity): which of sixteen diseases a summary states, and which a reader infers.

A file holds notes (`docs`, each `doc` with its id and `text`) or judgements (`diseases`, by source `textual` or
`intuitive`, with a `disease` each and in it the `judgment` of each `doc`): Y present, N absent, Q questionable, U
unmentioned. Where the two readers did not agree there is none. The task is described in
https://doi.org/10.1197/jamia.M3115. The files are for those who signed the agreement; none is here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from clinnlp.errors import InputError
from clinnlp.formats.detection import read_head
from clinnlp.formats.files import list_files, read_xml
from clinnlp.formats.records import Gold, Record
from clinnlp.schema import FLAG_STATUSES

DISEASES = {  # of the challenge, as our conditions
    "Asthma": "asthma", "CAD": "coronary_artery_disease", "CHF": "heart_failure", "Depression": "depression",
    "Diabetes": "diabetes", "GERD": "gerd", "Gallstones": "gallstones", "Gout": "gout",
    "Hypercholesterolemia": "hyperlipidemia", "Hypertension": "hypertension", "Hypertriglyceridemia": "hyperlipidemia",
    "OA": "osteoarthritis", "OSA": "sleep_apnea", "Obesity": "obesity", "PVD": "peripheral_vascular_disease",
    "Venous Insufficiency": "venous_insufficiency",
}  # fmt: skip
STATUSES = {"Y": "present", "N": "absent", "Q": "uncertain", "U": None}
SOURCES = ("textual", "intuitive")
Judgements = defaultdict[str, defaultdict[str, dict[str, str]]]  # by the id of the note, the source, the disease


def read(path: Path) -> Iterator[Record]:
    """Read the notes and judgements of a folder, or a file of notes with the judgements beside it.

    A note of `read_documents` has its textual judgements as `conditions` (condition, status; none of what is
    unmentioned) and `judged`, the conditions that were judged at all; under `intuitive` it has the same two of the
    others. Hypercholesterolemia and hypertriglyceridemia are one condition, hyperlipidemia, with the status of the two
    that counts first in a flag. Where files differ, as addenda do, the one last by name holds.
    """
    files = list_files(path, "*.xml") if path.is_dir() else [path]
    beside = () if path.is_dir() else (f for f in list_files(path.parent, "*.xml") if "<diseases" in read_head(f))
    notes = {file: read_xml(file) for file in files}
    judgements = _judgements({**notes, **{file: read_xml(file) for file in beside}})
    documents = [doc for root in notes.values() for docs in root.iter("docs") for doc in docs.iterfind("doc")]
    if not documents:
        raise InputError(f"{path.name} has no notes (doc in docs). Give the folder with notes and judgements.")
    for document in documents:
        name = document.attrib["id"]
        textual, intuitive = (_conditions(judgements[name][source]) for source in SOURCES)
        gold = Gold(textual, **({"intuitive": intuitive} if intuitive else {}))
        yield {"note_id": name, "text": document.findtext("text") or None, "entities": [], "gold": gold}


def _judgements(roots: Mapping[Path, Element]) -> Judgements:
    """Gather the judgements of files, in the order of their names."""
    found: Judgements = defaultdict(lambda: defaultdict(dict))
    for file in sorted(roots):
        for source, disease, name, judgment in _lines(roots[file]):
            if source not in SOURCES or disease not in DISEASES or judgment not in STATUSES:
                raise InputError(
                    f"{file.name} has a judgement that is not of 2008: the source is one of {', '.join(SOURCES)}, the "
                    f"judgment one of {', '.join(STATUSES)}, the disease one of {', '.join(DISEASES)}."
                )
            found[name][source][disease] = judgment
    return found


def _lines(root: Element) -> Iterator[tuple[str | None, str | None, str, str | None]]:
    """Give source, disease, note and judgement."""
    for diseases in root.iter("diseases"):
        for disease in diseases.iterfind("disease"):
            for doc in disease.iterfind("doc"):
                yield diseases.get("source"), disease.get("name"), doc.attrib["id"], doc.get("judgment")


def _conditions(judged: Mapping[str, str]) -> dict[str, Any]:
    """Give the conditions of the judgements of a note; nothing where there are none."""
    statuses: defaultdict[str, list[str]] = defaultdict(list)
    for disease, judgment in judged.items():
        statuses[DISEASES[disease]] += [status for status in [STATUSES[judgment]] if status]
    rows = [{"condition": c, "status": min(s, key=FLAG_STATUSES.index)} for c, s in sorted(statuses.items()) if s]
    return {"conditions": rows, "judged": sorted(statuses)} if judged else {}
