"""Whether a covering mail says anything, as far as its text, its folds and its documents tell."""

import pytest

from mailgate.domain import forward
from mailgate.domain.mail import Document, Fold, FoldKind, Mail, Party
from tests.worlds import NOW

QUOTE = "On Monday One wrote:\n> Ja.\n"
SIGNATURE = "-- \nAnna Muster, 3000 Bern\n"


def mail(*stretches: str, html: str = "", documents: tuple[Document, ...] = ()) -> Mail:
    """A mail whose quotes and signatures are known to be such."""
    folds = []
    start = 0
    for each in stretches:
        if each in {QUOTE, SIGNATURE}:
            folds.append(Fold(FoldKind.QUOTE if each == QUOTE else FoldKind.SIGNATURE, start, start + len(each)))
        start += len(each)
    return Mail(text="".join(stretches), html=html, folds=tuple(folds), documents=documents)


@pytest.mark.parametrize(
    ("cover", "says"),
    [
        (mail(), False),
        (mail(QUOTE), False),
        (mail(SIGNATURE), False),
        (mail("\n\n", QUOTE, "\n\n", SIGNATURE, "\n"), False),
        (mail("* * *\n", QUOTE), False),
        (mail("\n-- \nAnna Muster\n3000 Bern\n"), False),  # alone it is no fold
        (mail(QUOTE, "\n--\nAnna Muster\n"), False),
        (mail("-- \nAnna Muster\n", QUOTE), False),
        (mail("Zur Ablage\n-- \nAnna Muster\n"), True),
        (mail("-- \n" + "A line of what is no signature\n" * 40), True),
        (mail("-- Zur Ablage\n"), True),
        (mail("Zur Ablage\n", QUOTE), True),
        (mail(QUOTE, "Zur Ablage\n", SIGNATURE), True),
        (mail(QUOTE, SIGNATURE, "7"), True),
        (mail("\u5f85", SIGNATURE), True),
        (mail("\N{HEAVY CHECK MARK}"), True),
        (mail("\N{BOX DRAWINGS LIGHT HORIZONTAL}" * 20), False),
        (mail(SIGNATURE, html="<p>-- <br>Anna Muster, 3000 Bern</p>"), False),  # the same, which is all folded
        (mail("\n", html="<p>Zur Ablage</p>"), True),
        (mail("\n", html='<p><a href="https://muster.example/"></a>&nbsp;</p>'), False),
        (mail("\n", html="<" * 100_000), False),
    ],
)
def test_a_cover_says_what_stands_outside_quotes_and_signatures(cover: Mail, says: bool) -> None:
    assert forward.says_anything(cover, ()) is says


@pytest.mark.parametrize(
    ("document", "says"),
    [
        (Document(n=1, name="a.eml", type="message/rfc822", size=1, sha256="0"), False),  # logged as itself
        (Document(n=2, name="b.eml", type="message/rfc822", size=1, sha256="0"), True),
        (Document(n=2, name="logo.png", type="image/png", size=1, sha256="0", inline=True), False),
        (Document(n=2, name="logo.png", type="image/png", size=1, sha256="0"), True),
        (Document(n=2, name="smime.p7s", type="application/octet-stream", size=1, sha256="0"), False),
        (Document(n=2, name="smime.p7s", type="application/x-pkcs7-signature", size=1, sha256="0"), False),
        (Document(n=2, name="signature.asc", type="application/pgp-signature", size=1, sha256="0"), False),
        (Document(n=2, name="key.asc", type="application/pgp-keys", size=1, sha256="0"), True),
        (Document(n=2, name="smime.p7m", type="application/pkcs7-mime", size=1, sha256="0"), True),
    ],
)
def test_a_cover_says_what_it_carries_beside_the_mails(document: Document, says: bool) -> None:
    assert forward.says_anything(mail(SIGNATURE, documents=(document,)), {1}) is says


def test_a_note_names_no_more_of_a_cover_than_fits_a_line() -> None:
    cover = Mail(subject="S" * 5000, message_id=f"<{'m' * 500}>", sent_at=NOW)
    assert len(forward.forwarded_by("anna@firma.example", cover, NOW).text) < 600


@pytest.mark.parametrize(
    ("parties", "author"),
    [
        ((), ""),
        ((Party("sender", "s@else.example", ""),), ""),
        ((Party("from", "", "Nobody"), Party("from", "one@kunde.example", "")), "one@kunde.example"),
        ((Party("from", "aaaa@log.crm.example", ""), Party("from", "two@kunde.example", "")), "two@kunde.example"),
    ],
)
def test_the_author_of_an_attached_mail_is_the_first_that_is_shown(parties: tuple[Party, ...], author: str) -> None:
    assert forward.author(parties, "log.crm.example") == author
