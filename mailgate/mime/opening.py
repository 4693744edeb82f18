"""What stands inside parts: the files of a winmail.dat, the mail in a signed envelope, files uuencoded in a text.

``opened`` puts what it finds behind the document that it was found in, which stays, and files from texts at the end.
Last come bodies that are too long to be shown whole: together with those before them over ``MAX_SHOWN`` octets, of
which ``EXCERPT`` are shown; or HTML over ``html.MAX_MARKS`` tags and references, which is shown up to there.
The body of a winmail.dat is shown where the mail has no text of its own, for it is the same text; that of a signed
envelope always, at its place, for it is another one. A file that was signed (an invoice, say), not a mail, is
listed without its envelope too. Archives are never opened. The order is fixed: ``document`` counts as ``read`` does.

Broken insides stay closed. Raises ``tree.TooMuch`` where there is more inside than parts may be in a mail. No
recursion: envelopes are opened ``MAX_DEPTH`` deep, and ``MAX_TNEF`` winmail.dat of a mail, which has one;
RTF, which is costly, is read in ``MAX_RTF_TNEF`` of them.
"""

import re
from dataclasses import dataclass, field
from itertools import islice

from mailgate.mime import bodies, cms, endings, fields, html, notes, sealed, tnef, tree, uuencoded
from mailgate.mime.bodies import HTML, PLAIN, Bodies, File, Leaf, Piece
from mailgate.mime.fields import Fields
from mailgate.mime.notes import Notes

SIGNED = "multipart/signed"
MAX_DEPTH = 3
MAX_TNEF = 20
MAX_RTF_TNEF = 2
MAX_SHOWN = 10 * 1024 * 1024
EXCERPT = 256 * 1024  # a letter that it cuts in two becomes U+FFFD

_BLANK = b" \t\r\n\0\xa0\xc2"  # with the spaces that don't break, of both charsets
_MARK = re.compile(rb"[<&]")
_ENTITY = frozenset({"content-type", "content-transfer-encoding", "mime-version"})


@dataclass(frozen=True, slots=True)
class _Decoded:
    """A document that was opened, with its content: to decode it anew beside what is inside it takes more memory."""

    piece: Piece
    content: bytes

    @property
    def media(self) -> str:
        return self.piece.media

    @property
    def name(self) -> str:
        return self.piece.name

    @property
    def content_id(self) -> str:
        return self.piece.content_id

    def parameter(self, name: str) -> str:
        return self.piece.parameter(name)


@dataclass(slots=True)
class _Opening:
    """What was found so far, and what is to be looked at: each with its depth, the next one last."""

    found: Bodies
    said: Notes
    starts: dict[int, int]  # where the parts of the mail itself start, by their identity
    waiting: list[tuple[Piece, int]] = field(default_factory=list)
    parts: int = 0
    tnefs: int = 0

    def take(self, piece: Piece, depth: int) -> bytes:
        """List a document that is to be opened; return its content."""
        content = piece.content
        self.found.documents.append(piece if depth else _Decoded(piece, content))
        return content

    def show(self, piece: Piece, inside: Bodies) -> None:
        """Add bodies at the place of the document that they stood in."""
        start = self.starts.get(id(piece), -1)
        for shown, more in ((self.found.text, inside.text), (self.found.html, inside.html)):
            behind = (at for at, each in enumerate(shown) if 0 <= start < self.starts.get(id(each), -1))
            place = next(behind, len(shown))
            shown[place:place] = more

    def wait(self, pieces: list[Piece], depth: int) -> None:
        self.parts += len(pieces)
        if depth and self.parts > tree.MAX_PARTS:
            raise tree.TooMuch(f"more than {tree.MAX_PARTS} parts within parts")
        self.waiting.extend((piece, depth) for piece in reversed(pieces))


def opened(chosen: Bodies, said: Notes) -> Bodies:
    """Add what is found inside parts to bodies and documents."""
    own = (*chosen.text, *chosen.html, *chosen.documents)
    starts = {id(piece): piece.part.start for piece in own if isinstance(piece, Leaf)}
    state = _Opening(Bodies(list(chosen.text), list(chosen.html)), said, starts)
    state.wait(chosen.documents, 0)
    while state.waiting:
        piece, depth = state.waiting.pop()
        _open(piece, state, depth)
    _take_out_uuencoded(state.found)
    _list_long(state.found)
    return state.found


