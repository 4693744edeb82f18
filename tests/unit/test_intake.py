"""The path of a mail, over a directory and an archive in memory: each rule with the answer it leads to."""

from dataclasses import replace
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address

import pytest

from mailgate.domain import routing
from mailgate.domain.ledger import Outcome, Verdict
from mailgate.domain.mail import Envelope
from mailgate.domain.record import AddressState, Edition, RecordKind, RecordRef, RecordState
from mailgate.domain.trust import Relay, SenderPair
from mailgate.errors import Deferred, Reason, Refused
from mailgate.intake import HARD
from tests.desk import ADDRESS, MAIL, POLICY, RELAY, Desk
from tests.fakes import FakeArchive
from tests.worlds import ANNA, CAMPAIGN, CUSTOMER, DOMAIN, EMPTY, NOW, WORLD, address

CAME = Envelope(relay=RELAY, sender=ANNA.email, addressees=())


@pytest.fixture(params=[False, True], ids=["waiting", "soon"], autouse=True)
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it waits for the commit or is told of it afterwards, an intake says the same."""
    monkeypatch.setattr(Desk, "soon", request.param)


# -- at connect -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "relay"),
    [
        (IPv4Address("10.1.2.3"), RELAY),
        (IPv6Address("::ffff:10.1.2.3"), RELAY),
        (None, RELAY),
        (IPv4Address("192.0.2.1"), None),
        (IPv6Address("2001:db8::1"), None),
    ],
)
def test_a_client_is_a_registered_relay_or_a_stranger(
    peer: IPv4Address | IPv6Address | None, relay: Relay | None
) -> None:
    assert Desk().intake.relay_at(peer) is relay


# -- at RCPT --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipient", "record", "state"),
    [
        (ADDRESS, CAMPAIGN, AddressState.OPEN),
        (f"AaAa@{DOMAIN.upper()}", CAMPAIGN, AddressState.OPEN),
        (f"aaaa@{DOMAIN}.", CAMPAIGN, AddressState.OPEN),
    ],
)
def test_a_right_address_is_found_however_it_is_written(recipient: str, record: RecordRef, state: AddressState) -> None:
    found = Desk().intake.check_recipient(RELAY, recipient)
    assert (found.record, found.state, found.address) == (record, state, ADDRESS)


@pytest.mark.parametrize(
    ("recipient", "reason"),
    [
        ("aaaa@else.example", Reason.FOREIGN_DOMAIN),
        (f"aaaa@sub.{DOMAIN}", Reason.FOREIGN_DOMAIN),
        ("aaaa", Reason.FOREIGN_DOMAIN),
        ("", Reason.FOREIGN_DOMAIN),
        (f"zzzz@{DOMAIN}", Reason.UNKNOWN_ADDRESS),
        (f"bbbb@{DOMAIN}", Reason.UNKNOWN_ADDRESS),  # its grace is over
        (f"dddd@{DOMAIN}", Reason.UNKNOWN_ADDRESS),  # revoked
        (f"cccc@{DOMAIN}", Reason.CLOSED_ADDRESS),
    ],
)
def test_a_wrong_address_is_refused_and_counted(recipient: str, reason: Reason) -> None:
    desk = Desk()
    with pytest.raises(Refused) as no:
        desk.intake.check_recipient(RELAY, recipient)
    assert no.value.reason is reason
    told = [entry.reason for entry in desk.archive.ledger] + [key[1] for key in desk.archive.counts]
    assert told == [reason]


def test_unknown_revoked_and_expired_cost_the_same_look_ups() -> None:
    costs = set()
    for local in ("zzzz", "dddd", "bbbb"):
        desk = Desk()
        with pytest.raises(Refused):
            desk.intake.check_recipient(RELAY, f"{local}@{DOMAIN}")
        costs.add(desk.directory.asked)
    assert len(costs) == 1


def test_an_address_in_grace_is_taken_and_noted() -> None:
    graced = replace(address("gggg", CAMPAIGN, AddressState.GRACE), expires_at=NOW + timedelta(seconds=1))
    desk = Desk(replace(WORLD, addresses=(graced,)))
    (outcome,) = desk.send(to=(f"gggg@{DOMAIN}",))
    assert notes(desk, outcome) == ["old_address"]


def test_an_address_that_was_closed_in_its_grace_is_unknown_after_it() -> None:
    closed = replace(address("gggg", CAMPAIGN, AddressState.CLOSED), expires_at=NOW)
    with pytest.raises(Refused) as no:
        Desk(replace(WORLD, addresses=(closed,))).intake.check_recipient(RELAY, f"gggg@{DOMAIN}")
    assert no.value.reason is Reason.UNKNOWN_ADDRESS


def test_a_closed_record_is_refused_and_named_in_the_ledger() -> None:
    closed = tuple(replace(each, state=RecordState.CLOSED) for each in WORLD.records)
    desk = Desk(replace(WORLD, records=closed))
    with pytest.raises(Refused) as no:
        desk.intake.check_recipient(RELAY, ADDRESS)
    assert no.value.reason is Reason.CLOSED_RECORD
    assert [(entry.verdict, entry.record, entry.relay) for entry in desk.archive.ledger] == [
        (Verdict.REFUSED, CAMPAIGN, "office")
    ]


def test_a_publisher_contract_is_unknown_in_the_edition_publisher_and_comes_back_with_another() -> None:
    contract = RecordRef(RecordKind.PUBLISHER_CONTRACT, "1")
    record = replace(WORLD.records[0], record=contract)
    world = replace(WORLD, records=(record,), addresses=(address("pppp", contract),))
    with pytest.raises(Refused) as no:
        Desk(world).intake.check_recipient(RELAY, f"pppp@{DOMAIN}")
    assert no.value.reason is Reason.UNKNOWN_ADDRESS
    marketer = Desk(world, replace(POLICY, edition=Edition.MARKETER))
    assert marketer.intake.check_recipient(RELAY, f"pppp@{DOMAIN}").record == contract


def test_while_no_address_was_ever_made_an_unknown_one_is_deferred() -> None:
    with pytest.raises(Deferred) as later:
        Desk(EMPTY).intake.check_recipient(RELAY, ADDRESS)
    assert later.value.reason is Reason.UNKNOWN_ADDRESS


def test_a_store_that_does_not_answer_defers() -> None:
    desk = Desk()
    desk.directory.failing = Reason.STORE_DOWN
    with pytest.raises(Deferred) as later:
        desk.intake.check_recipient(RELAY, ADDRESS)
    assert later.value.reason is Reason.STORE_DOWN


# -- at the end of DATA ---------------------------------------------------------------------------------------------


def notes(desk: Desk, outcome: Outcome) -> list[str]:
    assert outcome.activity is not None
    return [note.code for note in desk.archive.activities[outcome.activity].notes]


def test_a_good_mail_is_kept() -> None:
    desk = Desk()
    (outcome,) = desk.send()
    assert outcome.verdict is Verdict.KEPT
    kept = desk.archive.activities[outcome.activity or ""]
    assert kept.new.raw == MAIL.encode()
    assert (kept.new.author, kept.new.recorder, kept.new.trust) == (ANNA.email, ANNA.email, "vouched")
    (entry,) = desk.archive.ledger
    assert (entry.queue_id, entry.message_id, entry.relay) == ("4bKxyz", "<1@firma.example>", "office")


def test_a_mail_to_two_records_is_one_mail_and_two_activities() -> None:
    desk = Desk()
    outcomes = desk.send(to=(ADDRESS, f"eeee@{DOMAIN}"))
    assert [outcome.verdict for outcome in outcomes] == [Verdict.KEPT, Verdict.KEPT]
    assert {activity.record for activity in desk.archive.activities.values()} == {CAMPAIGN, CUSTOMER}
    assert len(desk.archive.mails) == 1


def test_a_repeated_recipient_gives_one_activity_and_an_answer_each() -> None:
    desk = Desk()
    outcomes = desk.send(to=(ADDRESS, ADDRESS.upper()))
    assert [outcome.activity for outcome in outcomes] == [outcomes[0].activity] * 2
    assert len(desk.archive.activities) == 1


def test_the_same_mail_again_is_a_duplicate() -> None:
    desk = Desk()
    (first,) = desk.send()
    (again,) = desk.send("Received: from other by mta2 with SMTP id 9; x\r\n" + MAIL)
    assert (again.verdict, again.reason, again.activity) == (Verdict.DUPLICATE, Reason.DUPLICATE, first.activity)


def test_a_deleted_mail_stays_deleted() -> None:
    desk = Desk()
    (first,) = desk.send()
    desk.archive.delete(first.activity or "")
    (again,) = desk.send()
    assert (again.verdict, again.reason, again.activity) == (Verdict.DUPLICATE, Reason.DELETED, None)


REFUSALS: list[tuple[str, str, str, Reason, str]] = [
    ("the null sender", MAIL, "", Reason.BOUNCE, ""),
    ("Auto-Submitted", "Auto-Submitted: auto-replied\r\n" + MAIL, ANNA.email, Reason.MACHINE_MAIL, ""),
    ("our own address as sender", MAIL, ADDRESS, Reason.LOOP, ""),
    ("51 Received lines", "Received: x\r\n" * 50 + MAIL, ANNA.email, Reason.LOOP, ""),
    ("no From", MAIL.replace("From:", "X-From:"), ANNA.email, Reason.NO_AUTHOR, ""),
    ("two From", "From: eve@else.example\r\n" + MAIL, ANNA.email, Reason.AMBIGUOUS_AUTHOR, "eve@else.example"),
    ("a forged From", MAIL, "eve@firma.example", Reason.NOT_BELIEVED, ANNA.email),
    ("a stranger", MAIL.replace("anna@", "eve@"), "eve@firma.example", Reason.UNKNOWN_SENDER, "eve@firma.example"),
    ("disabled", MAIL.replace("anna@", "beat@"), "beat@firma.example", Reason.DISABLED_SENDER, "beat@firma.example"),
    ("without the role", MAIL.replace("anna@", "job@"), "job@firma.example", Reason.MISSING_ROLE, "job@firma.example"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("mail", "sender", "reason", "value"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
def test_what_is_refused_is_in_the_ledger_and_nowhere_else(mail: str, sender: str, reason: Reason, value: str) -> None:
    desk = Desk()
    (outcome,) = desk.send(mail, sender=sender)
    assert (outcome.verdict, outcome.reason, outcome.value) == (Verdict.REFUSED, reason, value)
    assert desk.archive.activities == {}
    (entry,) = desk.archive.ledger
    assert (entry.id, entry.verdict, entry.reason, entry.record) == (
        outcome.ledger_id,
        Verdict.REFUSED,
        reason,
        CAMPAIGN,
    )
    assert entry.message_id == "<1@firma.example>"


def test_a_record_address_as_author_is_a_secret_in_the_ledger_too() -> None:
    desk = Desk()
    (outcome,) = desk.send(MAIL.replace(ANNA.email, ADDRESS))
    assert outcome.reason is Reason.LOOP
    (entry,) = desk.archive.ledger
    assert entry.author == routing.masked(ADDRESS)


@pytest.mark.parametrize(
    ("mail", "sender", "reason", "value"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS]
)
def test_softly_refused_is_deferred_save_loops(mail: str, sender: str, reason: Reason, value: str) -> None:
    desk = Desk(policy=replace(POLICY, soft_refuse=True))
    (outcome,) = desk.send(mail, sender=sender)
    expected = Verdict.REFUSED if reason in HARD else Verdict.DEFERRED
    assert (outcome.verdict, outcome.reason, outcome.value) == (expected, reason, value)
    assert [entry.verdict for entry in desk.archive.ledger] == [expected]


@pytest.mark.parametrize(
    "harmless",
    ["Precedence: bulk", "X-Auto-Response-Suppress: All", "Auto-Submitted: no", "List-Id: <x.else.example>"],
)
def test_what_proves_nothing_is_kept(harmless: str) -> None:
    (outcome,) = Desk().send(f"{harmless}\r\n{MAIL}")
    assert outcome.verdict is Verdict.KEPT


def test_from_is_compared_with_case_folded() -> None:
    (outcome,) = Desk().send(MAIL.replace("anna@firma.example", "Anna@FIRMA.example"), sender="ANNA@firma.EXAMPLE")
    assert outcome.verdict is Verdict.KEPT


def test_an_alias_is_kept_for_its_user() -> None:
    desk = Desk()
    (outcome,) = desk.send(MAIL.replace("anna@firma", "anna@mobil"), sender="anna@mobil.example")
    kept = desk.archive.activities[outcome.activity or ""].new
    assert (kept.author, kept.recorder) == ("anna@mobil.example", ANNA.email)


def test_an_allowed_pair_is_believed_in_that_direction_only() -> None:
    pairs = frozenset({SenderPair("sekretariat@firma.example", ANNA.email)})
    desk = Desk(policy=replace(POLICY, pairs=pairs))
    (kept,) = desk.send(sender="sekretariat@firma.example")
    assert kept.verdict is Verdict.KEPT
    (refused,) = desk.send(MAIL.replace("anna@", "sekretariat@"))
    assert refused.reason is Reason.NOT_BELIEVED


def test_no_header_chooses_a_record() -> None:
    desk = Desk()
    named = f"To: eeee@{DOMAIN}\r\nDelivered-To: eeee@{DOMAIN}\r\nIn-Reply-To: <x@{DOMAIN}>\r\n"
    desk.send(MAIL.replace("To: one@kunde.example\r\n", named))
    assert [activity.record for activity in desk.archive.activities.values()] == [CAMPAIGN]


@pytest.mark.parametrize("field_name", ["To", "Cc"])
def test_our_address_in_to_or_cc_is_noted_marked_and_no_participant(field_name: str) -> None:
    desk = Desk()
    (outcome,) = desk.send(f"{field_name}: {ADDRESS.upper()}\r\n{MAIL}")
    assert notes(desk, outcome) == ["address_exposed"]
    assert desk.archive.exposed == {ADDRESS: NOW}
    kept = desk.archive.activities[outcome.activity or ""].new.activities[0]
    assert ADDRESS not in {participant.email for participant in kept.participants}


def test_our_address_in_bcc_is_no_leak() -> None:
    desk = Desk()
    (outcome,) = desk.send(f"Bcc: {ADDRESS}\r\n{MAIL}")
    assert notes(desk, outcome) == []


@pytest.mark.parametrize(
    ("date", "occurred", "noted"),
    [
        ("Sun, 22 Nov 2026 11:00:00 +0000", NOW.replace(hour=11, microsecond=0), []),
        ("Sun, 22 Nov 2026 12:59:00 +0000", NOW.replace(minute=59, microsecond=0), []),
        ("Sun, 22 Nov 2026 13:01:00 +0000", NOW, ["date_absurd"]),
        ("Thu, 01 Jan 1970 00:00:00 +0000", NOW, ["date_absurd"]),
    ],
)
def test_a_mail_happened_when_it_was_sent_unless_that_is_absurd(date: str, occurred: object, noted: list[str]) -> None:
    desk = Desk()
    (outcome,) = desk.send(MAIL.replace("Sun, 22 Nov 2026 11:00:00 +0000", date))
    assert desk.archive.activities[outcome.activity or ""].new.occurred_at == occurred
    assert notes(desk, outcome) == noted


def test_a_contact_that_several_could_be_is_noted_and_not_linked() -> None:
    desk = Desk()
    (outcome,) = desk.send(MAIL.replace("one@kunde.example", "pair@kunde.example"))
    assert notes(desk, outcome) == ["contact_ambiguous"]


@pytest.mark.parametrize(
    ("to", "noted"),
    [
        ("one@kunde.example", False),  # of the record
        ("two@kunde.example", False),  # of its customer
        ("agency@kunde.example", False),  # of its agency, and of somebody elsewhere
        ("unknown@else.example, Two <TWO@kunde.example>", False),
        ("unknown@else.example", True),
        ("lead@kunde.example", True),  # known, but not here
        ("support@firma.example", False),  # nobody from outside
        ("undisclosed-recipients:;", False),
        ("somebody whose address can't be read", False),
        (f"unknown@else.example, {ADDRESS}", True),
        (f"eeee@{DOMAIN}", False),  # another record is nobody
    ],
)
def test_a_mail_none_of_whose_people_belongs_to_the_record_is_noted(to: str, noted: bool) -> None:
    desk = Desk()
    (outcome,) = desk.send(MAIL.replace("one@kunde.example", to))
    assert ("no_known_participant" in notes(desk, outcome)) is noted


def test_whom_a_lead_s_own_record_is_about_is_known_on_it() -> None:
    lead = RecordRef.parse("lead:5")
    desk = Desk(replace(WORLD, addresses=(address("llll", lead),)))
    (outcome,) = desk.send(MAIL.replace("one@kunde", "lead@kunde"), to=(f"llll@{DOMAIN}",))
    assert notes(desk, outcome) == []


def test_bare_newlines_of_a_chunked_mail_are_noted() -> None:
    desk = Desk()
    addressee = desk.intake.check_recipient(RELAY, ADDRESS)
    (outcome,) = desk.deliver(MAIL + "bare\nline", ANNA.email, (addressee,), chunked=True)
    assert notes(desk, outcome) == ["bare_newlines"]


# -- trouble --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [Reason.STORE_DOWN, Reason.DISK_FULL])
def test_when_storing_fails_every_recipient_is_deferred(reason: Reason) -> None:
    desk = Desk()
    desk.archive.failing = reason
    outcomes = desk.send(to=(ADDRESS, f"eeee@{DOMAIN}"))
    assert [(outcome.verdict, outcome.reason) for outcome in outcomes] == [(Verdict.DEFERRED, reason)] * 2


def test_a_refusal_that_cannot_be_written_down_is_a_deferral() -> None:
    desk = Desk()
    addressee = desk.intake.check_recipient(RELAY, ADDRESS)
    desk.archive.failing = Reason.STORE_DOWN
    (outcome,) = desk.deliver(MAIL, "", (addressee,))
    assert (outcome.verdict, outcome.reason) == (Verdict.DEFERRED, Reason.STORE_DOWN)


def test_while_no_user_is_registered_an_unknown_sender_is_deferred() -> None:
    (outcome,) = Desk(replace(WORLD, users=())).send()
    assert (outcome.verdict, outcome.reason) == (Verdict.DEFERRED, Reason.UNKNOWN_SENDER)


def test_a_bug_of_ours_is_a_deferral(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    addressee = desk.intake.check_recipient(RELAY, ADDRESS)

    def broken(_new: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(FakeArchive, "keep", lambda _self, new: broken(new))
    (outcome,) = desk.deliver(MAIL, ANNA.email, (addressee,))
    assert (outcome.verdict, outcome.reason) == (Verdict.DEFERRED, Reason.STORE_DOWN)


@pytest.mark.parametrize(
    ("reason", "soft", "verdict"),
    [
        (Reason.TOO_LARGE, False, Verdict.REFUSED),
        (Reason.TOO_LARGE, True, Verdict.DEFERRED),
        (Reason.BARE_NEWLINE, False, Verdict.REFUSED),
        (Reason.BARE_NEWLINE, True, Verdict.REFUSED),
        (Reason.BUSY, False, Verdict.DEFERRED),
    ],
)
def test_a_mail_refused_for_its_shape_is_in_the_ledger(reason: Reason, soft: bool, verdict: Verdict) -> None:
    desk = Desk(policy=replace(POLICY, soft_refuse=soft))
    addressee = desk.intake.check_recipient(RELAY, ADDRESS)
    envelope = Envelope(relay=RELAY, sender=ANNA.email, addressees=(addressee,))
    (outcome,) = desk.turn_back(envelope, reason, MAIL.encode()[:300], 10**9)
    assert outcome.verdict is verdict
    (entry,) = desk.archive.ledger
    assert (entry.verdict, entry.reason, entry.author) == (verdict, reason, ANNA.email)


# -- explain --------------------------------------------------------------------------------------------------------


def test_explain_tells_every_rule_and_stores_nothing() -> None:
    desk = Desk()
    told: list[tuple[str, str]] = []
    desk.intake.explain(CAME, [ADDRESS], MAIL.encode(), lambda rule, said: told.append((rule, said)))
    assert [rule for rule, _ in told] == [
        "domain", "address", "machine mail", "author", "envelope", "trust", "user", "identity", "activity", "archive",
    ]  # fmt: skip
    assert desk.archive.activities == {}
    assert desk.archive.ledger == []


def test_explain_ends_where_the_mail_would() -> None:
    told: list[tuple[str, str]] = []
    with pytest.raises(Refused) as no:
        Desk().intake.explain(
            replace(CAME, sender="eve@firma.example"),
            [ADDRESS],
            MAIL.encode(),
            lambda rule, said: told.append((rule, said)),
        )
    assert no.value.reason is Reason.NOT_BELIEVED
    assert told[-1] == ("envelope", "fail sender=eve@firma.example: From is another address")


def test_explain_leaves_a_wrong_recipient_out_as_smtp_does() -> None:
    told: list[tuple[str, str]] = []
    intake = Desk().intake
    wrong = f"zzzz@{DOMAIN}"
    intake.explain(CAME, [wrong, ADDRESS], MAIL.encode(), lambda rule, said: told.append((rule, said)))
    assert ("recipient", f"{wrong} is not taken: unknown_address") in told
    assert told[-1][0] == "archive"
    with pytest.raises(Refused) as no:
        intake.explain(CAME, [wrong, "a@elsewhere.example"], MAIL.encode(), lambda _rule, _said: None)
    assert no.value.reason is Reason.UNKNOWN_ADDRESS


def test_explain_is_as_soft_as_smtp() -> None:
    intake = Desk(policy=replace(POLICY, soft_refuse=True)).intake
    with pytest.raises(Deferred) as no:
        intake.explain(
            Envelope(relay=RELAY, sender="eve@firma.example", addressees=()),
            [ADDRESS],
            MAIL.encode(),
            lambda _rule, _said: None,
        )
    assert no.value.reason is Reason.NOT_BELIEVED
    with pytest.raises(Deferred):
        intake.explain_recipient(f"zzzz@{DOMAIN}", lambda _rule, _said: None)


def test_explain_says_what_became_of_the_same_mail_before() -> None:
    desk = Desk()
    said: list[str] = []

    def tell(rule: str, what: str) -> None:
        if rule == "archive":
            said.append(what)

    def explain() -> tuple[Reason | None, ...]:
        return desk.intake.explain(CAME, [ADDRESS], MAIL.encode(), tell)

    assert explain() == (None,)
    (kept,) = desk.send()
    assert explain() == (Reason.DUPLICATE,)
    desk.archive.delete(kept.activity or "")
    assert explain() == (Reason.DELETED,)
    assert said == [
        "campaign:4711 has not seen it before",
        "campaign:4711 has it already",
        "campaign:4711 had it, and its recorder deleted it: it does not come back",
    ]
