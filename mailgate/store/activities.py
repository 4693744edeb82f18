"""Activities: listed, shown, handed out as raw mail or attachment, and taken away by those who may.

A listing is newest first by when it happened, then by id; it reads no body. What may be asked for stands in
``domain.listing``, what that means in ``store.meaning``, how it is found in ``store.finding``. Deleting is the
recorder's alone, named by any of its addresses; what a system user recorded nobody deletes. Erasing is the
administrator's and needs a reason. Either takes the content; the receipt stays, so that the mail isn't logged again,
until ``forget_deletion``.

Refuses, with ``BadInput``: anybody but the recorder, a disabled user, an erasure without a reason or the role, and
whatever lies on a record of a kind that the edition lacks.
``NotFound`` names the record, user, activity or attachment that isn't there, and who took an activity away; also in the
midst of a long listing, where its record was merged or removed meanwhile.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, Row, delete, select

from mailgate import mime
from mailgate.domain.activity import Activity, Origin
from mailgate.domain.listing import EVERYTHING, Wish
from mailgate.domain.mail import Document
from mailgate.domain.record import Edition, RecordKind, RecordRef
from mailgate.domain.removal import ReceiptState, Removed
from mailgate.domain.user import Role, User, UserKind
from mailgate.errors import BadInput, NotFound
from mailgate.store import again, archive, finding, listing, meaning, parts, register
from mailgate.store.acting import acting, acting_with, gone, hold, read_id
from mailgate.store.audit import Act, enter, utc_now
from mailgate.store.database import Database
from mailgate.store.register import check_edition, not_found
from mailgate.store.removal import delete_content
from mailgate.store.tables import activity, receipt, record, removal, user_account

PAGE = 200
LIMIT = 50
MAX_REASON = 1000


class Activities:
    """The activities of an instance."""

    def __init__(self, database: Database, edition: Edition, now: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._edition = edition
        self._now = now

    def list(
        self, ref: RecordRef, wish: Wish = EVERYTHING, *, limit: int = LIMIT, after: str | None = None
    ) -> Iterator[Activity]:
        """List the activities of a record and what a wish adds, newest first, from behind the activity ``after`` on.

        ``after`` may have been deleted meanwhile, and needn't be in this listing: its place counts.
        """
        check_edition(ref, self._edition)
        wish.check(ref, self._edition)
        if limit < 1:
            raise BadInput(f"--limit {limit} lists nothing: give at least 1")
        with self._database.read() as connection:
            key = _key(connection, ref)
            place = _place(connection, after) if after is not None else None
            search = meaning.look_up(connection, key, wish)
            page = _page(connection, search, limit, place)
        return self._pages(ref, key, page, limit)

    def _pages(self, ref: RecordRef, key: int, page: "_Page", limit: int) -> Iterator[Activity]:
        while True:
            yield from page.lines
            limit -= page.size
            if page.last is None or limit < 1:
                return
            with self._database.read() as connection:
                if _key(connection, ref) != key:
                    raise not_found(ref)  # another one of this name: that listing would be no continuation
                search = meaning.look_again(connection, page.search, key)
                page = _page(connection, search, limit, page.last)

    def show(self, activity_id: str) -> Activity:
        """Show one activity with its bodies."""
        with self._database.read() as connection:
            return self._show(connection, activity_id)

    def raw(self, activity_id: str) -> bytes:
        """Give the mail as it came over the wire."""
        with self._database.read() as connection:
            return self._raw(connection, activity_id)

    def attachment(self, activity_id: str, n: int) -> tuple[Document, bytes]:
        """Give the ``n``-th document, decoded where it came in a mail."""
        with self._database.read() as connection:
            shown = self._show(connection, activity_id)
            found = next((document for document in shown.documents if document.n == n), None)
            if found is None:
                raise NotFound(f"no attachment {n} in {activity_id}: it has {len(shown.documents)}")
            if shown.raw_sha256 is None:
                return found, parts.document_bytes(connection, shown.id, found)
            raw = self._raw(connection, activity_id)
        content = mime.document(raw, n)
        if content is None:
            raise NotFound(f"attachment {n} of {activity_id} can't be read out of the mail: use mailgate activity raw")
        if sha256(content).hexdigest() != found.sha256:  # another reader numbers them otherwise: never give another one
            raise NotFound(
                f"attachment {n} of {activity_id} was found by another version: run mailgate reread, and ask again"
            )
        return found, content

    def delete(self, activity_id: str, *, as_email: str) -> Removed:
        """Take an activity away wholly, as its recorder."""

        def work(connection: Connection) -> Removed:
            row = self._find(connection, activity_id)
            user = acting(connection, as_email).user
            _check_recorder(row, user)
            delete_content(connection, row.id, ReceiptState.DELETED, user.email, None)
            return _removed(connection, row.id, Origin(row.origin))

        return again.write(self._database, work)

    def erase(self, activity_id: str, *, reason: str, actor: str, as_email: str | None = None) -> Removed:
        """Take an activity away for legal reasons: as a user who may administer, else under the system's login."""
        why = _read_reason(reason)

        def work(connection: Connection) -> Removed:
            row = self._find(connection, activity_id)
            who = actor if as_email is None else acting_with(connection, as_email, Role.ADMINISTER).user.email
            delete_content(connection, row.id, ReceiptState.ERASED, who, why)
            return _removed(connection, row.id, Origin(row.origin))

        return again.write(self._database, work)

    def forget_deletion(self, activity_id: str, *, reason: str, actor: str) -> Removed:
        """Let a deleted mail be logged again; one that was erased can't be."""
        why = _read_reason(reason)

        def work(connection: Connection) -> Removed:
            found = read_id(activity_id)
            state = connection.execute(select(receipt.c.state).where(receipt.c.activity_id == found)).scalar()
            if state is None:
                raise gone(connection, activity_id)
            check_edition(_record_of_receipt(connection, found), self._edition)
            if state != ReceiptState.DELETED:
                raise BadInput(f"activity {found} is {state}, not deleted: only a deletion can be forgotten")
            connection.execute(delete(receipt).where(receipt.c.activity_id == found))
            trace = _removed(connection, found)
            enter(connection, actor, self._now(), [Act("deletion forgotten", str(trace.record), f"{found}: {why}")])
            return trace

        return again.write(self._database, work)

    def _show(self, connection: Connection, activity_id: str) -> Activity:
        found = listing.whole(connection, read_id(activity_id))
        if found is None:
            raise gone(connection, activity_id)
        check_edition(found.record, self._edition)
        return found

    def _raw(self, connection: Connection, activity_id: str) -> bytes:
        columns = select(activity.c.mail_sha256, record.c.kind, record.c.ref)
        statement = columns.join(record, record.c.id == activity.c.record_id)
        row = connection.execute(statement.where(activity.c.id == read_id(activity_id))).first()
        if row is None:
            raise gone(connection, activity_id)
        check_edition(RecordRef(RecordKind(row.kind), row.ref), self._edition)
        if row.mail_sha256 is None:
            raise NotFound(f"activity {activity_id} holds no mail: see mailgate activity show {activity_id}")
        return archive.raw_bytes(connection, row.mail_sha256)

    def _find(self, connection: Connection, activity_id: str) -> Row[*tuple[object, ...]]:
        """Hold an activity, and say who recorded it."""
        hold(connection, activity_id)
        whose = (user_account.c.email, user_account.c.kind)
        statement = (
            select(activity.c.id, activity.c.origin, *whose, record.c.kind.label("on"), record.c.ref)
            .join(user_account, user_account.c.id == activity.c.recorder_id)
            .join(record, record.c.id == activity.c.record_id)
            .where(activity.c.id == read_id(activity_id))
        )
        row = connection.execute(statement).one()
        check_edition(RecordRef(RecordKind(row.on), row.ref), self._edition)
        return row


