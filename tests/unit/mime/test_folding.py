import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.domain.mail import FoldKind
from mailgate.mime import folding

OUTLOOK = {
    "de": "Von: Kurt Kunde <kurt@kunde.example>\nGesendet: Freitag, 20. November 2026 10:00\n"
    "An: Anna Muster <anna@haus.example>\nBetreff: Angebot\n\nGuten Tag",
    "en": "From: Kurt Kunde <kurt@kunde.example>\nSent: Friday, November 20, 2026 10:00 AM\n"
    "To: Anna Muster <anna@haus.example>\nCc: Olga <olga@haus.example>\nSubject: Offer\n\nHello",
    "fr": "De : Kurt Kunde <kurt@kunde.example>\nEnvoyé : vendredi 20 novembre 2026 10:00\n"
    "À : Anna Muster <anna@haus.example>\nObjet : Devis\n\nBonjour",
    "fr, no-break spaces": "De\u00a0: Kurt Kunde <kurt@kunde.example>\nEnvoyé\u00a0: vendredi 20 novembre 2026 10:00\n"
    "À\u00a0: Anna Muster <anna@haus.example>\nObjet\u00a0: Devis\n\nBonjour",
    "it": "Da: Kurt Kunde <kurt@kunde.example>\nInviato: venerdì 20 novembre 2026 10:00\n"
    "A: Anna Muster <anna@haus.example>\nOggetto: Offerta\n\nBuongiorno",
    "bold": "*Von:* Kurt Kunde <kurt@kunde.example>\n*Gesendet:* Freitag, 20. November 2026 10:00\n"
    "*An:* Anna Muster <anna@haus.example>\n*Betreff:* Angebot\n\nGuten Tag",
    "mark, de": "-----Ursprüngliche Nachricht-----\nVon: Kurt Kunde [mailto:kurt@kunde.example]\n"
    "Gesendet: Freitag, 20. November 2026 10:00\nAn: Anna Muster\nBetreff: Angebot\n\nGuten Tag",
    "mark of a web mailer, de": "----- Original Nachricht ----\nVon:     kurt@kunde.example\n"
    "An:      anna@haus.example\nDatum:   20.11.2026 10:00\nBetreff: Angebot\n\nGuten Tag",
    "mark, en": "-----Original Message-----\nFrom: Kurt Kunde\nSent: Friday, November 20, 2026 10:00 AM\n"
    "To: Anna Muster\nSubject: Offer\n\nHello",
    "mark, fr": "-----Message d'origine-----\nDe : Kurt Kunde\nEnvoyé : vendredi 20 novembre 2026 10:00\n"
    "À : Anna Muster\nObjet : Devis\n\nBonjour",
    "mark, it": "-----Messaggio originale-----\nDa: Kurt Kunde\nInviato: venerdì 20 novembre 2026 10:00\n"
    "A: Anna Muster\nOggetto: Offerta\n\nBuongiorno",
    "rule": "________________________________\nFrom: Kurt Kunde <kurt@kunde.example>\nSent: Friday, November 20, 2026\n"
    "To: Anna Muster\nSubject: Offer\n\nHello",
    "a long list of people": "From: Kurt Kunde\nSent: Friday, November 20, 2026\nTo: Anna Muster <anna@haus.example>;\n"
    "Olga Beispiel <olga@haus.example>;\nPaul\nSubject: Offer\nHello",
}
WROTE = {
    "Thunderbird, de": "Am 20.11.2026 um 10:00 schrieb Kurt Kunde:",
    "Gmail, de": "Am Fr., 20. Nov. 2026 um 10:00 Uhr schrieb Kurt Kunde <kurt@kunde.example>:",
    "Gmail wrapped, de": "Am Fr., 20. Nov. 2026 um 10:00 Uhr schrieb Kurt Kunde <\nkurt@kunde.example>:",
    "Apple, de": "Am 20.11.2026 um 10:00 schrieb Kurt Kunde <kurt@kunde.example>:",
    "Thunderbird, en": "On 20/11/2026 10:00, Kurt Kunde wrote:",
    "Gmail, en": "On Fri, Nov 20, 2026 at 10:00 AM Kurt Kunde <kurt@kunde.example> wrote:",
    "Gmail wrapped, en": "On Fri, Nov 20, 2026 at 10:00 AM Kurt Kunde <kurt@kunde.example>\nwrote:",
    "Apple, en": "On Nov 20, 2026, at 10:00 AM, Kurt Kunde <kurt@kunde.example> wrote:",
    "Thunderbird, fr": "Le 20/11/2026 à 10:00, Kurt Kunde a écrit :",
    "Gmail, fr": "Le ven. 20 nov. 2026 à 10:00, Kurt Kunde <kurt@kunde.example> a écrit :",
    "Gmail wrapped, fr": "Le ven. 20 nov. 2026 à 10:00, Kurt Kunde <kurt@kunde.example> a\nécrit :",
    "no-break spaces, fr": "Le ven. 20 nov. 2026 à 10:00, Kurt Kunde <kurt@kunde.example> a écrit\u00a0:",
    "Thunderbird, it": "Il 20/11/2026 10:00, Kurt Kunde ha scritto:",
    "Gmail, it": "Il giorno ven 20 nov 2026 alle ore 10:00 Kurt Kunde <kurt@kunde.example> ha scritto:",
    "Gmail wrapped, it": "Il giorno ven 20 nov 2026 alle ore 10:00 Kurt Kunde <\nkurt@kunde.example> ha scritto:",
    "Apple, it": "Il giorno 20 nov 2026, alle ore 10:00, Kurt Kunde <kurt@kunde.example> ha scritto:",
}
MOBILE = [
    "Gesendet von meinem iPhone",
    "Von meinem iPhone gesendet",
    "Von meinem Samsung Galaxy Smartphone gesendet.",
    "Gesendet von Outlook für iOS<https://aka.ms/o0ukef>",
    "Sent from my iPhone",
    "Sent from my Samsung Galaxy smartphone.",
    "Get Outlook for Android<https://aka.ms/AAb9ysg>",
    "Envoyé de mon iPhone",
    "Envoyé depuis mon téléphone Orange",
    "Inviato da iPhone",
    "Inviato dal mio Galaxy",
]


