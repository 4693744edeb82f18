"""Who is said to have written a mail, and what shows it: the words that the path and the ``Authenticator`` share.

An ``Authorship`` is all that may be looked at; ``Evidence`` is what was found, proof by proof, for ``explain`` to tell.
"""

from dataclasses import dataclass

from mailgate.domain.header import Header
from mailgate.domain.trust import Client, Relay


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorship:
    """``author`` (from From) is said to have written this mail; ``sender`` is the envelope's. Both folded.

    ``sender_as_written`` is what the relay said at MAIL, if known: what is no address is cut short in ``sender``.
    """

    relay: Relay
    client: Client
    author: str
    sender: str
    fields: Header
    raw: bytes
    sender_as_written: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One thing that was looked at.

    ``method`` is ``envelope``, ``login``, ``dkim``, ``spf``, ``dmarc``, ``arc``, ``auth``, ``stamp``; ``result`` a word
    of RFC 8601 2.7 (pass, fail, none, neutral, softfail, policy, temperror, permerror). ``inputs`` names what it was
    made from, such as ``("header.d", "muster.example")``: printable, for people. ``why`` says in one sentence what it
    means for the author, without the final stop.
    """

    method: str
    result: str
    inputs: tuple[tuple[str, str], ...] = ()
    proves: bool = False
    why: str = ""

    def __str__(self) -> str:
        given = "".join(f" {name}={value}" for name, value in self.inputs)
        return f"{self.result}{given}: {self.why}" if self.why else f"{self.result}{given}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """``believed`` is the answer; ``unsure`` says that a look-up failed and that it may be another one later."""

    proofs: tuple[Proof, ...] = ()
    believed: bool = False
    unsure: bool = False
