"""What stands inside parts: the files of a winmail.dat, the mail in a signed envelope, files uuencoded in a text.

``opened`` puts what it finds behind the document that it was found in, which stays; bodies found there are shown where
the mail has none of its own. Archives are never opened. The order is fixed: ``document`` counts as ``read`` does.

Broken insides stay closed. Raises ``tree.TooMuch`` where a signed envelope holds too much.
"""

from mailgate.mime import bodies, cms, fields, notes, tnef, tree, uuencoded
from mailgate.mime.bodies import PLAIN, Bodies, File, Piece
from mailgate.mime.notes import Notes

MAX_DEPTH = 3  # of signed envelopes within each other


def opened(chosen: Bodies, said: Notes, depth: int = 0) -> Bodies:
    """Add what is found inside parts to bodies and documents."""
    found = Bodies(list(chosen.text), list(chosen.html))
    for piece in chosen.documents:
        found.documents.append(piece)
        if tnef.is_one(piece):
            _open_tnef(piece, found, said)
        elif depth < MAX_DEPTH and cms.is_signed(piece):
            _open_signed(piece, found, said, depth + 1)
    _take_out_uuencoded(found)
    return found


def _open_tnef(piece: Piece, found: Bodies, said: Notes) -> None:
    unpacked = tnef.unpack(piece.content)
    if unpacked is None:
        return
    said.add(notes.TNEF, "Outlook sent it as winmail.dat; what is inside is listed too.")
    found.documents.extend(unpacked.files)
    if not found.text and not found.html:
        found.text.extend(unpacked.text)
        found.html.extend(unpacked.html)


def _open_signed(piece: Piece, found: Bodies, said: Notes, depth: int) -> None:
    """Open an opaque signed envelope (RFC 8551 section 3.5.2); what it holds is read as a mail's parts are."""
    entity = cms.content(piece.content)
    if entity is None:
        return
    inside = opened(bodies.choose(tree.parse(entity, fields.split(entity))), said, depth)
    found.documents.extend(inside.documents)
    if not found.text and not found.html:
        found.text.extend(inside.text)
        found.html.extend(inside.html)


def _take_out_uuencoded(found: Bodies) -> None:
    for index, piece in enumerate(found.text):
        if piece.media != PLAIN:
            continue
        rest, files = uuencoded.split(piece.content)
        if files:
            found.text[index] = File(PLAIN, "", rest, charset=piece.parameter("charset"))
            found.documents.extend(files)
