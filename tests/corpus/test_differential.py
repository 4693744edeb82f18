"""Where a mail is well-formed, other parsers see what we see: the standard library with both its policies, and
fast-mail-parser, which is of another family.

Compared are subject, From, To, Cc (addresses), Message-ID, the text where it is one plain part, and the names and
bytes of documents with a name. A mail that we have something odd to note about is not compared, nor are the fixtures
of what no other parser opens, nor is what makes a parser raise.
``APART`` has a reason for each property that differs all the same; a reason that is no longer needed fails.
"""

import email
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.message import EmailMessage, Message
from email.policy import compat32, default
from email.utils import getaddresses

import fast_mail_parser

from mailgate import mime
from mailgate.domain import address
from mailgate.domain.mail import Mail
from mailgate.errors import BadInput
from mailgate.mime import names, text
from tests.corpus import messages
from tests.corpus.generated import generated

ODD = frozenset({"defects", "ambiguous_structure", "charset_guessed", "unreadable", "date_absurd", "header_too_large"})
OPENED = "31"  # from here on the fixtures are of what no other parser opens
_TWICE = re.compile(r" \(\d+\)(?=\.[^.]{1,20}$|$)")


@dataclass(frozen=True)
class Seen:
    """What a parser sees; ``None`` where it can't say."""

    subject: str | None = None
    people: dict[str, list[str]] | None = None
    message_id: str | None = None
    text: str | None = None
    documents: frozenset[tuple[str, bytes]] | None = None


def ours(raw: bytes, mail: Mail) -> Seen:
    people = {header: _emails(mail, header) for header in ("from", "to", "cc")}
    named = frozenset(_all(raw, mail))
    return Seen(mail.subject, people, mail.message_id, _one(mail.text), named)


def _all(raw: bytes, mail: Mail) -> Iterator[tuple[str, bytes]]:
    """Yield all documents, those of attached mails too; without the number of the second of its name."""
    yield from ((_TWICE.sub("", each.name), mime.document(raw, each.n) or b"") for each in mail.documents)
    for _, inner in mime.attached(raw):
        yield from _all(inner, mime.read(inner))


def _emails(mail: Mail, header: str) -> list[str]:
    return list(dict.fromkeys(party.email for party in mail.parties if party.header == header and party.email))


def standard(raw: bytes) -> Seen:
    """See with policy compat32."""
    message = email.message_from_bytes(raw, policy=compat32)
    people = {header: _folded(_read(message, header)) for header in ("from", "to", "cc")}
    return Seen(_decoded(message["subject"]), people, _id(message), _text(message), _named(message))


def modern(raw: bytes) -> Seen:
    """See with policy default, as far as it gets."""
    message = email.message_from_bytes(raw, EmailMessage, policy=default)
    people = {header: _folded(_modern_people(message, header)) for header in ("from", "to", "cc")}
    return Seen(text.line(str(message["subject"] or "")), people, documents=_named(message))


def fast(raw: bytes) -> Seen:
    """See with fast-mail-parser."""
    parsed = fast_mail_parser.parse_email(raw)
    attached = frozenset((_safe(each.filename), each.content) for each in parsed.attachments if _safe(each.filename))
    plain = parsed.text_plain[0] if len(parsed.text_plain) == 1 and not parsed.text_html else None
    return Seen(subject=text.line(parsed.subject), text=None if plain is None else _one(plain), documents=attached)


def _modern_people(message: EmailMessage, header: str) -> list[str]:
    return [each.addr_spec for field in message.get_all(header, []) for each in field.addresses]


def _read(message: Message, header: str) -> list[str]:
    return [found for _, found in getaddresses([str(each) for each in message.get_all(header, [])])]


def _decoded(value: object) -> str:
    return text.line(str(make_header(decode_header(re.sub(r"\r?\n", "", str(value or ""))))))


def _id(message: Message) -> str:
    return re.sub(r"\r?\n", "", str(message["message-id"] or "")).strip()


def _folded(found: list[str]) -> list[str]:
    return list(dict.fromkeys(filter(None, map(_fold, found))))


def _fold(written: str) -> str:
    try:
        return address.fold(written)
    except BadInput:
        return ""


def _safe(name: str) -> str:
    return names.safe(name)


def _one(told: str) -> str:
    return re.sub(r"\s+", " ", told).strip()


def _text(message: Message) -> str | None:
    """Return the text of a mail that is one plain text."""
    if message.is_multipart() or message.get_content_type() != "text/plain" or message.get_param("format"):
        return None
    octets = message.get_payload(decode=True)
    charset = message.get_content_charset("ascii")
    return _one(octets.decode(charset)) if isinstance(octets, bytes) else None


def _named(message: Message) -> frozenset[tuple[str, bytes]]:
    return frozenset(_leaves(message))


def _leaves(part: Message) -> Iterator[tuple[str, bytes]]:
    if part.get_content_maintype() == "message":
        return
    if part.is_multipart():
        for each in part.get_payload():
            yield from _leaves(each)  # type: ignore[arg-type]  # a multipart's payload is messages
    elif part.get_content_disposition() == "attachment" and _safe(part.get_filename() or ""):
        content = part.get_payload(decode=True)
        yield (
            _safe(str(make_header(decode_header(part.get_filename() or "")))),
            content if isinstance(content, bytes) else b"",
        )


