import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailgate.mime import folding
from mailgate.mime.forwards import Original

KURT = "Kurt Kunde <kurt@kunde.example>"
ANNA = "Anna Muster <anna@haus.example>"
NEWS = "Zur Info, Gruß Anna\n\n"
BODY = "\n\nGuten Tag,\n\nanbei der Plan.\nKurt\n"

# language and program: the subject of the mail, what is added to its text, and the date as it is said there
ADDED = {
    "de, Outlook": (
        "WG: Plan",
        f"Von: {KURT}\nGesendet: Freitag, 20. November 2026 10:00\nAn: {ANNA}\nCc: Olga <o@haus.test>\nBetreff: Plan",
        "Freitag, 20. November 2026 10:00",
    ),
    "de, Outlook with a mark": (
        "WG: Plan",
        (
            "-----Ursprüngliche Nachricht-----\nVon: Kurt Kunde [mailto:kurt@kunde.example]\n"
            f"Gesendet: Freitag, 20. November 2026 10:00\nAn: {ANNA}\nBetreff: Plan"
        ),
        "Freitag, 20. November 2026 10:00",
    ),
    "de, Apple Mail": (
        "Fwd: Plan",
        (
            "> Anfang der weitergeleiteten Nachricht:\n> \n"
            f"> Von: {KURT}\n> Betreff: Plan\n> Datum: 20. November 2026 um 10:00:00 MEZ\n> An: {ANNA}\n> "
        ),
        "20. November 2026 um 10:00:00 MEZ",
    ),
    "de, Gmail": (
        "Fwd: Plan",
        (
            f"---------- Forwarded message ---------\nVon: {KURT}\nDate: Fr., 20. Nov. 2026 um 10:00 Uhr\n"
            f"Subject: Plan\nTo: {ANNA}"
        ),
        "Fr., 20. Nov. 2026 um 10:00 Uhr",
    ),
    "de, Thunderbird": (
        "Fwd: Plan",
        (
            "-------- Weitergeleitete Nachricht --------\nBetreff: \tPlan\nDatum: \tFri, 20 Nov 2026 10:00:00 +0100\n"
            f"Von: \t{KURT}\nAn: \t{ANNA}\nKopie (CC): \tOlga <o@haus.example>"
        ),
        "Fri, 20 Nov 2026 10:00:00 +0100",
    ),
    "en, Outlook": (
        "FW: Plan",
        f"From: {KURT}\nSent: Friday, November 20, 2026 10:00 AM\nTo: {ANNA}\nSubject: Plan\nImportance: High",
        "Friday, November 20, 2026 10:00 AM",
    ),
    "en, Outlook with a mark": (
        "FW: Plan",
        f"-----Original Message-----\nFrom: {KURT}\nSent: Friday, November 20, 2026 9:00 AM\nTo: {ANNA}\nSubject: Plan",
        "Friday, November 20, 2026 9:00 AM",
    ),
    "en, Outlook on the web": (
        "Fw: Plan",
        (
            f"________________________________\nFrom: {KURT}\nSent: Friday, November 20, 2026 10:00\nTo: {ANNA}\n"
            "Subject: Plan"
        ),
        "Friday, November 20, 2026 10:00",
    ),
    "en, Apple Mail": (
        "Fwd: Plan",
        (
            "Begin forwarded message:\n\n"
            f"From: {KURT}\nSubject: Plan\nDate: November 20, 2026 at 10:00:00 GMT+1\nTo: {ANNA}\nReply-To: k@a.test"
        ),
        "November 20, 2026 at 10:00:00 GMT+1",
    ),
    "en, Gmail": (
        "Fwd: Plan",
        (
            f"---------- Forwarded message ---------\nFrom: {KURT}\nDate: Fri, Nov 20, 2026 at 10:00 AM\n"
            f"Subject: Plan\nTo: {ANNA}"
        ),
        "Fri, Nov 20, 2026 at 10:00 AM",
    ),
    "en, Thunderbird": (
        "Fwd: Plan",
        (
            "-------- Forwarded Message --------\nSubject: \tPlan\nDate: \tFri, 20 Nov 2026 10:00:00 +0100\n"
            f"From: \t{KURT}\nTo: \t{ANNA}"
        ),
        "Fri, 20 Nov 2026 10:00:00 +0100",
    ),
    "en, Thunderbird of old": (
        "Plan",
        (
            "-------- Original Message --------\nSubject: \tPlan\nDate: \tFri, 20 Nov 2026 10:00:00 +0100\n"
            f"From: \t{KURT}\nTo: \t{ANNA}"
        ),
        "Fri, 20 Nov 2026 10:00:00 +0100",
    ),
    "fr, Outlook": (
        "TR: Plan",
        f"De : {KURT}\nEnvoyé : vendredi 20 novembre 2026 10:00\nÀ : {ANNA}\nObjet : Plan",
        "vendredi 20 novembre 2026 10:00",
    ),
    "fr, Outlook with no-break spaces": (
        "TR : Plan",
        f"De\u00a0: {KURT}\nEnvoyé\u00a0: vendredi 20 novembre 2026 10:00\nÀ\u00a0: {ANNA}\nObjet\u00a0: Plan",
        "vendredi 20 novembre 2026 10:00",
    ),
    "fr, Outlook with a mark": (
        "TR: Plan",
        f"-----Message d'origine-----\nDe : {KURT}\nEnvoyé : vendredi 20 novembre 2026 10:00\nÀ : {ANNA}\nObjet : Plan",
        "vendredi 20 novembre 2026 10:00",
    ),
    "fr, Apple Mail": (
        "Fwd: Plan",
        (
            "> Début du message réexpédié :\n> \n"
            f"> De: {KURT}\n> Objet: Plan\n> Date: 20 novembre 2026 à 10:00:00 UTC+1\n> À: {ANNA}\n> "
        ),
        "20 novembre 2026 à 10:00:00 UTC+1",
    ),
    "fr, Apple Mail on a telephone": (
        "Tr: Plan",
        (
            f"Début du message transféré :\n\n> De: {KURT}\n> Date: 20 novembre 2026 à 10:00:00 UTC+1\n"
            f"> À: {ANNA}\n> Objet: Plan\n> "
        ),
        "20 novembre 2026 à 10:00:00 UTC+1",
    ),
    "fr, Gmail": (
        "Fwd: Plan",
        (
            f"---------- Forwarded message ---------\nDe : {KURT}\nDate: ven. 20 nov. 2026 à 10:00\n"
            f"Subject: Plan\nTo: {ANNA}"
        ),
        "ven. 20 nov. 2026 à 10:00",
    ),
    "fr, Thunderbird": (
        "Fwd: Plan",
        (
            "-------- Message transféré --------\nSujet : \tPlan\nDate : \tFri, 20 Nov 2026 10:00:00 +0100\n"
            f"De : \t{KURT}\nPour : \t{ANNA}\nCopie à : \tOlga <o@haus.example>"
        ),
        "Fri, 20 Nov 2026 10:00:00 +0100",
    ),
    "it, Outlook": (
        "I: Plan",
        f"Da: {KURT}\nInviato: venerdì 20 novembre 2026 10:00\nA: {ANNA}\nOggetto: Plan",
        "venerdì 20 novembre 2026 10:00",
    ),
    "it, Outlook with a mark": (
        "I: Plan",
        f"-----Messaggio originale-----\nDa: {KURT}\nInviato: venerdì 20 novembre 2026 10:00\nA: {ANNA}\nOggetto: Plan",
        "venerdì 20 novembre 2026 10:00",
    ),
    "it, Apple Mail": (
        "Fwd: Plan",
        (
            f"> Inizio messaggio inoltrato:\n> \n> Da: {KURT}\n> Oggetto: Plan\n> Data: 20 novembre 2026 10:00:00 CET\n"
            f"> A: {ANNA}\n> "
        ),
        "20 novembre 2026 10:00:00 CET",
    ),
    "it, Gmail": (
        "Fwd: Plan",
        (
            f"---------- Forwarded message ---------\nDa: {KURT}\nDate: ven 20 nov 2026 alle ore 10:00\n"
            f"Subject: Plan\nTo: {ANNA}"
        ),
        "ven 20 nov 2026 alle ore 10:00",
    ),
    "it, Thunderbird": (
        "Fwd: Plan",
        (
            "-------- Messaggio Inoltrato --------\nOggetto: \tPlan\nData: \tFri, 20 Nov 2026 10:00:00 +0100\n"
            f"Mittente: \t{KURT}\nA: \t{ANNA}"
        ),
        "Fri, 20 Nov 2026 10:00:00 +0100",
    ),
}
FORWARDS = [pytest.param(*added, id=name) for name, added in ADDED.items()]
NAMELESS = ("Outlook",)  # writes the same above an answer


