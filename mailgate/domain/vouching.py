"""What a relay of the kind ``vouched`` shows of an author: its word for the envelope sender, and the login.

The relay lets only the owner of an address use it as envelope sender. It never looks at From, so From counts only
where it equals the envelope sender, or the two are an allowed pair (``senders.pairs``). Where ``login`` is asked for,
the relay's own Received field must also carry the login (Postfix: ``smtpd_sasl_authenticated_header``), and that login
must own From: be the same address, another address of the same user, or an allowed pair with it. A login without a
domain stands for that name at each of the company's own domains.

The relay's own Received field is the Nth from the top (``received``), and is read as Postfix writes it, and only so:

    from HELO (NAME [ADDRESS]) (using TLS ...) (Client CN "X", ...) (Authenticated sender: LOGIN)
        by HOST (Postfix) with ESMTPSA id QUEUE-ID for <RECIPIENT>; DATE

HELO, the names in a certificate, the recipient and the login itself are chosen by the client. Postfix puts ``?`` for
what would end a comment in them. So counts only one comment, in no other comment and in no quoted string, before
``by``, in a field whose words say that a login took place (``with ...A``, RFC 3848, RFC 6531 4.3). A login that holds a
``?`` is none, for it may stand for another character.

Raises nothing. Linear time, of the first 4,096 bytes of the field.
"""

import re
from collections.abc import Collection, Iterator, Set
from enum import Enum

from mailgate.domain.address import fold
from mailgate.domain.header import Header, Shape, unfold
from mailgate.domain.proof import Authorship, Evidence, Proof
from mailgate.domain.trust import Relay, SenderPair
from mailgate.errors import BadInput

MAX_RECEIVED_READ = 4096

_RECEIVED = b"received"
_MARK = "Authenticated sender: "
_SPECIAL = re.compile(r'[()"\\]')
_LOGGED_IN = re.compile(r"(?:UTF8)?(?:ESMTP|SMTP|LMTP)S?A", re.IGNORECASE)


class _Kind(Enum):
    TEXT = "text"
    COMMENT = "comment"


def logins(said: Authorship, own_domains: Collection[str] = ()) -> tuple[str, ...]:
    """Return the folded login in the relay's own Received field, at each own domain where it names none.

    Nothing where none is asked for, or there is none.
    """
    if not said.relay.login:
        return ()
    return login_of(received(said.fields, said.relay), own_domains)


def received(header: Header, relay: Relay) -> bytes:
    """Return the value of the relay's own Received field; empty where it can't be told which one that is."""
    seen = 0
    for field in header.fields:
        named = field.is_named(_RECEIVED)
        if field.shape is Shape.GARBAGE or (field.shape is Shape.SPACED and named):
            return b""  # readers differ on what that is, and so on which one is the Nth
        if named:
            seen += 1
            if seen == relay.received:
                return field.value
    return b""


def login_of(value: bytes, own_domains: Collection[str] = ()) -> tuple[str, ...]:
    """Read the login in the value of a Received field."""
    name = _login_name(unfold(value[:MAX_RECEIVED_READ]).decode("latin-1"))
    if not name or "?" in name or not name.isascii():
        return ()
    spelled = (name,) if "@" in name else tuple(f"{name}@{domain}" for domain in sorted(own_domains))
    try:
        return tuple(fold(one) for one in spelled)
    except BadInput:
        return ()


def examine(said: Authorship, pairs: Set[SenderPair], logins: Collection[str], owned: Collection[str]) -> Evidence:
    """Hold From against the envelope sender and the login. ``owned`` are the addresses of the login's user."""
    proofs: list[Proof] = []
    if said.relay.envelope_must_match:
        proofs.append(_envelope(said, pairs))
    if said.relay.login:
        proofs.append(_login(said, pairs, logins, owned))
    return Evidence(proofs=tuple(proofs), believed=all(proof.proves for proof in proofs))


def _envelope(said: Authorship, pairs: Set[SenderPair]) -> Proof:
    same = said.author == said.sender
    proves = same or SenderPair(said.sender, said.author) in pairs
    why = "From is the envelope sender" if same else "may send as From" if proves else "From is another address"
    return _proof("envelope", ("sender", said.sender), proves=proves, why=why)


def _login(said: Authorship, pairs: Set[SenderPair], logins: Collection[str], owned: Collection[str]) -> Proof:
    if not logins:
        return Proof(method="login", result="none", why="the relay's own Received field carries no login")
    proves = said.author in owned or any(SenderPair(login, said.author) in pairs for login in logins)
    why = "owns From" if proves else "does not own From"
    return _proof("login", ("login", " or ".join(logins)), proves=proves, why=why)


def _proof(method: str, given: tuple[str, str], *, proves: bool, why: str) -> Proof:
    return Proof(method=method, result="pass" if proves else "fail", inputs=(given,), proves=proves, why=why)


def _login_name(value: str) -> str:
    """Return what stands in the one comment of that mark before ``by``; "" in a field of another shape."""
    words: list[str] = []
    found: list[tuple[int, str]] = []
    for kind, text in _pieces(value):
        if kind is _Kind.TEXT:
            words += text.split()
        elif text.startswith(_MARK):
            found.append((len(words), text.removeprefix(_MARK)))
    match [word.lower() for word in words[:6]]:
        case ["from", _, "by", _, "with", protocol] if _LOGGED_IN.fullmatch(protocol):
            return found[0][1] if [after for after, _ in found] == [2] else ""
        case _:
            return ""


def _pieces(value: str) -> Iterator[tuple[_Kind, str]]:
    """Cut a value into its text and its outermost comments; a comment that is open at the end is left out."""
    depth = start = position = 0
    quoted = False
    while mark := _SPECIAL.search(value, position):
        position = mark.end()
        match mark.group():
            case "\\":
                position += 1
            case '"' if not depth:
                quoted = not quoted
            case "(" if not quoted:
                if not depth:
                    yield _Kind.TEXT, value[start : mark.start()]
                    start = position
                depth += 1
            case ")" if depth:
                depth -= 1
                if not depth:
                    yield _Kind.COMMENT, value[start : mark.start()]
                    start = position
            case _:
                pass
    if not depth:
        yield _Kind.TEXT, value[start:]
