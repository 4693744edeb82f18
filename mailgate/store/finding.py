"""Finding the newest activities of a listing, without looking at more of them than a page needs.

A listing is a merge of sequences, each newest first in an index: the activities of one record (of one type, topic), or
those of one person on one record. How long a sequence is doesn't matter, only how many there are:

    1. the first place of each sequence: one probe each
    2. only the sequences that begin newest can give anything: of each its first places, down to where the last begins
    3. the newest of all these

Where several things are asked for at once, one kind of sequences leads and what it gives is tested one by one, some at
a time, until the page is full. A short one leads before a long one, then the external participant before the internal
one. What no index gives: two long sequences that hardly meet cost a walk along the leading one.

The tests are scalar sub-selects, not joins or EXISTS: an engine can't turn them around and read a whole table, whatever
it believes about the figures, also where it plans without knowing them (prepared statements).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Subquery,
    Table,
    case,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    union,
    union_all,
)

from mailgate.domain.activity import ActivityType, Side
from mailgate.domain.listing import Wish
from mailgate.domain.record import RecordKind
from mailgate.store.tables import (
    activity,
    participation,
    record,
    record_contact,
    record_email,
    record_relation,
    user_address,
)

SHORT = 1000  # places in sequences that lead before longer ones
FIRST_STEP, LONGEST_STEP = 4, 5000  # where places are tested: pages looked at first, places looked at in one statement
BEGINNING = datetime(1, 1, 2, tzinfo=UTC)  # before anything happened
_PERSONS = (RecordKind.CONTACT, RecordKind.LEAD)
# as text in the statement: an engine must know it to use an index over tasks
_TASK = literal(ActivityType.TASK.value, activity.c.type.type, literal_execute=True)

_Test = ColumnElement[bool]
_Places = Select[tuple[datetime, str]]


@dataclass(frozen=True, slots=True)
class Place:
    """The place of an activity in a listing."""

    occurred_at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class _Person:
    """A participant: by addresses on one side, and by the records that they are linked to."""

    side: Side
    emails: Sequence[str]
    records: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class _Sequences:
    """Sequences of one kind, one for each row of ``keys``; ``places`` gives those of a key, not yet in order.

    An activity may stand in so many of them (``shared``).
    """

    keys: FromClause
    places: Callable[[FromClause], _Places]
    shared: int = 1


@dataclass(frozen=True, slots=True)
class Search:
    """A wish with what the database knows of it, and what leads."""

    record_id: int
    wish: Wish
    external: _Person | None
    internal: _Person | None
    leading: Side | None = None  # None: the activities themselves


def prepare(connection: Connection, record_id: int, wish: Wish) -> Search:
    """Look up who is meant, and choose what leads."""
    search = Search(
        record_id,
        wish,
        external=_external(connection, wish.external) if wish.external is not None else None,
        internal=_internal(connection, wish.internal) if wish.internal is not None else None,
    )
    leaders = _leaders(search)
    if len(leaders) > 1:
        leaders.sort(key=lambda leading: _length(connection, replace(search, leading=leading)))
    return replace(search, leading=leaders[0])


def newest(connection: Connection, search: Search, size: int, after: Place | None) -> list[Place]:
    """Find the next ``size`` places of a listing, newest first."""
    tested = bool(_tests(search, activity.c.id))
    found: list[Place] = []
    step = size * FIRST_STEP if tested else size
    while True:
        walked = connection.execute(_walk(connection, search, step, after)).all()
        found += [Place(at, key) for at, key, *passed in walked if all(passed)]
        if len(found) >= size or len(walked) < step:
            return found[:size]
        after = Place(*walked[-1][:2])
        step = min(step * FIRST_STEP, LONGEST_STEP)


# -- who is meant ---------------------------------------------------------------------------------------------------


def _external(connection: Connection, email: str) -> _Person:
    linked = (
        select(record_email.c.record_id)
        .join(record, record.c.id == record_email.c.record_id)
        .where(record_email.c.email == email, record.c.kind.in_(_PERSONS))
    )
    return _Person(Side.EXTERNAL, (email,), connection.scalars(linked).all())


def _internal(connection: Connection, email: str) -> _Person:
    user = select(user_address.c.user_id).where(user_address.c.email == email).scalar_subquery()
    emails = connection.scalars(select(user_address.c.email).where(user_address.c.user_id == user)).all()
    return _Person(Side.INTERNAL, emails or (email,))


# -- what leads -----------------------------------------------------------------------------------------------------


def _leaders(search: Search) -> list[Side | None]:
    wish = search.wish
    found: list[Side | None] = [one.side for one in (search.external, search.internal) if one]
    return [*found, None] if not found or wish.type or wish.topic or wish.done is not None else found


def _length(connection: Connection, search: Search) -> int:
    """Count what a leader would walk along, its own condition alone, up to ``SHORT``."""
    wish = search.wish if search.leading is None else replace(search.wish, type=None, topic=None, done=None)
    alone = replace(
        search,
        wish=wish,
        external=search.external if search.leading is Side.EXTERNAL else None,
        internal=search.internal if search.leading is Side.INTERNAL else None,
    )
    total = 0
    for one in _sequences(alone, None):
        some = _each(connection, one.keys, one.places, SHORT).limit(SHORT).subquery()
        total += connection.scalar(select(func.count()).select_from(some)) or 0
    return min(total, SHORT)


# -- the sequences --------------------------------------------------------------------------------------------------


def _sequences(search: Search, after: Place | None) -> list[_Sequences]:
    if search.leading is None:
        return [_Sequences(_records(search), lambda keys: _on_record(search, keys, after))]
    person = search.external if search.leading is Side.EXTERNAL else search.internal
    if person is None:
        raise ValueError(f"nobody {search.leading} to lead")
    found = [
        _Sequences(
            _times(search, [literal(email, participation.c.email.type) for email in person.emails]),
            lambda keys: _of_person(
                search, keys, after, participation.c.email == keys.c.person, participation.c.side == person.side
            ),
            shared=len(person.emails),
        )
    ]
    if person.records:
        found.append(
            _Sequences(
                _times(search, [literal(key, BigInteger) for key in person.records]),
                lambda keys: _of_person(search, keys, after, participation.c.record_id == keys.c.person),
                shared=len(person.records),
            )
        )
    return found


def _records(search: Search) -> Subquery:
    """Give the records of a listing: itself, and those one relation away in either direction and any role."""
    own = search.record_id
    arms: list[Select[Any]] = [select(literal(own, BigInteger).label("record_id"))] if search.wish.own else []
    if search.wish.affiliations:
        related = union(
            select(record_relation.c.other_id.label("record_id")).where(record_relation.c.record_id == own),
            select(record_relation.c.record_id).where(record_relation.c.other_id == own),
            select(record_contact.c.contact_id).where(record_contact.c.record_id == own),
            select(record_contact.c.record_id).where(record_contact.c.contact_id == own),
        ).subquery("related")
        kind = select(record.c.kind).where(record.c.id == related.c.record_id).scalar_subquery()
        arms.append(select(related.c.record_id).where(kind.in_(search.wish.affiliations)))
    return union(*arms).subquery("listed") if len(arms) > 1 else arms[0].subquery("listed")


def _times(search: Search, persons: Sequence[ColumnElement[Any]]) -> Subquery:
    """Give every record with every one of these names of a person."""
    listed = _records(search)
    names = union_all(*(select(one.label("person")) for one in persons)).subquery("names")
    return select(listed.c.record_id, names.c.person).join_from(listed, names, true()).subquery("listed_persons")


def _on_record(search: Search, keys: FromClause, after: Place | None) -> _Places:
    place = (activity.c.occurred_at, activity.c.id)
    wanted = _attributes(search.wish)
    return select(*place).where(activity.c.record_id == keys.c.record_id, *wanted, *_window(search.wish, after, *place))


def _of_person(search: Search, keys: FromClause, after: Place | None, *name: _Test) -> _Places:
    place = (participation.c.occurred_at, participation.c.activity_id)
    on_record = participation.c.activity_record_id == keys.c.record_id
    # a contact with two addresses may stand twice in one mail
    return (
        select(place[0], place[1].label("id")).distinct().where(*name, on_record, *_window(search.wish, after, *place))
    )


# -- the tests ------------------------------------------------------------------------------------------------------


def _attributes(wish: Wish) -> list[_Test]:
    found: list[_Test] = []
    if wish.done is not None:
        is_done = activity.c.done_at.is_not(None) if wish.done else activity.c.done_at.is_(None)
        found += [activity.c.type == _TASK, is_done]
    elif wish.type is not None:
        found.append(activity.c.type == wish.type)
    if wish.topic is not None:
        found.append(activity.c.topic == wish.topic)
    return found


def _window(wish: Wish, after: Place | None, at: ColumnElement[datetime], key: ColumnElement[str]) -> list[_Test]:
    found: list[_Test] = []
    if wish.since is not None:
        found.append(at >= wish.since)
    if wish.until is not None:
        found.append(at < wish.until)
    if after is not None:
        found.append(tuple_(at, key) < tuple_(literal(after.occurred_at, at.type), literal(after.id, key.type)))
    return found


def _tests(search: Search, key: ColumnElement[str]) -> list[_Test]:
    """Test an activity for all that doesn't lead."""
    persons = [one for one in (search.external, search.internal) if one and one.side is not search.leading]
    found = [_took_part(one, key) for one in persons]
    if search.leading is not None and (attributes := _attributes(search.wish)):
        found.append(_is_there(select(literal(1)).where(activity.c.id == key, *attributes), activity))
    return found


