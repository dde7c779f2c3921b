"""Vocabularies of one's own for the lexicon: a CSV file, or the RRF files of UMLS, RxNorm and SNOMED CT.

`clinnlp.load(vocabulary="terms.csv")` adds the terms of a file to the dictionary; where it has a term that ours has,
too, the file wins. UMLS, RxNorm and SNOMED CT are read from files that one has a licence for; none ships.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from clinnlp.errors import InputError
from clinnlp.schema import ENTITY_LABELS
from clinnlp.vocabulary import WORD, Term, Vocabulary

COLUMNS = ["term", "code", "system", "label", "name"]
CONCEPTS = {  # file -> that of the semantic types of its concepts
    "MRCONSO.RRF": "MRSTY.RRF", "RXNCONSO.RRF": "RXNSTY.RRF",
}  # fmt: skip
CONCEPT_COLUMNS = {0: "concept", 1: "language", 11: "system", 12: "kind", 13: "code", 14: "term", 16: "suppressed"}
LABELS = {  # semantic type -> label; UMLS Semantic Network, National Library of Medicine
    **dict.fromkeys(["T019", "T020", "T037", "T046", "T047", "T048", "T049", "T190", "T191"], "DISEASE"),
    "T184": "SYMPTOM", "T121": "MEDICATION", "T195": "MEDICATION", "T200": "MEDICATION", "T129": "MEDICATION",
    "T059": "TEST", "T060": "TEST", "T061": "PROCEDURE", "T023": "ANATOMY", "T029": "ANATOMY",
}  # fmt: skip
PREFERRED = ("PT", "PN", "IN", "BN", "MH")  # kinds of term that name a concept
ROWS = 500_000  # read at a time


def read_terms(path: str | Path) -> pd.DataFrame:
    """Read a vocabulary from a CSV file.

    Parameters
    ----------
    path
        A CSV file with the columns `term`, `code` and `system`; `label` (an entity label, DISEASE where it is missing)
        and `name` (that of the code, the term where it is missing) may follow.

    Returns
    -------
    DataFrame
        The columns `term`, `code`, `system`, `label`, `name`.

    Raises
    ------
    InputError
        When the file cannot be read, lacks a column, or has an unknown label or an empty term.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InputError(
            f"Cannot read the vocabulary {path} ({type(error).__name__}). Give a CSV file in UTF-8."
        ) from error
    if missing := [c for c in COLUMNS[:3] if c not in table.columns]:
        raise InputError(
            f"The vocabulary {path} lacks the column {' and '.join(missing)}; found: {', '.join(table.columns)}."
        )
    table = table.assign(**{c: "" for c in COLUMNS[3:] if c not in table.columns})[COLUMNS]
    table["label"] = table["label"].where(table["label"] != "", "DISEASE")
    table["name"] = table["name"].where(table["name"] != "", table["term"])
    if unknown := sorted(set(table["label"]) - set(ENTITY_LABELS)):
        raise InputError(f"The vocabulary {path} has the label {unknown[0]!r}. Use one of {', '.join(ENTITY_LABELS)}.")
    wordless = [i + 2 for i, term in enumerate(table["term"]) if not WORD.search(term)]
    if wordless:
        raise InputError(f"The vocabulary {path} has a term without a word in line {wordless[0]}. Remove it.")
    return table


def read_rrf(folder: str | Path, *, sources: Iterable[str] = (), language: str = "ENG") -> pd.DataFrame:
    """Read a vocabulary from the RRF files of UMLS (SNOMED CT, MeSH, ICD-10-CM and more) or RxNorm.

    Parameters
    ----------
    folder
        Holds MRCONSO.RRF and MRSTY.RRF, or RXNCONSO.RRF and RXNSTY.RRF.
    sources
        Names of the source vocabularies to read, such as SNOMEDCT_US or RXNORM; all if there are none.
    language
        The language of the terms.

    Returns
    -------
    DataFrame
        The columns of `read_terms`: `system` is the source, `code` its code, `name` its preferred term. Concepts of
        other semantic types than diseases, symptoms, drugs, tests, procedures and body parts are left out, and so are
        suppressed terms. Write it to a CSV file for `clinnlp.load(vocabulary=...)`.

    Raises
    ------
    InputError
        When the folder lacks the files.
    """
    folder = Path(folder)
    found = next((name for name in CONCEPTS if (folder / name).is_file()), None)
    if found is None or not (folder / CONCEPTS[found]).is_file():
        wanted = " or ".join(f"{a} and {b}" for a, b in CONCEPTS.items())
        raise InputError(f"{folder} does not hold {wanted}. Give the folder that the RRF files were unpacked to.")
    types = _read(folder / CONCEPTS[found], {0: "concept", 1: "type"})
    labels = pd.concat(t.assign(label=t["type"].map(LABELS)).dropna() for t in types)
    label_of = labels.drop_duplicates("concept").set_index("concept")["label"]
    wanted_sources = set(sources)
    parts = []
    for part in _read(folder / found, CONCEPT_COLUMNS):
        kept = (part["language"] == language) & (part["suppressed"] != "Y") & part["concept"].isin(label_of.index)
        if wanted_sources:
            kept &= part["system"].isin(wanted_sources)
        parts.append(part[kept & part["term"].str.contains(WORD)])
    table = pd.concat(parts)
    table["label"] = table["concept"].map(label_of)
    preferred = table[table["kind"].isin(PREFERRED)].drop_duplicates(["system", "code"])
    names = preferred.set_index(["system", "code"])["term"]
    table["name"] = [
        names.get((s, c), t) for s, c, t in zip(table["system"], table["code"], table["term"], strict=True)
    ]
    return table[COLUMNS].drop_duplicates(["term", "code", "system"]).reset_index(drop=True)


def _read(path: Path, columns: dict[int, str]) -> Iterable[pd.DataFrame]:
    """Read some columns of an RRF file, many rows at a time."""
    return pd.read_csv(
        path, sep="|", header=None, usecols=list(columns), names=list(columns.values()), dtype=str,
        keep_default_na=False, quoting=csv.QUOTE_NONE, chunksize=ROWS, index_col=False,
    )  # fmt: skip


def extend(vocabulary: Vocabulary, table: pd.DataFrame) -> Vocabulary:
    """Give a vocabulary with the terms of a table added; one in capitals of up to five letters keeps its case."""
    own = Vocabulary()
    for term, code, system, label, name in table[COLUMNS].values.tolist():
        short = term.isupper() and len(term) <= 5
        own.add(term, Term(label, name, system or None, code or None), cased=short)
    return Vocabulary(
        terms=vocabulary.terms | own.terms,
        cased=vocabulary.cased | own.cased,
        longest={w: max(n, own.longest.get(w, 0)) for w, n in (own.longest | vocabulary.longest).items()},
        pairs=vocabulary.pairs | own.pairs,
        head_only=vocabulary.head_only - own.terms.keys(),
        modifiers=vocabulary.modifiers,
        ignored=vocabulary.ignored - own.terms.keys(),
        chemicals=vocabulary.chemicals,
    )
