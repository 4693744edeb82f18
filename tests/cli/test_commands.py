import contextlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import DOMAIN, Ran, Run
from tests.dns_server import dns_server
from tests.store.admin import ANNA, LUCA, a_mail

NOBODY = "01234567-89ab-7def-8123-456789abcdef"


def _address(run: Run, record: str = "campaign:4711") -> str:
    return run("address", "show", record).out.strip()


def _logged(run: Run, number: int = 1) -> str:
    (said,) = run("ingest", "-", "--to", _address(run), "--json", stdin=a_mail(number)).facts
    return str(said["activity"])


def _one_line(ran: Ran) -> str:
    """Check that an error is one line for people, and give it."""
    lines = ran.err.splitlines()
    assert len(lines) == 1, ran.err
    assert lines[0].startswith("mailgate: ")
    assert ran.out == ""
    return lines[0]


# -- exit codes -----------------------------------------------------------------------------------------------------

REFUSALS: list[tuple[str, int, str]] = [
    ("user show nobody@muster.example", 66, "nobody@muster.example"),
    ("user disable nobody@muster.example", 66, "nobody@muster.example"),
    ("user add anna@muster.example --name Anna", 65, "anna@muster.example is a user already"),
    ("user add nonsense --name N", 65, "nonsense"),
    ("user add b@muster.example --name B --kind robot", 65, "robot"),
    ("user set anna@muster.example --language de --no-language", 65, "--no-language"),
    ("user alias luca@muster.example a.muster@muster.example", 65, "alias of anna@muster.example"),
    ("record show campaign:1", 66, "campaign:1"),
    ("record show campaign", 65, "KIND:REF"),
    ("record add campaign:4711 --name H", 65, "campaign:4711 exists"),
    ("record add campaign:1 --name H --relate customer=customer:9", 66, "customer:9"),
    ("record set campaign:4711 --email a@b.example --no-email", 65, "--no-email"),
    ("record rename campaign:4711 campaign:4711", 65, "named twice"),
    ("address show lead:1", 66, "lead:1"),
    ("address rotate campaign:4711 --grace 0", 65, "grace of 0 days"),
    ("address revoke campaign:4711", 65, "campaign:4711 has no address"),
    ("activity list campaign:1", 66, "campaign:1"),
    (f"activity list campaign:4711 --after {NOBODY}", 66, NOBODY),
    (f"activity show {NOBODY}", 66, NOBODY),
    ("activity show 4711", 66, "4711"),
    (f"activity raw {NOBODY}", 66, NOBODY),
    (f"activity delete {NOBODY} --as anna@muster.example", 66, NOBODY),
    (f"ledger show {NOBODY}", 66, NOBODY),
    ("ledger --record campaign:1", 66, "campaign:1"),
    ("ledger --since yesterday", 65, "--since 'yesterday'"),
    ("ledger --verdict lost", 65, "lost"),
    ("ingest missing.eml --to x@y.example", 66, "missing.eml"),
    ("ingest missing.eml", 65, "--to ADDRESS"),
    ("ingest . --to x@y.example", 66, "."),
    ("ingest - --to x@y.example --relay nowhere", 65, "nowhere"),
    ("record import missing.csv", 66, "missing.csv"),
    ("check-config --config missing.toml", 78, "missing.toml"),
    ("user list --config missing.toml", 78, "missing.toml"),
    ("nonsense", 2, "nonsense"),
    ("user nonsense", 2, "nonsense"),
    ("user show", 2, "EMAIL"),
    ("user list --nonsense", 2, "--nonsense"),
    ("record add campaign:1", 2, "--name"),
    ("activity list campaign:4711 --limit 0", 65, "--limit 0"),
    ("activity list campaign:4711 --affiliation deal", 65, "--affiliation 'deal'"),
    ("activity list campaign:4711 --without-own", 65, "--without-own"),
    ("activity list campaign:4711 --type letter", 65, "--type 'letter'"),
    ("activity list campaign:4711 --topic payout", 65, "--topic 'payout'"),
    ("activity list campaign:4711 --external nonsense", 65, "--external 'nonsense'"),
    ("activity list campaign:4711 --external contact:99", 66, "contact:99"),
    ("activity list campaign:4711 --external customer:1", 65, "--external customer:1"),
    ("activity list campaign:4711 --internal nonsense", 65, "--internal 'nonsense'"),
    ("activity list campaign:4711 --since yesterday", 65, "--since 'yesterday'"),
    ("activity list campaign:4711 --until 2026-02-30", 65, "--until '2026-02-30'"),
    ("activity list campaign:4711 --since 2026-11-02 --until 2026-11-01", 65, "2026-11-02"),
    ("activity list campaign:4711 --done --open", 65, "--done and --open"),
    ("activity list campaign:4711 --limit many", 2, "many"),
    ("activity delete x", 2, "--as"),
]