def inline(text: str, subject: str = "") -> Original | None:
    return folding.read(text, subject)[1]


@pytest.mark.parametrize("above", ["", NEWS])
@pytest.mark.parametrize(("subject", "added", "date"), FORWARDS)
def test_a_forward_is_known_by_what_each_program_writes(subject: str, added: str, date: str, above: str) -> None:
    assert inline(above + added + BODY, subject) == Original(KURT, ANNA, date, "Plan")


@pytest.mark.parametrize(
    "line",
    [
        'Am 20/11/2026, 10:00 schrieb "Kurt Kunde" <kurt@kunde.example>:',
        'On 20/11/2026, 10:00, "Kurt Kunde" <kurt@kunde.example> wrote:',
        "Le 20/11/2026, 10:00, «\u00a0Kurt Kunde\u00a0» <kurt@kunde.example> a écrit\u00a0:",
        'Il giorno 20/11/2026, 10:00 "Kurt Kunde" <kurt@kunde.example> ha scritto:',
    ],
)
def test_outlook_2019_for_the_mac_says_less_of_what_it_hands_on(line: str) -> None:
    text = f"{NEWS}{line}\n\n    Guten Tag,\n\n    Kurt\n"
    found = inline(text, "FW: Plan")
    assert found is not None
    assert (found.date, found.to, found.subject) == ("20/11/2026, 10:00", "", "")
    assert re.fullmatch(r"\W+Kurt Kunde\W+ <kurt@kunde\.example>", found.sender)
    assert inline(text, "RE: Plan") is None