def _took_part(person: _Person, key: ColumnElement[str]) -> _Test:
    named = participation.c.email.in_(person.emails) & (participation.c.side == person.side)
    linked = participation.c.record_id.in_(person.records)
    either = or_(named, linked) if person.records else named
    return _is_there(select(literal(1)).where(participation.c.activity_id == key, either), participation)


def _is_there(asked: Select[Any], table: Table) -> _Test:
    return asked.limit(1).correlate_except(table).scalar_subquery().is_not(None)


# -- the merge ------------------------------------------------------------------------------------------------------


def _walk(connection: Connection, search: Search, step: int, after: Place | None) -> Select[Any]:
    """Give the next ``step`` places of what leads, newest first, each with what the tests say."""
    merged = [_merged(connection, one, step) for one in _sequences(search, after)]
    every = union_all(*(select(one.c.occurred_at, one.c.id) for one in merged)).subquery("merged")
    places = select(every.c.occurred_at, every.c.id).distinct()
    walked = places.order_by(every.c.occurred_at.desc(), every.c.id.desc()).limit(step).subquery("walked")
    return select(walked, *_tests(search, walked.c.id)).order_by(walked.c.occurred_at.desc(), walked.c.id.desc())


def _merged(connection: Connection, sequences: _Sequences, step: int) -> Subquery:
    """Take what may be among the next ``step`` places, and not much more."""
    first = _each(connection, sequences.keys, sequences.places, 1).subquery("first")
    enough = step * sequences.shared
    begins = select(first).order_by(first.c.occurred_at.desc(), first.c.id.desc()).limit(enough).cte()
    # where so many begin, what is older than all beginnings is too old
    down_to = select(case((func.count() == enough, func.min(begins.c.occurred_at)))).scalar_subquery()

    def recent(keys: FromClause) -> _Places:
        places = sequences.places(keys)
        at = places.selected_columns[0]
        return places.where(at >= func.coalesce(down_to, literal(BEGINNING, at.type)))

    return _each(connection, begins, recent, step).subquery()


def _each(connection: Connection, keys: FromClause, places: Callable[[FromClause], _Places], size: int) -> Select[Any]:
    """Give, for each key, the newest of its sequence; SQLite knows no LATERAL."""
    of_key = places(keys)
    at, key = of_key.selected_columns
    first = of_key.order_by(at.desc(), key.desc()).limit(size)
    given = [column for column in keys.c if column.name in ("record_id", "person")]
    if connection.dialect.name == "sqlite":
        found = activity.alias("found")
        ids = first.with_only_columns(key).correlate(keys)
        return select(*given, found.c.occurred_at, found.c.id).join_from(keys, found, found.c.id.in_(ids))
    lateral = first.correlate(keys).lateral("found")
    return select(*given, lateral.c.occurred_at, lateral.c.id).join_from(keys, lateral, true())
