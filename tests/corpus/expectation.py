"""One expectation: one property of one message; and our tree of a mail, attached mails taken apart in place.

Other parsers read an attached mail as a part of its cover. Ours is a document with its own bytes, so these are read
again: what is compared is the whole tree either way.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from mailgate.domain.mail import Mail
from mailgate.mime import bodies, fields, text, tree
from mailgate.mime.bodies import Leaf
from mailgate.mime.reader import MAILS
from mailgate.mime.tree import Part

MISSING = "nothing"
ADDRESSES = ("from", "to", "cc", "bcc")


class Kind(StrEnum):
    """What an expectation is about."""

    FIELD = "fields"  # one field as it stands, its name and its value together
    PARAMETER = "parameters"
    READ = "read"  # subject, Message-ID, Content-ID, disposition: what is read of a field
    ADDRESSES = "addresses"
    DATE = "dates"
    TREE = "trees"
    BODY = "bodies"  # the content of one part, as it stands and decoded
    DOCUMENTS = "documents"  # which parts are documents, and their names


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is expected of one property of one message, and what we see."""

    message: str
    kind: Kind
    what: str
    expected: object
    seen: object

    @property
    def met(self) -> bool:
        """Say whether they are the same."""
        return self.expected == self.seen


@dataclass(frozen=True, slots=True)
class Ours:
    """One of our parts: with the parts in it, or the whole mail that it is."""

    part: Part
    top: int  # where it starts in the whole file
    start: int  # where its content does
    inside: tuple["Ours", ...] = ()
    mail: bytes | None = None  # where it is a mail

    @property
    def shape(self) -> object:
        """The tree of types."""
        return (self.part.media, *(each.shape for each in self.inside)) if self.inside else self.part.media

    @property
    def text(self) -> str:
        """The text of a leaf."""
        return text.decode(self.part.content(), self.part.type.token("charset")).text

    @property
    def leaf(self) -> Leaf:
        """What is declared of a leaf."""
        return Leaf(self.part, self.part.media)

    @property
    def leaves(self) -> list["Ours"]:
        """The leaves of this mail; an attached one is a leaf of it."""
        if self.mail is not None or not self.inside:
            return [self]
        return [leaf for each in self.inside for leaf in each.leaves]

    @property
    def documents(self) -> list["Ours"]:
        """Those of the leaves that are documents."""
        listed = {id(leaf.part) for leaf in bodies.choose(self.part).documents if isinstance(leaf, Leaf)}
        return [leaf for leaf in self.leaves if id(leaf.part) in listed]

    def walk(self) -> Iterator["Ours"]:
        """Go through all of them in the order of the mail."""
        yield self
        for each in self.inside:
            yield from each.walk()


def ours(raw: bytes, start: int = 0) -> Ours:
    """Take a mail apart, and every mail in it; ``start`` is where it stands in the file."""
    return _node(tree.parse(raw, fields.split(raw)), start)


def _node(part: Part, start: int) -> Ours:
    at = start + part.start
    if part.media in MAILS:
        content = part.content()
        if fields.split(content).items:
            # an encoded one stands nowhere in the file as it is
            return Ours(part, start + part.top, at, (ours(content, at if content == part.octets else 0),), content)
    return Ours(part, start + part.top, at, tuple(_node(each, start) for each in part.parts))


def people(mail: Mail, header: str) -> list[tuple[str, str]]:
    """List the names and addresses of a field."""
    return [(party.name, party.email) for party in mail.parties if party.header == header]
