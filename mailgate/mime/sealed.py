"""Whether a mail is signed or encrypted (S/MIME, RFC 8551; PGP/MIME, RFC 3156; PGP inline, RFC 9580 sections 6.2, 7).

Told by what parts are, not by what they are called: an envelope by the type that it names in itself, PGP in a text by
whole lines and what follows on them, in a file with a name of PGP by its beginning. A key, a signature of a file, or a
text that speaks of such things is neither.
Attached mails are not looked into. Linear; raises nothing.
"""

import re

from mailgate.mime import cms, notes, tree
from mailgate.mime.bodies import PLAIN, Bodies, Piece
from mailgate.mime.cms import Kind
from mailgate.mime.notes import Notes
from mailgate.mime.tree import Part

_SIGNED = frozenset({"multipart/signed", "application/pkcs7-signature", "application/x-pkcs7-signature"})
_ENCRYPTED = frozenset({"multipart/encrypted", "application/pgp-encrypted"})
_HEADERS = rb"(?:[A-Za-z]{1,20}: [^\r\n]{0,200}\r?\n){0,10}[ \t]{0,10}\r?\n"  # of an armour, and its empty line
_SIGNED_TEXT = re.compile(rb"^-----BEGIN PGP SIGNED MESSAGE-----[ \t]{0,10}\r?\n" + _HEADERS, re.MULTILINE)
_SIGNATURE = re.compile(rb"^-----BEGIN PGP SIGNATURE-----[ \t]{0,10}\r?$", re.MULTILINE)
_ENCRYPTED_TEXT = re.compile(
    rb"^-----BEGIN PGP MESSAGE(?:, PART [0-9/]{1,9})?-----[ \t]{0,10}\r?\n" + _HEADERS + rb"[A-Za-z0-9+/]{16}",
    re.MULTILINE,
)

_ENCRYPTED_HTML = re.compile(
    rb"(?:^|>)[ \t]{0,10}-----BEGIN PGP MESSAGE-----"
    rb"(?:\s|<[^<>]{0,100}>|[A-Za-z]{1,20}: [^<>\r\n]{0,200}){0,40}[A-Za-z0-9+/]{16}",
    re.MULTILINE,
)
_MARK = b"-----BEGIN PGP "  # in each of these texts
_ARMOURED = (".asc", ".gpg", ".pgp")


def note(root: Part, bodies: Bodies, said: Notes) -> None:
    """Note whether it is ``signed`` or ``encrypted``; ``bodies`` are the opened ones."""
    media = {part.media for part in tree.walk(root)} | {piece.media for piece in bodies.documents}
    if media & _ENCRYPTED or _holds_encrypted(bodies):
        said.add(notes.ENCRYPTED, "The mail is encrypted, wholly or in part; nothing was decrypted.")
    if media & _SIGNED or any(_is_signed_text(piece) for piece in bodies.text if piece.media == PLAIN):
        signed(said)


def signed(said: Notes) -> None:
    """Note that it is ``signed``; said of an opaque envelope where that is opened."""
    said.add(notes.SIGNED, "The mail carries a signature, which was not checked.")


def _holds_encrypted(bodies: Bodies) -> bool:
    if any(cms.kind(piece) is Kind.ENCRYPTED for piece in bodies.documents):
        return True
    if any(
        _ENCRYPTED_TEXT.match(piece.content) for piece in bodies.documents if piece.name.lower().endswith(_ARMOURED)
    ):
        return True
    shown = {id(piece): piece for piece in (*bodies.text, *bodies.html)}.values()
    return any(map(_is_encrypted, shown))


def _is_encrypted(piece: Piece) -> bool:
    content = piece.content
    pattern = _ENCRYPTED_TEXT if piece.media == PLAIN else _ENCRYPTED_HTML
    return _MARK in content and pattern.search(content) is not None


def _is_signed_text(piece: Piece) -> bool:
    content = piece.content
    begin = _SIGNED_TEXT.search(content) if _MARK in content else None
    return bool(begin and _SIGNATURE.search(content, begin.end()))
