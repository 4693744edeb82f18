"""Somebody new of the company writes: their mail waits at the mail server until they are registered."""

from dataclasses import replace
from datetime import timedelta

import pytest

from mailgate.domain.ledger import Outcome, Verdict
from mailgate.domain.mail import Envelope
from mailgate.domain.proof import Evidence
from mailgate.domain.trust import SenderPair, Stamp, Trust
from mailgate.domain.user import Role, User
from mailgate.errors import Deferred, Reason, Refused
from mailgate.intake import Policy
from tests.desk import ADDRESS, MAIL, POLICY, RELAY, Desk
from tests.worlds import ANNA, CAMPAIGN, CUSTOMER, DOMAIN, NOW, WORLD

NEW = "neu@firma.example"
FROM_NEW = MAIL.replace("Anna <anna@", "Neu <neu@")
OWN = replace(POLICY, own_domains=frozenset({"firma.example"}))
OTHER = f"eeee@{DOMAIN}"
MINUTE = timedelta(minutes=1)
BELIEVED = Evidence(believed=True)
STAMPED = replace(RELAY, trust=Trust.STAMPED, authserv_id="mx", stamp=Stamp.ABOVE)


def judged(outcomes: list[Outcome]) -> list[tuple[Verdict, Reason | None, str]]:
    return [(outcome.verdict, outcome.reason, outcome.value) for outcome in outcomes]


WAITS = (Verdict.DEFERRED, Reason.PENDING_SENDER, NEW)


def put_off(desk: Desk, *, sender: str = NEW, to: str = ADDRESS) -> str:
    with pytest.raises(Deferred) as later:
        desk.intake.check_recipient(desk.relay, to, sender)
    assert later.value.reason is Reason.PENDING_SENDER
    return later.value.value


def taken(desk: Desk, *, sender: str = NEW, to: str = ADDRESS) -> bool:
    return desk.intake.check_recipient(desk.relay, to, sender).record in {CAMPAIGN, CUSTOMER}


def test_a_new_colleague_waits_and_is_on_the_list() -> None:
    desk = Desk(policy=OWN)
    assert judged(desk.send(FROM_NEW, sender=NEW)) == [WAITS]
    (entry,) = desk.pending.entries.values()
    assert (entry.email, entry.relay, entry.envelope_from, entry.record) == (NEW, "office", NEW, CAMPAIGN)
    assert (entry.queue_id, entry.tries, entry.first_at) == ("4bKxyz", 1, NOW)
    (row,) = desk.archive.ledger
    assert (row.verdict, row.reason, row.author, row.queue_id) == (
        Verdict.DEFERRED,
        Reason.PENDING_SENDER,
        NEW,
        "4bKxyz",
    )
    assert desk.archive.activities == {}


def test_the_next_tries_are_answered_at_rcpt_and_counted() -> None:
    desk = Desk(policy=OWN)
    desk.send(FROM_NEW, sender=NEW)
    for n in (1, 2):
        desk.now = NOW + n * MINUTE
        assert put_off(desk, sender="NEU@Firma.example") == NEW
    (entry,) = desk.pending.entries.values()
    assert (entry.tries, entry.first_at, entry.last_at, entry.queue_id) == (3, NOW, NOW + 2 * MINUTE, "4bKxyz")
    counted = {key[:3]: number for key, number in desk.archive.counts.items()}
    assert sum(desk.archive.counts.values()) == 2
    assert set(counted) == {("office", Reason.PENDING_SENDER, Verdict.DEFERRED)}


def test_once_registered_the_next_try_is_kept() -> None:
    desk = Desk(policy=OWN)
    desk.send(FROM_NEW, sender=NEW)
    put_off(desk)
    desk.become(replace(WORLD, users=(*WORLD.users, User(email=NEW, name="Neu"))))
    (outcome,) = desk.send(FROM_NEW, sender=NEW)
    assert outcome.verdict is Verdict.KEPT
    assert desk.archive.activities[outcome.activity or ""].new.recorder == NEW


def test_an_alias_lets_it_through_too() -> None:
    desk = Desk(policy=OWN)
    desk.send(FROM_NEW, sender=NEW)
    desk.become(replace(WORLD, users=(replace(ANNA, aliases=(NEW,)), *WORLD.users[1:])))
    (outcome,) = desk.send(FROM_NEW, sender=NEW)
    assert outcome.verdict is Verdict.KEPT


def test_another_record_or_relay_is_asked_at_the_end_of_data_first() -> None:
    desk = Desk(policy=OWN)
    desk.send(FROM_NEW, sender=NEW)
    assert taken(desk, to=OTHER)
    desk.relay = replace(RELAY, name="gateway")
    assert taken(desk)


def test_a_mail_to_two_records_waits_at_both_with_one_queue_id() -> None:
    desk = Desk(policy=OWN)
    assert judged(desk.send(FROM_NEW, sender=NEW, to=(ADDRESS, OTHER, ADDRESS.upper()))) == [WAITS] * 3
    assert {entry.record for entry in desk.pending.entries.values()} == {CAMPAIGN, CUSTOMER}
    assert {(entry.queue_id, entry.tries) for entry in desk.pending.entries.values()} == {("4bKxyz", 1)}


