"""Every sentence is there in every language, and says the same things."""

import re
import string
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import mailgate.texts
from mailgate.domain.user import Language
from mailgate.texts import TaskFacts, long_date, reminder
from mailgate.texts.catalogues import catalogue
from mailgate.texts.reminder import MAX_SUBJECT

CODE = Path(mailgate.texts.__file__).parent
LOCALE = CODE / "locale"


def read(text: bytes) -> Catalog:
    return read_po(BytesIO(text), abort_invalid=True)


def sentences() -> set[str]:
    """What the code says, as Babel finds it."""
    return {str(message) for _, _, message, _, _ in extract_from_dir(CODE)}


def placeholders(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def faults(found: Catalog, wanted: set[str]) -> Iterator[str]:
    """Say what a catalogue lacks of what the code says."""
    by_id = {message.id: message for message in found if message.id}
    yield from (f"missing: {sentence}" for sentence in wanted - set(by_id))
    yield from (f"not said any more: {sentence}" for sentence in set(by_id) - wanted)
    for sentence, message in by_id.items():
        yield from (f"{fault}: {sentence}" for fault in _of_message(message))
    yield from (f"obsolete: {message.id}" for message in found.obsolete.values())


def _of_message(message: Message) -> Iterator[str]:
    if not message.string:
        yield "empty"
    elif message.fuzzy:
        yield "fuzzy"
    elif not isinstance(message.id, str) or not isinstance(message.string, str):
        yield "several forms"
    elif placeholders(message.id) != placeholders(message.string):
        yield "other placeholders"


def test_there_is_a_catalogue_for_each_language_and_no_other() -> None:
    assert {path.name for path in LOCALE.iterdir()} == {f"{language}.po" for language in Language}


def test_the_code_says_something() -> None:
    assert "Reminder: {subject}" in sentences()
    assert len(sentences()) >= 9


@pytest.mark.parametrize("language", Language)
def test_each_catalogue_has_every_sentence_with_its_placeholders(language: Language) -> None:
    assert list(faults(read((LOCALE / f"{language}.po").read_bytes()), sentences())) == []


@pytest.mark.parametrize(
    ("spoilt", "fault"),
    [
        ("", "missing: Due: {due}"),
        ('msgid "Due: {due}"\nmsgstr ""', "empty: Due: {due}"),
        ('#, fuzzy\nmsgid "Due: {due}"\nmsgstr "Fällig: {due}"', "fuzzy: Due: {due}"),
        ('msgid "Due: {due}"\nmsgstr "Fällig"', "other placeholders: Due: {due}"),
        ('msgid "Due: {due}"\nmsgstr "Fällig: {date}"', "other placeholders: Due: {due}"),
        ('msgid "Due: {due}"\nmsgstr "F: {due}"\n\nmsgid "Old"\nmsgstr "Alt"', "not said any more: Old"),
        ('msgid "Due: {due}"\nmsgstr "F: {due}"\n\n#~ msgid "Old"\n#~ msgstr "Alt"', "obsolete: Old"),
    ],
)
def test_a_fault_of_a_catalogue_is_seen(spoilt: str, fault: str) -> None:
    head = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
    assert list(faults(read((head + spoilt + "\n").encode()), {"Due: {due}"})) == [fault]


@pytest.mark.parametrize("language", Language)
def test_what_is_shown_is_what_the_catalogue_says(language: Language) -> None:
    for message in read((LOCALE / f"{language}.po").read_bytes()):
        if message.id:
            assert catalogue(language).gettext(str(message.id)) == message.string


def test_the_keys_are_the_english_sentences() -> None:
    for sentence in sentences():
        assert catalogue(Language.EN).gettext(sentence) == sentence


def test_german_is_written_as_in_switzerland() -> None:
    assert "ß" not in (LOCALE / "de.po").read_text("utf-8")


def test_french_has_a_no_break_space_before_colons() -> None:
    for sentence in sentences():
        assert re.findall("(?<!\u00a0):", catalogue(Language.FR).gettext(sentence)) == []


def test_the_catalogues_are_where_an_installed_package_has_them() -> None:
    """Hatch packs all of ``mailgate/`` that git doesn't ignore."""
    ignored = (CODE.parents[1] / ".gitignore").read_text("utf-8").split()
    assert not {"*.po", "locale", "locale/", "*.mo"} & set(ignored)


# -- dates ----------------------------------------------------------------------------------------------------------

DATES = [
    (Language.DE, "4. Dezember 2026", "1. März 2027"),
    (Language.EN, "4 December 2026", "1 March 2027"),
    (Language.FR, "4 décembre 2026", "1er mars 2027"),
    (Language.IT, "4 dicembre 2026", "1 marzo 2027"),
]


@pytest.mark.parametrize(("language", "fourth", "first"), DATES)
def test_dates_are_written_as_their_readers_do(language: Language, fourth: str, first: str) -> None:
    assert long_date(language, date(2026, 12, 4)) == fourth
    assert long_date(language, date(2027, 3, 1)) == first


# -- the reminder ---------------------------------------------------------------------------------------------------

FACTS = TaskFacts(
    user="Luca Rossi",
    subject="Offerte nachfassen",
    record="campaign:4711",
    record_name="Herbst",
    topic="Offerte",
    due_on=date(2026, 12, 4),
    recorder="Anna Muster",
    recorder_email="anna@muster.example",
)

MAILS = {
    Language.DE: (
        "Erinnerung: Offerte nachfassen",
        """\
Guten Tag Luca Rossi

Dies ist eine Erinnerung an eine Aufgabe, die noch nicht erledigt ist:

Aufgabe: Offerte nachfassen
Fällig am: 4. Dezember 2026
Datensatz: Herbst (campaign:4711)
Thema: Offerte
Erfasst von: Anna Muster (anna@muster.example)

Diese Nachricht wurde automatisch versandt.
""",
    ),
    Language.EN: (
        "Reminder: Offerte nachfassen",
        """\
Hello Luca Rossi

This is a reminder of a task that is not done yet:

Task: Offerte nachfassen
Due: 4 December 2026
Record: Herbst (campaign:4711)
Topic: Offerte
Recorded by: Anna Muster (anna@muster.example)

This message was sent automatically.
""",
    ),
    Language.FR: (
        "Rappel\u00a0: Offerte nachfassen",
        """\
Bonjour Luca Rossi,

Ceci est un rappel concernant une tâche qui n\u2019est pas encore terminée\u00a0:

Tâche\u00a0: Offerte nachfassen
Échéance\u00a0: 4 décembre 2026
Fiche\u00a0: Herbst (campaign:4711)
Thème\u00a0: Offerte
Saisie par\u00a0: Anna Muster (anna@muster.example)

Ce message a été envoyé automatiquement.
""",
    ),
    Language.IT: (
        "Promemoria: Offerte nachfassen",
        """\
Buongiorno Luca Rossi,

Questo è un promemoria per un compito non ancora svolto:

Compito: Offerte nachfassen
Scadenza: 4 dicembre 2026
Scheda: Herbst (campaign:4711)
Tema: Offerte
Inserito da: Anna Muster (anna@muster.example)

Questo messaggio è stato inviato automaticamente.
""",
    ),
}


@pytest.mark.parametrize("language", Language)
def test_the_reminder_reads_like_this(language: Language) -> None:
    assert reminder(language, FACTS) == MAILS[language]


@pytest.mark.parametrize("language", Language)
def test_without_a_due_date_the_line_is_left_out(language: Language) -> None:
    _, text = reminder(language, replace(FACTS, due_on=None))
    whole = MAILS[language][1].splitlines()
    assert text.splitlines() == [line for line in whole if "2026" not in line]
    assert len(whole) - len(text.splitlines()) == 1


BREAKS = ["\r\n", "\n", "\r", "\0", "\x0b", "\x85", "\u2028", "\u2029", "\ud800"]


@pytest.mark.parametrize("broken", BREAKS)
def test_nothing_that_people_typed_begins_another_line(broken: str) -> None:
    hostile = f"a{broken}Bcc: b@c.example"
    facts = replace(FACTS, user=hostile, subject=hostile, record_name=hostile, topic=hostile, recorder=hostile)
    subject, text = reminder(Language.EN, replace(facts, recorder_email=hostile))
    assert subject == "Reminder: a Bcc: b@c.example"
    assert len(text.split("\n")) == len(MAILS[Language.EN][1].split("\n"))
    assert not set(broken) & set(text.replace("\n", ""))


def test_what_people_typed_is_not_read_as_a_pattern() -> None:
    subject, _ = reminder(Language.DE, replace(FACTS, subject="{0} {user} %s 100%"))
    assert subject == "Erinnerung: {0} {user} %s 100%"


def test_a_long_subject_is_cut_in_the_subject_and_whole_in_the_text() -> None:
    subject, text = reminder(Language.EN, replace(FACTS, subject="x" * 5000))
    assert subject == f"Reminder: {'x' * (MAX_SUBJECT - 1)}…"
    assert f"Task: {'x' * 5000}\n" in text
