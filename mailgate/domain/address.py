"""E-mail addresses: one spelling for all spellings of the same one.

``fold`` is the only way that addresses are compared, anywhere. The local part is put in NFC and its ASCII letters in
lower case (no further: casefold would make groß and gross the same person), quotes that aren't needed go. The domain
becomes A-labels in lower case by IDNA 2008 with the mapping of UTS 46 (straße.example stays apart from
strasse.example), the root's dot goes. Nothing looks a domain up, and none is special: ``.test``, ``localhost`` and
literals such as ``[192.0.2.1]`` are addresses too.

Refuses, with ``BadInput``: anything but one local part, one ``@`` and one domain; controls, bidirectional marks,
zero-width and other invisible characters, also where mapping would drop them; dots at the ends of a local part or
two in a row; more than 64 bytes before the ``@`` or 255 after it.
"""

import re
import unicodedata
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

import idna

from mailgate.errors import BadInput

MAX_LOCAL = 64  # octets; RFC 5321 4.5.3.1.1
MAX_DOMAIN = 255  # octets; RFC 5321 4.5.3.1.2
MAX_LABEL = 63  # octets; RFC 1035 2.3.4
MAX_PRINTED = 80
INVALID = "invalid:"  # the colon can't stand unquoted in a local part

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]++"  # atext of RFC 5322 3.2.3 and RFC 6531 3.3
_DOT_ATOM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*+")
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~\x80-\U0010ffff]|\\[ -~])*+)"')
_QUOTED_PAIR = re.compile(r"\\(.)")
_NEEDS_BACKSLASH = re.compile(r'(["\\])')
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
# nearly all are so: plain ASCII, nothing quoted, encoded or literal, short enough; only capitals are to be folded
_USUAL = re.compile(
    r"(?=[^@]{1,64}+@)[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]++)*+"
    r"@(?:(?![Xx][Nn]--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.(?=.)|\Z)){1,8}"
)
_UPPER_TO_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_NOT_PRINTABLE_ASCII = re.compile(r"[^ -~]")
# Invisible, though their category says letter, mark or symbol: joiner, fillers, blank Braille, variation selectors.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A folded address in its two parts. Made by ``parse``; splitting text at an ``@`` goes wrong with quotes."""

    local: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    @classmethod
    def parse(cls, text: str) -> "Mailbox":
        """Read ``local@domain`` (RFC 5321 4.1.2, RFC 6531 3.3), without angle brackets, comments or white space."""
        if len(text) > MAX_LOCAL * 2 + MAX_DOMAIN + 3:
            raise _bad(text, "it is too long")
        if any(_is_unseen(char) for char in text):
            raise _bad(text, "it holds a character that can't be seen")
        local, domain = _divide(text)
        return cls(_fold_local(local, text), _fold_domain(domain, text))


def fold(text: str) -> str:
    """Return the one spelling of an address; ``BadInput`` names what is none. Folding again changes nothing."""
    if len(text) <= MAX_DOMAIN and _USUAL.fullmatch(text):
        return text.lower()
    return str(Mailbox.parse(text))


def fold_domain(text: str) -> str:
    """Return the one spelling of a domain; ``BadInput`` names what is none."""
    if len(text) > MAX_DOMAIN + 1 or any(_is_unseen(char) for char in text):
        raise _bad(text, "it is no domain")
    return _fold_domain(text, text)


def parse_envelope(text: str) -> str:
    """Fold what stood between the angle brackets at MAIL or RCPT; total.

    The null sender, ``""`` or ``<>``, gives ``""``. What is no address comes back as ``invalid:`` and its printable
    ASCII: never empty and never equal to a folded address, also when it is handed in again.
    """
    inner = text[1:-1] if text.startswith("<") and text.endswith(">") else text
    if not inner:
        return ""
    try:
        return fold(inner)
    except BadInput:
        return INVALID + printable(inner.removeprefix(INVALID))


