"""What stalwart's parser expects of its test mails (``NNN.json``, and ``NNN.crlf.json`` for the same with CRLF).

Of each mail, and of each mail attached to it: each field as it stands, each parameter of its types, subject, From, To,
Cc, Bcc, date and Message-ID where the field is there, its tree of types (an attached mail is a leaf of it, with a tree
of its own), which leaves are documents, the name of each leaf that has one, and the content of each leaf. Its JSON has
text decoded and the other leaves as octets; ours is decoded the same way before they are compared. What is expected
with LF and with CRLF counts once, and is met if it is with both.

What is said otherwise there and here, and means the same: addresses are folded and each is listed once per field,
Message-IDs have their brackets, dates are in UTC, text has no NUL and no other controls (``text.clean``), names of
people are one line. A picture stands among its bodies too (JMAP); with us only text is a body. Texts that it marks with
``is_encoding_problem`` (mostly those that no delimiter ends) are among its attachments for that alone: they count as
the bodies that their header makes them. Where it lets a part run over the delimiters of those around it (RFC 2046
section 5.1.2), so that its tree is another one, that counts once, with the tree: the parts are compared up to the
delimiter. Where it takes a part for another's inside, the parts are compared all the same, by where they start. What it
takes for fields with white space in their names are no fields (RFC 5322 section 2.2).
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from mailgate import mime
from mailgate.domain import address
from mailgate.domain.mail import Mail
from mailgate.errors import BadInput
from mailgate.mime import text
from tests.corpus.expectation import ADDRESSES, MISSING, Expectation, Kind, Ours, ours, people
from tests.corpus.messages import CORPUS

FOLDER = CORPUS / "stalwart-mail-parser" / "resources" / "eml"

Json = dict[str, Any]


def expectations() -> Iterator[Expectation]:
    """List them all; none where the corpus is missing."""
    for path in sorted(FOLDER.glob("*/*.eml")):
        raw = path.read_bytes().replace(b"\r\n", b"\n")  # theirs is read so
        name = str(path.relative_to(FOLDER))
        with_lf = _file(name, raw, _said(path, ".json"))
        with_crlf = _file(name, raw.replace(b"\n", b"\r\n"), _said(path, ".crlf.json"))
        yield from _once([*with_lf, *with_crlf])


def _once(found: list[Expectation]) -> Iterator[Expectation]:
    """Count what is expected with LF and with CRLF once; it is met if it is with both."""
    same: dict[tuple[str, str], list[Expectation]] = {}
    for each in found:
        same.setdefault((each.message, each.what), []).append(each)
    for both in same.values():
        assert len(both) <= len(("lf", "crlf")), both
        yield next((each for each in both if not each.met), both[0])


def _file(message: str, raw: bytes, said: Json) -> Iterator[Expectation]:
    yield from _mail(message, raw, ours(raw), _Found(raw, frozenset()), said)


class _Found:
    """What of ours starts where in a file: whatever the trees are, it is the same part if it starts there."""

    def __init__(self, raw: bytes, around: frozenset[str]) -> None:
        self.raw = raw
        self.around = around  # boundaries of the multiparts that this file is in
        nodes = list(ours(raw).walk())
        self.mails = {node.start: node for node in nodes if node.mail is not None}
        # by where they start, or else their content does; a leaf before a multipart
        nodes.sort(key=lambda node: not node.inside)
        self.parts = {node.start: node for node in nodes} | {node.top: node for node in nodes}

    def same(self, part: Json) -> Ours | None:
        """Find ours of their leaf: a mail where that starts, anything else where its header or content does."""
        starts = (self.parts.get(part[each]) for each in ("offset_header", "offset_body"))
        mail = self.mails.get(part["offset_body"]) if "Message" in part["body"] else None
        return mail or next(filter(None, starts), None)


def _said(path: Path, ending: str) -> Json:
    said: Json = json.loads(path.with_name(path.stem + ending).read_text())
    return said


def _mail(message: str, raw: bytes, seen: Ours, found: _Found, said: Json) -> Iterator[Expectation]:
    parts = said["parts"]
    yield from _header(message, mime.read(raw), _first(parts[0]))
    shape, our_shape = _shape(parts, 0), _our_shape(seen)
    yield Expectation(message, Kind.TREE, "tree", shape, our_shape)
    wanted = [number for number in _ordered(parts, 0) if "Multipart" not in parts[number]["body"]]
    expected = _documents(said, wanted)
    yield Expectation(message, Kind.DOCUMENTS, "documents", expected, [leaf.start for leaf in seen.documents])
    yield from _fields(message, "header", found.raw, parts[0], seen)
    # that a multipart doesn't end where it does with us was counted with the tree
    opened = _around(parts) if shape != our_shape else {}
    around = {number: found.around | opened.get(number, frozenset()) for number in wanted}
    for place, number in enumerate(wanted, start=1):
        # an empty one at the end may start nowhere of ours
        leaf = found.same(parts[number]) or next(iter(seen.leaves[place - 1 : place]), None)
        if number:
            yield from _fields(message, f"leaf {place}", found.raw, parts[number], leaf)
        yield from _leaf(message, f"leaf {place}", found, (parts[number], around[number]), leaf)


def _first(part: Json) -> dict[str, Json | str]:
    found: dict[str, Json | str] = {}
    for field in part["headers"]:
        if isinstance(field["name"], str):
            found.setdefault(field["name"], field["value"])
    return found


def _header(message: str, mail: Mail, said: dict[str, Any]) -> Iterator[Expectation]:
    if "subject" in said:
        yield Expectation(message, Kind.READ, "subject", text.line(_text(said["subject"])), mail.subject)
    if "message_id" in said:
        yield Expectation(message, Kind.READ, "message-id", _text(said["message_id"]), mail.message_id.strip("<>"))
    if "date" in said:
        yield Expectation(message, Kind.DATE, "date", _moment(said["date"]), mail.sent_at)
    for header in ADDRESSES:
        if header in said:
            yield Expectation(message, Kind.ADDRESSES, header, _people(said[header]), people(mail, header))


def _fields(message: str, what: str, whole: bytes, said: Json, part: Ours | None) -> Iterator[Expectation]:
    """What stands in each field of a header, to the byte; and in each parameter of a Content-Type, as text."""
    ours_of: dict[str, list[bytes]] = {}
    for name, value in part.part.fields.items if part else ():
        ours_of.setdefault(name, []).append(value.rstrip(b"\r\n"))
    for place, each in enumerate(said["headers"], start=1):
        if not isinstance(each["name"], str) and not re.fullmatch(r"[!-9;-~]+", each["name"]["other"]):
            continue
        name = each["name"].replace("_", "-") if isinstance(each["name"], str) else each["name"]["other"].lower()
        expected = whole[each["offset_start"] : each["offset_end"]].rstrip(b"\r\n")
        values = ours_of.get(name, [])
        seen = expected if expected in values else values
        yield Expectation(message, Kind.FIELD, f"{what} field {place}", (name, expected), (name, seen))
    for each in _attributes(_first(said).get("content_type")):
        if part is None or part.part.parts or each["name"] != "name":  # that is the name of a leaf
            parameter = part.part.type.parameter(each["name"]) if part else MISSING
            title = f"{what} parameter {each['name']}"
            yield Expectation(message, Kind.PARAMETER, title, each["value"].strip(), parameter.strip())


def _text(value: Json | str) -> str:
    return "" if value == "Empty" else str(value["Text"])  # type: ignore[index]  # "Empty" is the only string there


def _moment(value: Any) -> datetime | None:
    if value == "Empty":
        return None
    said = value["DateTime"]
    offset = timedelta(hours=said["tz_hour"], minutes=said["tz_minute"]) * (-1 if said["tz_before_gmt"] else 1)
    year, month, day, hour, minute, second = (
        said[each] for each in ("year", "month", "day", "hour", "minute", "second")
    )
    return datetime(year, month, day, hour, minute, second, tzinfo=timezone(offset)).astimezone(UTC)


def _people(value: Any) -> list[tuple[str, str]]:
    if value == "Empty":
        return []
    said = value["Address"]
    listed = said["List"] if "List" in said else [each for group in said["Group"] for each in group["addresses"]]
    return list(dict.fromkeys(_person(text.line(each["name"] or ""), each["address"]) for each in listed))


def _person(name: str, email: str | None) -> tuple[str, str]:
    try:
        return name, address.fold(email) if email else ""
    except BadInput:
        return f"{name} <{email}>", ""  # what is no address is kept as a name


def _start(part: Json) -> int:
    """Return where the content of a leaf starts; of an attached mail, where its header does."""
    inside = part["body"].get("Message")
    return int(inside["parts"][0]["offset_header"] if inside else part["offset_body"])


def _ordered(parts: list[Json], number: int) -> Iterator[int]:
    yield number
    for each in parts[number]["body"].get("Multipart", ()):
        yield from _ordered(parts, each)


def _shape(parts: list[Json], number: int) -> object:
    part = parts[number]
    body = part["body"]
    media = _media(part)
    if "Multipart" in body:
        inside = tuple(_shape(parts, each) for each in body["Multipart"])
        return (media, *inside) if inside else media
    return media


def _our_shape(node: Ours) -> object:
    if node.mail is not None or not node.inside:
        return node.part.media
    return (node.part.media, *map(_our_shape, node.inside))


def _media(part: Json) -> str:
    value: Any = _first(part).get("content_type")
    if value and value != "Empty":
        said = value["ContentType"]
        return f"{said['c_type']}/{said['c_subtype']}".lower()
    return "message/rfc822" if "Message" in part["body"] else "text/plain"


def _documents(said: Json, wanted: list[int]) -> list[int]:
    parts = said["parts"]
    shown = {
        number for number in (*said["text_body"], *said["html_body"]) if {"Text", "Html"} & set(parts[number]["body"])
    }
    return [parts[number]["offset_body"] for number in wanted if number not in shown and not _is_doubted(parts[number])]


def _is_doubted(part: Json) -> bool:
    """Say whether a text is among the attachments because of a trouble with it, not because it was sent as one."""
    doubted = part["is_encoding_problem"] and "content_disposition" not in _first(part)
    return bool(doubted and "Text" in part["body"] and _media(part).startswith("text/"))


def _declared(message: str, what: str, said: Json, leaf: Ours | None) -> Iterator[Expectation]:
    """What its header says of a leaf: disposition, name, Content-ID; its type is in the tree."""
    known: dict[str, Any] = _first(said)
    disposition = known.get("content_disposition")
    if disposition and disposition != "Empty":
        expected = disposition["ContentType"]["c_type"].lower()
        yield Expectation(
            message, Kind.READ, f"{what} disposition", expected, leaf.leaf.disposition.value if leaf else MISSING
        )
    name = _attribute(disposition, "filename") or _attribute(known.get("content_type"), "name")
    if name:
        yield Expectation(message, Kind.DOCUMENTS, f"{what} name", name, leaf.leaf.name.strip() if leaf else MISSING)
    if "content_id" in known:
        seen = leaf.leaf.content_id if leaf else MISSING
        yield Expectation(message, Kind.READ, f"{what} content-id", _text(known["content_id"]), seen)


def _around(parts: list[Json]) -> dict[int, frozenset[str]]:
    """Of each part the boundaries of the multiparts that it is in."""
    found = {0: frozenset[str]()}
    for number in _ordered(parts, 0):
        boundary = _attribute(_first(parts[number]).get("content_type"), "boundary")
        for each in parts[number]["body"].get("Multipart", ()):
            found[each] = found[number] | {boundary}
    return found


def _cut(content: str, boundaries: frozenset[str]) -> str:
    """End a leaf where a multipart that it is in goes on, or ends (RFC 2046 section 5.1.2)."""
    wanted = "|".join(map(re.escape, boundaries))
    end = re.search(rf"(?:\A|\r?\n)--(?:{wanted})(?:--)?[ \t]*(?=[\r\n]|\Z)", content) if boundaries else None
    return content[: end.start()] if end else content


def _leaf(
    message: str, what: str, found: _Found, said_in: tuple[Json, frozenset[str]], leaf: Ours | None
) -> Iterator[Expectation]:
    said, around = said_in
    body = said["body"]
    yield from _declared(message, what, said, leaf)
    # no octet of it is lost, none is added
    octets = _cut(found.raw[said["offset_body"] : said["offset_end"]].decode("latin-1"), around).encode("latin-1")
    stands = leaf.part.octets if leaf else MISSING
    if "Message" in body:
        yield Expectation(message, Kind.BODY, what, octets, stands)
        yield from _attached(f"{message} > {what}", found, (body["Message"], around), leaf)
    elif "Text" in body or "Html" in body:
        expected = _cut(text.clean(body.get("Text", body.get("Html"))), around)
        yield Expectation(message, Kind.BODY, what, (octets, expected), (stands, leaf.text if leaf else MISSING))
    else:
        decoded = bytes(body.get("Binary", body.get("InlineBinary")))
        seen = leaf.part.content() if leaf else MISSING
        yield Expectation(message, Kind.BODY, what, (octets, decoded), (stands, seen))


def _attached(
    message: str, found: _Found, said_in: tuple[Json, frozenset[str]], leaf: Ours | None
) -> Iterator[Expectation]:
    said, around = said_in
    encoded = leaf is not None and leaf.mail is not None and leaf.mail != leaf.part.octets
    node = leaf if encoded else found.mails.get(said["parts"][0]["offset_header"], leaf)
    if node is None or node.mail is None:
        yield from _mail(message, b"", ours(b""), found, said)
        return
    inner = _Found(node.mail if encoded else found.raw, frozenset() if encoded else around)
    yield from _mail(message, node.mail, node.inside[0], inner, said)


def _attributes(value: Any) -> list[Json]:
    return [] if not value or value == "Empty" else value["ContentType"]["attributes"] or []


def _attribute(value: Any, name: str) -> str:
    return next((str(each["value"]).strip() for each in _attributes(value) if each["name"] == name), "")
