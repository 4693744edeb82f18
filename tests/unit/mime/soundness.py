"""What holds of every ``Mail``, whatever bytes it was read in."""

import re
from collections.abc import Iterator
from datetime import timedelta

from mailgate.domain.mail import Mail

CODES = {
    *("unreadable", "defects", "charset_guessed", "ambiguous_structure", "header_too_large", "date_absurd"),
    *("remote_images", "too_many_links", "link_mismatch", "type_mismatch", "executable", "encrypted", "signed", "tnef"),
    *("inline_forward", "body_too_long"),
}
_TAG = re.compile(r"""<(?:[^"'>]|"[^"]*"|'[^']*')*>?""")
LOADS = ("<script", "javascript:", "onerror=", "onload=", 'src="http', "src='http", "<iframe", "<style", "url(http")


def faults(mail: Mail) -> list[str]:
    """List what is wrong with a mail that was read; empty when all is well."""
    return [*_texts_at_fault(mail), *_shape_at_fault(mail)]


def _texts(mail: Mail) -> Iterator[tuple[str, str]]:
    for name in ("subject", "text", "html", "message_id"):
        yield name, getattr(mail, name)
    for party in mail.parties:
        yield "email", party.email
        yield "name", party.name
    for document in mail.documents:
        yield "document name", document.name
        yield "type", document.type
    for link in mail.links:
        yield "link", link
    for note in mail.notes:
        yield "note", note.text


def _texts_at_fault(mail: Mail) -> Iterator[str]:
    for name, text in _texts(mail):
        if "\x00" in text or "\x1b" in text:
            yield f"a control in {name}"
        if any("\ud800" <= char <= "\udfff" for char in text):
            yield f"a lone surrogate in {name}"
        if name not in {"text", "html"} and ("\n" in text or "\r" in text):
            yield f"a line break in {name}"


def _shape_at_fault(mail: Mail) -> Iterator[str]:
    if mail.sent_at is not None and mail.sent_at.utcoffset() != timedelta(0):
        yield "a date that is not in UTC"
    if [document.n for document in mail.documents] != list(range(1, len(mail.documents) + 1)):
        yield "documents that are not numbered from 1"
    names = [document.name.casefold() for document in mail.documents]
    if len(set(names)) != len(names) or any(bad in name for name in names for bad in ("/", "\\")) or "" in names:
        yield "names of documents that are no names, or not unique"
    if not {note.code for note in mail.notes} <= CODES:
        yield "a note of no known code"
    if len(mail.links) != len(set(mail.links)) or len(mail.links) > 500:
        yield "links twice, or too many"
    tags = "".join(_TAG.findall(mail.html.lower()))  # what the text says loads nothing
    loads = [mark for mark in LOADS if mark in tags]
    if loads:
        yield f"HTML that runs or loads: {loads}"
