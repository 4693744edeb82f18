"""Who is the author in daily life: the table of the README, on mails as they come (``fixtures/authors``)."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mailgate.domain.ledger import Outcome, Verdict
from mailgate.domain.mail import Envelope
from mailgate.domain.proof import Evidence
from mailgate.domain.trust import Relay, SenderPair, Stamp, Trust
from mailgate.domain.user import Role, User, UserKind
from mailgate.errors import Deferred, Reason
from mailgate.smtp.replies import Replies
from tests.desk import ADDRESS, POLICY, RELAY, Desk
from tests.worlds import ANNA, SUPPORT, WORLD

MAILS = Path(__file__).parents[2] / "fixtures" / "authors"
REPLIES = Replies(max_size=1000, max_header_size=100, max_recipients=10, help_url="https://help.example/bcc")
ATTACH = "To log somebody else's mail, attach it to one of yours."

DORA = "dora@firma.example"
NORA = "nora@kunde.example"
SRS = "srs0=x=kunde.example=nora@firma.example"
PLUS = "anna+kunden@firma.example"
MOBILE = "anna.muster@mobil.example"
BARE = "redirect-without-trace"
SCANNER = User(
    email="scanner@firma.example",
    name="Scanner",
    kind=UserKind.SYSTEM,
    roles=frozenset({Role.RECORD_ACTIVITIES}),
    accept_automatic=True,
)
TICKETS = replace(SCANNER, email="tickets@firma.example")
PAIRS = frozenset({SenderPair(DORA, ANNA.email), SenderPair(ANNA.email, SUPPORT.email)})
STAMPED = replace(RELAY, trust=Trust.STAMPED, authserv_id="mx", stamp=Stamp.ABOVE)
VERIFIED = replace(RELAY, trust=Trust.VERIFIED)


def desk(*users: User, relay: Relay = RELAY, pairs: frozenset[SenderPair] = PAIRS, believed: bool = True) -> Desk:
    known = {user.email for user in users}
    world = replace(WORLD, users=(*(user for user in WORLD.users if user.email not in known), *users))
    made = Desk(world, replace(POLICY, pairs=pairs), relay=relay)
    made.authenticator.evidence = Evidence(believed=believed)
    return made


def send(at: Desk, name: str, sender: str) -> Outcome:
    (outcome,) = at.send((MAILS / f"{name}.eml").read_bytes().decode("latin-1"), sender=sender)
    return outcome


def reply(outcome: Outcome) -> str:
    return str(REPLIES.outcome(outcome))


# -- kept -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kept:
    """``recorder`` is whom the activity belongs to, ``author`` its From; ``delegate`` is the participant by Sender."""

    mail: str
    sender: str
    author: str
    recorder: str
    delegate: str | None = None


KEPT = [
    Kept("own-mail", ANNA.email, ANNA.email, ANNA.email),
    Kept("on-behalf", DORA, ANNA.email, ANNA.email, delegate=DORA),
    Kept("as-support", ANNA.email, SUPPORT.email, SUPPORT.email, delegate=ANNA.email),
    Kept("as-support-without-sender", ANNA.email, SUPPORT.email, SUPPORT.email),
    Kept("as-support-without-sender", SUPPORT.email, SUPPORT.email, SUPPORT.email),
    Kept("invitation", ANNA.email, ANNA.email, ANNA.email),
    Kept("attached", ANNA.email, ANNA.email, ANNA.email),
    Kept("attached-report", ANNA.email, ANNA.email, ANNA.email),
    Kept("scanner", SCANNER.email, SCANNER.email, SCANNER.email),
    Kept("ticket", TICKETS.email, TICKETS.email, TICKETS.email),
]


@pytest.mark.parametrize("relay", [RELAY, STAMPED, VERIFIED], ids=["vouched", "stamped", "verified"])
@pytest.mark.parametrize("row", KEPT, ids=[f"{row.mail} by {row.sender}" for row in KEPT])
def test_what_is_kept_and_whose_it_is(row: Kept, relay: Relay) -> None:
    at = desk(SCANNER, TICKETS, relay=relay)
    outcome = send(at, row.mail, row.sender)
    assert outcome.verdict is Verdict.KEPT
    new = at.archive.activities[outcome.activity or ""].new
    assert (new.envelope_from, new.author, new.recorder) == (row.sender, row.author, row.recorder)
    assert new.trust == relay.trust.value
    by_header = {one.header: one.email for one in new.activities[0].participants}
    assert (by_header["from"], by_header.get("sender")) == (row.author, row.delegate)


# -- refused --------------------------------------------------------------------------------------------------------

REFUSED = [
    ("on behalf without a pair", "on-behalf", DORA, RELAY, (Reason.NOT_BELIEVED, ANNA.email)),
    ("as support without a pair", "as-support", ANNA.email, RELAY, (Reason.NOT_BELIEVED, SUPPORT.email)),
    ("a redirect, by the user", "redirect", ANNA.email, RELAY, (Reason.NOT_BELIEVED, NORA, ATTACH)),
    ("a redirect, by the client", "redirect", NORA, RELAY, (Reason.UNKNOWN_SENDER, NORA, ATTACH)),
    ("a redirect, rewritten", "redirect", SRS, RELAY, (Reason.NOT_BELIEVED, NORA, ATTACH)),
    ("a redirect that is stamped", "redirect", ANNA.email, STAMPED, (Reason.UNKNOWN_SENDER, NORA, ATTACH)),
    ("a redirect that is verified", "redirect", ANNA.email, VERIFIED, (Reason.UNKNOWN_SENDER, NORA, ATTACH)),
    ("no trace, by the user", BARE, ANNA.email, RELAY, (Reason.NOT_BELIEVED, NORA, ATTACH)),
    ("no trace, by the user, stamped", BARE, ANNA.email, STAMPED, (Reason.UNKNOWN_SENDER, NORA, ATTACH)),
    ("no trace, by the client: a stranger", BARE, NORA, RELAY, (Reason.UNKNOWN_SENDER, NORA)),
    ("no trace, by somebody else", BARE, SRS, RELAY, (Reason.NOT_BELIEVED, NORA)),
    ("resent by the user", "resent", ANNA.email, RELAY, (Reason.NOT_BELIEVED, NORA, ATTACH)),
    ("resent by the client", "resent", NORA, RELAY, (Reason.UNKNOWN_SENDER, NORA, ATTACH)),
    ("resent and stamped", "resent", ANNA.email, STAMPED, (Reason.UNKNOWN_SENDER, NORA, ATTACH)),
    ("resent and verified", "resent", NORA, VERIFIED, (Reason.UNKNOWN_SENDER, NORA, ATTACH)),
    ("a plus address", "plus-address", PLUS, RELAY, (Reason.UNKNOWN_SENDER, PLUS)),
    ("an alias of the telephone", "mobile-alias", MOBILE, RELAY, (Reason.UNKNOWN_SENDER, MOBILE)),
    ("out of office", "out-of-office", ANNA.email, RELAY, (Reason.MACHINE_MAIL, "")),
    ("out of office, null sender", "out-of-office", "", RELAY, (Reason.BOUNCE, "")),
    ("a read receipt", "read-receipt", ANNA.email, RELAY, (Reason.MACHINE_MAIL, "")),
    ("a read receipt, null sender", "read-receipt", "", RELAY, (Reason.BOUNCE, "")),
    ("a delivery report", "delivery-report", "", RELAY, (Reason.BOUNCE, "")),
    ("a delivery report, redirected", "delivery-report", ANNA.email, RELAY, (Reason.MACHINE_MAIL, "")),
    ("a scanner", "scanner", "scanner@firma.example", RELAY, (Reason.MACHINE_MAIL, "")),
    ("a ticket system", "ticket", "tickets@firma.example", RELAY, (Reason.MACHINE_MAIL, "")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("mail", "sender", "relay", "expected"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_what_is_refused_and_what_its_sender_reads(
    mail: str, sender: str, relay: Relay, expected: tuple[Reason, str] | tuple[Reason, str, str]
) -> None:
    reason, value, *advice = expected
    at = desk(relay=relay, pairs=frozenset())
    outcome = send(at, mail, sender)
    assert (outcome.verdict, outcome.reason, outcome.value) == (Verdict.REFUSED, reason, value)
    assert at.archive.activities == {}
    said = reply(outcome)
    assert value in said
    assert (ATTACH in said) == bool(advice)
    assert said.endswith(" https://help.example/bcc")


@pytest.mark.parametrize("mail", [BARE, "redirect", "resent"])
@pytest.mark.parametrize("sender", [ANNA.email, NORA])
@pytest.mark.parametrize("relay", [STAMPED, VERIFIED], ids=["stamped", "verified"])
def test_what_another_wrote_and_nothing_shows_is_nobodys(mail: str, sender: str, relay: Relay) -> None:
    outcome = send(desk(relay=relay, believed=False), mail, sender)
    assert (outcome.verdict, outcome.reason) == (Verdict.REFUSED, Reason.NOT_BELIEVED)
    assert (ATTACH in reply(outcome)) == (mail != BARE)


def test_an_own_domain_tells_a_redirect_that_nothing_shows_from_a_stranger() -> None:
    at = desk(relay=STAMPED, believed=False)
    at.intake.policy = replace(at.intake.policy, own_domains=frozenset({"firma.example"}))
    assert ATTACH in reply(send(at, BARE, ANNA.email))
    assert ATTACH not in reply(send(at, BARE, NORA))


@pytest.mark.parametrize("sender", [ANNA.email, "nobody@firma.example"])
@pytest.mark.parametrize("relay", [STAMPED, VERIFIED], ids=["stamped", "verified"])
def test_a_stranger_learns_nothing_of_who_is_registered(sender: str, relay: Relay) -> None:
    told = set()
    for users in ((), (User(email="nobody@firma.example", name="N"),)):
        at = desk(*users, relay=relay, believed=False)
        outcome = send(at, BARE, sender)
        told.add((reply(outcome), at.directory.asked))
    assert len(told) == 1


def test_advice_stays_when_refusals_are_soft() -> None:
    at = desk(pairs=frozenset())
    at.intake.policy = replace(at.intake.policy, soft_refuse=True)
    said = reply(send(at, "redirect", ANNA.email))
    assert said.startswith("450 4.7.26 [MG-TRUST] Nothing shows that nora@kunde.example wrote this mail. ")
    assert ATTACH in said
    came = Envelope(relay=RELAY, sender=ANNA.email, addressees=())
    with pytest.raises(Deferred) as later:
        at.intake.explain(came, [ADDRESS], (MAILS / "redirect.eml").read_bytes(), lambda _rule, _said: None)
    assert str(REPLIES.refusal(later.value)) == said


# -- aliases mend ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mail", "alias"), [("plus-address", PLUS), ("mobile-alias", MOBILE)])
def test_an_alias_mends_an_address_that_is_not_registered(mail: str, alias: str) -> None:
    at = desk(replace(ANNA, aliases=(alias,)))
    outcome = send(at, mail, alias)
    kept = at.archive.activities[outcome.activity or ""].new
    assert (kept.author, kept.recorder, kept.envelope_from) == (alias, ANNA.email, alias)


# -- machines -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mail", ["scanner", "ticket"])
@pytest.mark.parametrize(
    "change",
    [
        {"accept_automatic": False},
        {"enabled": False},
        {"roles": frozenset()},
    ],
)
def test_a_machine_that_may_not_is_refused_as_one_whatever_else_is_wrong(mail: str, change: dict[str, object]) -> None:
    machine = SCANNER if mail == "scanner" else TICKETS
    outcome = send(desk(replace(machine, **change)), mail, machine.email)  # type: ignore[arg-type]  # the table holds any field
    assert (outcome.verdict, outcome.reason, outcome.value) == (Verdict.REFUSED, Reason.MACHINE_MAIL, "")


@pytest.mark.parametrize("relay", [RELAY, STAMPED, VERIFIED], ids=["vouched", "stamped", "verified"])
def test_whoever_only_says_to_be_the_machine_is_refused_as_one(relay: Relay) -> None:
    at = desk(SCANNER, relay=relay, believed=False)
    outcome = send(at, "scanner", "eve@firma.example")
    assert (outcome.verdict, outcome.reason) == (Verdict.REFUSED, Reason.MACHINE_MAIL)


def test_a_machine_that_cannot_be_verified_for_now_is_put_off() -> None:
    at = desk(SCANNER, relay=VERIFIED)
    at.authenticator.evidence = Evidence(unsure=True)
    outcome = send(at, "scanner", SCANNER.email)
    assert (outcome.verdict, outcome.reason) == (Verdict.DEFERRED, Reason.DNS)


def test_of_other_machines_nobody_is_asked_whether_they_can_be_verified() -> None:
    at = desk(SCANNER, relay=VERIFIED)
    assert send(at, "ticket", "tickets@firma.example").reason is Reason.MACHINE_MAIL
    assert at.authenticator.asked == []


@pytest.mark.parametrize(
    ("mail", "reason"), [("read-receipt", Reason.MACHINE_MAIL), ("delivery-report", Reason.BOUNCE)]
)
def test_a_report_is_refused_from_a_machine_too(mail: str, reason: Reason) -> None:
    text = (MAILS / f"{mail}.eml").read_bytes().decode("latin-1")
    at = desk(SCANNER)
    sender = "" if reason is Reason.BOUNCE else SCANNER.email
    (outcome,) = at.send(text.replace("anna@firma.example", SCANNER.email), sender=sender)
    assert (outcome.verdict, outcome.reason) == (Verdict.REFUSED, reason)


def test_every_mail_of_the_folder_is_in_a_table() -> None:
    used = {row.mail for row in KEPT} | {row[1] for row in REFUSED}
    assert used == {path.stem for path in MAILS.glob("*.eml")}
