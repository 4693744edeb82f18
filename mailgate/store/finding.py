"""Finding the newest activities of a listing, without looking at more of them than a page needs.

A listing is a merge of sequences, each newest first in an index: the activities of one record (of one type, topic), or
those of one person on one record. How long a sequence is doesn't matter, only how many there are:

    1. the first place of each sequence: one probe each
    2. only the sequences that begin newest can give anything: of each its first places, down to where the last begins
    3. the newest of all these

Where several things are asked for at once, one kind of sequences leads and what it gives is tested, a stretch at a
time, until the page is full. Each that may lead gives a stretch, and the first that fills the page does lead; if none
does, it is the rarest: whose stretch goes back furthest. What no index gives: things that are all frequent and hardly
ever meet cost a walk along the rarest.

The tests are scalar sub-selects, not joins or EXISTS: an engine can't turn them around and read a whole table, whatever
it believes about the figures, also where it plans without knowing them (prepared statements).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Subquery,
    Table,
    Text,
    and_,
    case,
    column,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    type_coerce,
    union_all,
)

from mailgate.domain.activity import ActivityType, Side
from mailgate.domain.listing import Wish
from mailgate.store.meaning import Person, Search, leaders
from mailgate.store.tables import activity, participation

# where places are tested: a stretch has so many for each that is wanted, but as many as it takes to judge by; the next
# is longer, up to the longest
FIRST_STEP, STRETCH, GROWTH, LONGEST_STEP = 4, 200, 4, 2000
FEW_NAMES = 10  # of one person: more are looked for among those who took part
_MOMENT = 26  # characters of a moment on SQLite
BEGINNING = datetime(1, 1, 2, tzinfo=UTC)  # before anything happened
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
class _Sequences:
    """Sequences of one kind, one for each row of ``keys``; ``places`` gives those of a key, not yet in order."""

    keys: FromClause
    places: Callable[[FromClause], _Places]


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What a walk gave: the places that passed, and where it ended; ``None`` if there is nothing behind."""

    search: Search
    found: list[Place]
    end: Place | None


def newest(connection: Connection, search: Search, size: int, after: Place | None) -> tuple[Search, list[Place]]:
    """Find the next ``size`` places of a listing, newest first; from then on it is settled what leads."""
    tested = len(leaders(search.wish)) > 1
    step = min(max(size * FIRST_STEP, STRETCH), LONGEST_STEP) if tested else size
    stretch = _first(connection, search, step, size, after)
    found = stretch.found
    while len(found) < size and stretch.end is not None:
        step = min(step * GROWTH, LONGEST_STEP)
        stretch = _stretch(connection, stretch.search, step, stretch.end)
        found += stretch.found
    return stretch.search, found[:size]


def _first(connection: Connection, search: Search, step: int, size: int, after: Place | None) -> _Stretch:
    """Walk along each that may lead, until one fills the page or comes to its end; else the rarest counts."""
    walked: list[tuple[Place, _Stretch]] = []
    for leading in search.leaders:
        stretch = _stretch(connection, replace(search, leaders=(leading,)), step, after)
        if stretch.end is None or len(stretch.found) >= size:
            return stretch
        walked.append((stretch.end, stretch))
    return min(walked, key=lambda one: one[0].occurred_at)[1]


def _stretch(connection: Connection, search: Search, step: int, after: Place | None) -> _Stretch:
    rows = connection.execute(_walk(connection, search, step, after)).all()
    found = [Place(at, key) for at, key, *passed in rows if all(passed)]
    return _Stretch(search, found, Place(*rows[-1][:2]) if len(rows) == step else None)


# -- the sequences --------------------------------------------------------------------------------------------------


def _sequences(connection: Connection, search: Search) -> list[_Sequences]:
    listed = _rows(connection, search.records)
    if search.leading is None:
        return [_Sequences(listed, lambda keys: _on_record(search.wish, keys))]
    person = search.external if search.leading is Side.EXTERNAL else search.internal
    if person is None:
        raise ValueError(f"nobody {search.leading} to lead")
    named = (participation.c.email, participation.c.side == person.side)
    found: list[_Sequences] = []
    if person.emails:
        emails = _times(listed, _addresses(connection, person.emails))
        found.append(_Sequences(emails, lambda keys: _of_person(keys, *named)))
    if person.records:
        records = _times(listed, _keys(connection, person.records))
        found.append(_Sequences(records, lambda keys: _of_person(keys, participation.c.record_id)))
    return found