@pytest.mark.parametrize(
    ("policy", "author", "sender", "reason"),
    [
        pytest.param(OWN, "neu@sub.firma.example", None, Reason.UNKNOWN_SENDER, id="a subdomain is another domain"),
        pytest.param(OWN, "neu@else.example", None, Reason.UNKNOWN_SENDER, id="a stranger"),
        pytest.param(OWN, NEW, "eve@firma.example", Reason.NOT_BELIEVED, id="not believed"),
        pytest.param(OWN, "beat@firma.example", None, Reason.DISABLED_SENDER, id="a disabled user"),
        pytest.param(OWN, "job@firma.example", None, Reason.MISSING_ROLE, id="a user without the role"),
        pytest.param(POLICY, NEW, None, Reason.UNKNOWN_SENDER, id="no domain is the company's own"),
        pytest.param(replace(OWN, wait=False), NEW, None, Reason.UNKNOWN_SENDER, id="waiting is off"),
    ],
)
def test_who_does_not_wait(policy: Policy, author: str, sender: str | None, reason: Reason) -> None:
    desk = Desk(policy=policy)
    mail = MAIL.replace("anna@firma.example", author)
    for _ in range(2):
        (outcome,) = desk.send(mail, sender=sender or author)
        assert (outcome.verdict, outcome.reason) == (Verdict.REFUSED, reason)
    assert desk.pending.entries == {}


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("Auto-Submitted: auto-replied", Reason.MACHINE_MAIL),
        ("Content-Type: multipart/report; report-type=disposition-notification", Reason.MACHINE_MAIL),
        ("From: eve@else.example", Reason.AMBIGUOUS_AUTHOR),
    ],
)
def test_what_nobody_may_send_does_not_wait(field: str, reason: Reason) -> None:
    desk = Desk(policy=OWN)
    (outcome,) = desk.send(f"{field}\r\n{FROM_NEW}", sender=NEW)
    assert outcome.reason is reason
    assert desk.pending.entries == {}


@pytest.mark.parametrize("trust", [Trust.STAMPED, Trust.VERIFIED])
@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        (BELIEVED, Reason.PENDING_SENDER),
        (Evidence(), Reason.NOT_BELIEVED),
        (Evidence(unsure=True), Reason.DNS),
    ],
)
def test_whatever_the_kind_of_trust_only_the_believed_wait(trust: Trust, evidence: Evidence, reason: Reason) -> None:
    desk = Desk(policy=OWN, relay=replace(STAMPED, trust=trust))
    desk.authenticator.evidence = evidence
    (outcome,) = desk.send(FROM_NEW, sender=NEW)
    assert outcome.reason is reason
    assert bool(desk.pending.entries) == (reason is Reason.PENDING_SENDER)
    if desk.pending.entries:
        assert put_off(desk) == NEW


def test_soft_refusals_change_nothing_here() -> None:
    desk = Desk(policy=replace(OWN, soft_refuse=True))
    assert judged(desk.send(FROM_NEW, sender=NEW)) == [WAITS]
    put_off(desk)


def test_the_first_user_of_an_instance_may_wait() -> None:
    desk = Desk(replace(WORLD, users=()), OWN)
    assert judged(desk.send(FROM_NEW, sender=NEW)) == [WAITS]


# -- at RCPT nobody else's mail may be held up ----------------------------------------------------------------------


PAIRS = replace(OWN, pairs=frozenset({SenderPair(ANNA.email, NEW)}))


def test_a_user_who_sent_as_somebody_new_still_gets_her_own_mail_through() -> None:
    desk = Desk(policy=PAIRS)
    assert judged(desk.send(FROM_NEW, sender=ANNA.email)) == [WAITS]
    (own,) = desk.send(MAIL, sender=ANNA.email)
    assert own.verdict is Verdict.KEPT
    assert judged(desk.send(FROM_NEW, sender=ANNA.email)) == [WAITS]
    (entry,) = desk.pending.entries.values()
    assert entry.tries == 2


def test_a_delegate_who_is_no_user_and_may_write_for_one_still_gets_that_mail_through() -> None:
    delegate = "sekretariat@firma.example"
    desk = Desk(policy=replace(OWN, pairs=frozenset({SenderPair(delegate, NEW), SenderPair(delegate, ANNA.email)})))
    desk.send(FROM_NEW, sender=delegate)
    (own,) = desk.send(MAIL, sender=delegate)
    assert own.verdict is Verdict.KEPT


def test_an_envelope_sender_that_may_only_write_for_who_waits_is_answered_at_rcpt() -> None:
    system = "otrs@firma.example"
    desk = Desk(policy=replace(OWN, pairs=frozenset({SenderPair(system, NEW)})))
    desk.send(FROM_NEW, sender=system)
    assert put_off(desk, sender=system) == NEW


