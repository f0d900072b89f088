"""The readers that dataset rows name: each turns a file of one distribution format into records.

A reader takes (path, encoding, faults, **options) and yields records; a row names the function.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tunebook.data.delimited import clean_lines, even_rows, plain_fields, quoted_fields
from tunebook.data.faults import Faults
from tunebook.data.lines import decoded_lines
from tunebook.data.record import Columns, Record, take_header
from tunebook.errors import DataRejected

Reader = Callable[..., Iterator[Record]]


def csv(
    path: Path,
    *,
    encoding: str,
    faults: Faults,
    width: int | None = None,
    unescape: bool = False,
    **columns: Any,
) -> Iterator[Record]:
    """Records of a CSV file; `width` is its number of columns where it has no header.

    `unescape` turns the two characters `\\n` of Zhang's files into a newline.
    """
    rows = quoted_fields(path, encoding=encoding, delimiter=",", faults=faults)
    header: list[str] | None = None
    if width is None:
        header, rows = take_header(rows, path=path)
        width = len(header)
    pick = Columns(**columns).picker(header)
    for line, fields in even_rows(rows, widths=(width,), path=path, faults=faults):
        record = pick(line, fields)
        yield record._replace(text=record.text.replace("\\n", "\n")) if unescape else record


def tsv(
    path: Path, *, encoding: str, faults: Faults, widths: tuple[int, ...] = (), **columns: Any
) -> Iterator[Record]:
    """Records of a tab-separated file without quoting; `widths`: how many columns, where it has no header."""
    rows = plain_fields(path, encoding=encoding, delimiter="\t", faults=faults)
    header: list[str] | None = None
    if not widths:
        header, rows = take_header(rows, path=path)
        widths = (len(header),)
    pick = Columns(**columns).picker(header)
    for line, fields in even_rows(rows, widths=widths, path=path, faults=faults):
        yield pick(line, fields)


def lines(path: Path, *, encoding: str, faults: Faults, label: str) -> Iterator[Record]:
    """Records of a file with a text per line, all of one class."""
    for number, text in clean_lines(path, encoding=encoding, faults=faults):
        yield Record(number, text, label)


def labelled_lines(path: Path, *, encoding: str, faults: Faults) -> Iterator[Record]:
    """Records of TREC's format, `COARSE:fine text`; the coarse label is taken."""
    for number, line in clean_lines(path, encoding=encoding, faults=faults):
        labels, space, text = line.partition(" ")
        coarse, colon, _ = labels.partition(":")
        if space and colon:
            yield Record(number, text, coarse)
        else:
            faults.add(path, number, "no 'COARSE:fine' label before the text")


def side_by_side(path: Path, *, encoding: str, faults: Faults, beside: Path) -> Iterator[Record]:
    """Records of a text per line, with the label in the same line of the file beside it.

    Raises:
        DataRejected: the two files have different numbers of lines.
    """
    texts = clean_lines(path, encoding=encoding, faults=faults)
    for text, label in zip_longest(texts, clean_lines(beside, encoding=encoding, faults=faults)):
        if text is None or label is None:
            raise DataRejected(f"{path} and {beside} do not have the same number of lines; fetch both again")
        yield Record(text[0], text[1], label[1].strip())


def review_folder(path: Path, *, encoding: str, faults: Faults, label: str) -> Iterator[Record]:
    """Records of a folder of aclImdb, all of one class: a file per review, `<id>_<rating>.txt`."""
    files = [file for file in path.iterdir() if re.fullmatch(r"\d+_\d+\.txt", file.name)]
    for number, file in enumerate(sorted(files, key=lambda file: int(file.stem.split("_")[0])), start=1):
        text = "".join(decoded_lines(file, encoding=encoding))
        if "\0" in text:
            faults.add(file, 1, "a NUL byte")
        else:
            yield Record(number, text, label, id=f"{path.parent.name}-{path.name}-{file.stem}")


_REVIEW = re.compile(r"<review>(.*?)</review>", re.DOTALL)
_FIELD = re.compile(r"<(review_text)>(.*?)</review_text>", re.DOTALL)


def review_markup(path: Path, *, encoding: str, faults: Faults, label: str, domain: str) -> Iterator[Record]:
    """Records of Blitzer's files: markup that is no XML (bare `&`, several roots), read by its tags alone."""
    content = "".join(decoded_lines(path, encoding=encoding))
    line, counted = 1, 0
    for found in _REVIEW.finditer(content):
        line += content.count("\n", counted, found.start())
        counted = found.start()
        fields = dict(_FIELD.findall(found[1]))
        if "review_text" in fields and "\0" not in found[1]:
            yield Record(line, fields["review_text"].strip(), label, group=domain)
        else:
            faults.add(path, line, "a review without <review_text>, or with a NUL byte")


READERS: Mapping[str, Reader] = {
    reader.__name__: reader
    for reader in (csv, tsv, lines, labelled_lines, side_by_side, review_folder, review_markup)
}
