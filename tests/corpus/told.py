"""What the names, tests and texts of the other mails in the corpus tell about them, written down by hand.

Of each of these mails: its documents by name and type (and size, where the other project's tests say it), and what its
text holds. Of every mail of these sets: that it is read without a fault, that nothing about it is unreadable, and that
each document has the bytes that are listed.
"""

from collections.abc import Iterator
from hashlib import sha256

from mailgate import mime
from mailgate.domain.mail import Mail
from tests.corpus.expectation import MISSING, Expectation, Kind
from tests.corpus.messages import CORPUS, PATTERNS, messages, name
from tests.unit.mime.soundness import faults

SETS = ("chasquid", "cpython", "enmime", "james", "mikel", "mimekit", "rails", "spamscope")

_JAMES = "james/server/mailet/integration-testing/src/main/resources"
_MIKEL = "mikel/spec/fixtures/emails"
_PYTHON = "cpython/Lib/test/test_email/data"
_SPAMSCOPE = "spamscope/tests/mails"

# the documents of a mail by type, in the order of the mail
TYPES: dict[str, list[str]] = {
    f"{_JAMES}/eml/calendar.eml": ["text/calendar"],
    f"{_JAMES}/eml/yahooInvitation.eml": ["text/calendar", "application/ics"],
    f"{_JAMES}/eml/crypted.eml": ["application/pkcs7-mime"],
    f"{_JAMES}/eml/dlp_read_mail_with_attachment.eml": ["image/jpeg"],
    f"{_JAMES}/eml/message-multipart-7bit.eml": ["image/png"],
    f"{_JAMES}/eml/message-text-only-8bit.eml": [],
    f"{_JAMES}/smime-test-resource-set/mail_with_signature.eml": ["application/x-pkcs7-signature"],
    f"{_MIKEL}/multipart_report_emails/multi_address_bounce1.eml": ["message/delivery-status", "message/rfc822"],
    f"{_MIKEL}/multipart_report_emails/report_422.eml": ["message/delivery-status", "text/rfc822-headers"],
    f"{_MIKEL}/multi_charset/japanese_attachment.eml": ["text/plain"],
    f"{_PYTHON}/msg_05.txt": ["message/rfc822"],
    f"{_PYTHON}/msg_16.txt": ["message/delivery-status", "message/rfc822"],
    f"{_PYTHON}/msg_43.txt": ["message/delivery-status", "text/rfc822-headers"],
    "rails/actionmailbox/test/fixtures/files/welcome.eml": ["image/jpeg", "image/jpeg"],
    f"{_SPAMSCOPE}/mail_malformed_2": ["message/delivery-status", "message/rfc822-headers"],
}
NAMES: dict[str, list[str]] = {
    f"{_JAMES}/eml/dlp_read_mail_with_attachment.eml": ["linux.jpeg"],
    f"{_JAMES}/eml/message-multipart-7bit.eml": ["james-logo.png"],
    f"{_JAMES}/eml/message-multipart-8bit.eml": ["james-logo.png"],
    f"{_MIKEL}/multi_charset/japanese_attachment.eml": ["てすと.txt"],
    f"{_MIKEL}/multi_charset/japanese_attachment_long_name.eml": ["かきくけこ" * 5 + ".txt"],
    "mimekit/UnitTests/TestData/tnef/ukr.eml": ["winmail.dat"],
    "rails/actionmailbox/test/fixtures/files/welcome.eml": ["avatar1.jpeg", "avatar2.jpg"],
    f"{_SPAMSCOPE}/mail_test_3": ["message.txt"],
}
TEXTS: dict[str, str] = {
    f"{_JAMES}/eml/message-text-only-7bit.eml": "A quoted-printable encoded body with €uro symbol.",
    f"{_JAMES}/eml/message-text-only-8bit.eml": "A 8bit encoded body with €uro symbol.",
    f"{_MIKEL}/multi_charset/japanese.eml": "かきくえこ",
    f"{_MIKEL}/multi_charset/japanese_iso_2022.eml": "すみません。",
    f"{_MIKEL}/multi_charset/japanese_shift_jis.eml": "あいうえお",
    f"{_MIKEL}/multi_charset/ks_c_5601-1987.eml": "스티해",
    "mimekit/UnitTests/TestData/tnef/ukr.eml": "шостий",
    "rails/actionmailbox/test/fixtures/files/invalid_utf.eml": "Vážený zákazníku",
}
SUBJECTS: dict[str, str] = {
    f"{_MIKEL}/multi_charset/japanese.eml": "まみむめも",
    f"{_MIKEL}/multi_charset/japanese_attachment_long_name.eml": "まみむめも" * 10,
    f"{_MIKEL}/rfc2822/example14.eml": "Re: TEST テストテスト",
    f"{_MIKEL}/rfc6532/utf8_headers.eml": "Säying Hello",
    f"{_SPAMSCOPE}/mail_test_17": "Transferencia Interbancaria Banca en Línea",
    "rails/actionmailbox/test/fixtures/files/welcome.eml": "Discussion: Let's debate these attachments",
}


def expectations(project: str) -> Iterator[Expectation]:
    """List them all of one project; none where the corpus is missing."""
    assert any(pattern.startswith(f"{project}/") for pattern in PATTERNS)
    for path in messages() if CORPUS.is_dir() else ():
        message = name(path)
        if message.startswith(f"{project}/"):
            raw = path.read_bytes()
            yield from _sound(message, raw)
            yield from _told(message, mime.read(raw))


def _sound(message: str, raw: bytes) -> Iterator[Expectation]:
    mail = mime.read(raw)
    unreadable = [note.code for note in mail.notes if note.code == "unreadable"]
    yield Expectation(message, Kind.READ, "faults", [], faults(mail) + unreadable)
    if mail.documents:
        contents = [mime.document(raw, document.n) for document in mail.documents]
        listed = [document.sha256 for document in mail.documents]
        seen = [MISSING if each is None else sha256(each).hexdigest() for each in contents]
        yield Expectation(message, Kind.BODY, "bytes", listed, seen)


def _told(message: str, mail: Mail) -> Iterator[Expectation]:
    if message in TYPES:
        types = [document.type for document in mail.documents]
        yield Expectation(message, Kind.DOCUMENTS, "types", TYPES[message], types)
    if message in NAMES:
        names = [each.name for each in mail.documents][: len(NAMES[message])]
        yield Expectation(message, Kind.DOCUMENTS, "names", NAMES[message], names)
    if message in TEXTS:
        yield Expectation(message, Kind.BODY, "text", True, TEXTS[message] in mail.text)
    if message in SUBJECTS:
        yield Expectation(message, Kind.READ, "subject", SUBJECTS[message], mail.subject)
