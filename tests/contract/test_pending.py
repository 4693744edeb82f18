"""Who waits to be registered: the fake and both stores count alike."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from mailgate.domain.pending import PendingSender, WaitingMail
from tests.contract.conftest import Backend, Maker
from tests.worlds import ANNA, CAMPAIGN, CUSTOMER, DOMAIN, NOW, WORLD

NEW = "neu@firma.example"
MAIL = WaitingMail(author=NEW, relay="office", sender=NEW, address=f"aaaa@{DOMAIN}", at=NOW, queue_id="4bKxyz")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def backend(make_backend: Maker) -> Backend:
    return make_backend(WORLD)


def waiting(backend: Backend, like: WaitingMail = MAIL) -> list[PendingSender]:
    found = backend.pending.waiting(relay=like.relay, sender=like.sender, address=like.address, at=NOW)
    return [replace(entry, until=None) for entry in found]


def test_nobody_waits_at_first(backend: Backend) -> None:
    assert waiting(backend) == []
    backend.pending.wait([])
    assert waiting(backend) == []


def test_a_mail_that_waits_is_one_entry(backend: Backend) -> None:
    backend.pending.wait([MAIL])
    assert waiting(backend) == [
        PendingSender(
            email=NEW,
            relay="office",
            envelope_from=NEW,
            record=CAMPAIGN,
            queue_id="4bKxyz",
            tries=1,
            first_at=NOW,
            last_at=NOW,
        )
    ]


def test_each_further_try_is_counted_in_whatever_order_they_come(backend: Backend) -> None:
    for minutes in (0, 5, 3):
        backend.pending.wait([replace(MAIL, at=NOW + minutes * MINUTE)])
    (entry,) = waiting(backend)
    assert (entry.tries, entry.first_at, entry.last_at) == (3, NOW, NOW + 5 * MINUTE)


@pytest.mark.parametrize(
    ("ids", "kept"), [(("4bK", "4bL"), "4bK"), ((None, "4bL"), "4bL"), (("4bK", None), "4bK"), ((None, None), None)]
)
def test_the_queue_id_that_came_first_stays(backend: Backend, ids: tuple[str | None, ...], kept: str | None) -> None:
    for queue_id in ids:
        backend.pending.wait([replace(MAIL, queue_id=queue_id)])
    (entry,) = waiting(backend)
    assert entry.queue_id == kept


@pytest.mark.parametrize(
    "other",
    [
        replace(MAIL, relay="gateway"),
        replace(MAIL, sender="sekretariat@firma.example"),
        replace(MAIL, address=f"eeee@{DOMAIN}"),
    ],
)
def test_another_relay_envelope_sender_or_address_waits_by_itself(backend: Backend, other: WaitingMail) -> None:
    backend.pending.wait([MAIL, other])
    assert [entry.tries for entry in waiting(backend)] == [1]
    (entry,) = waiting(backend, other)
    assert (entry.relay, entry.envelope_from) == (other.relay, other.sender)
    assert entry.record == (CUSTOMER if other.address.startswith("eeee") else CAMPAIGN)


def test_two_authors_of_one_envelope_sender_are_two_entries(backend: Backend) -> None:
    backend.pending.wait([MAIL, replace(MAIL, author="zwei@firma.example")])
    assert {entry.email for entry in waiting(backend)} == {NEW, "zwei@firma.example"}


@pytest.mark.parametrize("email", [ANNA.email, ANNA.aliases[0]])
def test_whoever_is_a_user_by_any_address_does_not_wait(backend: Backend, email: str) -> None:
    backend.pending.wait([replace(MAIL, author=email)])
    assert waiting(backend) == []


def test_an_address_that_is_gone_is_left_out(backend: Backend) -> None:
    gone = replace(MAIL, address=f"zzzz@{DOMAIN}")
    backend.pending.wait([gone, MAIL])
    assert waiting(backend, gone) == []
    assert len(waiting(backend)) == 1


def test_many_at_once_make_one_entry_and_lose_no_try(backend: Backend) -> None:
    def tried() -> None:
        for _ in range(5):
            backend.pending.wait([MAIL, replace(MAIL, address=f"eeee@{DOMAIN}")])

    threads = [threading.Thread(target=tried) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.tries for entry in waiting(backend)] == [20]
