"""Mail that the CRM sends: in which languages it goes out, and its log. ``app.outbound(settings)`` makes one.

Two steps for a job: ``languages`` before it sends, ``log`` (or ``log_mail`` for a mail it holds as a file, ``log_json``
for the same in JSON) after. The rules are the table in ``domain.language``; what they look at is read anew each time.

The recorder is who triggered the mail, enabled or not, with or without a role; closed records take it too: logging
can't be switched off. A job may log the same again as often as it likes, also two at once: the key is Message-ID,
record and the languages logged, and the first activity is what all of them get, also after other languages were set
on users, contacts or the record.

Refuses with ``BadInput`` that names the field: whatever ``domain.dispatch`` and ``handed`` refuse, a kind that isn't
for this kind of record, a kind of record that the edition lacks, a language missing or empty that is to be logged, a
file that holds no mail, more than the limit, other content under a key that was used, an activity that was deleted
meanwhile. ``NotFound`` names an unknown user, record or task. ``Deferred``: the store doesn't answer; the same may be
logged later. Then nothing is written.

Where a job doesn't say in which languages each recipient got the mail, what the rule says is kept; saying just that is
the same.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256

from mailgate import events, handed, mime
from mailgate.domain import dispatch, header, language
from mailgate.domain.activity import EXPOSED, SHOWN, Activity, Participant, occurred, taking_part
from mailgate.domain.content import Content
from mailgate.domain.dispatch import Contents, Dispatch, Sent
from mailgate.domain.document import NewDocument
from mailgate.domain.language import Chosen, Circumstances, Languages, Notification
from mailgate.domain.mail import Mail, Note, Party
from mailgate.domain.notice import Finished, NewNotice, identity
from mailgate.domain.record import Edition, RecordKind, RecordRef
from mailgate.domain.routing import is_ours
from mailgate.domain.topic import TOPIC_OTHER, check_topic
from mailgate.domain.user import Language
from mailgate.errors import BadInput, NotFound, Refused
from mailgate.ports import Directory, MetNotice, Notices, Reader, Speakers

RECEIVING = ("to", "cc", "bcc")  # the header fields that name recipients
NOT_LOGGED = "The mail was handed over in {} too, which is not logged for its kind."
NOT_LOGGED_OF_WHOLE = (
    "The mail is said to be written in {} too, which is not logged for its kind. It is kept whole, so it may hold that."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """What an instance decides for itself. ``domain`` is that of the record addresses, folded; sizes are in bytes."""

    domain: str
    edition: Edition
    language: Language
    max_size: int  # of a mail
    max_header_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """What is logged of any mail, however it was handed over."""

    kind: Notification
    record: RecordRef
    triggered_by: str
    recipients: tuple[str, ...]
    given: Collection[Language]
    task: str | None
    got: Language | None = None


class Outbound:
    """The outbound module of an instance. It holds no state of its own; one serves all threads."""

    def __init__(
        self,
        directory: Directory,
        speakers: Speakers,
        notices: Notices,
        instance: Instance,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        reader: Reader = mime,
    ) -> None:
        self._directory = directory
        self._speakers = speakers
        self._reader = reader
        self._notices = notices
        self._instance = instance
        self._now = now

    @property
    def limit(self) -> int:
        """How many bytes of JSON, or of words and documents, are taken at most."""
        return 2 * self._instance.max_size

    # -- before sending ---------------------------------------------------------------------------------------------

    def languages(
        self, kind: str, *, record: str, triggered_by: str | None = None, recipients: Sequence[str] = ()
    ) -> Chosen:
        """Say in which languages each recipient gets a mail of this kind, and in which ones it is to be logged.

        ``record`` is ``KIND:REF``; ``triggered_by`` and ``recipients`` are e-mails. ``send`` has the recipients folded.
        For the kind ``mail`` the languages are up to the job: none are named.
        """
        which, on = language.read_kind(kind), dispatch.read_record(record)
        emails = dispatch.read_recipients(recipients, self._instance.domain)
        circumstances = self._circumstances(which, on, emails, given=())
        if triggered_by is not None:
            self._recorder(dispatch.read_address(triggered_by, "triggered_by"))
        return language.choose(which, circumstances)

    # -- after sending ----------------------------------------------------------------------------------------------

    def log(
        self,
        *,
        kind: str,
        record: str,
        triggered_by: str,
        recipients: Sequence[str],
        sent_at: datetime,
        message_id: str,
        content: Contents,
        sent_languages: Sent | None = None,
        documents: Sequence[NewDocument] = (),
        task: str | None = None,
    ) -> Activity:
        """Log a mail that was sent, and give its activity; the same again gives the first one.

        ``content`` holds the words by language: each that ``languages`` said is to be logged; others are ignored, with
        a note. ``sent_at`` needs a zone, ``message_id`` its angle brackets. ``sent_languages`` says by recipient in
        which languages they got it. ``task`` is the id of the task that a ``task_reminder`` is about.
        """
        said = Dispatch.read(
            kind=kind,
            record=record,
            triggered_by=triggered_by,
            recipients=recipients,
            sent_at=sent_at,
            message_id=message_id,
            content=content,
            sent_languages=sent_languages,
            documents=documents,
            task=task,
            domain=self._instance.domain,
        )
        if said.size > self.limit:
            raise self._too_large("words and documents")
        return self._log(said)

    def log_json(self, raw: bytes) -> Activity:
        """Log a mail that is described in JSON (``handed``)."""
        if len(raw) > self.limit:
            raise self._too_large("this JSON")
        return self._log(handed.read(raw, self._instance.domain))

    def log_mail(
        self,
        raw: bytes,
        *,
        kind: str,
        record: str,
        triggered_by: str,
        languages: Sequence[str],
        task: str | None = None,
    ) -> Activity:
        """Log a finished mail, as ``.eml``: kept whole like one logged by BCC, its participants as its header says.

        ``languages`` are those that it is written in: all that are to be logged. It isn't taken apart: each of them
        shows the whole mail. Line ends that are all LF become CRLF.
        """
        which = language.read_kind(kind)
        finished = self._read(raw)
        sent = _Sent(
            kind=which,
            record=dispatch.read_record(record),
            triggered_by=dispatch.read_address(triggered_by, "triggered_by"),
            recipients=self._recipients(finished.mail),
            given=dispatch.read_languages(languages, "language"),
            task=dispatch.read_task(task, which),
        )
        return self._log_mail(sent, finished)

    # -- what both do -----------------------------------------------------------------------------------------------

    def _log(self, said: Dispatch) -> Activity:
        sent = _Sent(
            kind=said.kind,
            record=said.record,
            triggered_by=said.triggered_by,
            recipients=said.recipients,
            given=said.content.keys(),
            task=said.task,
            got=said.got,
        )
        recorder = self._recorder(said.triggered_by)
        if (met := self._met(said, sent, recorder)) is not None:
            return self._again(said.kind, met)
        chosen, unneeded = self._choose(sent, "content")
        said.check_words(chosen.log)
        now = self._now()
        occurred_at, date_notes = occurred(said.sent_at, now)
        words = mime.clean({one: said.content[one] for one in chosen.log})
        parties = [Party("to", email, "") for email in said.recipients]
        participants, ambiguous = self._taking_part(said.record, parties)
        return self._keep(
            NewNotice(
                kind=said.kind.value,
                record=said.record,
                topic=self._topic(sent),
                triggered_by=recorder,
                participants=participants,
                occurred_at=occurred_at,
                recorded_at=now,
                message_id=said.message_id,
                content=words.content,
                sent_languages=chosen.send if said.sent_languages is None else said.sent_languages,
                documents=said.documents,
                links=words.links,
                notes=(*date_notes, *_ignored(unneeded, NOT_LOGGED), *words.notes, *ambiguous),
                identity=identity(said.message_id, chosen.log),
                fingerprint=said.fingerprint(recorder, chosen.log, as_ruled=said.sent_as(chosen.send)),
            )
        )

    def _log_mail(self, sent: _Sent, finished: Finished) -> Activity:
        mail = finished.mail
        recorder = self._recorder(sent.triggered_by)
        may_be = language.may_be_logged(sent.kind, sent.given)
        of_mail = partial(dispatch.fingerprint_of_mail, sent.kind, recorder, raw_sha256=finished.raw_sha256)
        for met in self._among(sent, mail.message_id, {of_mail(one) for one in may_be}):
            return self._again(sent.kind, met.activity)
        chosen, unneeded = self._choose(sent, "language")
        now = self._now()
        occurred_at, date_notes = occurred(mail.sent_at, now)
        participants, ambiguous = self._taking_part(sent.record, mail.parties)
        return self._keep(
            NewNotice(
                kind=sent.kind.value,
                record=sent.record,
                topic=self._topic(sent),
                triggered_by=recorder,
                participants=tuple({one.email: one for one in participants}.values()),
                occurred_at=occurred_at,
                recorded_at=now,
                message_id=mail.message_id,
                content={one: Content() for one in chosen.log},
                sent_languages=chosen.send,
                notes=(
                    *date_notes,
                    *_ignored(unneeded, NOT_LOGGED_OF_WHOLE),
                    *self._exposed(sent.record, mail),
                    *ambiguous,
                ),
                finished=finished,
                identity=identity(mail.message_id or finished.raw_sha256, chosen.log),
                fingerprint=of_mail(chosen.log),
            )
        )

    def _keep(self, new: NewNotice) -> Activity:
        kept = self._notices.keep(new)
        events.notice_logged(
            kind=new.kind,
            record=str(new.record),
            activity=kept.activity.id,
            languages=" ".join(new.content),
            again=kept.again,
        )
        return kept.activity

    def _met(self, said: Dispatch, sent: _Sent, recorder: str) -> Activity | None:
        """Find the activity of the same mail, although the rule may name other languages by now."""
        logged = language.may_be_logged(sent.kind, sent.given)
        as_said = {said.fingerprint(recorder, one, as_ruled=False) for one in logged}
        as_ruled = {said.fingerprint(recorder, one, as_ruled=True) for one in logged}
        for met in self._among(sent, said.message_id, as_ruled | as_said):
            kept = {email: tuple(map(Language, codes)) for email, codes in met.activity.sent_languages.items()}
            if met.fingerprint in as_said or said.sent_as(kept):
                return met.activity
        return None

    def _among(self, sent: _Sent, message_id: str, fingerprints: Collection[str]) -> Sequence[MetNotice]:
        self._check_place(sent.kind, sent.record)
        logged = language.may_be_logged(sent.kind, sent.given)
        found = self._notices.met(sent.record, message_id, fingerprints)
        return [one for one in found if tuple(map(Language, one.activity.languages)) in logged]

    def _again(self, kind: Notification, met: Activity) -> Activity:
        events.notice_logged(
            kind=kind.value, record=str(met.record), activity=met.id, languages=" ".join(met.languages), again=True
        )
        return met

    def _choose(self, sent: _Sent, field: str) -> tuple[Chosen, Languages]:
        """Choose the languages, and give those that were handed over in vain; ``field`` is what named them."""
        given = tuple(one for one in Language if one in sent.given)
        circumstances = self._circumstances(sent.kind, sent.record, sent.recipients, given=given, got=sent.got)
        chosen = language.choose(sent.kind, circumstances)
        return chosen, language.check_content(sent.kind, chosen.log, given, field)

    def _check_place(self, kind: Notification, on: RecordRef) -> None:
        language.check_record(kind, on.kind)
        check_topic(on.kind, TOPIC_OTHER, self._instance.edition)

    def _circumstances(
        self,
        kind: Notification,
        on: RecordRef,
        emails: tuple[str, ...],
        *,
        given: Languages,
        got: Language | None = None,
    ) -> Circumstances:
        self._check_place(kind, on)
        own = self._speakers.language(on)
        return Circumstances(
            record=on.kind,
            instance=self._instance.language,
            recipients=emails,
            users=self._speakers.users(emails),
            contacts=self._speakers.contacts(on, emails),
            contract=own if on.kind is RecordKind.PUBLISHER_CONTRACT else None,
            given=given,
            got=got,
        )

    def _recorder(self, email: str) -> str:
        user = self._directory.find_user(email)
        if user is None:
            raise NotFound(f"triggered_by: no user {email}: see mailgate user list, or add one with mailgate user add")
        return user.email

    def _topic(self, sent: _Sent) -> str:
        tasks = None if sent.task is None else self._notices.task_topic(sent.record, sent.task)
        return language.topic(sent.kind, sent.record.kind, tasks)

    def _taking_part(self, on: RecordRef, parties: Sequence[Party]) -> tuple[tuple[Participant, ...], tuple[Note, ...]]:
        emails = {party.email for party in parties if party.email}
        return taking_part(parties, self._directory.known(on, emails), self._instance.domain)

    # -- a finished mail --------------------------------------------------------------------------------------------

    def _read(self, raw: bytes) -> Finished:
        self._check_size(raw)
        try:
            whole = header.with_crlf(raw)
        except Refused:
            raise BadInput("the mail holds NUL, or line ends of several kinds: write all CRLF, or all LF") from None
        self._check_size(whole)
        if header.body_offset(whole) > self._instance.max_header_size:
            most = self._instance.max_header_size
            raise BadInput(f"the header of the mail has more than {most} bytes (smtp.max_header_size)")
        if not any(field.name for field in header.split(whole).fields):
            raise BadInput("eml: this holds no mail: not a single header field stands at its beginning")
        return Finished(raw=whole, raw_sha256=sha256(whole).hexdigest(), mail=self._reader.read(whole))

    def _check_size(self, raw: bytes) -> None:
        if len(raw) > self._instance.max_size:
            raise BadInput(f"the mail has more than {self._instance.max_size} bytes (smtp.max_size)")

    def _recipients(self, mail: Mail) -> tuple[str, ...]:
        theirs = (party.email for party in mail.parties if party.header in RECEIVING and party.email)
        return tuple(dict.fromkeys(email for email in theirs if not is_ours(email, self._instance.domain)))

    def _exposed(self, on: RecordRef, mail: Mail) -> tuple[Note, ...]:
        shown = {party.email for party in mail.parties if party.header in SHOWN}
        ours = (self._directory.find_address(one) for one in shown if is_ours(one, self._instance.domain))
        return (EXPOSED,) if any(found and found.address.record == on for found in ours) else ()

    def _too_large(self, what: str) -> BadInput:
        return BadInput(f"{what} has more than {self.limit} bytes, twice smtp.max_size: leave documents out")


def _ignored(unneeded: Languages, said: str) -> tuple[Note, ...]:
    codes = ", ".join(one.value for one in unneeded)
    return (Note("language_ignored", said.format(codes)),) if codes else ()
