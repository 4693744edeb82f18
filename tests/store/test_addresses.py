import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from mailgate.domain.record import AddressState, RecordRef
from mailgate.errors import BadInput, NotFound, Refused
from mailgate.store.addresses import Addresses
from mailgate.store.database import Database
from mailgate.store.tables import audit
from tests.store.admin import ACTOR, ANNA, DOMAIN, RELAY, Admin, a_mail, administering

CAMPAIGN = RecordRef.parse("campaign:4711")
OTHER = RecordRef.parse("campaign:4712")


@pytest.fixture
def admin(database: Database) -> Iterator[Admin]:
    with administering(database) as one:
        one.user(ANNA)
        one.record(str(CAMPAIGN))
        one.address(one.record(str(OTHER)))
        yield one


def _answer(admin: Admin, bcc: str) -> str:
    try:
        return admin.intake.check_recipient(RELAY, bcc).state.value
    except Refused as no:
        return no.reason.value


def test_an_address_is_made_on_first_asking_and_the_same_from_then_on(admin: Admin) -> None:
    made = admin.addresses.show(CAMPAIGN, actor=ACTOR)
    assert re.fullmatch(r"[a-z2-9]{26}@log\.muster\.example", made.address)
    assert (made.record, made.state, made.expires_at) == (CAMPAIGN, AddressState.OPEN, None)
    assert admin.addresses.show(CAMPAIGN, actor=ACTOR) == made
    assert list(admin.addresses.list(CAMPAIGN)) == [made]
    assert made.address != admin.address(OTHER)


def test_two_who_ask_at_once_get_the_same(admin: Admin) -> None:
    together = threading.Barrier(4)
    got: list[str] = []

    def ask() -> None:
        together.wait()
        got.append(admin.address(CAMPAIGN))

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(got) == 4
    assert len(set(got)) == 1


STEPS: list[tuple[str, list[str], list[str]]] = [
    # what an admin does; what the first address answers after each step; what the standing one does in the end
    ("rotate", ["unknown_address"], ["open"]),
    ("rotate 7", ["grace"], ["open"]),
    ("close, reopen", ["closed_address", "open"], ["open"]),
    ("rotate 7, close, reopen", ["grace", "closed_address", "grace"], ["open"]),
    ("rotate 7, rotate", ["grace", "grace"], ["open"]),
    ("rotate 7, revoke", ["grace", "unknown_address"], ["open"]),
    ("revoke", ["unknown_address"], ["open"]),
    ("close, close", ["closed_address", "closed_address"], ["closed_address"]),
    ("reopen", ["open"], ["open"]),
    ("close, revoke", ["closed_address", "unknown_address"], ["open"]),
]


@pytest.mark.parametrize(("steps", "answers", "standing"), STEPS)
def test_the_life_of_an_address(admin: Admin, steps: str, answers: list[str], standing: list[str]) -> None:
    first = admin.address(CAMPAIGN)
    for step, answer in zip(steps.split(", "), answers, strict=True):
        word, _, days = step.partition(" ")
        if word == "rotate":
            admin.addresses.rotate(CAMPAIGN, grace_days=int(days) if days else None, actor=ACTOR)
        else:
            getattr(admin.addresses, word)(CAMPAIGN, actor=ACTOR)
        assert _answer(admin, first) == answer, step
    assert [_answer(admin, admin.address(CAMPAIGN))] == standing


def test_a_rotated_address_is_taken_until_its_grace_ends(admin: Admin) -> None:
    first = admin.address(CAMPAIGN)
    fresh = admin.addresses.rotate(CAMPAIGN, grace_days=7, actor=ACTOR)
    assert fresh.address == admin.address(CAMPAIGN) != first
    (old,) = (one for one in admin.addresses.list(CAMPAIGN) if one.address == first)
    assert old.expires_at is not None
    assert timedelta(days=6.9) < old.expires_at - datetime.now(UTC) <= timedelta(days=7)
    later = Addresses(admin.database, DOMAIN, admin.edition, now=lambda: datetime.now(UTC) + timedelta(days=8))
    changed = later.close(CAMPAIGN, actor=ACTOR)
    assert [one.address for one in changed] == [fresh.address]