def _rows(connection: Connection, records: Sequence[int]) -> Subquery:
    return select(_keys(connection, records).label("record_id")).subquery("listed")


def _times(listed: Subquery, persons: ColumnElement[Any]) -> Subquery:
    """Give every record with every one of these names of a person."""
    names = select(persons.label("person")).subquery("names")
    return select(listed.c.record_id, names.c.person).join_from(listed, names, true()).subquery("listed")


def _keys(connection: Connection, keys: Sequence[int]) -> ColumnElement[Any]:
    return _handed_over(connection, keys, BigInteger())


def _addresses(connection: Connection, emails: Sequence[str]) -> ColumnElement[Any]:
    return _handed_over(connection, emails, Text())


def _handed_over(connection: Connection, values: Sequence[object], kind: BigInteger | Text) -> ColumnElement[Any]:
    """Hand over any number of values in one; give the column of a table that holds them."""
    if connection.dialect.name == "sqlite":
        return func.json_each(json.dumps(values)).table_valued(column("value", kind)).c.value
    array = func.unnest(literal(values, ARRAY(kind))).table_valued(column("value", kind))
    return array.render_derived().c.value


def _on_record(wish: Wish, keys: FromClause) -> _Places:
    places = select(activity.c.occurred_at, activity.c.id)
    return places.where(activity.c.record_id == keys.c.record_id, *_attributes(wish))


def _of_person(keys: FromClause, name: ColumnElement[Any], *side: _Test) -> _Places:
    places = select(participation.c.occurred_at, participation.c.activity_id.label("id"))
    return places.where(name == keys.c.person, *side, participation.c.activity_record_id == keys.c.record_id)


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


def _tests(connection: Connection, search: Search, walked: FromClause) -> list[_Test]:
    """Test what is walked for all that doesn't lead."""
    persons = [one for one in (search.external, search.internal) if one and one.side is not search.leading]
    found = [_took_part(connection, one, walked) for one in persons]
    if search.leading is not None and (attributes := _attributes(search.wish)):
        found.append(_is_so(attributes, search.wish, walked))
    return found


def _is_so(attributes: list[_Test], wish: Wish, walked: FromClause) -> _Test:
    place = _at(walked, activity.c.record_id, activity.c.occurred_at, activity.c.id)
    if wish.done is None:
        return _is_there(activity, literal(1), *place, *attributes)
    # of an index over tasks PostgreSQL doesn't ask the type, for all are tasks, and so can't go down to a moment
    return _is_there(activity, case((and_(*attributes), 1)), *place)


def _took_part(connection: Connection, person: Person, walked: FromClause) -> _Test:
    named = participation.c.email.in_(select(_addresses(connection, person.emails)))
    linked = participation.c.record_id.in_(select(_keys(connection, person.records)))
    ways = [and_(named, participation.c.side == person.side), *([linked] if person.records else [])]
    if max(len(person.emails), len(person.records)) > FEW_NAMES:
        return _is_among(or_(*ways), walked)
    place = (participation.c.activity_record_id, participation.c.occurred_at, participation.c.activity_id)
    return or_(*(_is_there(participation, literal(1), way, *_at(walked, *place)) for way in ways))


def _is_among(way: _Test, walked: FromClause) -> _Test:
    """Ask all who took part; not in WHERE, where an engine might begin with the many names."""
    return _is_there(participation, func.max(case((way, 1))), participation.c.activity_id == walked.c.id)


def _at(
    walked: FromClause, record_id: ColumnElement[int], at: ColumnElement[datetime], key: ColumnElement[str]
) -> list[_Test]:
    """Ask for one place as the indexes of the sequences have it.

    By the id alone PostgreSQL may go through all that a person took part in, and SQLite reads rows, not indexes: told
    the id is equal, it goes by the primary key whatever else is known.
    """
    return [record_id == walked.c.record_id, at == walked.c.occurred_at, key.between(walked.c.id, walked.c.id)]


def _is_there(table: Table, asked: ColumnElement[int], *where: _Test) -> _Test:
    one = select(asked).select_from(table).where(*where).limit(1)
    return one.correlate_except(table).scalar_subquery().is_not(None)


