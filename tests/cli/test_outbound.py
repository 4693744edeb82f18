import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailgate import app, cli
from tests.cli.conftest import DOMAIN, Ran, Run
from tests.store.admin import ANNA, LUCA, a_mail

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
CLIENT = "nora@optik.example"
ALL = ("de", "en", "fr", "it")
CREATIVE = {"kind": "creative_request", "content": {"en": {"subject": "Material", "text": "Please"}}}


def said(**changes: Any) -> dict[str, Any]:
    """What a job hands over; a key that is set to ``...`` is left out."""
    whole = {
        "kind": "invoice",
        "record": "campaign:4711",
        "triggered_by": ANNA,
        "recipients": [CLIENT],
        "sent_at": "2026-11-20T09:30:00+01:00",
        "message_id": "<invoice-1@muster.example>",
        "content": {code: {"subject": f"Rechnung {code}", "text": f"Betrag {code}"} for code in ALL},
        **changes,
    }
    return {key: value for key, value in whole.items() if value is not ...}


def _log(run: Run, **changes: Any) -> Ran:
    return run("outbound", "log", "-", "--json", stdin=json.dumps(said(**changes)).encode())


def _logged(run: Run, **changes: Any) -> dict[str, Any]:
    (shown,) = _log(run, **changes).facts
    return shown


def _log_mail(run: Run, raw: bytes, *options: str) -> Ran:
    given = ["--kind", "invoice", "--record", "campaign:4711", "--as", ANNA]
    return run("outbound", "log", "--eml", "-", "--json", *(options or (*given, *_languages())), stdin=raw)


def _languages(*codes: str) -> list[str]:
    return [word for code in codes or ALL for word in ("--language", code)]


def _listed(run: Run, record: str = "campaign:4711") -> list[str]:
    return [one["id"] for one in run("activity", "list", record, "--json").facts]


def _told(ran: Ran) -> str:
    """Give the one line for people among the log's."""
    (line,) = [line for line in ran.err.splitlines() if line.startswith("mailgate: ")]
    assert ran.out == ""
    return line


# -- languages --------------------------------------------------------------------------------------------------------


def test_the_languages_are_answered_for_each_recipient_and_the_log(world: Run) -> None:
    world("record", "set", "contact:12", "--language", "fr")
    asked = ("outbound", "languages", "creative_request", "--record", "campaign:4711", "--as", ANNA)
    (answer,) = world(*asked, "--to", "Nora@optik.example", "--to", LUCA, "--json").facts
    assert answer == {"send": {CLIENT: ["fr"], LUCA: ["en"]}, "log": ["en"]}
    assert world(*asked, "--to", CLIENT).out == f"{CLIENT}\tfr\nlog\ten\n"