@dataclass(frozen=True, slots=True)
class _Page:
    """At most ``size`` activities; ``last`` is the place behind which more may be."""

    search: meaning.Search
    size: int
    lines: Sequence[Activity]
    last: finding.Place | None


def _page(connection: Connection, search: meaning.Search, limit: int, place: finding.Place | None) -> _Page:
    size = min(limit, PAGE)
    settled, places = finding.newest(connection, search, size, place)
    lines = listing.lines(connection, [one.id for one in places])
    return _Page(settled, size, lines, places[-1] if len(places) == size else None)


def _key(connection: Connection, ref: RecordRef) -> int:
    keys = register.keys(connection, [ref])
    if ref not in keys:
        raise not_found(ref)
    return keys[ref]


def _place(connection: Connection, after: str) -> finding.Place:
    found = read_id(after)
    at = connection.scalar(select(activity.c.occurred_at).where(activity.c.id == found))
    if at is None:
        at = connection.scalar(select(removal.c.occurred_at).where(removal.c.activity_id == found))
    if at is None:
        raise gone(connection, after)
    return finding.Place(at, found)


def _record_of_receipt(connection: Connection, activity_id: str) -> RecordRef:
    statement = select(record.c.kind, record.c.ref).join(receipt, receipt.c.record_id == record.c.id)
    row = connection.execute(statement.where(receipt.c.activity_id == activity_id)).one()
    return RecordRef(RecordKind(row.kind), row.ref)


def _check_recorder(row: Row[*tuple[object, ...]], user: User) -> None:
    if row.kind == UserKind.SYSTEM:
        raise BadInput(f"{row.id} was recorded by {row.email}, a system user: only mailgate activity erase removes it")
    if row.email != user.email:
        raise BadInput(f"{row.id} was recorded by {row.email}: {user.email} can't delete it, only its recorder can")


def _read_reason(text: str) -> str:
    reason = text.strip()
    if not 1 <= len(reason) <= MAX_REASON or not reason.isprintable():
        raise BadInput(f"reason {text[:80]!a} is not taken: 1 to {MAX_REASON} printable characters in one line")
    return reason


def _removed(connection: Connection, activity_id: str, origin: Origin | None = None) -> Removed:
    statement = select(removal, record.c.kind, record.c.ref).join(record, record.c.id == removal.c.record_id)
    row = connection.execute(statement.where(removal.c.activity_id == activity_id)).one()
    return Removed(
        activity=row.activity_id,
        record=RecordRef(RecordKind(row.kind), row.ref),
        state=ReceiptState(row.state),
        at=row.at,
        actor=row.actor,
        reason=row.reason,
        kinds=row.kinds,
        origin=origin,
    )