# -- the merge ------------------------------------------------------------------------------------------------------


def _walk(connection: Connection, search: Search, step: int, after: Place | None) -> Select[Any]:
    """Give the next ``step`` places of what leads, newest first, each with what the tests say."""
    walked = _walked(connection, search, step, after)
    places = select(walked.c.occurred_at, walked.c.id, *_tests(connection, search, walked))
    return places.order_by(walked.c.occurred_at.desc(), walked.c.id.desc())


def _walked(connection: Connection, search: Search, step: int, after: Place | None) -> Subquery:
    merged = [_merged(connection, one, search.wish, step, after) for one in _sequences(connection, search)]
    every = union_all(*(select(one.c.occurred_at, one.c.id, one.c.record_id) for one in merged)).subquery("merged")
    places = select(every.c.occurred_at, every.c.id, every.c.record_id).distinct()
    return places.order_by(every.c.occurred_at.desc(), every.c.id.desc()).limit(step).subquery("walked")


def _merged(connection: Connection, sequences: _Sequences, wish: Wish, step: int, after: Place | None) -> Subquery:
    """Take what may be among the next ``step`` places, and not much more."""
    keys = sequences.keys
    since = literal(wish.since or BEGINNING, activity.c.occurred_at.type)
    first = _in_order(_between(sequences.places(keys), since, wish.until, after)).limit(1)
    newest_at = first.with_only_columns(first.selected_columns[0]).correlate(keys).scalar_subquery()
    begins = select(*keys.c, newest_at.label("at")).cte().prefix_with("MATERIALIZED")
    # two sequences of one record may begin with the same activity
    apart = select(begins.c.record_id, begins.c.at).where(begins.c.at.is_not(None)).distinct()
    newest_first = apart.order_by(begins.c.at.desc()).limit(step).subquery()
    # where so many begin, what is older than all these beginnings is too old
    oldest = case((func.count() == step, func.min(newest_first.c.at)))
    bound = select(func.coalesce(oldest, since).label("at")).cte().prefix_with("MATERIALIZED")
    down_to = select(bound.c.at).scalar_subquery()
    recent = select(begins).where(begins.c.at >= down_to).subquery("recent")
    return _each(connection, recent, _between(sequences.places(recent), down_to, wish.until, after), step)


def _between(places: _Places, since: ColumnElement[datetime], until: datetime | None, after: Place | None) -> _Places:
    """Cut a sequence at both ends: with one condition at each, for SQLite goes by one only."""
    at, key = places.selected_columns
    found = [at >= since]
    if after is not None and (until is None or after.occurred_at < until):
        found.append(tuple_(at, key) < tuple_(literal(after.occurred_at, at.type), literal(after.id, key.type)))
    elif until is not None:
        found.append(at < until)
    return places.where(*found)


def _each(connection: Connection, keys: FromClause, places: _Places, size: int) -> Subquery:
    """Give the newest places of each key, with its record."""
    # a contact with two addresses may stand twice in one mail
    newest = _in_order(places.distinct()).limit(size).correlate(keys)
    at, key, found = _by_json(newest) if connection.dialect.name == "sqlite" else _lateral(newest)
    return select(at, key, keys.c.record_id).join_from(keys, found, true()).subquery()


def _lateral(newest: _Places) -> tuple[ColumnElement[datetime], ColumnElement[str], FromClause]:
    found = newest.lateral("found")
    return found.c.occurred_at, found.c.id, found


def _by_json(newest: _Places) -> tuple[ColumnElement[datetime], ColumnElement[str], FromClause]:
    """Do without LATERAL, which SQLite doesn't know: a table made of a value may come from another table's row."""
    places = newest.subquery("places")
    at, key = places.c
    both = type_coerce(at, Text()).concat(type_coerce(key, Text()))
    value = func.json_each(select(func.json_group_array(both)).scalar_subquery()).table_valued("value", name="found")
    moment, rest = func.substr(value.c.value, 1, _MOMENT), func.substr(value.c.value, _MOMENT + 1)
    return type_coerce(moment, at.type).label("occurred_at"), type_coerce(rest, key.type).label("id"), value


def _in_order(places: _Places) -> _Places:
    at, key = places.selected_columns
    return places.order_by(at.desc(), key.desc())
