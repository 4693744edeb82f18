"""The path of a mail: ``check_recipient`` at RCPT, ``receive`` at the end of DATA.

Whoever has read this file knows the service. All that concerns a recipient is decided at RCPT, by the envelope
alone; all that concerns the mail at the end of DATA, so that a mail has one fate. Whoever calls says 250 only for a
verdict ``kept`` or ``duplicate``, and those are given only after the commit.

A mail that a user wrote to a record alone is there for the mails that are attached to it (``domain.forward``): these
are logged too, as the user's, with all of it in one commit. No rule judges them but that they are mails; so they have
an identity of their own, and keep nobody's own copy of the same mail out.

Refuses by raising ``Refused`` at RCPT, by an ``Outcome`` after DATA. ``receive`` never raises: whatever was not
foreseen is ``deferred`` with the reason ``store_down``, for a bug of ours must not bounce a mail.

``receive`` and ``turn_back`` wait for the commit. ``begin`` and ``begin_turning_back`` judge at once, and tell the
outcomes later to a function: so one thread judges while others' mails are being committed.

Limits: synchronous; call it in a thread. One instance serves all threads, it holds no state of its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address
from typing import TypeVar

from mailgate import events, mime
from mailgate.domain import address, author, automail, forward, header, identity, routing, trust, vouching
from mailgate.domain.activity import NewActivity, NewMail, compose, occurred
from mailgate.domain.ledger import LedgerEntry, Outcome, Verdict
from mailgate.domain.mail import Addressee, Delivery, Envelope, Mail, Note
from mailgate.domain.pending import PendingSender, WaitingMail
from mailgate.domain.proof import Authorship, Evidence
from mailgate.domain.record import AddressState, Edition, RecordAddress, RecordRef, RecordState, exists_in
from mailgate.domain.trust import Relay, SenderPair, Trust
from mailgate.domain.user import Role, User
from mailgate.errors import Advice, Deferred, Reason, Refused
from mailgate.ports import Archive, Authenticator, Directory, Kept, PendingSenders, Reader

Tell = Callable[[str, str], None]
Outcomes = tuple[Outcome, ...]  # one per addressee, in their order
Done = Callable[[Outcomes], None]
_T = TypeVar("_T")

# never softened: a loop or a smuggling attempt is no better later
HARD = frozenset({Reason.LOOP, Reason.BARE_NEWLINE})
# nobody did wrong: never more than a deferral
PASSING = frozenset({Reason.BUSY, Reason.TOO_MANY_RECIPIENTS, Reason.DNS})
# nothing can be written now, so the ledger can't tell of it: the log and the counter do
UNWRITABLE = frozenset({Reason.STORE_DOWN, Reason.DISK_FULL})
# seen only by who holds a right address: such rows need no bounds
CLOSED = frozenset({Reason.CLOSED_ADDRESS, Reason.CLOSED_RECORD})
# where the mail may rightly be another's
ANOTHERS = frozenset({Reason.NOT_BELIEVED, Reason.UNKNOWN_SENDER})
# fields that say so: RFC 5322 3.6.6, and what Pigeonhole, Exchange and Gmail write when a rule of a user redirects
HANDED_ON = (b"resent-", b"x-sieve-redirected-from", b"x-ms-exchange-inbox-rules-loop", b"x-forwarded-to")
# what explain says of a mail that the rules let pass
MET = {
    None: "{record} has not seen it before",
    Reason.DUPLICATE: "{record} has it already",
    Reason.DELETED: "{record} had it, and its recorder deleted it: it does not come back",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What an instance decides for itself: from the settings, checked there."""

    domain: str  # of the record addresses, folded
    relays: tuple[Relay, ...]
    edition: Edition = Edition.PUBLISHER
    pairs: frozenset[SenderPair] = frozenset()
    own_domains: frozenset[str] = frozenset()  # the company's own, folded
    wait: bool = True  # whether their people may wait until they are registered
    soft_refuse: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What can be said of a mail whatever becomes of it: for the ledger and the log."""

    queue_id: str | None = None
    message_id: str | None = None
    author: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """What is read of a header once and asked for often. Without an author, ``no_author`` says why."""

    fields: header.Header
    author: str | None
    no_author: Refused | None
    queue_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Came:
    """How a mail came, or the one that it is attached to; and who wrote it."""

    delivery: Delivery
    queue_id: str | None
    recorder: str
    author: str
    trust: Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class _Allowed:
    """A mail that the rules let pass, before it was read."""

    came: _Came
    seen: _Seen
    fields: header.Header


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """The bytes of a mail, as they came and with the line ends that they are known by; and its header."""

    raw: bytes
    wire: bytes
    fields: header.Header
    queue_id: str | None  # of its own topmost Received


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """What the rules say of a mail: the mail to keep, or why not, with what the ledger is to be told."""

    envelope: Envelope
    size: int  # octets
    seen: _Seen
    new: NewMail | None = None
    no: Refused | Deferred | None = None
    entries: tuple[LedgerEntry, ...] = ()


def _silent(_rule: str, _said: str) -> None:
    pass


class Intake:
    """The one path, for SMTP, LMTP and the command line alike. Without ``pending`` nobody waits to be registered."""

    def __init__(
        self,
        directory: Directory,
        archive: Archive,
        authenticator: Authenticator,
        policy: Policy,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        pending: PendingSenders | None = None,
        reader: Reader = mime,
    ) -> None:
        self._directory = directory
        self._archive = archive
        self._authenticator = authenticator
        self.policy = policy
        self._now = now
        self._pending = pending if policy.wait else None
        self._reader = reader

    # -- at connect -------------------------------------------------------------------------------------------------

    def relay_at(self, peer: IPv4Address | IPv6Address | None) -> Relay | None:
        """Name the registered relay behind a peer address (``None``: our unix socket), or ``None`` for a stranger."""
        return trust.relay_at(self.policy.relays, peer)

    def turn_away(self, relay: str, reason: Reason) -> None:
        """Count a client that was refused before any mail (``bad_relay``, ``busy``), or one recipient too many."""
        verdict = _verdict(self._answer(reason))
        self._archive.count(relay=relay, reason=reason, verdict=verdict, at=self._now())

    # -- at RCPT ----------------------------------------------------------------------------------------------------

    def check_recipient(self, relay: Relay, recipient: str, sender: str = "") -> Addressee:
        """Find the record that an envelope recipient means; ``Refused`` or ``Deferred`` where there is none.

        Unknown, revoked and expired addresses cost the same look-ups and get the same answer. ``sender`` is the
        envelope's, as the relay wrote it: a mail of somebody who waits to be registered is put off here already.
        """
        try:
            found = self._addressee(recipient, _silent)
            self._check_waiting(relay, address.parse_envelope(sender), found)
        except (Refused, Deferred) as no:
            raise self._said_no(relay, recipient, no) from None
        return found

    def _check_waiting(self, relay: Relay, sender: str, to: Addressee) -> None:
        """Put off what was put off before at the end of DATA, as long as it can only be of somebody who is no user.

        Who wrote a mail shows in its bytes only. So this is for envelope senders none of whose possible authors is a
        user: the mail of a user must not wait for somebody else's registration.
        """
        authors = {sender, *(pair.author for pair in self.policy.pairs if pair.envelope == sender)}
        if self._pending is None or not any(map(self._is_own, authors)):
            return
        at = self._now()
        entries = self._pending.waiting(relay=relay.name, sender=sender, address=to.address, at=at)
        waiting = {entry.email for entry in entries if self._is_own(entry.email)}
        if not waiting or not waiting <= authors or any(map(self._directory.find_user, authors)):
            return
        self._pending.wait(
            [
                WaitingMail(author=author, relay=relay.name, sender=sender, address=to.address, at=at)
                for author in sorted(waiting)
            ]
        )
        raise Deferred(Reason.PENDING_SENDER, min(waiting))

    def _is_own(self, email: str) -> bool:
        return email.rpartition("@")[2] in self.policy.own_domains

    def _said_no(self, relay: Relay, recipient: str, no: Refused | Deferred) -> Refused | Deferred:
        if no.reason in UNWRITABLE:
            return no
        answer = self.softened(no)
        verdict = _verdict(answer)
        try:
            self._write_no(relay, no, verdict)
        except Deferred as down:
            return down  # unsure means later
        events.recipient_refused(
            relay=relay.name, reason=no.reason, masked=routing.masked(recipient), deferred=verdict is Verdict.DEFERRED
        )
        return answer

    def _write_no(self, relay: Relay, no: Refused | Deferred, verdict: Verdict) -> None:
        at = self._now()
        if no.reason not in CLOSED:
            self._archive.count(relay=relay.name, reason=no.reason, verdict=verdict, at=at)
            return
        record = RecordRef.parse(no.value)
        self._archive.enter([LedgerEntry(at=at, verdict=verdict, reason=no.reason, record=record, relay=relay.name)])

    def _addressee(self, recipient: str, tell: Tell) -> Addressee:
        folded = address.parse_envelope(recipient)
        if not routing.is_ours(folded, self.policy.domain):
            raise Refused(Reason.FOREIGN_DOMAIN)
        tell("domain", f"{self.policy.domain} is ours")
        found = self._directory.find_address(folded)
        if found is None or not self._lives(found.address):
            # an empty or mistaken store must not bounce a company's mail
            if not self._directory.has_addresses():
                raise Deferred(Reason.UNKNOWN_ADDRESS)
            raise Refused(Reason.UNKNOWN_ADDRESS)
        if found.address.state is AddressState.CLOSED:
            raise Refused(Reason.CLOSED_ADDRESS, str(found.address.record))
        if found.record_state is RecordState.CLOSED:
            raise Refused(Reason.CLOSED_RECORD, str(found.address.record))
        tell("address", f"{found.address.state.value}, of {found.address.record}")
        return Addressee(recipient=recipient, address=folded, record=found.address.record, state=found.address.state)

    def _lives(self, known: RecordAddress) -> bool:
        # also one that was closed during its grace
        expired = known.expires_at is not None and known.expires_at <= self._now()
        revoked = known.state is AddressState.REVOKED
        return not (expired or revoked) and exists_in(known.record.kind, self.policy.edition)

    # -- at the end of DATA -----------------------------------------------------------------------------------------

    def receive(self, delivery: Delivery) -> Outcomes:
        """Judge a mail and keep it; one outcome per addressee, in their order."""
        allowed = self._allowed(delivery)
        if isinstance(allowed, _Allowed):
            allowed = self._composed(allowed, lambda: self._reader.read(delivery.raw))
        return self._finish(allowed)

    def begin(self, delivery: Delivery, done: Done) -> None:
        """Judge a mail now and keep it soon: ``done`` gets the outcomes, once, after the commit, in any thread."""
        allowed = self._allowed(delivery)
        if isinstance(allowed, _Judged):
            self._finish_soon(allowed, done)
            return

        def go_on(read: Mail) -> None:
            self._finish_soon(self._composed(allowed, lambda: read), done)

        self._reader.read_soon(delivery.raw, go_on)

    def turn_back(self, envelope: Envelope, reason: Reason, head: bytes = b"", size: int = 0) -> Outcomes:
        """Refuse a mail for its shape, before it was read whole. ``head`` is what came of its header."""
        return self._finish(self._misshapen(envelope, reason, head, size))

    def begin_turning_back(self, envelope: Envelope, reason: Reason, head: bytes, size: int, done: Done) -> None:
        """Do the same without waiting for the commit, as ``begin`` does."""
        self._finish_soon(self._misshapen(envelope, reason, head, size), done)

    def explain(
        self, envelope: Envelope, recipients: Sequence[str], raw: bytes, tell: Tell
    ) -> tuple[Reason | None, ...]:
        """Walk the same rules and tell each by name with what it said; stores nothing. Raises what they raise.

        ``envelope`` has no addressees yet: ``recipients`` are checked here.

        Returns for each activity that the mail would become why it would not: met before, deleted, or ``None``.

        As in SMTP a wrong recipient among others is told and left out; only where all are wrong that is the end.
        """
        addressed = envelope
        try:
            addressed = replace(envelope, addressees=self._explained(recipients, tell))
            delivery = Delivery(envelope=addressed, raw=raw, received_at=self._now())
            head = _head(raw)
            came = self._judge(delivery, head, tell)
            new = self._compose(came, head.fields, self._reader.read(raw), tell)
        except (Refused, Deferred) as no:
            if no.reason is Reason.PENDING_SENDER:
                self._explain_wait(addressed, no.value, tell)
            raise self.softened(no) from None
        whole = [(new, one) for one in new.activities if one.says_anything]
        attached = [(each, its) for one in new.activities for each in one.attached for its in each.activities]
        if whole or not attached:
            tell("identity", new.identity)
        for _, one in (*whole, *attached):
            tell("activity", f"one on {one.record} with {len(one.participants)} participants")
        return tuple(self._explain_met(one.record, mail, tell) for mail, one in (*whole, *attached))

    def _explain_met(self, record: RecordRef, new: NewMail, tell: Tell) -> Reason | None:
        met = self._archive.met(record, new.identity, new.known_as)
        tell("archive", MET[met].format(record=record))
        return met

    def _explain_wait(self, envelope: Envelope, wrote: str, tell: Tell) -> None:
        for mail in self._tries(envelope, wrote, None):
            entries = self._entries_of(mail)
            said = [f"waits since {entry.first_at:%Y-%m-%dT%H:%M:%SZ}, tried {entry.tries} times" for entry in entries]
            tell("pending", said[0] if said else "not on the list yet: would be put on it, and wait")

    def _entries_of(self, mail: WaitingMail) -> list[PendingSender]:
        if self._pending is None:
            return []
        found = self._pending.waiting(relay=mail.relay, sender=mail.sender, address=mail.address, at=mail.at)
        return [entry for entry in found if entry.email == mail.author]

    def explain_recipient(self, recipient: str, tell: Tell) -> Addressee:
        """Walk the rules of an envelope recipient alone; stores and counts nothing. Raises what they raise."""
        try:
            return self._addressee(recipient, tell)
        except (Refused, Deferred) as no:
            raise self.softened(no) from None

    def _explained(self, recipients: Sequence[str], tell: Tell) -> tuple[Addressee, ...]:
        found: list[Addressee] = []
        wrong: list[Refused | Deferred] = []
        for recipient in recipients:
            try:
                found.append(self._addressee(recipient, tell))
            except (Refused, Deferred) as no:
                wrong.append(no)
                if len(recipients) > 1:
                    tell("recipient", f"{recipient} is not taken: {no.reason.value}")
        if wrong and not found:
            raise wrong[0]
        return tuple(found)

    def _judge(self, delivery: Delivery, head: _Head, tell: Tell) -> _Came:
        """Ask all that must be known before a mail is taken apart."""
        envelope, fields = delivery.envelope, head.fields
        sender = address.parse_envelope(envelope.sender)
        automail.check(fields, sender, head.author or "", self.policy.domain)
        automatic = automail.says_it_is_automatic(fields)
        if automatic:
            self._check_machine(head)
        tell("machine mail", "a machine whose mail is taken" if automatic else "no bounce, no loop, no machine")
        try:
            wrote = _author_of(head)
            tell("author", wrote)
            said = Authorship(
                relay=envelope.relay,
                client=envelope.client,
                author=wrote,
                sender=sender,
                fields=fields,
                raw=delivery.raw,
                sender_as_written=envelope.sender,
            )
            proof, user = self._recorder(said, tell)
        except Refused as no:
            raise Refused(Reason.MACHINE_MAIL) if automatic else no from None
        return _Came(delivery=delivery, queue_id=head.queue_id, recorder=user.email, author=wrote, trust=proof)

    def _check_machine(self, head: _Head) -> None:
        """Refuse automatic mail at once, unless it names as its author a user who may send such mail."""
        user = self._directory.find_user(head.author) if head.author else None
        if user is None or not user.accept_automatic:
            raise Refused(Reason.MACHINE_MAIL)

    def _recorder(self, said: Authorship, tell: Tell) -> tuple[Trust, User]:
        try:
            proof = self._believe(said, tell)
            user = self._user(said.author)
        except Refused as no:
            raise Refused(no.reason, no.value, self._advice(said, no.reason)) from None
        tell("user", f"{user.email} is registered, enabled and holds {Role.RECORD_ACTIVITIES.value}")
        return proof, user

    def _advice(self, said: Authorship, reason: Reason) -> Advice | None:
        return Advice.ATTACH if reason in ANOTHERS and self._is_anothers(said, reason) else None

    def _is_anothers(self, said: Authorship, reason: Reason) -> bool:
        """Say whether somebody seems to hand on what another one wrote.

        Only a relay that guards the envelope sender has its answer depend on who is registered: others may speak for
        strangers, who must not find out.
        """
        if any(field.name.lower().startswith(HANDED_ON) for field in said.fields.fields):
            return True
        if said.sender == said.author:
            return False
        if said.relay.trust is Trust.VOUCHED:
            return bool(self._directory.find_user(said.sender)) and not self._directory.find_user(said.author)
        return reason is Reason.UNKNOWN_SENDER or (self._is_own(said.sender) and not self._is_own(said.author))

    def _believe(self, said: Authorship, tell: Tell) -> Trust:
        """Say of what kind the proof is that the author wrote it; ``Refused`` or ``Deferred`` where there is none."""
        vouched = said.relay.trust is Trust.VOUCHED
        evidence = self._vouched(said) if vouched else self._authenticator.examine(said)
        for proof in evidence.proofs:
            tell(proof.method, str(proof))
        if evidence.believed:
            tell("trust", f"{said.relay.trust.value} by relay {said.relay.name}")
            return said.relay.trust
        if evidence.unsure:
            raise Deferred(Reason.DNS)
        raise Refused(Reason.NOT_BELIEVED, said.author)

    def _vouched(self, said: Authorship) -> Evidence:
        logins = vouching.logins(said, self.policy.own_domains)
        owners = [owner for login in logins if (owner := self._directory.find_user(login))]
        owned = {*logins, *(email for owner in owners for email in (owner.email, *owner.aliases))}
        return vouching.examine(said, self.policy.pairs, logins, owned)

    def _user(self, wrote: str) -> User:
        user = self._directory.find_user(wrote)
        if user is None:
            if self._pending is not None and self._is_own(wrote):
                raise Deferred(Reason.PENDING_SENDER, wrote)
            if not self._directory.has_users():
                raise Deferred(Reason.UNKNOWN_SENDER, wrote)
            raise Refused(Reason.UNKNOWN_SENDER, wrote)
        if not user.enabled:
            raise Refused(Reason.DISABLED_SENDER, wrote)
        if Role.RECORD_ACTIVITIES not in user.roles:
            raise Refused(Reason.MISSING_ROLE, wrote)
        return user

    def _compose(self, came: _Came, fields: header.Header, mail: Mail, tell: Tell) -> NewMail:
        delivery = came.delivery
        notes = _newline_notes(delivery.raw) if delivery.chunked else ()
        source = _Source(raw=delivery.raw, wire=delivery.raw, fields=fields, queue_id=came.queue_id)
        new = self._new(came, source, mail, _once_per_record(delivery.envelope), notes)
        alone = forward.forwarded_to(mail, delivery.envelope.addressees, self.policy.domain)
        if alone is None or not mail.documents or not forward.is_readable(mail):
            return new
        return self._forward(came, new, alone, tell)

    def _forward(self, came: _Came, new: NewMail, to: Addressee, tell: Tell) -> NewMail:
        """Have the record that a mail was written to alone get the mails in it as themselves."""
        attached = self._reader.attached(new.raw)
        if len(attached) > forward.MAX_ATTACHED:
            tell("forward", f"{len(attached)} attached mails are too many: none would be logged as itself")
            return _changed(new, to, lambda one: replace(one, notes=(*one.notes, forward.TOO_MANY)))
        logged = self._attached(came, attached, to, forward.forwarded_by(came.author, new.mail, new.received_at))
        if not logged:
            return new
        says_anything = forward.says_anything(new.mail, logged)
        too = "and the covering mail too" if says_anything else "not the covering mail, which says nothing"
        tell("forward", f"attached mails that would be logged as themselves: {len(logged)}; {too}")
        mails = tuple(logged.values())
        return _changed(new, to, lambda one: replace(one, attached=mails, says_anything=says_anything))

    def _attached(
        self, came: _Came, attached: Sequence[tuple[int, bytes]], to: Addressee, note: Note
    ) -> dict[int, NewMail]:
        """Read those of the attached mails that are any, by their numbers among the documents."""
        found: dict[int, NewMail] = {}
        unreadable = 0
        for n, raw in attached:
            wire = forward.as_on_the_wire(raw)
            if header.body_offset(wire) > forward.MAX_HEADER or unreadable == forward.MAX_UNREADABLE:
                continue
            fields = header.split(wire)
            source = _Source(raw=raw, wire=wire, fields=fields, queue_id=identity.queue_id(fields))
            if not forward.is_mail(source.fields):
                continue
            mail = self._reader.read(raw)
            if not forward.is_readable(mail):
                unreadable += 1
                continue
            theirs = replace(came, author=forward.author(mail.parties, self.policy.domain), trust=Trust.NONE)
            new = self._new(theirs, source, mail, [to], (*_newline_notes(raw), note))
            found[n] = replace(new, identity=identity.forwarded(new.identity), known_as=new.identity)
        return found

    def _new(
        self, came: _Came, source: _Source, mail: Mail, to: Sequence[Addressee], notes: tuple[Note, ...]
    ) -> NewMail:
        envelope, received_at = came.delivery.envelope, came.delivery.received_at
        when, date_notes = occurred(mail.sent_at, received_at)
        own = (*date_notes, *notes)
        emails = {party.email for party in mail.parties if party.email}
        digest = sha256(source.raw).hexdigest()
        return NewMail(
            raw=source.raw,
            raw_sha256=digest,
            identity=identity.identity(source.fields, source.wire, source.queue_id, digest),
            mail=mail,
            author=came.author,
            recorder=came.recorder,
            envelope_from=address.parse_envelope(envelope.sender),
            trust=came.trust.value,
            relay=envelope.relay.name,
            queue_id=came.queue_id,
            occurred_at=when,
            received_at=received_at,
            activities=tuple(
                compose(mail, addressee, self._directory.known(addressee.record, emails), self.policy.domain, own)
                for addressee in to
            ),
        )

    # -- its end ----------------------------------------------------------------------------------------------------

    def _allowed(self, delivery: Delivery) -> _Allowed | _Judged:
        """Ask the rules; a mail that they let pass is to be read."""
        envelope, size, seen = delivery.envelope, len(delivery.raw), _Seen()
        try:
            head = _head(delivery.raw)
            seen = self._seen(head)
            return _Allowed(came=self._judge(delivery, head, _silent), seen=seen, fields=head.fields)
        except (Refused, Deferred) as no:
            return self._turned_back(envelope, no, seen, size)
        except Exception as bug:  # noqa: BLE001 - unforeseen trouble is a 4xx, never a lost or bounced mail
            events.surprise("receive", bug)
            return _Judged(envelope=envelope, size=size, seen=seen, no=Deferred(Reason.STORE_DOWN))

    def _composed(self, allowed: _Allowed, read: Callable[[], Mail]) -> _Judged:
        """Make what is to be kept of a mail that the rules let pass."""
        envelope, size, seen = allowed.came.delivery.envelope, len(allowed.came.delivery.raw), allowed.seen
        try:
            new = self._compose(allowed.came, allowed.fields, read(), _silent)
            seen = _Seen(queue_id=new.queue_id, message_id=new.mail.message_id or None, author=new.author)
            return _Judged(envelope=envelope, size=size, seen=seen, new=new)
        except Deferred as down:
            return self._turned_back(envelope, down, seen, size)
        except Exception as bug:  # noqa: BLE001 - the same
            events.surprise("receive", bug)
            return _Judged(envelope=envelope, size=size, seen=seen, no=Deferred(Reason.STORE_DOWN))

    def _misshapen(self, envelope: Envelope, reason: Reason, head: bytes, size: int) -> _Judged:
        return self._turned_back(envelope, self._answer(reason), self._seen(_head(head)), size)

    def _turned_back(self, envelope: Envelope, no: Refused | Deferred, seen: _Seen, size: int) -> _Judged:
        """Prepare what the ledger is told of a mail that isn't kept."""
        if no.reason in UNWRITABLE:
            return _Judged(envelope=envelope, size=size, seen=seen, no=no)
        try:
            if no.reason is Reason.PENDING_SENDER and self._pending is not None:
                self._pending.wait(self._tries(envelope, no.value, seen.queue_id))
        except Deferred as down:
            return _Judged(envelope=envelope, size=size, seen=seen, no=down)  # unsure means later
        entries = self._entries(envelope, no, seen)
        return _Judged(envelope=envelope, size=size, seen=seen, no=no, entries=entries)

    def _entries(self, envelope: Envelope, no: Refused | Deferred, seen: _Seen) -> tuple[LedgerEntry, ...]:
        verdict = _verdict(self.softened(no))
        at = self._now()
        return tuple(
            LedgerEntry(
                at=at,
                verdict=verdict,
                reason=no.reason,
                record=addressee.record,
                relay=envelope.relay.name,
                queue_id=seen.queue_id,
                author=seen.author,
                message_id=seen.message_id,
            )
            for addressee in envelope.addressees
        )

    def _finish(self, judged: _Judged) -> Outcomes:
        """Write down what a mail came to, and wait for it."""
        try:
            if judged.new is not None:
                return self._told(judged, self._archive.keep(judged.new), _kept)
            return self._told(judged, self._archive.enter(judged.entries), self._not_kept)
        except Exception as trouble:  # noqa: BLE001 - the same
            return self._told(judged, trouble, _kept)

    def _finish_soon(self, judged: _Judged, done: Done) -> None:
        """Have it written down; ``done`` is told afterwards, whatever happens."""
        try:
            if judged.new is not None:
                self._archive.keep_soon(judged.new, lambda found: done(self._told(judged, found, _kept)))
            else:
                self._archive.enter_soon(judged.entries, lambda found: done(self._told(judged, found, self._not_kept)))
        except Exception as trouble:  # noqa: BLE001 - the same
            done(self._told(judged, trouble, _kept))

    def _told(
        self, judged: _Judged, found: Sequence[_T] | Exception, say: Callable[[_Judged, Sequence[_T]], Outcomes]
    ) -> Outcomes:
        """Say what became of a mail by what the archive said; and tell it to log and metrics."""
        try:
            outcomes = say(judged, _unless_trouble(found))
        except Deferred as down:
            outcomes = _deferred(judged.envelope, down.reason)  # unsure means later
        except Exception as bug:  # noqa: BLE001 - the same
            events.surprise("receive", bug)
            outcomes = _deferred(judged.envelope, Reason.STORE_DOWN)
        self._tell_events(judged, outcomes)
        return outcomes

    def _not_kept(self, judged: _Judged, ids: Sequence[str]) -> Outcomes:
        no = judged.no or Deferred(Reason.STORE_DOWN)
        if not judged.entries:
            return _deferred(judged.envelope, no.reason)
        verdict = _verdict(self.softened(no))
        return tuple(
            Outcome(
                recipient=addressee.recipient,
                verdict=verdict,
                reason=no.reason,
                value=no.value,
                advice=no.advice,
                ledger_id=ledger_id,
            )
            for addressee, ledger_id in zip(judged.envelope.addressees, ids, strict=True)
        )

    def _tries(self, envelope: Envelope, wrote: str, queue_id: str | None) -> list[WaitingMail]:
        sender = address.parse_envelope(envelope.sender)
        at = self._now()
        return [
            WaitingMail(author=wrote, relay=envelope.relay.name, sender=sender, address=one, at=at, queue_id=queue_id)
            for one in sorted({addressee.address for addressee in envelope.addressees})
        ]

    def softened(self, no: Refused | Deferred) -> Refused | Deferred:
        """Make a refusal a deferral while ``soft_refuse`` is on, save those that are no better later."""
        if isinstance(no, Refused) and self.policy.soft_refuse and no.reason not in HARD:
            return Deferred(no.reason, no.value, no.advice)
        return no

    def _answer(self, reason: Reason) -> Refused | Deferred:
        return Deferred(reason) if reason in PASSING else self.softened(Refused(reason))

    def _seen(self, head: _Head) -> _Seen:
        wrote = head.author
        if wrote and routing.is_ours(wrote, self.policy.domain):
            wrote = routing.masked(wrote)  # a record address is a secret, also where a loop brings it back
        return _Seen(queue_id=head.queue_id, message_id=identity.message_id(head.fields) or None, author=wrote)

    def _tell_events(self, judged: _Judged, outcomes: Outcomes) -> None:
        events.mail_finished(
            outcomes,
            relay=judged.envelope.relay.name,
            records=tuple(str(addressee.record) for addressee in judged.envelope.addressees),
            queue_id=judged.seen.queue_id,
            author=judged.seen.author,
            message_id=judged.seen.message_id,
            size=judged.size,
            at=self._now().timestamp(),
        )