@pytest.mark.parametrize("name", [name for name in ADDED if not any(program in name for program in NAMELESS)])
def test_a_mark_that_only_forwards_have_needs_no_subject(name: str) -> None:
    assert inline(NEWS + ADDED[name][1] + BODY) is not None


@pytest.mark.parametrize("name", [name for name in ADDED if any(program in name for program in NAMELESS)])
@pytest.mark.parametrize("subject", ["", "Plan", "RE: Plan", "AW: WG: Plan", "R: I: Plan", "Inhalt: Plan", "Tri: x"])
def test_the_same_block_below_an_answer_is_no_forward(name: str, subject: str) -> None:
    assert inline(NEWS + ADDED[name][1] + BODY, subject) is None


def test_the_mark_of_thunderbird_of_old_is_no_forward_where_telephones_write_it_below_answers() -> None:
    block = f"-------- Original Message --------\nFrom: {KURT}\nSent: November 20, 2026\nTo: {ANNA}\nSubject: Plan"
    assert inline(NEWS + block + BODY, "Re: Plan") is None


@pytest.mark.parametrize(
    "above",
    [
        "Danke!\n\nAm 20.11.2026 um 10:00 schrieb Kurt Kunde:\n",
        "Thanks!\n\nOn Fri, Nov 20, 2026 at 10:00 AM Kurt Kunde <\nkurt@kunde.example> wrote:\n\n",
        "Thanks!\n\nFrom: Kurt\nSent: Friday\nTo: Anna\nSubject: Fwd: Plan\n\n",
        "-----Original Message-----\nFrom: Kurt\nSent: Friday\nTo: Anna\nSubject: Fwd: Plan\n\n",
    ],
)
@pytest.mark.parametrize(("_subject", "added", "_date"), FORWARDS)
def test_a_forward_within_the_history_of_an_answer_is_none_of_this_mail(
    above: str, _subject: str, added: str, _date: str
) -> None:
    assert inline(above + added + BODY, "Re: Fwd: Plan") is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("FW: no block here", None),
        ("---------- Forwarded message ---------\n\nFrom: only", None),
        ("Von: Zürich\nAn: Bern\nDatum: 3. Mai", None),
        ("From: a\nwords\n\nTo: c\nSubject: b", None),
        ("> ---------- Forwarded message ---------\n> From: a\n> Subject: b\n> To: c", None),
        ("*From:* a\n*Sent:* d\n*To:* c\n*Subject:* *b*", Original("a", "c", "d", "b")),
        ("*From: *a\n*Date: *d\n*Subject: *b", Original("a", "", "d", "b")),
        (
            "From: a\n  <a@b.example>\nTo: c,\n d,\n e\nSubject: b\n c\n\nx",
            Original("a <a@b.example>", "c, d, e", "", "b c"),
        ),
        ("From: a\nTo: c,\nd,\ne\nSubject: b", Original("a", "c, d, e", "", "b")),
        ("From: a\nTo: c\nSubject: b\nfirst words\n", Original("a", "c", "", "b")),
        ("From: a\n\nTo: c\n\nSubject: b\n\nwords", Original("a", "c", "", "b")),
        ("From: a@b.example <mailto:a@b.example>\nTo: c\nSubject: b", Original("a@b.example", "c", "", "b")),
        ("From: A [mailto:a@b.example]\nTo: c\nSubject: b", Original("A <a@b.example>", "c", "", "b")),
        ("From: A <a@b.example<mailto:a@b.example>>\nTo: c\nSubject: b", Original("A <a@b.example>", "c", "", "b")),
        ("De\u0301but: x\nFrom: a\nTo: c\nSubject:\n\nx", Original("a", "c", "", "")),
        ("De : a\nA\u0300 : c\nObjet : b", Original("a", "c", "", "b")),
    ],
)
def test_a_block_is_read_as_it_comes(text: str, expected: Original | None) -> None:
    assert inline(text, "[list] FW: x") == expected


