"""The rows of a spreadsheet that Excel saved (XLSX), as texts.

openpyxl reads it cell by cell. python-calamine is faster, but ends the whole process over one cell
far below the table, since it makes room for all cells before it.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from typing import Any, Final

#: How every XLSX file begins: it is a ZIP archive.
BEGINNING: Final = b"PK\x03\x04"
_MOST_BYTES: Final = 64 << 20  # decompressed
_MOST_ROWS, _MOST_COLUMNS = 20_000, 200


def rows(content: bytes) -> Iterator[list[str]]:
    """Each row of the first sheet that is not hidden. In merged cells the text of the first stands
    in each row. Raises ``ValueError``.
    """
    import openpyxl  # takes a fifth of a second, and few files need it

    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            size = sum(part.file_size for part in archive.infolist())
        if size > _MOST_BYTES:
            raise ValueError(f"has {size >> 20} MiB decompressed; {_MOST_BYTES >> 20} are read")
        with warnings.catch_warnings(action="ignore"):  # of styles that it does not know
            book = openpyxl.load_workbook(BytesIO(content), data_only=True)
        sheet = next(one for one in book.worksheets if one.sheet_state == "visible")
    except ValueError:
        raise
    except Exception as error:  # whatever a damaged part lets openpyxl raise
        raise ValueError(f"is no spreadsheet that can be read ({type(error).__name__})") from error
    if sheet.max_row > _MOST_ROWS or sheet.max_column > _MOST_COLUMNS:
        where = f"has a cell in row {sheet.max_row}, or in column {sheet.max_column}"
        raise ValueError(f"{where}; {_MOST_ROWS} rows and {_MOST_COLUMNS} columns are read")
    table = [[_text(value) for value in row] for row in sheet.iter_rows(values_only=True)]
    for merged in sheet.merged_cells.ranges:
        first = table[merged.min_row - 1][merged.min_col - 1]
        for row in table[merged.min_row : merged.max_row]:
            row[merged.min_col - 1] = first
    yield from table


def _text(value: Any) -> str:
    """A cell as a CSV file would have it."""
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    if isinstance(value, datetime):
        return value.isoformat(" ", "minutes")
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