def _head(raw: bytes) -> _Head:
    fields = header.split(raw)
    wrote: str | None = None
    no: Refused | None = None
    try:
        wrote = author.read_author(fields)
    except Refused as refused:
        no = refused
    return _Head(fields=fields, author=wrote, no_author=no, queue_id=identity.queue_id(fields))


def _author_of(head: _Head) -> str:
    if head.no_author is not None:
        raise head.no_author
    return head.author or ""


def _verdict(answer: Refused | Deferred) -> Verdict:
    return Verdict.DEFERRED if isinstance(answer, Deferred) else Verdict.REFUSED


def _unless_trouble(found: Sequence[_T] | Exception) -> Sequence[_T]:
    if isinstance(found, Exception):
        raise found
    return found


def _kept(judged: _Judged, found: Sequence[Kept]) -> Outcomes:
    records = (one.record for one in judged.new.activities) if judged.new is not None else ()
    kept = dict(zip(records, found, strict=True))
    return tuple(
        Outcome(
            recipient=addressee.recipient,
            verdict=kept[addressee.record].verdict,
            reason=kept[addressee.record].reason,
            ledger_id=kept[addressee.record].ledger_id,
            activity=kept[addressee.record].activity,
        )
        for addressee in judged.envelope.addressees
    )


def _deferred(envelope: Envelope, reason: Reason) -> Outcomes:
    return tuple(
        Outcome(recipient=addressee.recipient, verdict=Verdict.DEFERRED, reason=reason)
        for addressee in envelope.addressees
    )


def _once_per_record(envelope: Envelope) -> list[Addressee]:
    return list({addressee.record: addressee for addressee in reversed(envelope.addressees)}.values())[::-1]


def _changed(new: NewMail, to: Addressee, change: Callable[[NewActivity], NewActivity]) -> NewMail:
    """Change what one record gets of a mail."""
    return replace(new, activities=tuple(change(one) if one.record == to.record else one for one in new.activities))


def _newline_notes(raw: bytes) -> tuple[Note, ...]:
    pairs = raw.count(b"\r\n")
    if raw.count(b"\r") == pairs == raw.count(b"\n"):
        return ()
    return (Note("bare_newlines", "The body has line ends that are not CRLF; they are kept as they came."),)
