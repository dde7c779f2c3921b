"""An Excel workbook of a result, a sheet a table, in which no cell can become a formula.

Limits of Excel (https://support.microsoft.com/office/excel-specifications-and-limits): 32,767 characters a cell,
counted in UTF-16 units, and 1,048,576 rows a sheet.
"""

from __future__ import annotations

import math
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinnlp.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    import pandas as pd

    from clinnlp.annotations import Annotations

CHARACTERS, ROWS = 32_767, 1_048_576
CUT = " [cut]"
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what makes a spreadsheet take a text for a formula
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(result: Annotations, path: Path) -> None:
    """Write a workbook.

    Texts are cells of text, and one that could be taken for a formula is marked as quoted too; it is not changed. A
    text that is too long is cut, ends with "[cut]", and a warning counts these; a character that XML cannot hold
    becomes U+FFFD. Line ends become line feeds, so that offsets hold for notes with none but these.
    """
    try:
        from openpyxl import Workbook
    except ImportError:
        raise MissingExtraError("openpyxl", "formats") from None
    book = Workbook(write_only=True)
    cut = sum(_sheet(book.create_sheet(name), name, table) for name, table in result.tables().items())
    book.save(path)
    if cut:
        warnings.warn(
            f"{cut} texts are longer than {CHARACTERS:,} characters, all that a cell holds; cut.", stacklevel=2
        )


def _sheet(sheet: Any, name: str, table: pd.DataFrame) -> int:
    """Write a table, and count the texts that were cut."""
    from openpyxl.cell import WriteOnlyCell

    if len(table) >= ROWS:
        raise InputError(f"The table {name} has {len(table):,} rows; a sheet holds {ROWS - 1:,}. Write parquet.")
    cut = 0
    for row in (list(table.columns), *table.astype(object).itertuples(index=False)):
        cells = []
        for value in row:
            content, was_cut = _content(value)
            cell = WriteOnlyCell(sheet, value=content)
            if isinstance(content, str):
                cell.data_type = "s"  # openpyxl takes "=..." for a formula
                cell.quotePrefix = content.startswith(FORMULA)
            cut += was_cut
            cells.append(cell)
        sheet.append(cells)
    return cut


def _content(value: Any) -> tuple[Any, bool]:
    """Make of a value what a cell can hold, and say whether it was cut."""
    if value is None or value != value or (isinstance(value, float) and not math.isfinite(value)):
        return None, False
    if isinstance(value, bool | int | float):
        return value, False
    if hasattr(value, "to_pydatetime"):
        return value.to_pydatetime(), False
    if hasattr(value, "item"):  # a number of numpy
        return value.item(), False
    text = FORBIDDEN.sub("\ufffd", str(value))
    units = text.encode("utf-16-le")
    if len(units) <= 2 * CHARACTERS:
        return text, False
    return units[: 2 * (CHARACTERS - len(CUT))].decode("utf-16-le", "ignore") + CUT, True
