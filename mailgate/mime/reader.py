"""The one entry: bytes in, ``Mail`` out, whatever they are.

What can be told of a mail is told, the rest becomes a note: ``unreadable`` where the body can't be taken apart (too
many parts, too deep, or a fault of the parsers or our own; header and raw bytes still stand), ``defects`` where it is
broken but could be read, ``charset_guessed``, ``ambiguous_structure``, ``header_too_large``, ``date_absurd`` (a date
that can't be read), ``remote_images``, ``too_many_links``.

Thread-safe: no state. Nothing is decompressed, loaded, run or written. A mail of 5 kB takes half a millisecond, one
of 25 MB with files some sixty; memory stays below six times the size.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256

from mailgate.domain.mail import Appointment, Document, Mail
from mailgate.mime import (
    ambiguity,
    bodies,
    calendars,
    cms,
    dates,
    fields,
    flowed,
    folding,
    html,
    links,
    notes,
    opening,
    params,
    parties,
    sealed,
    sniffing,
    text,
    tnef,
    tree,
    words,
)
from mailgate.mime.bodies import HTML, Bodies, Piece
from mailgate.mime.fields import Fields
from mailgate.mime.forwards import Original
from mailgate.mime.names import Names
from mailgate.mime.notes import Notes
from mailgate.mime.tree import Part

MAX_TYPE = 200
MAX_MESSAGE_ID = 512  # letters of four bytes too: PostgreSQL has 2,704 bytes for a row of an index
MAX_ATTACHED_HEADER = 64 * 1024
MAX_SUBJECT_NAME = 120
MAX_CONTENT_ID = 1000
PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".svg", ".webp")  # some programs send them as octet-stream
MAX_ORIGINAL = 300  # of each thing said of a forwarded mail
MAILS = frozenset({"message/rfc822", "message/global"})
UNTYPED = frozenset({"application/octet-stream", "application/x-eml", "text/plain"})
ADDRESS = "AddressHeaderDefect"
DEFECTS = {
    ADDRESS: "an address can't be read",
    "CloseBoundaryNotFoundDefect": "the end of its parts is missing",
    "MimeHeaderDefect": "a field that says how a part is built can't be read",
    "MissingHeaderBodySeparatorDefect": "a line in a header is no field",
    "NoBoundaryInMultipartDefect": "it has parts, and doesn't say how they are divided",
    "StartBoundaryNotFoundDefect": "the beginning of its parts is missing",
}
FILES = frozenset({"application", "audio", "font", "image", "video"})
OPENED = frozenset({"binary/octet-stream", "application/octet-stream"}) | tnef.TYPES | cms.TYPES  # or may be
CALENDARS = frozenset({"text/calendar", "text/x-vcalendar", "application/ics"})

_META_WITHIN = 2048
_META_CHARSET = re.compile(rb"<meta\s[^>]{0,200}?charset\s{0,9}=\s{0,9}[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)
_ANGLE = re.compile(r"<[^<>]*>")


def read(raw: bytes) -> Mail:
    """Read a mail; never raises."""
    said = Notes()
    mail = Mail()
    try:
        head = fields.split(raw)
        mail = _header(head, said)
        return _body(mail, tree.parse(raw, head), said)
    except tree.TooMuch as bound:
        said.add(notes.UNREADABLE, f"The mail is kept as it came, its body is not taken apart: {bound}.")
    except Exception:  # noqa: BLE001 - a mail that can't be read is kept with a note, never lost
        said.add(notes.UNREADABLE, "The mail is kept as it came, its body could not be taken apart.")
    return replace(mail, notes=said.done())


def read_soon(raw: bytes, done: Callable[[Mail], None]) -> None:
    """Read a mail and hand it on."""
    done(read(raw))


def header_only(raw: bytes, why: str) -> Mail:
    """Read no more than a mail's header, for a body that can't be taken apart; ``why`` goes into the note."""
    said = Notes()
    mail = Mail()
    with suppress(Exception):  # the same as for ``read``
        mail = _header(fields.split(raw), said)
    said.add(notes.UNREADABLE, f"The mail is kept as it came, its body is not taken apart: {why}.")
    return replace(mail, notes=said.done())


def skeleton(raw: bytes) -> bytes:
    """Leave out the contents of files in base64, which cost little to read; all stays where none can be told."""
    try:
        leaves = [part for part in tree.walk(tree.parse(raw, fields.split(raw))) if _is_file(part)]
    except Exception:  # noqa: BLE001 - the same as for ``read``
        return raw
    starts = (0, *(leaf.start + leaf.size for leaf in leaves))
    ends = (*(leaf.start for leaf in leaves), len(raw))
    return b"".join(raw[start:end] for start, end in zip(starts, ends, strict=True))


def _is_file(part: Part) -> bool:
    """Say whether a part is a file of a type that is never opened."""
    kind = part.media.partition("/")[0]
    encoding = part.fields.first("content-transfer-encoding").strip().lower()
    return not part.parts and encoding == b"base64" and kind in FILES and part.media not in OPENED


def document(raw: bytes, n: int) -> bytes | None:
    """Return the decoded content of the n-th document of ``Mail.documents``; ``None`` where there is none."""
    try:
        found = _all_documents(raw)
        return found[n - 1].content if 1 <= n <= len(found) else None
    except Exception:  # noqa: BLE001 - such a mail has no documents, as its note says
        return None


def attached(raw: bytes) -> tuple[tuple[int, bytes], ...]:
    """Return the mails attached to a mail: the number of each among ``Mail.documents``, and its bytes."""
    try:
        numbered = enumerate(_all_documents(raw), start=1)
        return tuple((n, content) for n, piece in numbered if (content := _attached_mail(piece)) is not None)
    except Exception:  # noqa: BLE001 - the same
        return ()


def _attached_mail(piece: Piece) -> bytes | None:
    """Return the bytes of a document that is a mail; some programs attach mails as files without their type."""
    if piece.media in MAILS:
        return piece.content
    if piece.media not in UNTYPED or not piece.name.lower().endswith(".eml"):
        return None
    content = piece.content
    begins = {name for name, _ in fields.split(content[:MAX_ATTACHED_HEADER]).items}
    return content if "from" in begins and begins & {"date", "message-id", "subject", "to"} else None


def _all_documents(raw: bytes) -> list[Piece]:
    return opening.opened(bodies.choose(tree.parse(raw, fields.split(raw))), Notes()).documents


def _header(head: Fields, said: Notes) -> Mail:
    if head.large:
        said.add(notes.HEADER_TOO_LARGE, "The mail's header is larger than any that people write.")
    if head.broken:
        said.add(notes.DEFECTS, "The mail's header is broken.")
    people, more = parties.read(head)
    if more:
        said.add(notes.HEADER_TOO_LARGE, f"The mail names more than {parties.MAX_PARTIES} addresses.")
    date = head.first("date")
    sent_at = dates.sent(date)
    if date and sent_at is None:
        said.add(notes.DATE_ABSURD, "The mail's date can't be read.")
    return Mail(
        subject=_subject(head, said),
        sent_at=sent_at,
        message_id=_message_id(head.first("message-id")),
        parties=people,
    )


def _message_id(value: bytes) -> str:
    """Return it in its angle brackets, where it has any (RFC 5322 section 3.6.4)."""
    told = text.decode(value[: 4 * MAX_MESSAGE_ID], "utf-8").text
    angle = _ANGLE.search(told)
    return text.line(angle[0] if angle else told, MAX_MESSAGE_ID)


def _subject(head: Fields, said: Notes) -> str:
    decoded = words.decode(head.first("subject"), params.parse(head.first("content-type")).token("charset"))
    if decoded.guessed:
        said.add(notes.CHARSET_GUESSED, "The subject's charset is not said, or not the one that is said.")
    return text.line(decoded.text)


def _body(mail: Mail, root: Part, said: Notes) -> Mail:
    kinds = _kinds(root, mail)  # before parts are opened, as mail-parser holds the mail three times
    chosen = opening.opened(bodies.choose(root), said)
    sealed.note(root, chosen, said)
    shown = _bodies(chosen, said)
    as_text = [shown[id(leaf)] for leaf in chosen.text]
    as_html = [shown[id(leaf)] for leaf in chosen.html]
    found, more = links.collect(link for body in shown.values() for link in body.links)
    if more:
        said.add(notes.TOO_MANY_LINKS, f"The mail has more than {links.MAX_LINKS} links; the rest is in the raw mail.")
    _note_pictures(sum(body.remote for body in shown.values()), said)
    cids = frozenset(cid for body in shown.values() for cid in body.cids)
    documents = _documents(chosen.documents, cids, said)
    whole = "\n\n".join(body.text for body in as_text if body.text)
    folds, original = folding.read(whole, mail.subject)
    if original:
        _note_forward(original, said)
    _note_structure(root, kinds, said)
    return replace(
        mail,
        text=whole,
        html=_joined(as_html),
        folds=folds,
        documents=documents,
        links=found,
        notes=said.done(),
    )


@dataclass(frozen=True, slots=True)
class _Shown:
    """A body both ways."""

    text: str
    html: str | None = None  # None: it is plain text
    links: tuple[str, ...] = ()
    cids: frozenset[str] = frozenset()
    remote: int = 0
    marks: int = 0


def _joined(bodies_as_html: list[_Shown]) -> str:
    """Join bodies as HTML; "" where all of them are plain text."""
    if all(body.html is None for body in bodies_as_html):
        return ""
    return "\n".join(html.from_text(body.text) if body.html is None else body.html for body in bodies_as_html)


def _bodies(chosen: Bodies, said: Notes) -> dict[int, _Shown]:
    """Read each body once, by the identity of its leaf; plain ones first, for their links come first."""
    shown: dict[int, _Shown] = {}
    most_marks = html.MAX_MARKS  # one allowance for the whole mail
    content_ids = frozenset(_content_id(leaf) for leaf in chosen.documents)
    for leaf in (*chosen.text, *chosen.html):
        if id(leaf) in shown:
            continue
        letters = _letters(leaf, said, chosen.long.get(id(leaf)))
        is_html = leaf.media == HTML
        shown[id(leaf)] = body = _html(letters, said, most_marks, content_ids) if is_html else _plain(letters)
        most_marks -= body.marks
    return shown


def _letters(leaf: Piece, said: Notes, most: int | None) -> str:
    """Read the letters of one body, or if it is too long those of its first octets."""
    content = leaf.content
    if most is not None:
        said.add(notes.BODY_TOO_LONG, f"A body of {len(content)} bytes is too long: it begins here, and is a document.")
        content = content[:most]
    if leaf.media != HTML:
        content = _with_lf(content)
    decoded = text.decode(content, leaf.parameter("charset") or _meta_charset(leaf, content))
    del content  # a big body is held as few times as can be
    if decoded.guessed and most is None:  # the cut may go through a letter
        said.add(notes.CHARSET_GUESSED, "A body's charset is not said, or not the one that is said.")
    if leaf.media == HTML:
        return decoded.text
    return _lines(leaf, decoded.text.replace("\r\n", "\n").replace("\r", "\n"))


def _plain(body: str) -> _Shown:
    return _Shown(body, links=tuple(links.in_text(body)))


def _html(source: str, said: Notes, most_marks: int, content_ids: frozenset[str]) -> _Shown:
    safe = html.sanitise(source, most_marks, content_ids)
    if safe.cut:
        said.add(notes.BODY_TOO_LONG, "A body has too many tags: it begins here, the whole is in the raw mail.")
    if safe.failed:
        said.add(notes.DEFECTS, "The HTML could not be made safe; its text is shown.")
    for one in safe.mismatches:
        said.add_each(notes.LINK_MISMATCH, f"A link shows {one.shown} and goes to {one.target}.")
    return _Shown(safe.text, safe.html, links=safe.links, cids=safe.cids, remote=safe.remote, marks=safe.marks)


def _with_lf(content: bytes) -> bytes:
    """Shorten line ends before letters become wider than an octet; in UTF-16 and UTF-32 they look different."""
    return content if b"\0" in content else content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _lines(leaf: Piece, body: str) -> str:
    if leaf.parameter("format").lower() != "flowed":
        return body
    return flowed.join(body, delete_space=leaf.parameter("delsp").lower() == "yes")


def _meta_charset(leaf: Piece, content: bytes) -> str | None:
    if leaf.media != HTML:
        return None
    found = _META_CHARSET.search(content, 0, _META_WITHIN)
    return found[1].decode("ascii") if found else None


def _documents(leaves: list[Piece], cids: frozenset[str], said: Notes) -> tuple[Document, ...]:
    given = Names()
    return tuple(_document(n, leaf, given, cids, said) for n, leaf in enumerate(leaves, start=1))


def _document(n: int, leaf: Piece, given: Names, cids: frozenset[str], said: Notes) -> Document:
    content = leaf.content
    subject = _subject_of(content) if leaf.media in MAILS and not leaf.name else ""
    name = given.give(leaf.name, leaf.media, n, subject)
    content_id = _content_id(leaf)
    _note_hint(sniffing.look(content, leaf.media, name), leaf.media, name, said)
    return Document(
        n=n,
        name=name,
        type=text.line(leaf.media, MAX_TYPE),
        size=len(content),
        sha256=sha256(content).hexdigest(),
        inline=content_id in cids and (leaf.media.startswith("image/") or name.lower().endswith(PICTURES)),
        content_id=content_id,
        appointment=_appointment(leaf, content, name),
    )


def _content_id(leaf: Piece) -> str:
    return text.line(leaf.content_id, MAX_CONTENT_ID)


def _appointment(leaf: Piece, content: bytes, name: str) -> Appointment | None:
    if leaf.media not in CALENDARS and not name.lower().endswith((".ics", ".vcs")):
        return None
    return calendars.appointment(content, leaf.parameter("charset"))


def _note_hint(hint: sniffing.Hint, media: str, name: str, said: Notes) -> None:
    if hint.executable:
        said.add_each(notes.EXECUTABLE, f"Opening this document may run it: {name}")
    if hint.is_really:
        declared = f"says that it is {text.line(media, MAX_TYPE)}" if hint.by_type else "has a name of another kind"
        said.add_each(notes.TYPE_MISMATCH, f"{name} {declared}, and is {hint.is_really}.")


def _note_forward(original: Original, said: Notes) -> None:
    told = (
        ("From", original.sender),
        ("To", original.to),
        ("Date", original.date),
        ("Subject", original.subject),
    )
    listed = "; ".join(f"{name}: {text.line(value, MAX_ORIGINAL)}" for name, value in told if value)
    said.add(notes.INLINE_FORWARD, f"Hands on another mail. {listed}")


def _subject_of(attached: bytes) -> str:
    return text.line(words.decode(fields.split(attached[:MAX_ATTACHED_HEADER]).first("subject")).text, MAX_SUBJECT_NAME)


def _note_pictures(remote: int, said: Notes) -> None:
    if remote:
        said.add(notes.REMOTE_IMAGES, f"Pictures that lie elsewhere are not loaded: {remote}.")


def _kinds(root: Part, mail: Mail) -> tuple[str, ...]:
    """Say in words what is broken; an address that could be read all the same is none of it."""
    all_read = all(party.email for party in mail.parties)
    kinds = [kind for kind in tree.defects(root, all_read=all_read) if not (kind == ADDRESS and all_read)]
    return tuple(dict.fromkeys(DEFECTS.get(kind, "something in how it is built") for kind in kinds))


def _note_structure(root: Part, kinds: tuple[str, ...], said: Notes) -> None:
    if ambiguity.found(root):
        said.add(notes.AMBIGUOUS, "Mail programs may take this mail apart in different ways.")
    if kinds:
        said.add(notes.DEFECTS, f"The mail breaks rules of its format: {'; '.join(kinds)}.")