LINES = st.sampled_from([line for _, added, _ in ADDED.values() for line in added.split("\n")] + ["", "words", "> "])


@given(st.lists(LINES | st.text(max_size=20), max_size=30).map("\n".join), st.sampled_from(["", "WG: x", "Re: x"]))
def test_what_is_told_of_the_original_stands_in_the_text(text: str, subject: str) -> None:
    found = inline(text, subject)
    told = [found.sender, found.to, found.date, found.subject] if found else []
    for word in " ".join(told).split():
        assert word.strip("<>") in text


@pytest.mark.parametrize(
    "unit",
    [
        *(
            "From: a\n",
            "From: a\nCc: b\n",
            "From: a\nx\n",
            "\n",
            "x",
            "From",
            "Von :",
            "-",
            "-\n",
            "[mailto:a@b] ",
            ":\n",
        ),
        *(
            "---------- Forwarded message ---------\n",
            "-----Original Message-----\n\n\n",
            "To: [mailto:a@b.example]",
            "> ",
        ),
    ],
)
def test_a_megabyte_of_anything_takes_little_time(unit: str) -> None:
    started = time.perf_counter()
    for above in ("", "From: a\nSubject: b\nTo: "):
        inline(above + unit * (1_000_000 // len(unit)), "FW: x")
    assert time.perf_counter() - started < 10