def _open(piece: Piece, state: _Opening, depth: int) -> None:
    """List a document, and open it if it is one to open."""
    if depth < MAX_DEPTH and state.tnefs < MAX_TNEF and tnef.is_one(piece):
        content = state.take(piece, depth)
        _open_tnef(content, state, depth + 1)
    elif 0 < depth < MAX_DEPTH and piece.media == SIGNED:
        content = state.take(piece, depth)
        _open_entity(piece, content, fields.split(content), state, depth + 1)
    elif depth < MAX_DEPTH and cms.may_be(piece):
        content = state.take(piece, depth)
        _open_signed(piece, content, state, depth + 1)
    else:
        state.found.documents.append(piece)


def _open_tnef(content: bytes, state: _Opening, depth: int) -> None:
    found = state.found
    is_silent = _is_blank([*found.text, *found.html])
    most_rtf = tnef.MAX_RTF if state.tnefs < MAX_RTF_TNEF else 0
    unpacked = tnef.unpack(content, with_body=is_silent, most_rtf=most_rtf)
    if unpacked is None:
        return
    state.tnefs += 1
    state.said.add(notes.TNEF, _told(unpacked))
    state.wait(list(unpacked.files), depth)
    if unpacked.text or unpacked.html:
        found.text[:], found.html[:] = unpacked.text, unpacked.html


def _told(unpacked: tnef.Unpacked) -> str:
    if not (unpacked.files or unpacked.text or unpacked.html):
        return "Outlook sent it as winmail.dat, in which no file was found."
    told = ["Outlook sent it as winmail.dat; what is inside is listed too"]
    if unpacked.mails:
        told.append("of the mails that are attached in it, the text and the files")
    if unpacked.more:
        told.append("there is more in it than is taken out")
    return "; ".join(told) + "."


def _is_blank(pieces: list[Piece]) -> bool:
    return not any(piece.content.strip(_BLANK) for piece in pieces)


def _open_signed(piece: Piece, content: bytes, state: _Opening, depth: int) -> None:
    """Open an opaque signed envelope (RFC 8551 section 3.5.2)."""
    entity = cms.content(content)
    if entity is None:
        return
    head = fields.split(entity)
    name = piece.name.strip()
    stem = name[:-4] if name.lower().endswith(".p7m") else name
    if any(known in _ENTITY for known, _ in head.items):
        sealed.signed(state.said)
        _open_entity(piece, entity, head, state, depth)
    elif stem.lower() in {"", "smime"} and b"\0" not in entity:  # a bare text, as a few programs sign it
        sealed.signed(state.said)
        body = File(PLAIN, "", entity)
        state.show(piece, Bodies([body], [body]))
    else:
        state.wait([File(endings.media(stem), stem, entity)], MAX_DEPTH)


def _open_entity(piece: Piece, entity: bytes, head: Fields, state: _Opening, depth: int) -> None:
    """Read what was signed as a mail's parts are; Exchange puts whole such parts into a winmail.dat too."""
    root = tree.parse(entity, head)
    inside = bodies.choose(root)
    state.parts += len(tree.walk(root)) - len(inside.documents)
    state.wait(inside.documents, depth)
    state.show(piece, inside)


def _take_out_uuencoded(found: Bodies) -> None:
    """Take files out of the plain texts, in both lists."""
    rests: dict[int, Piece] = {}
    most = uuencoded.MAX_FILES
    for piece in list(found.text):
        if piece.media != PLAIN or id(piece) in rests:
            continue
        rest, files = uuencoded.split(piece.content, most)
        if files:
            most -= len(files)
            rests[id(piece)] = File(PLAIN, "", rest, charset=piece.parameter("charset"))
            found.documents.extend(files)
    for pieces in (found.text, found.html):
        pieces[:] = [rests.get(id(piece), piece) for piece in pieces]


def _list_long(found: Bodies) -> None:
    room, marks = MAX_SHOWN, html.MAX_MARKS
    for piece in {id(piece): piece for piece in (*found.text, *found.html)}.values():
        content = piece.content
        size = len(content)
        shown = content if size <= room else content[:EXCERPT]
        if piece.media == HTML:
            shown = shown[: _end(shown, marks)]
            marks -= shown.count(b"<") + shown.count(b"&")
        if size > room or len(shown) < size:
            found.long[id(piece)] = len(shown)
            found.documents.append(piece)
        else:
            room -= size


def _end(octets: bytes, most_marks: int) -> int:
    """Return where the first mark stands that is one too many, or else the end; in UTF-7 none can be seen."""
    if octets.count(b"<") + octets.count(b"&") <= most_marks:
        return len(octets)
    beyond = next(islice(_MARK.finditer(octets), most_marks, None), None)
    return beyond.start() if beyond else len(octets)
