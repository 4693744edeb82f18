"""What mime4j expects of its test mails: ``X_decoded.xml`` with decoded leaves, ``X.xml`` as they stand there.

Of each mail and each mail in it: every field of every header, the tree of types (a part without a type is text, a mail
in a digest), and each leaf, as it stands in the mail and decoded.

What is said otherwise and means the same: its XML has LF for CRLF, and a multipart without any part is a leaf with us.
Two mails are there twice, for two modes of its parser: of these one mode's expectation is to be met.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from mailgate.mime import params
from tests.corpus.expectation import MISSING, Expectation, Ours, ours
from tests.corpus.messages import CORPUS

FOLDER = CORPUS / "mime4j" / "core" / "src" / "test" / "resources" / "testmsgs"


def expectations() -> Iterator[Expectation]:
    """List them all; none where the corpus is missing."""
    known: dict[bytes, list[Expectation]] = {}
    for path in sorted(FOLDER.glob("*.msg")):
        raw = path.read_bytes()
        found = list(_mail(path, raw))
        others = {each.what: each for each in known.get(raw, [])}
        known.setdefault(raw, found)
        for each in found:
            other = others.pop(each.what, None)
            if other is not None and other.met:
                yield replace(other, message=path.name)
            elif other is None or each.met:
                yield each


def _mail(path: Path, raw: bytes) -> Iterator[Expectation]:
    seen = ours(raw)
    decoded = _xml(path, "_decoded.xml")
    yield Expectation(path.name, "tree", _shape(decoded, "text/plain"), seen.shape)
    yield from _fields(path.name, decoded, seen)
    leaves = [node for node in seen.walk() if not node.inside]
    yield from _decoded(path, decoded, leaves)
    yield from _as_they_stand(path, _xml(path, ".xml"), leaves)


def _xml(path: Path, ending: str) -> Element:
    return ET.parse(path.with_name(path.stem + ending)).getroot()


def _entities(node: Element) -> list[Element]:
    """List what an entity holds: the parts of a multipart, or the mail."""
    multipart = node.find("multipart")
    return node.findall("message") if multipart is None else multipart.findall("body-part")


def _value(node: Element, name: str) -> bytes:
    header = node.find("header")
    for each in header if header is not None else ():
        field, _, value = (each.text or "").partition(":")
        if field.strip().lower() == name:
            return value.encode("latin-1", "replace")
    return b""


def _shape(node: Element, default: str) -> object:
    media = params.parse(_value(node, "content-type")).value or default
    inner = "message/rfc822" if media == "multipart/digest" else "text/plain"
    inside = tuple(_shape(each, inner) for each in _entities(node))
    return (media, *inside) if inside else media


def _every(node: Element) -> Iterator[Element]:
    yield node
    for each in _entities(node):
        yield from _every(each)


def _fields(message: str, node: Element, seen: Ours) -> Iterator[Expectation]:
    nodes = list(seen.walk())
    for place, entity in enumerate(_every(node)):
        header = entity.find("header")
        for each in header if header is not None else ():
            name, _, value = (each.text or "").strip("\n").partition(":")
            values = [_one(said) for said in _of(nodes, place, name.strip().lower())]
            expected = _one(value.encode("latin-1", "replace"))
            found = expected if expected in values else values
            yield Expectation(message, f"part {place + 1} {name.strip()}", expected, found)


def _of(nodes: list[Ours], place: int, name: str) -> list[bytes]:
    items = nodes[place].part.fields.items if place < len(nodes) else ()
    return [value for known, value in items if known == name]


def _one(value: bytes) -> bytes:
    return value.replace(b"\r\n", b"\n").strip()


def _decoded(path: Path, node: Element, leaves: list[Ours]) -> Iterator[Expectation]:
    bodies = [each for each in node.iter() if each.tag in {"text-body", "binary-body"}]
    leaves = [leaf for leaf in leaves if not leaf.part.media.startswith("multipart/")]
    for place, each in enumerate(bodies):
        content = path.with_name(each.attrib["name"]).read_bytes()
        seen = leaves[place].part.content() if place < len(leaves) else MISSING
        yield Expectation(path.name, f"leaf {place + 1}", content, seen)


def _as_they_stand(path: Path, node: Element, leaves: list[Ours]) -> Iterator[Expectation]:
    bodies = list(node.iter("body"))
    leaves = [leaf for leaf in leaves if not leaf.part.media.startswith("multipart/")]
    for place, each in enumerate(bodies):
        content = (each.text or "").removeprefix("\n").encode("latin-1", "replace")
        seen = leaves[place].part.octets.replace(b"\r\n", b"\n") if place < len(leaves) else MISSING
        yield Expectation(path.name, f"leaf {place + 1} octets", content, seen)
