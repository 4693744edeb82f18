"""Mails that the standard library writes: people, texts in many tongues, alternatives, pictures, attachments, mails.

The same ones each time, all of them well-formed.
"""

import random
from collections.abc import Iterator
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as _SMTP

COUNT = 250
SMTP = _SMTP.clone(max_line_length=900)  # where it folds, the library encodes commas of address lists, which is wrong
_NAMES = ("Anna Muster", "Jörg Müller", "Zoë, Ltd.", "山田太郎", 'O\'Neil "Bob"', "", "Ümit Öz (Einkauf)", "Dr. A. B.")
_SUBJECTS = (
    "Offer",
    "Angebot für März",
    "Re: 見積もり",
    "Très long " * 12,
    "a=b; c",
    "Zażółć gęślą jaźń",
    "🎉 it's on",
)
_TEXTS = (
    "Dear all,\nsee below.\n",
    "Grüße aus Zürich\n",
    "от Ивана\n" * 40,
    "x" * 2000 + "\n",
    "こんにちは\n",
    "a\n\n\nb\n",
)
_FILES = ("offer.pdf", "Übersicht März.xlsx", "a very long name " * 6 + ".txt", "図面.png", "no ending", "a, b & c.txt")
_TYPES = (("application", "pdf"), ("image", "png"), ("application", "octet-stream"), ("audio", "mpeg"))


def generated() -> Iterator[tuple[str, bytes]]:
    """Yield their names and bytes."""
    for seed in range(COUNT):
        yield f"generated {seed}", _mail(random.Random(seed), depth=0).as_bytes(policy=SMTP)


def _mail(luck: random.Random, depth: int) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["From"] = _person(luck)
    mail["To"] = [_person(luck) for _ in range(luck.randint(1, 4))]
    if luck.random() < 1 / 3:
        mail["Cc"] = [_person(luck) for _ in range(luck.randint(1, 3))]
    mail["Subject"] = luck.choice(_SUBJECTS).strip()
    mail["Message-ID"] = f"<{luck.randrange(10**9)}@haus.example>"
    mail["Date"] = "Mon, 16 Nov 2026 09:30:00 +0100"
    mail.set_content(luck.choice(_TEXTS), cte=luck.choice((None, "base64", "quoted-printable")))
    if luck.random() < 1 / 3:
        mail.add_alternative(f"<p>{luck.choice(_TEXTS)}</p>", subtype="html")
    for _ in range(luck.choice((0, 0, 1, 2, 5))):
        main, sub = luck.choice(_TYPES)
        content = luck.randbytes(luck.choice((0, 1, 57, 300, 5000)))
        mail.add_attachment(content, maintype=main, subtype=sub, filename=luck.choice(_FILES))
    if depth < 2 and luck.random() < 1 / 5:
        mail.add_attachment(_mail(luck, depth + 1))
    return mail


def _person(luck: random.Random) -> Address:
    return Address(luck.choice(_NAMES), f"p{luck.randrange(50)}", luck.choice(("haus.example", "firma.test")))
