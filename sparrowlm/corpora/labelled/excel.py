"""Excel files through openpyxl: the first sheet that holds something, one row at a time."""

from __future__ import annotations

import datetime
import warnings
import zipfile
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

from sparrowlm.foundation.errors import DataError, DependencyError

if TYPE_CHECKING:
    from io import BufferedIOBase


def excel_rows(handle: BufferedIOBase | IO[bytes], name: str) -> Iterator[list[str]]:
    """Read the rows of an Excel workbook as texts.

    Args:
        handle: a seekable .xlsx file.
        name: what messages call it.

    Yields:
        Rows of the first sheet with a filled cell; empty rows are passed over.

    Raises:
        DependencyError: openpyxl is not installed.
        DataError: the file is damaged.
    """
    try:
        import openpyxl
        from openpyxl.utils.exceptions import InvalidFileException
    except ImportError as error:
        raise DependencyError.for_extra("openpyxl", "excel") from error
    try:
        with warnings.catch_warnings():  # about styles and extensions: texts have none
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(handle, read_only=True, data_only=True)
            yield from _first_filled(book)
    except (
        zipfile.BadZipFile,
        InvalidFileException,
        ParseError,
        KeyError,
        ValueError,
        OSError,
        EOFError,
    ) as error:
        reason = str(error).strip("'\"") or type(error).__name__
        raise DataError("corpora.labelled-excel-damaged", file=name, reason=reason) from error


def _first_filled(book: Any) -> Iterator[list[str]]:  # noqa: ANN401 - a workbook
    for sheet in book.worksheets:
        is_filled = False
        for values in sheet.iter_rows(values_only=True):
            row = [_cell(value) for value in values]
            if any(row):
                is_filled = True
                yield row
        if is_filled:
            return


def _cell(value: object) -> str:
    """Return what a person sees: 1 and not 1.0, a date without midnight."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ").removesuffix(" 00:00:00")
    return str(value)
