r"""Clinical notes and annotations in the formats of others: read them, write them, and find out which one a file is.

>>> import tempfile, pathlib
>>> folder = pathlib.Path(tempfile.mkdtemp())
>>> _ = (folder / "a.txt").write_text("No fever.", encoding="utf-8")
>>> _ = (folder / "a.ann").write_text("T1\tSYMPTOM 3 8\tfever\n", encoding="utf-8")
>>> detect(folder)
'brat'
>>> read(folder)["text"].tolist()
['No fever.']
>>> list(read_documents(folder))
[{'id': 'a', 'text': 'No fever.', 'entities': [{'start': 3, 'end': 8, 'label': 'SYMPTOM'}]}]
"""

from __future__ import annotations

from clinnlp.formats.detection import detect
from clinnlp.formats.registry import FORMATS, list_formats, read, read_chunks, read_documents, write

__all__ = ["FORMATS", "detect", "list_formats", "read", "read_chunks", "read_documents", "write"]