def test_an_envelope_sender_that_many_share_is_judged_by_each_mail() -> None:
    bounces = "bounces@firma.example"
    desk = Desk(policy=OWN, relay=STAMPED)
    desk.authenticator.evidence = BELIEVED
    desk.send(FROM_NEW, sender=bounces)
    (hers,) = desk.send(MAIL, sender=bounces)
    assert hers.verdict is Verdict.KEPT


def test_a_domain_that_is_the_companys_no_more_holds_nobody_up() -> None:
    author = "neu@frueher.example"
    pairs = frozenset({SenderPair(NEW, author)})
    desk = Desk(policy=replace(OWN, own_domains=frozenset({"frueher.example"}), pairs=pairs))
    desk.send(MAIL.replace(ANNA.email, author), sender=NEW)
    assert put_off(desk) == author
    desk.intake.policy = replace(OWN, pairs=pairs)
    assert taken(desk)


@pytest.mark.parametrize("sender", ["", "<>", "nonsense", "eve@else.example", "neu@firma.example.else.example"])
def test_nobody_else_is_held_up_or_even_asked_about(sender: str) -> None:
    desk = Desk(policy=OWN)
    desk.send(FROM_NEW, sender=NEW)
    asked = desk.pending.asked
    assert taken(desk, sender=sender)
    assert desk.pending.asked == asked


@pytest.mark.parametrize(
    ("recipient", "reason"),
    [
        (f"zzzz@{DOMAIN}", Reason.UNKNOWN_ADDRESS),
        (f"bbbb@{DOMAIN}", Reason.UNKNOWN_ADDRESS),
        (f"dddd@{DOMAIN}", Reason.UNKNOWN_ADDRESS),
        (f"cccc@{DOMAIN}", Reason.CLOSED_ADDRESS),
        ("aaaa@else.example", Reason.FOREIGN_DOMAIN),
    ],
)
def test_a_wrong_address_is_answered_first_and_nobody_asks_who_waits(recipient: str, reason: Reason) -> None:
    desk = Desk(policy=OWN)
    desk.send(FROM_NEW, sender=NEW)
    asked = desk.pending.asked
    with pytest.raises(Refused) as no:
        desk.intake.check_recipient(RELAY, recipient, NEW)
    assert no.value.reason is reason
    assert desk.pending.asked == asked


def test_who_waits_and_who_does_not_cost_the_same_at_a_wrong_address() -> None:
    costs = set()
    for sender in (NEW, ANNA.email, "eve@else.example"):
        for local in ("zzzz", "dddd", "bbbb"):
            desk = Desk(policy=OWN)
            with pytest.raises(Refused):
                desk.intake.check_recipient(RELAY, f"{local}@{DOMAIN}", sender)
            costs.add((desk.directory.asked, desk.pending.asked))
    assert costs == {(2, 0)}


# -- trouble --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [Reason.STORE_DOWN, Reason.DISK_FULL])
def test_trouble_with_the_list_is_a_deferral_like_any_other(reason: Reason) -> None:
    desk = Desk(policy=OWN)
    addressee = desk.intake.check_recipient(RELAY, ADDRESS, NEW)
    desk.pending.failing = reason
    (outcome,) = desk.deliver(FROM_NEW, NEW, (addressee,))
    assert (outcome.verdict, outcome.reason) == (Verdict.DEFERRED, reason)
    with pytest.raises(Deferred) as later:
        desk.intake.check_recipient(RELAY, ADDRESS, NEW)
    assert later.value.reason is reason


# -- explain --------------------------------------------------------------------------------------------------------


def test_explain_tells_since_when_it_waits_and_changes_nothing() -> None:
    desk = Desk(policy=OWN)
    told: list[tuple[str, str]] = []

    def explain() -> tuple[str, str]:
        came = Envelope(relay=RELAY, sender=NEW, addressees=())
        with pytest.raises(Deferred) as later:
            desk.intake.explain(came, [ADDRESS], FROM_NEW.encode(), lambda rule, said: told.append((rule, said)))
        assert later.value.reason is Reason.PENDING_SENDER
        return told[-1]

    assert explain() == ("pending", "not on the list yet: would be put on it, and wait")
    assert desk.pending.entries == {}
    desk.send(FROM_NEW, sender=NEW)
    put_off(desk)
    before = dict(desk.pending.entries), len(desk.archive.ledger), sum(desk.archive.counts.values())
    assert explain() == ("pending", "waits since 2026-11-22T12:00:00Z, tried 2 times")
    assert (dict(desk.pending.entries), len(desk.archive.ledger), sum(desk.archive.counts.values())) == before


def test_a_role_that_is_missing_is_said_after_registration() -> None:
    desk = Desk(policy=OWN)
    desk.send(FROM_NEW, sender=NEW)
    powerless = User(email=NEW, name="Neu", roles=frozenset({Role.ADMINISTER}))
    desk.become(replace(WORLD, users=(*WORLD.users, powerless)))
    (outcome,) = desk.send(FROM_NEW, sender=NEW)
    assert outcome.reason is Reason.MISSING_ROLE