def test_a_revoked_address_never_comes_back(admin: Admin) -> None:
    first = admin.address(CAMPAIGN)
    assert [one.state for one in admin.addresses.revoke(CAMPAIGN, actor=ACTOR)] == [AddressState.REVOKED]
    with pytest.raises(BadInput, match="has no address that lives"):
        admin.addresses.reopen(CAMPAIGN, actor=ACTOR)
    second = admin.address(CAMPAIGN)
    assert second != first
    assert _answer(admin, first) == "unknown_address"
    assert _answer(admin, second) == "open"


@pytest.mark.parametrize(
    ("what", "error", "says"),
    [
        (lambda admin: admin.addresses.close(CAMPAIGN, actor=ACTOR), BadInput, "campaign:4711 has no address"),
        (lambda admin: admin.addresses.revoke(CAMPAIGN, actor=ACTOR), BadInput, "campaign:4711 has no address"),
        (lambda admin: admin.addresses.rotate(OTHER, grace_days=0, actor=ACTOR), BadInput, "grace of 0 days"),
        (lambda admin: admin.addresses.rotate(OTHER, grace_days=-1, actor=ACTOR), BadInput, "grace of -1 days"),
        (lambda admin: admin.addresses.rotate(OTHER, grace_days=10**9, actor=ACTOR), BadInput, "grace of 1000000000"),
        (lambda admin: admin.address(RecordRef.parse("lead:9")), NotFound, "no record lead:9"),
        (lambda admin: list(admin.addresses.list(RecordRef.parse("lead:9"))), NotFound, "no record lead:9"),
        (lambda admin: admin.addresses.close(RecordRef.parse("lead:9"), actor=ACTOR), NotFound, "no record lead:9"),
    ],
)
def test_what_is_refused(admin: Admin, what: Callable[[Admin], object], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        what(admin)


def test_a_closed_address_is_not_rotated(admin: Admin) -> None:
    admin.addresses.close(OTHER, actor=ACTOR)
    with pytest.raises(BadInput, match="is closed: use mailgate address reopen campaign:4712 first"):
        admin.addresses.rotate(OTHER, grace_days=None, actor=ACTOR)


def test_use_and_exposure_are_seen(admin: Admin) -> None:
    bcc = admin.address(CAMPAIGN)
    admin.log(a_mail().replace(b"To: ", f"To: {bcc}, ".encode()), CAMPAIGN)
    (shown,) = admin.addresses.list(CAMPAIGN)
    assert shown.last_used_at is not None
    assert shown.exposed_at is not None


def test_all_are_listed_however_many(admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailgate.store.addresses.PAGE", 2)
    for _ in range(4):
        admin.addresses.rotate(CAMPAIGN, grace_days=1, actor=ACTOR)
    assert [one.record for one in admin.addresses.list()] == [OTHER] + [CAMPAIGN] * 4
    assert [one.state.value for one in admin.addresses.list(CAMPAIGN)] == ["grace", "grace", "grace", "open"]


def test_every_change_is_audited_and_no_address_stands_in_the_audit(admin: Admin) -> None:
    for step in ("show", "close", "reopen", "revoke"):
        getattr(admin.addresses, step)(CAMPAIGN, actor="operator")
    admin.addresses.rotate(OTHER, grace_days=None, actor="operator")
    with admin.database.read() as connection:
        rows = connection.execute(select(audit).where(audit.c.actor == "operator").order_by(audit.c.id)).all()
    assert [(row.action, row.subject) for row in rows] == [
        ("address made", "campaign:4711"),
        ("address closed", "campaign:4711"),
        ("address reopened", "campaign:4711"),
        ("address revoked", "campaign:4711"),
        ("address rotated away", "campaign:4712"),
        ("address made", "campaign:4712"),
    ]
    for one in admin.addresses.list():
        assert not any(one.address.partition("@")[0] in row.detail for row in rows)