def test_the_instances_language_is_that_of_the_settings(world: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILGATE_INSTANCE__LANGUAGE", "it")
    asked = ("outbound", "languages", "creative_request", "--record", "campaign:4711", "--to", CLIENT, "--json")
    assert world(*asked).facts == [{"send": {CLIENT: ["it"]}, "log": ["it"]}]


NOT_ASKED = [
    (["newsletter", "--record", "campaign:4711"], 65, "newsletter"),
    (["invoice", "--record", "campaign"], 65, "record: 'campaign'"),
    (["invoice", "--record", "contact:12"], 65, "stands on customer or campaign, not on contact"),
    (["invoice", "--record", "campaign:1"], 66, "campaign:1"),
    (["invoice", "--record", "campaign:4711", "--as", "x@muster.example"], 66, "x@muster.example"),
    (["invoice", "--record", "campaign:4711", "--to", "x"], 65, "recipients[0]: 'x'"),
    (["birthday_reminder", "--record", "contact:12", "--to", CLIENT], 65, CLIENT),
    (["birthday_reminder", "--record", "contact:12", "--to", ANNA, "--to", LUCA], 65, f"{LUCA} (en)"),
    (["invoice"], 2, "--record"),
]


@pytest.mark.parametrize(("arguments", "code", "named"), NOT_ASKED)
def test_what_can_not_be_asked_is_named(world: Run, arguments: list[str], code: int, named: str) -> None:
    ran = world("outbound", "languages", *arguments)
    assert ran.code == code
    assert named in _told(ran)


# -- log, out of JSON -------------------------------------------------------------------------------------------------


def test_an_invoice_is_logged_in_all_four_languages(world: Run) -> None:
    shown = _logged(world, documents=[{"name": "r.pdf", "type": "application/pdf", "base64": "JVBERi0xLjQ="}])
    assert (shown["type"], shown["topic"], shown["origin"]) == ("email", "billing", "system")
    assert (shown["recorder"], shown["read_only"], shown["trust"]) == (ANNA, True, "none")
    assert shown["subject"] == "Rechnung de / Rechnung en / Rechnung fr / Rechnung it"
    assert shown["text"].startswith("Deutsch\n\nBetrag de\n\nEnglish\n\nBetrag en")
    assert tuple(shown["languages"]) == tuple(shown["content"]) == ALL
    assert shown["content"]["fr"] == {"subject": "Rechnung fr", "text": "Betrag fr", "html": None}
    assert shown["sent_languages"] == {CLIENT: list(ALL)}
    assert (shown["occurred_at"], shown["message_id"]) == ("2026-11-20T08:30:00Z", "<invoice-1@muster.example>")
    assert (shown["raw_sha256"], shown["envelope_from"]) == (None, None)
    assert shown["participants"] == [
        {"email": CLIENT, "name": None, "header": "to", "side": "external", "record": "contact:12"}
    ]
    assert [(one["name"], one["size"]) for one in shown["documents"]] == [("r.pdf", 8)]
    assert world("activity", "show", shown["id"], "--json").facts == [shown]
    assert world("activity", "attachment", shown["id"], "1", "--output", "-").out == "%PDF-1.4"
    assert world("activity", "raw", shown["id"]).code == 66


def test_it_is_read_from_a_file_too(world: Run, tmp_path: Path) -> None:
    (tmp_path / "said.json").write_text(json.dumps(said()), encoding="utf-8")
    shown = world("outbound", "log", "said.json")
    assert shown.code == 0
    assert "topic\tbilling\n" in shown.out
    assert "Betrag it" in shown.out
    assert world("outbound", "log", "gone.json").code == 66


def test_the_same_again_is_the_first_activity(world: Run) -> None:
    first = _logged(world)
    again = _logged(world, sent_at="2026-11-21T09:30:00Z")
    assert again == first
    assert _listed(world) == [first["id"]]


def test_it_is_so_after_somebodys_language_was_changed(world: Run) -> None:
    world("user", "set", LUCA, "--language", "fr")
    birthday: dict[str, Any] = {"kind": "birthday_reminder", "record": "contact:12", "recipients": [LUCA]}
    birthday |= {"content": {"fr": {"subject": "Anniversaire", "text": "Demain"}}}
    first = _logged(world, **birthday)
    (mail,) = _log_mail(world, _to_luca(), *_birthday("fr")).facts
    world("user", "set", LUCA, "--language", "de")
    assert _logged(world, **birthday) == first
    assert _logged(world, **birthday, sent_languages={LUCA: ["fr"]}) == first
    assert _log_mail(world, _to_luca(), *_birthday("fr")).facts == [mail]
    late = _logged(world, **birthday, message_id="<2@muster.example>", sent_languages={LUCA: ["fr"]})
    assert late["languages"] == ["fr"]
    ran = _log(world, **birthday, message_id="<3@muster.example>")
    assert (ran.code, "missing: de" in _told(ran)) == (65, True)


def _to_luca() -> bytes:
    return a_mail().replace(CLIENT.encode(), LUCA.encode())


def _birthday(language: str) -> list[str]:
    return ["--kind", "birthday_reminder", "--record", "contact:12", "--as", ANNA, "--language", language]


def test_two_languages_make_two_mails_and_two_activities(world: Run) -> None:
    birthday = {"kind": "birthday_reminder", "record": "contact:12"}
    refused = _log(world, **birthday, recipients=[ANNA, LUCA])
    assert refused.code == 65
    assert f"{ANNA} (de), {LUCA} (en)" in _told(refused)
    made = [_logged(world, **birthday, recipients=[who]) for who in (ANNA, LUCA)]
    assert [one["languages"] for one in made] == [["de"], ["en"]]
    assert set(_listed(world, "contact:12")) == {one["id"] for one in made}


def test_a_language_that_is_not_needed_is_ignored_with_a_note(world: Run) -> None:
    shown = _logged(world, kind="creative_request")
    assert shown["languages"] == ["en"]
    assert [note["code"] for note in shown["notes"]] == ["language_ignored"]


REFUSALS: list[tuple[dict[str, Any], int, str]] = [
    ({"colour": "red"}, 65, "colour"),
    ({"kind": "newsletter"}, 65, "newsletter"),
    ({"kind": "screenshots", "record": "customer:1"}, 65, "record: screenshots stands on campaign, not on customer"),
    ({"kind": "payout_statement", "record": "publisher_contract:1"}, 66, "publisher_contract:1"),
    ({"record": "campaign:1"}, 66, "campaign:1"),
    ({"triggered_by": "x@muster.example"}, 66, "triggered_by: no user x@muster.example"),
    ({"recipients": [f"abc@{DOMAIN}"]}, 65, "recipients[0]: a record address"),
    ({"sent_at": "2026-02-30T00:00:00Z"}, 65, "sent_at"),
    ({"message_id": "1"}, 65, "message_id"),
    ({"content": {"de": {"subject": "", "text": ""}}}, 65, "missing: en, fr, it"),
    ({**CREATIVE, "content": {"de": {"subject": "", "text": ""}}}, 65, "missing: en"),
    ({"kind": "mail", "content": {}}, 65, "at least one language"),
    ({"documents": [{"name": "../../x", "type": "a/b", "base64": ""}]}, 65, "documents[0].name: '../../x'"),
    ({"documents": [{"name": "x", "type": "a/b", "base64": "?"}]}, 65, "documents[0].base64"),
    ({"task": "4711"}, 65, "task"),
    ({"kind": "mail", "content": {"en": {"subject": "", "text": "", "html": None}}}, 65, "content.en: "),
]


@pytest.mark.parametrize(("changes", "code", "named"), REFUSALS, ids=[row[2] for row in REFUSALS])
def test_what_can_not_be_logged_is_named_and_nothing_is_written(
    world: Run, changes: dict[str, Any], code: int, named: str
) -> None:
    ran = _log(world, **changes)
    assert ran.code == code
    assert named in _told(ran)
    for record in ("campaign:4711", "customer:1", "contact:12"):
        assert _listed(world, record) == []


def test_the_edition_without_publisher_contracts_is_named(world: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILGATE_INSTANCE__EDITION", "publisher")
    for record in ("publisher_contract:1", "publisher_contract:2"):
        ran = _log(world, kind="payout_statement", record=record)
        assert ran.code == 65
        assert "edition publisher" in _told(ran)


def test_other_content_under_a_used_key_is_refused(world: Run) -> None:
    _logged(world)
    ran = _log(world, recipients=[LUCA])
    assert ran.code == 65
    assert "<invoice-1@muster.example> is logged on campaign:4711 with other content" in _told(ran)


def test_what_its_recorder_deleted_is_not_logged_again(world: Run) -> None:
    shown = _logged(world)
    assert world("activity", "delete", shown["id"], "--as", LUCA).code == 65
    assert world("activity", "delete", shown["id"], "--as", ANNA).code == 0
    ran = _log(world)
    assert ran.code == 65
    assert "was deleted by its recorder: it is not logged again" in _told(ran)
    assert _listed(world) == []


def test_the_receipt_of_what_was_taken_away_says_that_it_is_not_logged_again(world: Run) -> None:
    refused = "The mail can't come back: if the CRM logs it again, that is refused."
    shown = _logged(world)
    (deleted,) = world("activity", "delete", shown["id"], "--as", ANNA, "--json").facts
    assert deleted["note"] == refused
    assert "can be logged again" in world("activity", "forget-deletion", shown["id"], "--reason", "mistake").out
    (erased,) = world("activity", "erase", _logged(world)["id"], "--reason", "by law", "--json").facts
    assert erased["note"] == refused


def test_the_topic_of_a_reminder_is_that_of_its_task(world: Run) -> None:
    task = ("--type", "task", "--topic", "offer", "--as", ANNA, "--subject", "Call", "--due", "2027-01-01", "--json")
    (made,) = world("activity", "add", "campaign:4711", *task).facts
    reminder = {"kind": "task_reminder", "recipients": [ANNA], "task": made["id"]}
    shown = _logged(world, **reminder)
    assert shown["topic"] == "offer"
    assert world("activity", "topic", shown["id"], "other", "--as", ANNA).code == 65
    elsewhere = _log(world, **reminder, record="customer:1")
    assert elsewhere.code == 65
    assert f"task: {made['id']} is no task on customer:1" in _told(elsewhere)
    assert world("activity", "delete", made["id"], "--as", ANNA).code == 0
    again = {**reminder, "message_id": "<2@muster.example>"}
    assert _logged(world, **again)["topic"] == "other"
    elsewhere = _log(world, **again, record="customer:1")
    assert elsewhere.code == 65
    assert f"task: {made['id']} is no task on customer:1: it was on campaign:4711" in _told(elsewhere)


def test_what_was_logged_can_be_handed_over_as_it_is_shown(world: Run) -> None:
    shown = _logged(world)
    assert shown["content"]["de"]["html"] is None
    again = {key: shown[key] for key in ("content", "sent_languages")}
    assert _logged(world, **again, documents=None, task=None) == shown


@pytest.mark.parametrize("over", [0, 1])
def test_more_than_twice_the_size_of_a_mail_is_refused(world: Run, monkeypatch: pytest.MonkeyPatch, over: int) -> None:
    monkeypatch.setenv("MAILGATE_SMTP__MAX_SIZE", "100000")
    monkeypatch.setenv("MAILGATE_SMTP__MAX_HEADER_SIZE", "1000")
    whole = json.dumps(said(**CREATIVE)).encode()
    padded = whole + b" " * (200_000 - len(whole) + over)
    ran = world("outbound", "log", "-", "--json", stdin=padded)
    assert ran.code == (65 if over else 0)
    if over:
        assert "200000 bytes, twice smtp.max_size" in _told(ran)
        assert _listed(world) == []


def test_never_more_than_the_limit_is_read(world: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless(io.RawIOBase):
        read_so_far = 0

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1, /) -> bytes:
            assert 0 <= size <= 200_001
            Endless.read_so_far += size
            return b" " * size

    monkeypatch.setenv("MAILGATE_SMTP__MAX_SIZE", "100000")
    monkeypatch.setenv("MAILGATE_SMTP__MAX_HEADER_SIZE", "1000")

    class Stdin:
        buffer = Endless()

    monkeypatch.setattr(sys, "stdin", Stdin())
    assert cli.run(["outbound", "log", "-"]) == 65
    assert Endless.read_so_far == 200_001


# -- log, a finished mail ---------------------------------------------------------------------------------------------


def test_a_finished_mail_is_logged_with_its_bytes(world: Run) -> None:
    raw = a_mail()
    (shown,) = _log_mail(world, raw.replace(b"\r\n", b"\n")).facts
    assert (shown["subject"], shown["topic"], shown["origin"]) == ("Offer 1", "billing", "system")
    assert (shown["recorder"], shown["trust"], shown["raw_size"]) == (ANNA, "none", len(raw))
    assert shown["occurred_at"] == "2026-11-02T10:00:00Z"
    assert tuple(shown["content"]) == ALL
    assert {words["subject"] for words in shown["content"].values()} == {"Offer 1"}
    assert shown["text"].startswith("Here it is")
    assert [(one["email"], one["header"]) for one in shown["participants"]] == [(ANNA, "from"), (CLIENT, "to")]
    assert shown["links"] == ["https://muster.example/1"]
    assert world("activity", "raw", shown["id"]).out.encode() == raw
    assert world("activity", "attachment", shown["id"], "1", "--output", "-").out == "%PDF-1.4"
    assert _log_mail(world, raw).facts == [shown]


def test_a_bcc_copy_of_a_finished_mail_is_another_activity(world: Run) -> None:
    (shown,) = _log_mail(world, a_mail()).facts
    bcc = world("address", "show", "campaign:4711").out.strip()
    (kept,) = world("ingest", "-", "--to", bcc, "--json", stdin=a_mail()).facts
    assert kept["verdict"] == "kept"
    assert set(_listed(world)) == {shown["id"], kept["activity"]}


GIVEN = {"--kind": ["invoice"], "--record": ["campaign:4711"], "--as": [ANNA], "--language": list(ALL)}


def _options(**changes: list[str]) -> list[str]:
    whole = {**GIVEN, **{f"--{name.rstrip('_')}": values for name, values in changes.items()}}
    return [word for name, values in whole.items() for value in values for word in (name, value)]


EML: list[tuple[dict[str, list[str]], int, str]] = [
    ({"kind": []}, 2, "--kind"),
    ({"record": []}, 2, "--record"),
    ({"as_": []}, 2, "--as"),
    ({"language": []}, 2, "--language"),
    ({"language": ["de", "it"]}, 65, "language: invoice is logged in de, en, fr, it; missing: en, fr"),
    ({"language": ["de", "xx"]}, 65, "'xx' is no language"),
    ({"kind": ["newsletter"]}, 65, "newsletter"),
    ({"record": ["campaign:1"]}, 66, "campaign:1"),
    ({"as_": ["x@muster.example"]}, 66, "x@muster.example"),
]


@pytest.mark.parametrize(("changes", "code", "named"), EML, ids=[row[2] for row in EML])
def test_what_is_wrong_with_a_finished_mail_is_named(
    world: Run, changes: dict[str, list[str]], code: int, named: str
) -> None:
    ran = _log_mail(world, a_mail(), *_options(**changes))
    assert ran.code == code
    assert named in _told(ran)
    assert _listed(world) == []


@pytest.mark.parametrize("damage", [lambda raw: raw.replace(b"\r\n", b"\n", 1), lambda raw: raw + b"\0"])
def test_a_file_that_is_no_mail_on_the_wire_is_refused(world: Run, damage: Callable[[bytes], bytes]) -> None:
    ran = _log_mail(world, damage(a_mail()))
    assert ran.code == 65
    assert "line ends" in _told(ran)


@pytest.mark.parametrize("raw", [b"", b"broken pipe\n", b"\n\n"])
def test_what_a_failing_pipe_leaves_is_no_mail(world: Run, raw: bytes) -> None:
    ran = _log_mail(world, raw)
    assert ran.code == 65
    assert "eml: this holds no mail" in _told(ran)
    assert _listed(world) == []


def test_each_language_of_a_finished_mail_shows_the_whole_mail(world: Run) -> None:
    (shown,) = _log_mail(world, a_mail(), *_options(kind=["creative_request"], language=["en", "fr"])).facts
    assert [(note["code"], "it may hold that" in note["text"]) for note in shown["notes"]] == [
        ("language_ignored", True)
    ]
    told = " ".join(world("outbound", "log", "--help").out.split())
    assert "kept whole" in told
    assert "each shows the whole mail" in told


@pytest.mark.parametrize(
    "arguments",
    [[], ["a.json", "--eml", "a.eml"], ["a.json", "--kind", "mail"], ["a.json", "--language", "de"], ["a", "b"]],
)
def test_it_is_either_json_or_a_mail(world: Run, arguments: list[str]) -> None:
    assert world("outbound", "log", *arguments).code == 2


# -- beside what else is on a record ----------------------------------------------------------------------------------


def test_all_that_a_contact_took_part_in_is_listed_on_the_customer(world: Run) -> None:
    world("record", "set", "campaign:4711", "--contact", "main=contact:12")
    bcc = world("address", "show", "campaign:4711").out.strip()
    (mail,) = world("ingest", "-", "--to", bcc, "--json", stdin=a_mail()).facts
    notice = _logged(world)
    held = ("--type", "meeting", "--topic", "offer", "--subject", "Kick-off", "--contact", "contact:12")
    (meeting,) = world("activity", "add", "campaign:4711", *held, "--as", ANNA, "--json").facts
    _logged(world, message_id="<2@muster.example>", recipients=["else@else.example"])
    asked = ("activity", "list", "customer:1", "--affiliation", "campaign", "--external", CLIENT, "--json")
    found = world(*asked).facts
    assert {one["id"]: one["origin"] for one in found} == {
        mail["activity"]: "bcc",
        notice["id"]: "system",
        meeting["id"]: "manual",
    }
    for one in (mail["activity"], notice["id"]):
        refused = world("activity", "delete", one, "--as", LUCA)
        assert refused.code == 65
        assert f"recorded by {ANNA}" in refused.err
        assert world("activity", "delete", one, "--as", ANNA).code == 0
    assert [one["id"] for one in world(*asked).facts] == [meeting["id"]]


# -- the readme -------------------------------------------------------------------------------------------------------


def test_the_example_of_the_readme_runs_as_a_job(bare: Run) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(example.partition("\n\n")[2].splitlines()) == 10
    assert bare("demo").code == 0
    ran = subprocess.run([sys.executable, "-c", example], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (ran.returncode, ran.stderr) == (0, "")
    (shown,) = bare("activity", "show", ran.stdout.removesuffix("\n"), "--json").facts
    assert (shown["topic"], shown["languages"], shown["recorder"]) == ("creatives", ["en"], "anna@muster.example")
    assert shown["sent_languages"] == {"nora.keller@optik.example": ["de"]}


def test_what_the_readme_shows_for_the_shell_is_what_the_commands_take(bare: Run) -> None:
    assert bare("demo").code == 0
    asked = ["outbound", "languages", "creative_request", "--record", "campaign:4711"]
    (answer,) = bare(*asked, "--to", "nora.keller@optik.example", "--json").facts
    assert answer == {"send": {"nora.keller@optik.example": ["de"]}, "log": ["en"]}


def test_the_file_that_the_readme_shows_is_taken(bare: Run, tmp_path: Path) -> None:
    (example,) = re.findall(r"^```json\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert bare("demo").code == 0
    (tmp_path / "request.json").write_text(example, encoding="utf-8")
    (shown,) = bare("outbound", "log", str(tmp_path / "request.json"), "--json").facts
    assert (shown["languages"], [one["name"] for one in shown["documents"]]) == (["en"], ["sizes.txt"])


def test_a_job_keeps_its_own_logging(world: Run) -> None:
    handlers = list(logging.getLogger().handlers)
    with app.outbound(app.load(None)) as outbound:
        assert outbound.languages("reporting", record="campaign:4711").log == ALL
    assert logging.getLogger().handlers == handlers
