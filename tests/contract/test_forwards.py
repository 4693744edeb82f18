"""Mails with others attached that are kept as themselves: all or nothing, each once, each in the ledger."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from mailgate.domain.activity import NewMail
from mailgate.domain.identity import forwarded
from mailgate.domain.ledger import Verdict
from mailgate.domain.mail import Note
from mailgate.domain.record import RecordRef
from mailgate.errors import Reason
from mailgate.ports import Kept
from tests.contract.conftest import Backend, Maker
from tests.worlds import ANNA, BEAT, CAMPAIGN, CUSTOMER, DOMAIN, NOW, WORLD, new_mail, raw_mail

KEPT = (Verdict.KEPT, None)
DUPLICATE = (Verdict.DUPLICATE, Reason.DUPLICATE)
DELETED = (Verdict.DUPLICATE, Reason.DELETED)
MIB = 1 << 20


@pytest.fixture
def backend(make_backend: Maker) -> Backend:
    return make_backend(WORLD)


def attached(number: int, *, body: str = "Ja.", on: RecordRef = CAMPAIGN) -> NewMail:
    mail = new_mail(raw_mail(number=number, body=body), to=[on], notes=(Note("forwarded_by", "x"),))
    return as_attached(replace(mail, author="one@kunde.example"))


def as_attached(mail: NewMail) -> NewMail:
    """The same mail as what a user handed on."""
    return replace(mail, identity=forwarded(mail.identity), known_as=mail.identity, trust="none")


def forward(
    *mails: NewMail, says: bool = True, to: Sequence[RecordRef] = (CAMPAIGN,), number: int = 1000, size: int = 9
) -> NewMail:
    """A covering mail, and what the first of these records gets of it as mails of their own."""
    cover = new_mail(raw_mail("WG", number=number, body="x" * size), to=to)
    first, *rest = cover.activities
    return replace(cover, activities=(replace(first, attached=mails, says_anything=says), *rest))


def verdict(kept: Kept) -> tuple[Verdict, Reason | None]:
    return kept.verdict, kept.reason


def kept_raw(backend: Backend) -> list[bytes]:
    return sorted(seen.raw for seen in backend.activities())


def test_a_cover_and_what_is_attached_are_kept_each_as_itself(backend: Backend) -> None:
    mails = [attached(n) for n in range(3)]
    new = forward(*mails)
    (kept,) = backend.archive.keep(new)
    assert verdict(kept) == KEPT
    assert kept_raw(backend) == sorted([new.raw, *(each.raw for each in mails)])
    (cover,) = [seen for seen in backend.activities() if seen.raw == new.raw]
    assert kept.activity == cover.id
    assert [seen.notes[-1] for seen in backend.activities() if seen is not cover and seen.raw != new.raw] == [
        "forwarded_by"
    ] * 3
    assert backend.mails() == 4


def test_a_cover_that_says_nothing_leaves_only_what_is_attached(backend: Backend) -> None:
    first, second = attached(1), attached(2)
    (kept,) = backend.archive.keep(forward(first, second, says=False))
    assert kept_raw(backend) == sorted([first.raw, second.raw])
    assert {seen.id: seen.raw for seen in backend.activities()}[kept.activity or ""] == first.raw
    assert backend.mails() == 2
    assert backend.used(f"aaaa@{DOMAIN}") == NOW


@pytest.mark.parametrize("says", [True, False])
def test_the_ledger_tells_of_the_recipient_and_of_each_mail(backend: Backend, says: bool) -> None:
    (kept,) = backend.archive.keep(forward(attached(1), attached(2), says=says))
    by_raw = {seen.raw: seen.id for seen in backend.activities()}
    rows = {entry.message_id: entry for entry in backend.ledger()}
    assert len(backend.ledger()) == len(rows) == 3
    cover = rows["<1000@firma.example>"]
    assert (cover.id, cover.activity, cover.author) == (kept.ledger_id, kept.activity, ANNA.email)
    for number in (1, 2):
        row = rows[f"<{number}@firma.example>"]
        assert (row.verdict, row.record, row.author) == (Verdict.KEPT, CAMPAIGN, "one@kunde.example")
        assert row.activity == by_raw[raw_mail(number=number, body="Ja.")]


def test_what_has_no_author_has_none_in_the_ledger(backend: Backend) -> None:
    backend.archive.keep(forward(replace(attached(1), author=""), says=False))
    assert {entry.author for entry in backend.ledger()} == {ANNA.email, None}


@pytest.mark.parametrize("says", [True, False])
def test_the_same_again_changes_nothing(backend: Backend, says: bool) -> None:
    new = forward(attached(1), attached(2), says=says)
    (first,) = backend.archive.keep(new)
    before = backend.activities()
    (again,) = backend.archive.keep(new)
    assert (verdict(again), again.activity) == (DUPLICATE, first.activity)
    assert backend.activities() == before
    assert len(backend.ledger()) == 6


def test_what_is_known_is_met_and_what_is_new_is_kept(backend: Backend) -> None:
    (by_bcc,) = backend.archive.keep(new_mail(raw_mail(number=1, body="Ja.")))
    (kept,) = backend.archive.keep(forward(attached(1), attached(2), says=False))
    assert (verdict(kept), kept.activity) == (KEPT, by_bcc.activity)
    assert len(backend.activities()) == backend.mails() == 2
    rows = [(entry.message_id, entry.verdict) for entry in backend.ledger()]
    assert sorted(rows[1:], key=str) == [
        ("<1000@firma.example>", Verdict.KEPT),
        ("<1@firma.example>", Verdict.DUPLICATE),
        ("<2@firma.example>", Verdict.KEPT),
    ]


# -- what came by BCC and what was handed on ----------------------------------------------------------------------


BY_BCC = new_mail(raw_mail(number=1))


@pytest.mark.parametrize("deleted", [False, True])
@pytest.mark.parametrize("says", [True, False])
def test_a_mail_that_comes_by_bcc_is_kept_though_it_was_handed_on_before(
    backend: Backend, says: bool, deleted: bool
) -> None:
    handed_on = replace(as_attached(BY_BCC), recorder=BEAT.email)
    backend.archive.keep(replace(forward(handed_on, says=says), recorder=BEAT.email))
    copy = backend.activities()[-1]
    if deleted:
        backend.delete(copy.id)
    (kept,) = backend.archive.keep(BY_BCC)
    assert verdict(kept) == KEPT
    assert backend.archive.met(CAMPAIGN, BY_BCC.identity) is Reason.DUPLICATE
    by_id = {seen.id: seen for seen in backend.activities()}
    assert kept.activity != copy.id
    assert by_id[kept.activity or ""].raw == BY_BCC.raw
    assert ("same_message_id" in by_id[kept.activity or ""].notes) is not deleted
    assert len(by_id) == 1 + says + (not deleted)
    assert {each.activity: each for each in backend.ledger()}[kept.activity].verdict is Verdict.KEPT


def test_deleting_what_was_handed_on_leaves_what_came_by_bcc(backend: Backend) -> None:
    (handed_on,) = backend.archive.keep(forward(as_attached(BY_BCC), says=False))
    (by_bcc,) = backend.archive.keep(BY_BCC)
    backend.delete(handed_on.activity or "")
    assert [(seen.id, seen.raw) for seen in backend.activities()] == [(by_bcc.activity, BY_BCC.raw)]
    assert backend.mails() == 1


def test_a_covering_mail_is_kept_though_it_was_handed_on_before(backend: Backend) -> None:
    cover = forward(attached(2))
    backend.archive.keep(forward(as_attached(new_mail(cover.raw)), says=False, number=1001))
    assert verdict(backend.archive.keep(cover)[0]) == KEPT
    assert kept_raw(backend) == sorted([cover.raw, cover.raw, attached(2).raw])


@pytest.mark.parametrize(
    ("came", "deleted", "said"),
    [
        # who came, in their order; which of them were deleted; which is named by the next forward
        pytest.param(["by BCC"], [], "by BCC", id="by BCC"),
        pytest.param(["by BCC"], ["by BCC"], None, id="by BCC, deleted"),
        pytest.param(["handed on"], [], "handed on", id="handed on"),
        pytest.param(["handed on"], ["handed on"], None, id="handed on, deleted"),
        pytest.param(["handed on", "by BCC"], [], "handed on", id="both"),
        pytest.param(["handed on", "by BCC"], ["handed on"], "by BCC", id="both, the one handed on deleted"),
        pytest.param(["handed on", "by BCC"], ["by BCC"], "handed on", id="both, the one by BCC deleted"),
        pytest.param(["handed on", "by BCC"], ["handed on", "by BCC"], None, id="both, both deleted"),
        pytest.param(["as older versions handed on"], [], "as older versions handed on", id="before"),
        pytest.param(["as older versions handed on"], ["as older versions handed on"], None, id="before, deleted"),
    ],
)
def test_what_was_here_is_not_handed_on_again(
    backend: Backend, came: list[str], deleted: list[str], said: str | None
) -> None:
    own = as_attached(BY_BCC)
    ways = {
        "by BCC": BY_BCC,
        "handed on": forward(own, says=False),
        "as older versions handed on": forward(replace(own, identity=BY_BCC.identity, known_as=None), says=False),
    }
    assert backend.archive.met(CAMPAIGN, own.identity, own.known_as) is None
    ids = {way: backend.archive.keep(ways[way])[0].activity or "" for way in came}
    for way in deleted:
        backend.delete(ids[way])
    before = backend.activities()
    met = DUPLICATE if said else DELETED
    assert backend.archive.met(CAMPAIGN, own.identity, own.known_as) is met[1]
    assert backend.archive.met(CUSTOMER, own.identity, own.known_as) is None
    (kept,) = backend.archive.keep(forward(own, says=False, number=1001))
    assert (verdict(kept), kept.activity) == (met, ids[said] if said else None)
    assert backend.activities() == before


def test_what_two_colleagues_hand_on_is_one_activity_and_the_first_one_s(backend: Backend) -> None:
    (first,) = backend.archive.keep(forward(attached(1), says=False))
    by_another = replace(attached(1), recorder=BEAT.email)
    (second,) = backend.archive.keep(replace(forward(by_another, says=False, number=1001), recorder=BEAT.email))
    assert (verdict(second), second.activity) == (DUPLICATE, first.activity)
    assert len(backend.activities()) == 1


# -- many ---------------------------------------------------------------------------------------------------------


def test_two_that_are_equal_are_one_activity(backend: Backend) -> None:
    (kept,) = backend.archive.keep(forward(attached(1), attached(1), attached(2), says=False))
    assert verdict(kept) == KEPT
    assert len(backend.activities()) == backend.mails() == 2
    assert sorted(entry.verdict for entry in backend.ledger()) == [Verdict.DUPLICATE, *[Verdict.KEPT] * 3]


def test_what_was_deleted_stays_away(backend: Backend) -> None:
    new = forward(attached(1), attached(2), says=False)
    backend.archive.keep(new)
    first, second = backend.activities()
    backend.delete(first.id)
    (again,) = backend.archive.keep(new)
    assert (verdict(again), again.activity) == (DUPLICATE, second.id)
    backend.delete(second.id)
    (again,) = backend.archive.keep(new)
    assert (verdict(again), again.activity) == (DELETED, None)
    assert backend.activities() == []
    assert backend.mails() == 0


def test_a_second_record_gets_the_mail_whole(backend: Backend) -> None:
    new = forward(attached(1), says=False, to=[CAMPAIGN, CUSTOMER])
    first, second = backend.archive.keep(new)
    by_id = {seen.id: (seen.record, seen.raw) for seen in backend.activities()}
    assert by_id == {
        first.activity: (CAMPAIGN, attached(1).raw),
        second.activity: (CUSTOMER, new.raw),
    }
    assert len(backend.ledger()) == 3


def test_another_mail_of_the_same_message_id_and_author_is_noted_here_too(backend: Backend) -> None:
    backend.archive.keep(forward(attached(1), says=False))
    backend.archive.keep(forward(attached(1, body="Nein."), says=False, number=1001))
    assert [seen.notes[-1] for seen in backend.activities()] == ["forwarded_by", "same_message_id"]


@pytest.mark.parametrize(
    "numbered",  # number and size of each
    [
        pytest.param([(1, 3 * MIB), (2, 10), (3, 2 * MIB + 1)], id="big ones"),
        pytest.param([(n, MIB - 1000) for n in range(6)], id="many that are no big ones"),
        pytest.param([(1, 2 * MIB), (1, 2 * MIB), (2, 10)], id="twins"),
    ],
)
@pytest.mark.parametrize("says", [True, False])
def test_bytes_of_any_size_come_back(backend: Backend, numbered: list[tuple[int, int]], says: bool) -> None:
    mails = [attached(number, body="x" * size) for number, size in numbered]
    new = forward(*mails, says=says, size=sum(size for _, size in numbered))
    whole = {each.raw for each in mails} | ({new.raw} if says else set())
    for _ in range(2):
        backend.archive.keep(new)
        assert kept_raw(backend) == sorted(whole)
        assert backend.mails() == len(whole)


def test_the_same_forward_many_times_at_once_is_kept_once(backend: Backend) -> None:
    mails = [attached(n) for n in range(5)]
    with ThreadPoolExecutor(8) as pool:
        backwards = forward(*reversed(mails), says=False, number=1001)
        answers = list(pool.map(backend.archive.keep, [forward(*mails, says=False), backwards] * 8))
    assert kept_raw(backend) == sorted(each.raw for each in mails)
    assert [each.verdict for (each,) in answers].count(Verdict.KEPT) == 1
    assert len(backend.ledger()) == 16 * 6
    assert [entry.verdict for entry in backend.ledger()].count(Verdict.KEPT) == 6