PARSERS: dict[str, Callable[[bytes], Seen]] = {"compat32": standard, "default": modern, "fast": fast}
_ENMIME = "enmime/testdata/mail"
_MIKEL = "mikel/spec/fixtures/emails"
_MIME4J = "mime4j/core/src/test/resources/testmsgs"

# of which file and parser which properties differ, and why we are right or it doesn't matter
APART: dict[tuple[str, str], tuple[set[str], str]] = {
    ("compat32", "04-names-rfc2231.eml"): ({"documents"}, "name= is taken before name*="),
    ("default", "04-names-rfc2231.eml"): ({"documents"}, "name= is taken before name*="),
    ("fast", "04-names-rfc2231.eml"): ({"documents"}, "name= is taken before name*=, and octets are lost"),
    ("compat32", "10-latin1-euro.eml"): ({"text"}, "ISO-8859-1 is taken at its word, so the euro sign is lost"),
    ("compat32", "11-hostile-names.eml"): ({"documents"}, "controls in a name are read otherwise"),
    ("default", "11-hostile-names.eml"): ({"documents"}, "controls in a name are read otherwise"),
    ("fast", "11-hostile-names.eml"): ({"documents"}, "controls in a name are read otherwise"),
    ("fast", "14-uuencode.eml"): ({"documents"}, "uuencode as a transfer encoding is not undone"),
    ("compat32", "23-space-before-colon.eml"): ({"subject", "to", "message_id", "text"}, "a space ends the header"),
    ("default", "23-space-before-colon.eml"): ({"subject", "to"}, "a space before the colon ends the header"),
    ("fast", "23-space-before-colon.eml"): ({"subject"}, "a space before the colon makes another name"),
    ("compat32", "26-injection.eml"): ({"subject", "text"}, "controls are handed on"),
    ("default", "26-injection.eml"): ({"subject"}, "controls are handed on"),
    ("fast", "26-injection.eml"): ({"subject", "text"}, "controls are handed on"),
    ("compat32", f"{_ENMIME}/attachment-only-text-attachment.raw"): ({"text"}, "a text sent as attachment is shown"),
    ("compat32", f"{_ENMIME}/mime-bad-8bit-filename.raw"): ({"documents"}, "octets in a name are lost"),
    ("compat32", f"{_MIKEL}/rfc6532/utf8_headers.eml"): ({"subject", "from", "to"}, "UTF-8 in headers is not read"),
    ("default", f"{_MIKEL}/rfc6532/utf8_headers.eml"): ({"from", "to"}, "domains beyond ASCII are none"),
    ("compat32", f"{_MIME4J}/russian-headers.msg"): ({"text"}, "a text sent as attachment is shown"),
    ("fast", f"{_MIME4J}/russian-headers.msg"): ({"documents"}, "an encoded word as a name is not read"),
    ("compat32", "spamscope/tests/mails/mail_test_19"): (
        {"from", "cc"},
        "an address as a name is an address",
    ),
    ("default", "spamscope/tests/mails/mail_test_19"): (
        {"from", "cc"},
        "an address as a name is an address",
    ),
    ("default", "spamscope/tests/mails/mail_test_9"): ({"subject"}, "letters split over encoded words are lost"),
}


def apart(raw: bytes, mail: Mail, parser: Callable[[bytes], Seen]) -> set[str]:
    """Name the properties that differ."""
    here = ours(raw, mail)
    try:
        there = parser(raw)
    except Exception:  # noqa: BLE001 - theirs: policy.default and fast-mail-parser refuse mails
        return set()
    found = {
        what
        for what in ("subject", "message_id", "text")
        if getattr(there, what) is not None and getattr(there, what) != getattr(here, what)
    }
    if there.people is not None and here.people is not None:
        found |= {header for header, emails in there.people.items() if emails != here.people[header]}
    if not (there.documents or frozenset()) <= (here.documents or frozenset()):
        found.add("documents")
    return found


def compared() -> Iterator[tuple[str, bytes, Mail]]:
    own = [path for path in messages.fixtures() if path.name < OPENED]
    for path in (*own, *(messages.messages() if messages.CORPUS.is_dir() else ())):
        raw = path.read_bytes()
        mail = mime.read(raw)
        if not {note.code for note in mail.notes} & ODD:
            yield messages.name(path), raw, mail
    for name, raw in generated():
        yield name, raw, mime.read(raw)


def test_other_parsers_see_what_we_see_where_a_mail_is_well_formed() -> None:
    differ: dict[tuple[str, str], set[str]] = {}
    count = 0
    for name, raw, mail in compared():
        count += 1
        for parser, sees in PARSERS.items():
            if found := apart(raw, mail, sees):
                differ[parser, name] = found
    assert count > 250
    listed = {key: found for key, (found, _) in APART.items() if messages.CORPUS.is_dir() or "/" not in key[1]}
    assert differ == listed
