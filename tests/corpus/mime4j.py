"""What mime4j expects of its test mails: ``X_decoded.xml`` with decoded leaves, ``X.xml`` as they stand there.

Of each mail and each mail in it: every field of every header, the tree of types (a part without a type is text, a mail
in a digest), and each leaf, as it stands in the mail and decoded.

What is said otherwise and means the same: its XML has LF for CRLF, and a multipart without any part is a leaf with us.
Two mails are there twice, for two modes of its parser: they count once, and of what both expect one is to be met.
"""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from mailgate.mime import params
from tests.corpus.expectation import MISSING, Expectation, Kind, Ours, ours
from tests.corpus.messages import CORPUS

FOLDER = CORPUS / "mime4j" / "core" / "src" / "test" / "resources" / "testmsgs"


def expectations() -> Iterator[Expectation]:
    """List them all; none where the corpus is missing."""
    known: dict[bytes, tuple[str, dict[str, Expectation]]] = {}
    for path in sorted(FOLDER.glob("*.msg")):
        raw = path.read_bytes()
        name, found = known.setdefault(raw, (path.name, {}))
        for each in _mail(name, path, raw):
            if each.what not in found or each.met:
                found[each.what] = each
    for _, found in known.values():
        yield from found.values()


def _mail(message: str, path: Path, raw: bytes) -> Iterator[Expectation]:
    seen = ours(raw)
    decoded = _xml(path, "_decoded.xml")
    yield Expectation(message, Kind.TREE, "tree", _shape(decoded, "text/plain"), seen.shape)
    yield from _fields(message, decoded, seen)
    leaves = [node for node in seen.walk() if not node.inside and not node.part.media.startswith("multipart/")]
    yield from _bodies(message, path, decoded, leaves)


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
        for line, each in enumerate(header if header is not None else (), start=1):
            name, _, value = (each.text or "").strip("\n").partition(":")
            values = [_one(said) for said in _of(nodes, place, name.strip().lower())]
            expected = _one(value.encode("latin-1", "replace"))
            found = expected if expected in values else values
            yield Expectation(message, Kind.FIELD, f"part {place + 1} field {line}", expected, found)


def _of(nodes: list[Ours], place: int, name: str) -> list[bytes]:
    items = nodes[place].part.fields.items if place < len(nodes) else ()
    return [value for known, value in items if known == name]


def _one(value: bytes) -> bytes:
    return value.replace(b"\r\n", b"\n").strip()


def _bodies(message: str, path: Path, node: Element, leaves: list[Ours]) -> Iterator[Expectation]:
    """Each leaf as it stands and decoded."""
    bodies = [each for each in node.iter() if each.tag in {"text-body", "binary-body"}]
    standing = list(_xml(path, ".xml").iter("body"))
    for place, (each, stands) in enumerate(zip(bodies, standing, strict=True)):
        octets = (stands.text or "").removeprefix("\n").encode("latin-1", "replace")
        content = path.with_name(each.attrib["name"]).read_bytes()
        seen = (MISSING, MISSING) if place >= len(leaves) else _content(leaves[place])
        yield Expectation(message, Kind.BODY, f"leaf {place + 1}", (octets, content), seen)


def _content(leaf: Ours) -> tuple[bytes, bytes]:
    return leaf.part.octets.replace(b"\r\n", b"\n"), leaf.part.content()