@pytest.mark.parametrize(("command", "code", "names"), REFUSALS)
def test_what_goes_wrong_is_one_line_that_names_it(world: Run, command: str, code: int, names: str) -> None:
    ran = world(*command.split())
    assert ran.code == code
    assert names in _one_line(ran)


def test_without_a_database_commands_say_where_it_was_expected(bare: Run, tmp_path: Path) -> None:
    ran = bare("user", "list")
    assert ran.code == 78
    assert str(tmp_path / "data" / "mailgate.db") in _one_line(ran)
    assert not (tmp_path / "data").exists()
    assert bare("migrate").code == 0
    assert bare("user", "list").code == 0


def test_a_bug_is_one_line_without_what_it_hit(world: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def trip(*_given: object) -> None:
        raise ValueError("a secret of a mail")

    monkeypatch.setattr("mailgate.store.users.Users.show", trip)
    ran = world("user", "show", ANNA)
    assert ran.code == 75
    assert "this is a bug of mailgate" in _one_line(ran)
    assert "secret" not in ran.err


def test_an_interrupt_is_one_line(world: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mailgate.store.users.Users.show", stop)
    ran = world("user", "show", ANNA)
    assert (ran.code, _one_line(ran)) == (130, "mailgate: interrupted; what was done before is done")


def test_help_and_version_need_no_settings(bare: Run) -> None:
    assert bare("--version").out.startswith("mailgate ")
    for command in ("", "user", "record", "address", "activity", "ledger"):
        ran = bare(*command.split(), "--help")
        assert ran.code == 0
        assert "Usage: mailgate" in ran.out


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from mailgate import cli; cli.run(['--help']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for heavy in ("sqlalchemy", "mailgate.app", "pydantic_settings", "mailgate.smtp"):
        assert f"'{heavy}'" not in done.stdout


# -- users, records, addresses --------------------------------------------------------------------------------------


def test_users_as_json_and_as_text(world: Run) -> None:
    (anna,) = world("user", "show", "A.Muster@muster.example", "--json").facts
    assert anna == {
        "email": ANNA,
        "name": "Anna Muster",
        "kind": "person",
        "language": "de",
        "enabled": True,
        "roles": ["record_activities"],
        "aliases": ["a.muster@muster.example"],
        "accept_automatic": False,
    }
    assert [one["email"] for one in world("user", "list", "--json").facts] == [ANNA, LUCA]
    assert world("user", "list").out.splitlines()[0].split("\t") == [
        *(ANNA, "Anna Muster", "person", "de", "yes", "record_activities", "a.muster@muster.example")
    ]
    assert world("user", "disable", ANNA, "--json").facts[0]["enabled"] is False
    assert world("user", "enable", ANNA, "--json").facts[0]["enabled"] is True
    (changed,) = world("user", "set", ANNA, "--no-language", "--no-role", "record_activities", "--json").facts
    assert (changed["language"], changed["roles"]) == (None, [])
    assert world("user", "alias", ANNA, "a.muster@muster.example", "--remove", "--json").facts[0]["aliases"] == []
    assert world("user", "remove", ANNA).code == 0
    assert [one["email"] for one in world("user", "list", "--json").facts] == [LUCA]


def test_records_as_json(world: Run) -> None:
    (changed,) = world(
        *("record", "set", "campaign:4711", "--contact", "main=contact:12", "--user", f"sales={ANNA}", "--json")
    ).facts
    assert changed["relations"] == [{"role": "customer", "record": "customer:1"}]
    assert changed["contacts"] == [{"role": "main", "record": "contact:12"}]
    assert changed["users"] == [{"role": "sales", "email": ANNA}]
    (emptied,) = world("record", "set", "campaign:4711", "--no-relate", "--no-contact", "--no-user", "--json").facts
    assert [emptied[key] for key in ("relations", "contacts", "users")] == [[], [], []]
    assert world("record", "close", "campaign:4711", "--json").facts[0]["state"] == "closed"
    assert world("record", "reopen", "campaign:4711", "--json").facts[0]["state"] == "open"
    assert world("record", "rename", "campaign:4711", "campaign:9", "--json").facts[0]["record"] == "campaign:9"
    assert world("record", "add", "campaign:10", "--name", "Winter").code == 0
    assert world("record", "merge", "campaign:9", "campaign:10", "--json").facts[0]["name"] == "Winter"
    assert world("record", "remove", "campaign:10").code == 0
    assert [one["record"] for one in world("record", "list", "--json").facts] == ["contact:12", "customer:1"]


def test_address_show_prints_the_bare_address_and_nothing_else(world: Run) -> None:
    ran = world("address", "show", "campaign:4711")
    assert ran.out == f"{ran.out.strip()}\n"
    assert ran.out.strip().endswith(f"@{DOMAIN}")
    assert world("address", "show", "campaign:4711").out == ran.out
    (shown,) = world("address", "show", "campaign:4711", "--json").facts
    assert (shown["address"], shown["state"]) == (ran.out.strip(), "open")


def test_the_life_of_an_address(world: Run) -> None:
    first = _address(world)
    (fresh,) = world("address", "rotate", "campaign:4711", "--grace", "7", "--json").facts
    listed = {one["address"]: one["state"] for one in world("address", "list", "campaign:4711", "--json").facts}
    assert listed == {first: "grace", fresh["address"]: "open"}
    assert {one["state"] for one in world("address", "close", "campaign:4711", "--json").facts} == {"closed"}
    assert world("explain", first, "--json").facts[0]["reason"] == "closed_address"
    assert {one["state"] for one in world("address", "reopen", "campaign:4711", "--json").facts} == {"open", "grace"}
    assert {one["state"] for one in world("address", "revoke", "campaign:4711", "--json").facts} == {"revoked"}
    assert len(world("address", "list", "--json").facts) == 2


def test_the_actor_in_the_audit_is_the_login(world: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "somebody-else")
    monkeypatch.setenv("USER", "somebody-else")
    activity = _logged(world)
    (gone,) = world("activity", "erase", activity, "--reason", "court order", "--json").facts
    assert gone["actor"] == subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


# -- mails ----------------------------------------------------------------------------------------------------------


def test_ingest_answers_each_recipient(world: Run) -> None:
    ran = world(
        "ingest", "-", "--to", _address(world), f"nobody@{DOMAIN}", "--to", "x@y.example", "--json", stdin=a_mail()
    )
    assert ran.code == 65
    said = [json.loads(line) for line in ran.out.splitlines()]
    assert [(one["verdict"], one["reason"], one["code"]) for one in said] == [
        ("kept", None, 250),
        ("refused", "foreign_domain", 550),
        ("refused", "unknown_address", 550),
    ]
    assert said[0]["text"].startswith("2.0.0 [MG-KEPT] ")
    assert said[2]["text"].startswith("5.1.1 [MG-ADDRESS] ")
    assert said[0]["activity"]


@pytest.mark.parametrize(
    ("mail", "options", "answer"),
    [
        (a_mail(), [], ("kept", None, 250, "[MG-KEPT]")),
        (a_mail().replace(b"\r\n", b"\n"), [], ("kept", None, 250, "[MG-KEPT]")),
        (a_mail().replace(b"\r\n", b"\n", 1), [], ("refused", "bare_newline", 554, "[MG-NEWLINE]")),
        (a_mail().replace(b"Offer", b"Of\rfer"), [], ("refused", "bare_newline", 554, "[MG-NEWLINE]")),
        (a_mail().replace(b"Offer", b"Of\0fer"), [], ("refused", "bare_newline", 554, "[MG-NEWLINE]")),
        (a_mail(sender="who@muster.example"), [], ("refused", "unknown_sender", 550, "who@muster.example")),
        (a_mail(), ["--from", LUCA], ("refused", "not_believed", 550, "[MG-TRUST]")),
        (a_mail(), ["--from", ""], ("refused", "bounce", 550, "[MG-BOUNCE]")),
        (a_mail(), ["--from", "<>"], ("refused", "bounce", 550, "[MG-BOUNCE]")),
        (a_mail(), ["--relay", "192.0.2.1"], ("refused", "bad_relay", 554, "[MG-RELAY]")),
        (a_mail(), ["--relay", "unix"], ("kept", None, 250, "[MG-KEPT]")),
        (b"Subject: no author\r\n\r\n", [], ("refused", "no_author", 550, "[MG-AUTHOR]")),
        (b"", [], ("refused", "no_author", 550, "[MG-AUTHOR]")),
        (a_mail() + b"x" * 20_000, [], ("refused", "too_large", 552, "20000")),
        (a_mail() + b"\n" * 10_000, [], ("refused", "bare_newline", 554, "[MG-NEWLINE]")),
        (a_mail().replace(b"\r\n", b"\n") + b"\n" * 10_000, [], ("refused", "too_large", 552, "20000")),
        (b"X: " + b"y" * 5_000 + b"\r\n" + a_mail(), [], ("refused", "too_large", 552, "4000")),
    ],
)
def test_ingest_is_the_same_path_as_smtp(
    world: Run,
    monkeypatch: pytest.MonkeyPatch,
    mail: bytes,
    options: list[str],
    answer: tuple[str, str | None, int, str],
) -> None:
    bcc = _address(world)
    monkeypatch.setenv("MAILGATE_SMTP__MAX_SIZE", "20000")
    monkeypatch.setenv("MAILGATE_SMTP__MAX_HEADER_SIZE", "4000")
    Path("mail.eml").write_bytes(mail)
    ran = world("ingest", "mail.eml", "--to", bcc, *options, "--json")
    said = json.loads(ran.out)
    verdict, reason, code, words = answer
    assert (said["verdict"], said["code"]) == (verdict, code)
    assert words in said["text"]
    assert said["reason"] == reason
    assert ran.code == (0 if verdict == "kept" else 65)


def test_a_deferred_mail_is_75(run: Run) -> None:
    run("record", "add", "campaign:1", "--name", "H")
    ran = run("ingest", "-", "--to", _address(run, "campaign:1"), "--json", stdin=a_mail())
    said = json.loads(ran.out)
    assert (ran.code, said["verdict"], said["reason"], said["code"]) == (75, "deferred", "unknown_sender", 450)


def test_explain_tells_every_rule_and_stores_nothing(world: Run) -> None:
    bcc = _address(world)
    (said,) = world("explain", "-", "--to", bcc, "--json", stdin=a_mail()).facts
    assert (said["verdict"], said["reason"], said["code"]) == ("kept", None, 250)
    assert [rule["rule"] for rule in said["rules"]] == [
        *("relay", "shape", "domain", "address", "machine mail", "author", "envelope"),
        *("trust", "user", "identity", "activity"),
        "archive",
    ]
    (refused,) = world("explain", "-", "--to", bcc, "--from", LUCA, "--json", stdin=a_mail()).facts
    assert (refused["verdict"], refused["reason"]) == ("refused", "not_believed")
    assert refused["rules"][-1]["rule"] == "not_believed"
    (unknown,) = world("explain", f"nobody@{DOMAIN}", "--json").facts
    assert (unknown["verdict"], unknown["reason"]) == ("refused", "unknown_address")
    assert "refused: 550 5.1.1 [MG-ADDRESS]" in world("explain", f"nobody@{DOMAIN}").out
    assert world("ledger", "--json").facts == []
    assert world("activity", "list", "campaign:4711", "--json").facts == []


RELAYS = json.dumps(
    [
        {"name": "edge", "networks": ["0.0.0.0/0"], "trust": "verified", "proxies": ["192.0.2.9/32"]},
        {"name": "office", "networks": ["unix"], "trust": "vouched"},
    ]
)
NOT_KNOWN = "none: the relay did not say which server sent it the mail"


@pytest.mark.parametrize(
    ("arguments", "spf"),
    [
        pytest.param(["--relay", "192.0.2.1"], "smtp.remote-ip=192.0.2.1", id="the client is who speaks"),
        pytest.param(["--relay", "edge"], NOT_KNOWN, id="a relay's name says nothing of the client"),
        pytest.param(["--relay", "192.0.2.9"], NOT_KNOWN, id="a proxy is nobody's client"),
        pytest.param(["--relay", "edge", "--client", "198.51.100.7"], "smtp.remote-ip=198.51.100.7", id="told"),
        pytest.param(["--relay", "192.0.2.9", "--client", "2001:db8::7"], "smtp.remote-ip=2001:db8::7", id="V6"),
    ],
)
def test_explain_asks_spf_about_the_client(
    world: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], spf: str
) -> None:
    bcc = _address(world)
    monkeypatch.setenv("MAILGATE_RELAYS", RELAYS)
    with dns_server({}) as names:  # nobody publishes anything
        monkeypatch.setenv("MAILGATE_DNS__SERVERS", json.dumps([names.address]))
        (said,) = world("explain", "-", "--to", bcc, "--helo", "x", *arguments, "--json", stdin=a_mail()).facts
    (told,) = [rule["said"] for rule in said["rules"] if rule["rule"] == "spf"]
    assert spf in told
    assert (said["verdict"], said["reason"]) == ("refused", "not_believed")


def test_check_config_prints_each_key_of_a_relay_on_a_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILGATE_RELAYS", RELAYS)
    said = dict(line.split("\t") for line in run("check-config").out.splitlines())
    assert (said["relays.edge.trust"], said["relays.office.networks"]) == ("verified", "unix")


def test_a_mail_may_be_handed_in_for_a_relay_by_its_name(world: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    bcc = _address(world)
    monkeypatch.setenv("MAILGATE_RELAYS", RELAYS)
    ran = world("ingest", "-", "--to", bcc, "--relay", "office", "--json", stdin=a_mail())
    assert json.loads(ran.out)["verdict"] == "kept"
    for option, value in (("--relay", "nowhere"), ("--client", "nobody")):
        said = world("ingest", "-", "--to", bcc, "--relay", "office", option, value, stdin=a_mail())
        assert (said.code, repr(value) in said.err) == (65, True)


def test_with_soft_refuse_every_command_says_later_as_smtp_does(world: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    bcc = _address(world)
    monkeypatch.setenv("MAILGATE_SOFT_REFUSE", "true")
    for arguments in (["--from", LUCA], ["--relay", "192.0.2.1"]):
        (said,) = world("explain", "-", "--to", bcc, *arguments, "--json", stdin=a_mail()).facts
        ran = world("ingest", "-", "--to", bcc, *arguments, "--json", stdin=a_mail())
        answered = json.loads(ran.out)
        assert (ran.code, answered["verdict"], answered["code"] < 500) == (75, "deferred", True)
        assert {key: said[key] for key in ("verdict", "reason", "code", "text")}.items() <= answered.items()
    (unknown,) = world("explain", f"nobody@{DOMAIN}", "--json").facts
    assert (unknown["verdict"], unknown["code"]) == ("deferred", 450)


def test_an_activity_is_listed_shown_and_handed_out(world: Run, tmp_path: Path) -> None:
    first, second = _logged(world, 1), _logged(world, 2)
    listed = world("activity", "list", "campaign:4711", "--json").facts
    assert [one["id"] for one in listed] == [second, first]
    assert not {"text", "html", "content"} & set(listed[0])
    assert [one["id"] for one in world("activity", "list", "campaign:4711", "--limit", "1", "--json").facts] == [second]
    after = world("activity", "list", "campaign:4711", "--after", second, "--json").facts
    assert [one["id"] for one in after] == [first]
    (shown,) = world("activity", "show", first, "--json").facts
    assert {**listed[1], **{key: shown[key] for key in ("text", "html", "content")}} == shown
    assert "https://muster.example/1" in shown["text"]
    assert world("activity", "show", first).out.splitlines()[-1].startswith("Here it is")
    assert world("activity", "attachment", first, "1", "--output", "offer.pdf").code == 0
    assert (tmp_path / "offer.pdf").read_bytes() == b"%PDF-1.4"
    again = world("activity", "attachment", first, "1", "--output", "offer.pdf")
    assert (again.code, "offer.pdf is there already" in _one_line(again)) == (65, True)
    nowhere = world("activity", "attachment", first, "1", "--output", "no/such/folder")
    assert (nowhere.code, "no/such/folder" in _one_line(nowhere)) == (65, True)
    assert world("activity", "attachment", first, "1", "--output", "-").out == "%PDF-1.4"
    missing = world("activity", "attachment", first, "2", "--output", "x")
    assert (missing.code, "no attachment 2" in _one_line(missing)) == (66, True)


def test_a_listing_is_widened_and_narrowed(world: Run) -> None:
    logged = _logged(world)
    listing = ("activity", "list", "customer:7", "--affiliation", "campaign", "--json")
    assert world("record", "add", "customer:7", "--name", "Optik").code == 0
    assert world("record", "set", "campaign:4711", "--relate", "agency=customer:7").code == 0

    def listed(*options: str) -> list[str]:
        return [one["id"] for one in world(*listing, *options).facts]

    everything = ("--without-own", "--type", "email", "--topic", "other", "--external", "nora@optik.example")
    assert listed(*everything, "--internal", ANNA, "--since", "2026-11-02", "--until", "2026-11-03") == [logged]
    assert listed("--external", "contact:12") == [logged]
    assert world("activity", "list", "customer:7", "--json").facts == []
    for other in (
        ("--type", "note"),
        ("--topic", "offer"),
        ("--external", ANNA),
        ("--internal", LUCA),
        ("--since", "2026-11-03"),
        ("--until", "2026-11-02T10:00Z"),
        ("--done",),
        ("--open",),
        ("--after", logged),
    ):
        assert listed(*other) == []


def test_raw_gives_the_bytes_as_they_came(world: Run) -> None:
    mail = a_mail().replace(b"Here", b"H\xe8re \xff\xfe")
    (said,) = world("ingest", "-", "--to", _address(world), "--json", stdin=mail).facts
    command = [sys.executable, "-m", "mailgate", "activity", "raw", said["activity"]]
    assert subprocess.run(command, capture_output=True, check=True).stdout == mail


def test_a_mail_cant_act_on_the_terminal(world: Run) -> None:
    mail = a_mail().replace(b"Subject: Offer 1", b"Subject: =?utf-8?q?=1B=5B31mred=E2=80=AE?=")
    world("ingest", "-", "--to", _address(world), stdin=mail.replace(b"Here it is", b"Here\x1b[2Jit is"))
    (activity,) = world("activity", "list", "campaign:4711", "--json").facts
    for command in (("list", "campaign:4711"), ("show", activity["id"])):
        ran = world("activity", *command)
        assert ran.code == 0
        assert "\x1b" not in ran.out
        assert "\u202e" not in ran.out


def test_delete_prints_a_receipt_and_only_the_recorder_gets_one(world: Run) -> None:
    activity = _logged(world)
    refused = world("activity", "delete", activity, "--as", LUCA)
    assert (refused.code, f"recorded by {ANNA}" in _one_line(refused)) == (65, True)
    ran = world("activity", "delete", activity, "--as", "a.muster@muster.example")
    assert ran.code == 0
    assert "text, 1 document" in ran.out
    assert "can't come back" in ran.out
    gone = world("activity", "show", activity)
    assert (gone.code, f"deleted by {ANNA}" in _one_line(gone)) == (66, True)
    (said,) = world("ingest", "-", "--to", _address(world), "--json", stdin=a_mail()).facts
    assert (said["verdict"], said["reason"], said["code"]) == ("duplicate", "deleted", 250)
    (forgotten,) = world("activity", "forget-deletion", activity, "--reason", "mistake", "--json").facts
    assert "can be logged again" in forgotten["note"]
    assert _logged(world) != activity


def test_erase_needs_the_role_or_the_login(world: Run) -> None:
    activity = _logged(world)
    refused = world("activity", "erase", activity, "--reason", "r", "--as", ANNA)
    assert (refused.code, "lacks the role administer" in _one_line(refused)) == (65, True)
    (gone,) = world("activity", "erase", activity, "--reason", "court order", "--as", LUCA, "--json").facts
    assert (gone["state"], gone["actor"], gone["reason"]) == ("erased", LUCA, "court order")


def test_an_argument_that_is_no_text_is_refused(world: Run) -> None:
    ran = world("ledger", "--message-id", "\udcff")
    assert (ran.code, ran.err) == (
        65,
        "mailgate: an argument holds bytes that are no text in UTF-8: write it in UTF-8\n",
    )


def test_the_ledger_tells_where_a_mail_is(world: Run) -> None:
    activity = _logged(world)
    _logged(world)
    world("ingest", "-", "--to", _address(world), stdin=a_mail(2, sender="who@muster.example"))
    newest, *rest = world("ledger", "--json").facts
    assert (newest["verdict"], newest["reason"], newest["author"]) == (
        "refused",
        "unknown_sender",
        "who@muster.example",
    )
    assert [(one["verdict"], one["activity"]) for one in rest] == [("duplicate", activity), ("kept", activity)]
    assert world("ledger", "--verdict", "kept", "--record", "campaign:4711", "--json").facts == [rest[1]]
    assert world("ledger", "--message-id", "<1@muster.example>", "--json").facts == rest
    assert world("ledger", "--since", "2100-01-01", "--json").facts == []
    assert world("ledger", "show", newest["id"], "--json").facts == [newest]
    assert _address(world).partition("@")[0] not in world("ledger", "--json").out


# -- imports --------------------------------------------------------------------------------------------------------


def test_an_import_tells_each_row_and_is_65_if_any_failed(world: Run) -> None:
    Path("r.csv").write_bytes("record;name\r\nlead:1;Müller\r\nnonsense;N\r\n".encode("windows-1252"))
    dry = world("record", "import", "r.csv", "--dry-run", "--json")
    done = world("record", "import", "r.csv", "--json")
    assert (dry.code, done.code) == (65, 65)
    assert dry.out == done.out
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [(one["row"], one["key"], one["outcome"]) for one in rows] == [
        (2, "lead:1", "added"),
        (3, "nonsense", "failed"),
    ]
    assert rows[0]["error"] is None
    assert "nonsense" in rows[1]["error"]
    assert dry.err == "mailgate: 1 added, 1 failed (dry run: nothing was written)\n"
    assert done.err == "mailgate: 1 added, 1 failed\n"
    assert world("record", "show", "lead:1", "--json").facts[0]["name"] == "Müller"


def test_an_import_may_come_by_stdin(world: Run) -> None:
    ran = world("user", "import", "-", stdin=b"email,name\nnew@muster.example,New\n")
    assert (ran.code, ran.out) == (0, "2\tnew@muster.example\tadded\t\n")


def _on_a_terminal(*arguments: str) -> str:
    """Run a command whose stdout and stderr are a terminal, and give what it shows."""
    shown: list[bytes] = []
    main, other = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen([sys.executable, "-m", "mailgate", *arguments], stdout=other, stderr=other, env=environment):
        os.close(other)
        with contextlib.suppress(OSError):  # Linux says EIO when the last writer is gone
            while piece := os.read(main, 65536):
                shown.append(piece)
    os.close(main)
    return b"".join(shown).decode()


def test_on_a_terminal_an_import_shows_a_bar_and_what_failed(world: Run) -> None:
    Path("r.csv").write_text("record,name\n" + "".join(f"lead:{n},N\n" for n in range(1000)) + "nonsense,N\n")
    shown = _on_a_terminal("record", "import", "r.csv")
    assert "rows" in shown
    assert "%" in shown
    assert "nonsense" in shown
    assert "lead:7" not in shown
    assert "mailgate: 1000 added, 1 failed" in shown
    assert world("record", "import", "r.csv").err == "mailgate: 1 failed, 1000 unchanged\n"


def test_on_a_terminal_a_list_is_a_table_without_markup(world: Run) -> None:
    world("user", "set", ANNA, "--name", "[red]Anna[/red]")
    shown = _on_a_terminal("user", "list")
    assert "[red]Anna[/red]" in shown
    assert "aliases" in shown


def test_a_wrong_header_is_65_and_names_the_column(world: Run) -> None:
    ran = world("record", "import", "-", stdin=b"record,nmae\nlead:1,x\n")
    assert (ran.code, "unknown column 'nmae'" in _one_line(ran)) == (65, True)


# -- settings -------------------------------------------------------------------------------------------------------


def test_config_may_be_a_file_or_stdin(bare: Run, tmp_path: Path) -> None:
    settings = b'[instance]\nlanguage = "fr"\n'
    (tmp_path / "mailgate.toml").write_bytes(settings)
    by_stdin = bare("check-config", "--config", "-", "--json", stdin=settings)
    for ran in (by_stdin, bare("check-config", "--config", "mailgate.toml", "--json")):
        assert ran.facts[0]["instance"]["language"] == "fr"
    assert "instance.language\tfr" in bare("check-config", "--config", "mailgate.toml").out
    wrong = bare("check-config", "--config", "-", stdin=b"[instance]\nlangage = 'fr'\n")
    assert (wrong.code, "langage" in _one_line(wrong)) == (78, True)


def test_the_demo_prints_an_address_of_each_kind(bare: Run) -> None:
    shown = bare("demo", "--json").facts
    assert len({one["record"].partition(":")[0] for one in shown}) == 7
    assert all(one["address"].endswith(f"@{DOMAIN}") for one in shown)
    assert bare("demo", "--json").facts == shown
    assert "demo --send" in bare("demo").out
    bare("user", "add", "other@muster.example", "--name", "Other")
    assert bare("demo", "--json").facts == shown  # it is there already
    assert bare("record", "remove", "lead:3001").code == 0
    refused = bare("demo")
    assert (refused.code, "other@muster.example" in _one_line(refused)) == (65, True)
    nobody_listens = bare("demo", "--send")
    assert nobody_listens.code == 65


def test_a_reader_that_stops_early_ends_the_command_quietly(world: Run) -> None:
    for number in range(30):
        world("record", "add", f"lead:{number}", "--name", "N" * 190)
    command = f"{sys.executable} -m mailgate record list --json | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False, env=os.environ
    )
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""
