"""Listings: what they hold, in which order, and how they are cut, beside a plain reading of the rules.

The small worlds are made by chance from a seed and hold what is rare in a real one: many activities at one moment,
persons who share an address, relations in both directions and several roles.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, literal, select

from mailgate.domain.activity import Activity, ActivityType, Side
from mailgate.domain.entry import RecordEntry
from mailgate.domain.handmade import HandmadeEntry
from mailgate.domain.listing import Wish
from mailgate.domain.record import Edition, RecordKind, RecordRef
from mailgate.domain.topic import topics
from mailgate.errors import BadInput, NotFound
from mailgate.store import tables
from mailgate.store.database import Database
from mailgate.store.identifiers import new_id
from tests.store.admin import ACTOR, ANNA, LUCA, Admin, a_mail, administering

START = datetime(2026, 11, 1, tzinfo=UTC)
LUCA_TOO = "l.lang@muster.example"
GONE = "gone@muster.example"
NORA, NORA_TOO, SHARED, STRANGER = "nora@optik.example", "nora@home.example", "info@optik.example", "x@else.example"
KINDS = ("customer", "customer", "contact", "contact", "lead", "campaign", "campaign", "campaign", "opportunity")
TOPICS = ("other", "other", "negotiation", "offer")
OWNERS = {2: (NORA, NORA_TOO), 3: (SHARED,), 4: (SHARED,), 0: (STRANGER,)}
PERSONS = tuple(RecordRef(RecordKind(KINDS[number]), str(number)) for number in (2, 3, 4))
EXTERNALS: tuple[str | RecordRef, ...] = (NORA, SHARED, *PERSONS)


@dataclass(frozen=True, kw_only=True)
class Part:
    email: str
    side: Side
    person: int | None = None


@dataclass(frozen=True, kw_only=True)
class Made:
    id: str
    record: int
    type: ActivityType
    topic: str
    at: datetime
    done: bool
    parts: tuple[Part, ...] = ()


@dataclass
class SmallWorld:
    """The same world as plain values, and in a store."""

    refs: list[RecordRef]
    keys: list[int]
    related: set[tuple[int, int]] = field(default_factory=set)
    made: list[Made] = field(default_factory=list)

    def expected(self, own: int, wish: Wish) -> list[str]:
        """Read the rules plainly: every activity is asked whether it is wanted."""
        near = {other for pair in self.related if own in pair for other in pair if other != own}
        listed = {one for one in near if self.refs[one].kind in wish.affiliations} | ({own} if wish.own else set())
        found = [one for one in self.made if one.record in listed and self._wanted(one, wish)]
        return [one.id for one in sorted(found, key=lambda one: (one.at, one.id), reverse=True)]

    def _wanted(self, one: Made, wish: Wish) -> bool:
        persons, emails = self._external(wish.external)
        users = {LUCA, LUCA_TOO} if wish.internal in (LUCA, LUCA_TOO) else {wish.internal}
        return (
            (wish.type is None or one.type == wish.type)
            and (wish.topic is None or one.topic == wish.topic)
            and (wish.since is None or one.at >= wish.since)
            and (wish.until is None or one.at < wish.until)
            and (wish.done is None or (one.type is ActivityType.TASK and one.done is wish.done))
            and (
                wish.external is None
                or any(
                    part.side is Side.EXTERNAL and (part.email in emails or part.person in persons)
                    for part in one.parts
                )
            )
            and (wish.internal is None or any(part.side is Side.INTERNAL and part.email in users for part in one.parts))
        )

    def _external(self, who: str | RecordRef | None) -> tuple[set[int], set[str]]:
        """Say which records and addresses are meant; those of a record that nobody else has."""
        if isinstance(who, RecordRef):
            person = self.refs.index(who)
            return {person}, set(OWNERS.get(person, ())) - {SHARED}
        return {number for number, emails in OWNERS.items() if who in emails and number != 0}, {who or ""}


def _small_world(database: Database, chance: random.Random) -> SmallWorld:
    with database.write() as connection:
        user = _key(connection, tables.user_account, email=LUCA, name="Luca", kind="person", enabled=True)
        for email in (LUCA, LUCA_TOO):
            connection.execute(insert(tables.user_address), {"email": email, "user_id": user})
        refs = [RecordRef(RecordKind(kind), str(number)) for number, kind in enumerate(KINDS)]
        keys = [
            _key(connection, tables.record, kind=ref.kind.value, ref=ref.ref, name="x", state="open") for ref in refs
        ]
        world = SmallWorld(refs, keys)
        for number, emails in OWNERS.items():
            for email in emails:
                connection.execute(insert(tables.record_email), {"record_id": keys[number], "email": email})
        _relate(connection, world, chance)
        for _ in range(chance.choice((5, 40, 60))):
            world.made.append(_make(connection, world, chance, user))
    return world


def _relate(connection: Any, world: SmallWorld, chance: random.Random) -> None:
    for table, other in ((tables.record_relation, "other_id"), (tables.record_contact, "contact_id")):
        for role in ("customer", "agency"):
            for _ in range(5):
                one, two = chance.sample(range(len(KINDS)), 2)
                if table is tables.record_contact and world.refs[two].kind is not RecordKind.CONTACT:
                    continue
                row = {"record_id": world.keys[one], "role": role, other: world.keys[two]}
                exists = select(table).filter_by(**row)
                if connection.execute(exists).first() is None:
                    connection.execute(insert(table), row)
                    world.related.add((one, two))


def _make(connection: Any, world: SmallWorld, chance: random.Random, user: int) -> Made:
    type_ = chance.choice((ActivityType.TASK, ActivityType.EMAIL, ActivityType.EMAIL, ActivityType.MEETING))
    people = (
        Part(email=LUCA, side=Side.INTERNAL),
        Part(email=LUCA_TOO, side=Side.INTERNAL),
        Part(email=GONE, side=Side.INTERNAL),
        Part(email=NORA, side=Side.EXTERNAL, person=2),
        Part(email=NORA_TOO, side=Side.EXTERNAL, person=2),
        Part(email=NORA, side=Side.EXTERNAL),
        Part(email=SHARED, side=Side.EXTERNAL),
        Part(email=SHARED, side=Side.EXTERNAL, person=3),
        Part(email="", side=Side.EXTERNAL, person=4),
        Part(email=STRANGER, side=Side.EXTERNAL),
        Part(email=LUCA, side=Side.EXTERNAL),
    )
    one = Made(
        id=new_id(),
        record=chance.randrange(len(KINDS)),
        type=type_,
        topic=chance.choice(TOPICS),
        at=START + timedelta(hours=chance.randrange(12)),
        done=type_ is ActivityType.TASK and chance.random() < 0.5,
        parts=tuple(chance.sample(people, chance.randrange(5))),
    )
    values = {"id": one.id, "record_id": world.keys[one.record], "type": type_.value, "topic": one.topic}
    values |= {"origin": "manual", "occurred_at": one.at, "recorded_at": one.at, "recorder_id": user, "trust": "none"}
    connection.execute(insert(tables.activity), {**values, "done_at": one.at if one.done else None})
    for n, part in enumerate(one.parts, start=1):
        row = {"activity_id": one.id, "n": n, "email": part.email, "side": part.side.value, "occurred_at": one.at}
        row |= {"activity_record_id": world.keys[one.record]}
        person = world.keys[part.person] if part.person is not None else None
        connection.execute(insert(tables.participation), {**row, "record_id": person})
    return one


def _key(connection: Any, table: Any, **values: Any) -> int:
    row = connection.execute(insert(table).values(created_at=START, **values)).inserted_primary_key
    return int(row[0])


def _any_wish(chance: random.Random, record: RecordRef) -> Wish:
    def maybe(value: Any) -> Any:
        return value if chance.random() < 0.35 else None

    affiliations = tuple(chance.sample(sorted(set(KINDS)), chance.randrange(4)))
    since = maybe(START + timedelta(hours=chance.randrange(8)))
    kind = maybe(chance.choice((ActivityType.TASK, ActivityType.EMAIL)))
    own = not affiliations or chance.random() < 0.7
    kinds = [*(RecordKind(kind) for kind in affiliations), *([record.kind] if own else [])]
    return Wish(
        affiliations=tuple(RecordKind(kind) for kind in affiliations),
        own=own,
        type=kind,
        topic=maybe(chance.choice([one for kind in kinds for one in topics(kind) if one in TOPICS])),
        external=maybe(chance.choice((NORA, NORA_TOO, SHARED, STRANGER, LUCA, "nobody@else.example", *PERSONS))),
        internal=maybe(chance.choice((LUCA, LUCA_TOO, GONE, NORA))),
        since=since,
        until=maybe((since or START) + timedelta(hours=chance.randrange(6))),
        done=maybe(chance.random() < 0.5) if kind in (None, ActivityType.TASK) else None,
    )


@pytest.fixture(params=range(6))
def chance(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.param)


@pytest.fixture
def admin(database: Database) -> Iterator[Admin]:
    with administering(database, Edition.MARKETER) as one:
        yield one


def _ids(listed: Iterator[Activity]) -> list[str]:
    return [one.id for one in listed]


@pytest.mark.parametrize("few_names", [0, 10])
def test_any_wish_lists_what_the_rules_say(
    admin: Admin, chance: random.Random, few_names: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailgate.store.finding.FEW_NAMES", few_names)
    world = _small_world(admin.database, chance)
    filled = 0
    for _ in range(60):
        own = chance.randrange(len(KINDS))
        wish = _any_wish(chance, world.refs[own])
        expected = world.expected(own, wish)
        filled += bool(expected)
        assert _ids(admin.activities.list(world.refs[own], wish, limit=1000)) == expected, wish
    assert filled > 5


def test_pages_of_every_size_join_to_the_whole(
    admin: Admin, chance: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    for short in ("STRETCH", "FIRST_STEP"):  # so that what may lead seldom fills a page at once
        monkeypatch.setattr(f"mailgate.store.finding.{short}", 1)
    world = _small_world(admin.database, chance)
    for size in (1, 2, 3, 7):
        wish, own = Wish(affiliations=tuple(RecordKind)), chance.randrange(len(KINDS))
        if size > 1:
            wish = _any_wish(chance, world.refs[own])
        whole = world.expected(own, wish)
        joined: list[str] = []
        while page := _ids(
            admin.activities.list(world.refs[own], wish, limit=size, after=joined[-1] if joined else None)
        ):
            joined += page
            assert len(joined) <= len(whole)
        assert joined == whole
        monkeypatch.setattr("mailgate.store.activities.PAGE", size)
        assert _ids(admin.activities.list(world.refs[own], wish, limit=1000)) == whole
        assert _ids(admin.activities.list(world.refs[own], wish, limit=size + 1)) == whole[: size + 1]


def test_filters_that_seldom_meet_are_walked_until_the_page_is_full(
    admin: Admin, chance: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, short in (("STRETCH", 1), ("FIRST_STEP", 1), ("LONGEST_STEP", 3)):
        monkeypatch.setattr(f"mailgate.store.finding.{name}", short)
    world = _small_world(admin.database, chance)
    for _ in range(40):
        own = chance.randrange(len(KINDS))
        wish = Wish(
            affiliations=(RecordKind.CUSTOMER, RecordKind.CAMPAIGN, RecordKind.CONTACT),
            external=chance.choice(EXTERNALS),
            internal=chance.choice((LUCA, LUCA, GONE, None)),
            type=chance.choice((ActivityType.TASK, ActivityType.EMAIL, None)),
        )
        wish = replace(wish, done=chance.choice((True, False, None))) if wish.type is ActivityType.TASK else wish
        size = chance.choice((1, 2, 5))
        monkeypatch.setattr("mailgate.store.finding.FEW_NAMES", chance.choice((0, 10)))
        monkeypatch.setattr("mailgate.store.activities.PAGE", size)
        expected = world.expected(own, wish)
        assert _ids(admin.activities.list(world.refs[own], wish, limit=1000)) == expected, wish
        assert _ids(admin.activities.list(world.refs[own], wish, limit=size)) == expected[:size], wish


def _contacts(admin: Admin, count: int, email: str) -> None:
    """Add contacts with one address, by a few statements."""
    with admin.database.write() as connection:
        rows = [
            {"kind": "contact", "ref": f"m{n}", "name": "n", "state": "open", "created_at": START} for n in range(count)
        ]
        connection.execute(insert(tables.record), rows)
        shared = select(tables.record.c.id, literal(email)).where(tables.record.c.ref.like("m%"))
        connection.execute(insert(tables.record_email).from_select(["record_id", "email"], shared))


@pytest.mark.parametrize("narrowed", [{}, {"type": "email"}])
def test_any_number_of_contacts_may_share_an_address(company: Admin, narrowed: dict[str, Any]) -> None:
    _contacts(company, 3000, SHARED)
    wish = Wish.read(external=SHARED, **narrowed)
    assert _on(company.activities.list(OTHER_CONTACT, wish)) == _on(company.activities.list(OTHER_CONTACT))


# -- as people meet it ----------------------------------------------------------------------------------------------

CONTACT, OTHER_CONTACT = RecordRef.parse("contact:1"), RecordRef.parse("contact:2")
CUSTOMER, CAMPAIGN, OWN_CAMPAIGN = (RecordRef.parse(ref) for ref in ("customer:7", "campaign:4711", "campaign:4712"))
DAYS = {CUSTOMER: 4, CONTACT: 3, CAMPAIGN: 2, OWN_CAMPAIGN: 1}


@pytest.fixture
def company(admin: Admin) -> Admin:
    """A customer with two contacts; one campaign names it as its agency, the other is named by it."""
    admin.user(ANNA, aliases=["a.muster@muster.example"])
    admin.user(LUCA)
    for name, given in (
        ("contact:1", {"email": [NORA]}),
        ("contact:2", {"email": [SHARED]}),
        ("campaign:4712", {}),
        ("customer:7", {"contact": ["boss=contact:1"], "relate": ["own=campaign:4712"]}),
        ("campaign:4711", {"relate": ["agency=customer:7", "customer=customer:7"], "contact": ["main=contact:1"]}),
    ):
        admin.record(name, **given)
    for number, (ref, day) in enumerate(DAYS.items()):
        sent = f"Mon, 0{day} Nov 2026 10:00:00 +0000"
        admin.log(a_mail(number, sent=sent).replace(b"nora@optik.example", NORA.encode()), ref)
        other = a_mail(number + 10, sent=sent, sender=LUCA).replace(b"nora@optik.example", SHARED.encode())
        admin.log(other, ref, sender=LUCA)
    return admin


def _on(listed: Iterator[Activity]) -> list[tuple[str, str]]:
    return [(str(one.record), one.recorder) for one in listed]


def test_on_a_contact_all_of_its_customer_that_it_took_part_in(company: Admin) -> None:
    wish = Wish.read(affiliation=["customer"], external=NORA)
    assert _on(company.activities.list(CONTACT, wish)) == [("customer:7", ANNA), ("contact:1", ANNA)]
    alone = Wish.read(affiliation=["customer"], external=NORA, without_own=True)
    assert _on(company.activities.list(CONTACT, alone)) == [("customer:7", ANNA)]


def test_this_contact_is_meant_as_a_record_too_also_without_any_address(company: Admin) -> None:
    wish = Wish.read(affiliation=["customer"], external="contact:1")
    assert _on(company.activities.list(CONTACT, wish)) == [("customer:7", ANNA), ("contact:1", ANNA)]
    company.record("contact:3")
    company.records.set(RecordEntry.read("customer:7", contact=["main=contact:3"]), actor=ACTOR)
    entry = HandmadeEntry.read(type_="call", topic="other", subject="Called", contacts=["contact:3"])
    made = company.handmade.add(RecordRef.parse("customer:7"), entry, as_email=ANNA)
    assert [(one.email, str(one.record)) for one in made.participants] == [("", "contact:3")]
    wishes = [
        (Wish.read(affiliation=["customer"], external="contact:3"), [made.id]),
        (Wish.read(affiliation=["customer"], external="contact:3", type="call"), [made.id]),
        (Wish.read(affiliation=["customer"], external="contact:3", internal=LUCA), []),
    ]
    for wish, found in wishes:
        assert _ids(company.activities.list(RecordRef.parse("contact:3"), wish)) == found
    with pytest.raises(NotFound, match="contact:99"):
        company.activities.list(CONTACT, Wish.read(external="contact:99"))


@pytest.mark.parametrize(
    ("record", "affiliation", "records"),
    [
        ("customer:7", ["campaign"], ["customer:7", "campaign:4711", "campaign:4712"]),
        ("customer:7", ["contact"], ["customer:7", "contact:1"]),
        ("customer:7", ["contact", "campaign"], ["customer:7", "contact:1", "campaign:4711", "campaign:4712"]),
        ("customer:7", ["lead"], ["customer:7"]),
        ("campaign:4711", ["customer"], ["customer:7", "campaign:4711"]),
        ("campaign:4712", ["customer"], ["customer:7", "campaign:4712"]),
        ("campaign:4712", ["contact", "campaign"], ["campaign:4712"]),
        ("contact:1", ["campaign"], ["contact:1", "campaign:4711"]),
        ("contact:2", ["customer"], []),
    ],
)
def test_an_affiliation_is_one_relation_away_in_either_direction_and_any_role(
    company: Admin, record: str, affiliation: list[str], records: list[str]
) -> None:
    listed = company.activities.list(RecordRef.parse(record), Wish.read(affiliation=affiliation, internal=ANNA))
    assert [str(one.record) for one in listed] == records


@pytest.mark.parametrize("email", [ANNA, "A.Muster@muster.example"])
def test_an_internal_participant_is_meant_by_any_address(company: Admin, email: str) -> None:
    assert _on(company.activities.list(CAMPAIGN, Wish.read(internal=email))) == [("campaign:4711", ANNA)]


def test_nobody_took_part_in_nothing(company: Admin) -> None:
    for wish in (Wish.read(external="x@y.example"), Wish.read(internal="x@y.example"), Wish.read(external=ANNA)):
        assert list(company.activities.list(CAMPAIGN, wish)) == []


def test_a_start_counts_and_an_end_does_not(company: Admin) -> None:
    at = datetime(2026, 11, 2, 10, tzinfo=UTC)
    second = timedelta(seconds=1)
    for wish, found in (
        (Wish(since=at), 2),
        (Wish(since=at + second), 0),
        (Wish(until=at), 0),
        (Wish(until=at + second), 2),
        (Wish(since=at, until=at), 0),
    ):
        assert len(list(company.activities.list(CAMPAIGN, wish))) == found


def test_a_cursor_may_be_gone_or_on_another_record(company: Admin) -> None:
    wish = Wish.read(affiliation=["campaign", "contact"])
    whole = _ids(company.activities.list(CUSTOMER, wish))
    by_anna = _ids(company.activities.list(CUSTOMER, Wish.read(affiliation=["campaign", "contact"], internal=ANNA)))
    gone = by_anna[1]
    behind = whole[whole.index(gone) + 1 :]
    company.activities.delete(gone, as_email=ANNA)
    assert _ids(company.activities.list(CUSTOMER, wish, after=gone)) == behind
    assert _on(company.activities.list(OWN_CAMPAIGN, Wish.read(internal=LUCA), after=gone)) == [("campaign:4712", LUCA)]
    with pytest.raises(NotFound, match="no activity"):
        company.activities.list(CUSTOMER, wish, after=new_id())


def test_a_deleted_activity_does_not_end_a_listing(company: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailgate.store.activities.PAGE", 2)
    wish = Wish.read(affiliation=["campaign", "contact"], internal=ANNA)
    whole = _ids(company.activities.list(CUSTOMER, wish))
    listed = company.activities.list(CUSTOMER, wish)
    assert next(listed).id == whole[0]
    company.activities.delete(whole[2], as_email=ANNA)
    assert _ids(listed) == [whole[1], whole[3]]


def test_what_an_edition_lacks_is_not_listed(database: Database) -> None:
    with administering(database, Edition.PUBLISHER) as admin:
        admin.record("customer:7")
        with pytest.raises(BadInput, match="in the edition publisher"):
            admin.activities.list(CUSTOMER, Wish.read(affiliation=["publisher_contract"]))
        with pytest.raises(BadInput, match="in the edition publisher"):
            admin.activities.list(RecordRef.parse("publisher_contract:1"))