def same_domain(address: str, domain: str) -> bool:
    """Say whether a folded address is of exactly this folded domain; subdomains are others."""
    return address.rpartition("@")[2] == domain


def printable(address: str) -> str:
    """Cut any text down to what a reply may show: printable ASCII, the domain as A-label, else ``?``, 80 at most."""
    try:
        address = fold(address)
    except BadInput:
        address = address[:MAX_PRINTED]
    return _NOT_PRINTABLE_ASCII.sub("?", address)[:MAX_PRINTED]


def _bad(text: str, why: str) -> BadInput:
    return BadInput(f"{text[:MAX_PRINTED]!r} is no e-mail address: {why}")


def _is_unseen(char: str) -> bool:
    """Controls, formats (bidi, zero-width), surrogates, private, unassigned, separators but the ASCII space."""
    if char < "\x7f":
        return char < " "
    return unicodedata.category(char)[0] in "CZ" or _INVISIBLE.match(char) is not None


def _divide(text: str) -> tuple[str, str]:
    quoted = _QUOTED.match(text)
    end = quoted.end() if quoted else text.find("@")
    local, at, domain = text[:end], text[end : end + 1], text[end + 1 :]
    if at != "@":  # also where there is none: the slice from -1 to 0 is empty
        raise _bad(text, "write it as name@domain")
    if "@" in domain:
        raise _bad(text, "it has more than one @")
    return local, domain


def _fold_local(local: str, text: str) -> str:
    quoted = _QUOTED.fullmatch(local)
    plain = _QUOTED_PAIR.sub(r"\1", quoted.group(1)) if quoted else local
    # NFC again: h with a macron below is one character in lower case only
    plain = unicodedata.normalize("NFC", unicodedata.normalize("NFC", plain).translate(_UPPER_TO_LOWER))
    if len(plain.encode()) > MAX_LOCAL:
        raise _bad(text, f"more than {MAX_LOCAL} bytes stand before the @")
    if _DOT_ATOM.fullmatch(plain):
        return plain
    if quoted:
        return '"' + _NEEDS_BACKSLASH.sub(r"\\\1", plain) + '"'
    raise _bad(text, "what stands before the @ is no name")


def _fold_domain(domain: str, text: str) -> str:
    if domain.startswith("["):
        return _fold_literal(domain, text)
    try:
        mapped = domain.lower() if domain.isascii() else idna.uts46_remap(domain, std3_rules=False)
        labels = [_fold_label(label) for label in mapped.removesuffix(".").split(".")]
    except (idna.IDNAError, UnicodeError) as error:
        raise _bad(text, f"its domain: {error}") from error
    folded = ".".join(labels)
    if len(folded) > MAX_DOMAIN:
        raise _bad(text, f"more than {MAX_DOMAIN} bytes stand after the @")
    return folded


def _fold_label(label: str) -> str:
    """Return the A-label. An underscore is no host name's (RFC 1123 2.1), yet internal domains have them."""
    folded = label if label.isascii() else idna.alabel(label).decode("ascii")
    if folded.startswith("xn--") and idna.alabel(idna.ulabel(folded)).decode("ascii") != folded:
        raise idna.IDNAError(f"{folded} is no A-label")
    if len(folded) > MAX_LABEL or not _LABEL.fullmatch(folded):
        raise idna.IDNAError("each part is 1 to 63 letters, digits and hyphens, no hyphen first or last")
    return folded


def _fold_literal(domain: str, text: str) -> str:
    """RFC 5321 4.1.3; an address of version 6 is put in its shortest form."""
    inner = domain[1:-1].lower()
    if not domain.endswith("]") or "%" in inner:
        raise _bad(text, "what stands in brackets is no IP address")
    try:
        if inner.startswith("ipv6:"):
            return f"[ipv6:{IPv6Address(inner[5:]).compressed}]"
        return f"[{IPv4Address(inner)}]"
    except ValueError as error:
        raise _bad(text, "what stands in brackets is no IP address") from error
