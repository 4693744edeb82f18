"""What a relay of the kind ``vouched`` shows of an author: its word for the envelope sender, and the login.

The relay lets only the owner of an address use it as envelope sender. It never looks at From, so From counts only
where it equals the envelope sender, or the two are an allowed pair (``senders.pairs``). Where ``login`` is asked for,
the relay's own Received field must also carry the login (Postfix: ``smtpd_sasl_authenticated_header``), and that login
must own From: be the same address, another address of the same user, or an allowed pair with it.

Raises nothing. Limits: the login is read as Postfix writes it, ``(Authenticated sender: LOGIN)``; a login without a
domain owns nothing.
"""

import re
from collections.abc import Collection, Iterator, Set

from mailgate.domain.address import fold
from mailgate.domain.header import unfold
from mailgate.domain.proof import Authorship, Evidence, Proof
from mailgate.domain.trust import SenderPair
from mailgate.errors import BadInput

MAX_RECEIVED_READ = 4096

_MARK = "Authenticated sender: "
_COMMENT_MARK = re.compile(r'[()"\\]')


def login(said: Authorship) -> str:
    """Return the folded login in the relay's own Received field; "" where none is asked for, or there is none."""
    if not said.relay.login:
        return ""
    values = said.fields.values(b"received")[said.relay.received - 1 :]
    comments = list(_comments(unfold(values[0][:MAX_RECEIVED_READ]).decode("latin-1"))) if values else []
    found = [comment.removeprefix(_MARK) for comment in comments if comment.startswith(_MARK)]
    try:
        return fold(found[0]) if len(found) == 1 else ""
    except BadInput:
        return ""


def examine(said: Authorship, pairs: Set[SenderPair], login: str, owned: Collection[str]) -> Evidence:
    """Hold From against the envelope sender and the login. ``owned`` are the addresses of the login's user."""
    proofs: list[Proof] = []
    if said.relay.envelope_must_match:
        proofs.append(_envelope(said, pairs))
    if said.relay.login:
        proofs.append(_login(said, pairs, login, owned))
    return Evidence(proofs=tuple(proofs), believed=all(proof.proves for proof in proofs))


def _envelope(said: Authorship, pairs: Set[SenderPair]) -> Proof:
    same = said.author == said.sender
    proves = same or SenderPair(said.sender, said.author) in pairs
    why = "From is the envelope sender" if same else "may send as From" if proves else "From is somebody else"
    return _proof("envelope", ("sender", said.sender), proves=proves, why=why)


def _login(said: Authorship, pairs: Set[SenderPair], login: str, owned: Collection[str]) -> Proof:
    if not login:
        return Proof(method="login", result="none", why="the relay's own Received field carries no login")
    proves = bool(login) and (said.author in owned or SenderPair(login, said.author) in pairs)
    return _proof("login", ("login", login), proves=proves, why="owns From" if proves else "does not own From")


def _proof(method: str, given: tuple[str, str], *, proves: bool, why: str) -> Proof:
    return Proof(method=method, result="pass" if proves else "fail", inputs=(given,), proves=proves, why=why)


def _comments(value: str) -> Iterator[str]:
    """Give the comments of a value that stand in no other comment and no quoted string."""
    depth = start = position = 0
    quoted = False
    while mark := _COMMENT_MARK.search(value, position):
        position = mark.end()
        match mark.group():
            case "\\":
                position += 1
            case '"' if not depth:
                quoted = not quoted
            case "(" if not quoted:
                start = start if depth else position
                depth += 1
            case ")" if depth:
                depth -= 1
                if not depth:
                    yield value[start : mark.start()]
            case _:
                pass