def folded(text: str, subject: str = "") -> list[tuple[FoldKind, str]]:
    return [(fold.kind, text[fold.start : fold.end]) for fold in folding.read(text, subject)[0]]


def quotes(*texts: str) -> list[tuple[FoldKind, str]]:
    return [(FoldKind.QUOTE, text) for text in texts]


def signature(text: str) -> list[tuple[FoldKind, str]]:
    return [(FoldKind.SIGNATURE, text)]


@pytest.mark.parametrize("block", OUTLOOK.values(), ids=OUTLOOK.keys())
def test_all_below_the_block_of_outlook_is_history(block: str) -> None:
    assert folded(f"Danke!\n\nAnna\n\n{block}") == quotes(block)


@pytest.mark.parametrize("wrote", WROTE.values(), ids=WROTE.keys())
def test_all_below_the_line_that_says_who_wrote_is_history(wrote: str) -> None:
    history = f"{wrote}\n\nGuten Tag\n\nKurt"
    assert folded(f"Danke!\n\n{history}") == quotes(history)


@pytest.mark.parametrize("wrote", WROTE.values(), ids=WROTE.keys())
def test_an_answer_below_quoted_lines_is_not_folded(wrote: str) -> None:
    quote = f"{wrote}\n> Guten Tag\n>\n> Kurt"
    assert folded(f"{quote}\n\nDanke, passt.\nAnna") == quotes(quote)
    assert folded(f"Hallo,\n\n{quote}\n\nDanke, passt.\nAnna") == quotes(quote)


@pytest.mark.parametrize(
    "wrote",
    ["Kurt Kunde schrieb am 20.11.2026 10:00:", "kurt@kunde.example wrote:", "Am Montag, 20.11., schrieben wir:"],
)
def test_other_wordings_need_quoted_lines(wrote: str) -> None:
    assert folded(f"Danke!\n\n{wrote}\n\nGuten Tag") == []


def test_other_wordings_are_folded_with_quoted_lines() -> None:
    assert folded("Ja.\n\nKurt Kunde schrieb am 20.11.2026 10:00:\n\n> Passt?\n") == quotes(
        "Kurt Kunde schrieb am 20.11.2026 10:00:\n\n> Passt?"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Just words.\nAnd more.\n", []),
        ("> a\n> b\nyes\n> c\nno", quotes("> a\n> b", "> c")),
        ("> a\n>> older\n\n> b\n\nyes", quotes("> a\n>> older\n\n> b")),
        ("We need:\n>50 pieces\nThanks", []),
        ("On Monday I wrote to Kurt:\nhe is well.", []),
        ("As agreed.\nOn 3 May Kurt wrote:\nthe plan is fine. I think so too.", []),
        ("Von: Zürich\nAn: Bern\nDatum: 3. Mai\n", []),
        ("Hallo\nVon: Zürich\nAn: Bern\nDatum: 3. Mai\n", []),
        ("Subject: as agreed\nFrom: here on we need no more\nthanks", []),
        (f"{OUTLOOK['de']}", []),
        ("On 20/11/2026 10:00, Kurt Kunde wrote:\nHello\n\nMy answer", []),
    ],
)
def test_where_it_is_not_sure_nothing_is_folded(text: str, expected: list[tuple[FoldKind, str]]) -> None:
    assert folded(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hallo\n\n-- \nAnna Muster\nHaus AG\n\nTel. 1\n", signature("-- \nAnna Muster\nHaus AG\n\nTel. 1")),
        ("Hallo\n\n--\nAnna Muster", signature("--\nAnna Muster")),
        ("-- \nAnna Muster", signature("-- \nAnna Muster")),
        ("--\nAnna Muster", []),
        ("\nVon meinem iPhone gesendet\n", signature("Von meinem iPhone gesendet")),
        ("Hallo\n--\n" + "words\n" * 13, []),
        ("Hallo\n-- \n" + "words\n" * 31, []),
        ("Hallo\n\n-- \nAnna\n\n> a\n> b\n", [*signature("-- \nAnna"), *quotes("> a\n> b")]),
        ("Hallo\n-- \nAnna\n\n" + OUTLOOK["en"], [*signature("-- \nAnna"), *quotes(OUTLOOK["en"])]),
        ("> a\n> -- \n> Kurt\nJa\n-- \nAnna", [*quotes("> a\n> -- \n> Kurt"), *signature("-- \nAnna")]),
        ("Sent from my garden. It is fine there. Anna", []),
        ("Hallo\nSent from my garden, these are fine. Are they?", []),
        ("Hallo\nSent from my iPhone\n\nPS: bring the plan", []),
    ],
)
def test_a_signature_is_folded_up_to_the_history(text: str, expected: list[tuple[FoldKind, str]]) -> None:
    assert folded(text) == expected


@pytest.mark.parametrize("line", MOBILE)
def test_the_line_that_a_telephone_adds_is_a_signature(line: str) -> None:
    assert folded(f"Ja, passt.\n\n{line}\n\n") == signature(line)
    assert folded(f"Ja, passt.\n\n{line}\n\n{OUTLOOK['de']}") == [*signature(line), *quotes(OUTLOOK["de"])]


def test_what_a_mail_hands_on_is_not_folded() -> None:
    text = f"Zur Info.\n\n-- \nAnna\n\n{OUTLOOK['de']}\n\n> alt\n> älter"
    assert folded(text, "WG: Angebot") == signature("-- \nAnna")
    assert folded(text, "AW: Angebot")[1:] == quotes(text[text.index("Von:") :])


LINES = st.sampled_from(
    [
        *(
            "",
            " ",
            "words",
            "> quoted",
            ">> deeper",
            "-- ",
            "--",
            "Sent from my iPhone",
            "____________",
            "\u2028",
            "\r",
        ),
        *(line for text in (*OUTLOOK.values(), *WROTE.values()) for line in text.split("\n")),
        *("---------- Forwarded message ---------", "Am ", "On 1 wrote", "*Von*", ":", "\U0001f600 > x"),
    ]
)


@given(st.lists(LINES | st.text(max_size=20), max_size=40).map("\n".join), st.sampled_from(["", "WG: x", "Re: x"]))
def test_folds_lie_in_order_within_the_text_and_hold_whole_lines(text: str, subject: str) -> None:
    found = folding.read(text, subject)[0]
    ends = [0, *(fold.end for fold in found)]
    for before, fold in zip(ends, found, strict=False):
        assert before <= fold.start < fold.end <= len(text)
        assert fold.start == 0 or text[fold.start - 1] == "\n"
        assert fold.end == len(text) or text[fold.end] == "\n"
        assert text[fold.start : fold.end].strip()


OWN = st.lists(st.text("abc ", min_size=1, max_size=8).filter(str.strip), min_size=1, max_size=3).map("\n".join)


@given(OWN, st.sampled_from(sorted(WROTE)), OWN, OWN)
def test_the_words_of_the_writer_between_quotes_are_never_folded(
    above: str, wrote: str, quoted: str, below: str
) -> None:
    quote = re.sub("^", "> ", quoted, flags=re.MULTILINE)
    text = f"{above}\n\n{WROTE[wrote]}\n{quote}\n\n{below}\n"
    rest = text
    for fold in reversed(folding.read(text)[0]):
        rest = rest[: fold.start] + rest[fold.end :]
    assert rest.split() == [*above.split(), *below.split()]


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "> x\n",
            "On \n",
            "x",
            "\n",
            ">",
            "> ",
            " ",
            "-- \n",
            "--\n",
            "On 1 wrote:\n",
            "On a 1 ",
            "Le a écrit 1 ",
            "_",
        ),
        *("Am 1 schrieb a:\n", "x 1 wrote:\n\n", "From: a\n", "Cc: a\n", "From: a\nTo: b\nDate: c\n", "From: a\n\n"),
        *(
            "\u00a0",
            "*",
            "Von :",
            "Sent from my a\n",
            "-----Original Message-----\n",
            "wrote 1 ",
            "x\nFrom: a\nx\n",
            "<",
        ),
        *(
            "x\n>y\n",
            "--\nx\n>y\n",
            "Sent from my <",
            "Le 1 a écrit a écrit a écrit a écrit a écrit a écrit a écrit a écrit :\n",
        ),
    ],
)
def test_a_megabyte_of_anything_takes_little_time(unit: str) -> None:
    text = "words\n" + unit * (1_000_000 // len(unit))
    started = time.perf_counter()
    folding.read(text)
    assert time.perf_counter() - started < 10
