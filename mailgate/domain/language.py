"""Which mails the system sends, where they are logged, and in which languages: one table, ``RULES``.

``choose`` says for each recipient in which languages a mail goes to them, and in which ones it is logged: before it is
sent, and again with the same facts when it is logged. Languages always stand in the order DE, EN, FR, IT.

A mail to readers of one language is logged in the one that it went out in, where the job says so: they may have been
given another since.

Refuses with ``BadInput``, naming what is wrong: an unknown kind of mail, one on the wrong kind of record, one to users
whose recipients are not users of one language, a statement of payout on a contract without a language, and content
that lacks a language to be logged. Who the recipients are, which edition this is and whether the record exists is
found out elsewhere.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from mailgate.domain.record import RecordKind
from mailgate.domain.topic import TOPIC_OTHER, topics
from mailgate.domain.user import Language
from mailgate.errors import BadInput

Languages: TypeAlias = tuple[Language, ...]

ALL_FOUR: Languages = tuple(Language)
_NAMED = 10  # addresses in a refusal


class Notification(StrEnum):
    """The kinds of mail that the system sends; ``mail`` is any other."""

    BIRTHDAY_REMINDER = "birthday_reminder"
    SCREENSHOTS = "screenshots"
    REPORTING = "reporting"
    CREATIVE_REQUEST = "creative_request"
    INVOICE = "invoice"
    PAYOUT_STATEMENT = "payout_statement"
    TASK_REMINDER = "task_reminder"
    MAIL = "mail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What the rules look at.

    ``recipients`` are folded e-mails, each once. ``users`` holds those of them that are registered users, with the
    language set on each; ``contacts`` those for whom a language is set on the contact, else on its customer.
    ``contract`` is the language of the publisher contract. ``given``: the languages of the content handed over, empty
    as long as nobody wrote it. ``got``: the one language in which every recipient got it, where the job says so.
    """

    record: RecordKind
    instance: Language
    recipients: tuple[str, ...]
    users: Mapping[str, Language | None]
    contacts: Mapping[str, Language]
    contract: Language | None
    given: Languages
    got: Language | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The languages of each recipient's mail, and those that are logged."""

    send: Mapping[str, Languages]
    log: Languages


Choice: TypeAlias = Callable[[Circumstances], Languages]
Sending: TypeAlias = Callable[[Circumstances], Mapping[str, Languages]]
TopicChoice: TypeAlias = Callable[[RecordKind, str | None], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A row of the table: how one kind of mail is sent and logged, its topic, and the kinds of record it stands on."""

    kind: Notification
    sent: Sending
    logged: Choice
    topic: TopicChoice
    on: frozenset[RecordKind]


def read_kind(text: str) -> Notification:
    """Read a kind of mail; ``BadInput`` lists those that there are."""
    try:
        return Notification(text)
    except ValueError:
        raise BadInput(f"kind {text!r} is no mail of the system: choose one of {', '.join(Notification)}") from None


def choose(kind: Notification, circumstances: Circumstances) -> Chosen:
    """Choose the languages by the rule of this kind; ``BadInput`` where it can't be sent or logged like this."""
    check_record(kind, circumstances.record)
    rule = _rule(kind)
    return Chosen(send=rule.sent(circumstances), log=rule.logged(circumstances))


def check_record(kind: Notification, record: RecordKind) -> None:
    """Refuse a kind of mail on a kind of record that it doesn't stand on."""
    on = _rule(kind).on
    if record not in on:
        takes = " or ".join(one.value for one in RecordKind if one in on)
        raise BadInput(f"record: {kind.value} stands on {takes}, not on {record.value}")


def topic(kind: Notification, record: RecordKind, task_topic: str | None = None) -> str:
    """Name the topic that the activity gets; ``task_topic`` is that of the task that a reminder is about."""
    check_record(kind, record)
    return _rule(kind).topic(record, task_topic)


def check_content(
    kind: Notification, logged: Languages, given: Collection[Language], field: str = "content"
) -> Languages:
    """Compare the languages of the content with those to be logged; give those that aren't needed.

    ``BadInput`` begins with ``field`` and names every language that is missing; ``mail``, logged as given, needs at
    least one.
    """
    if missing := [language.value for language in logged if language not in given]:
        raise BadInput(f"{field}: {kind.value} is logged in {_listed(logged)}; missing: {', '.join(missing)}")
    if not given:
        raise BadInput(f"{field}: {kind.value} needs at least one language of {_listed(ALL_FOUR)}")
    return tuple(language for language in Language if language in given and language not in logged)


def may_be_logged(kind: Notification, given: Collection[Language]) -> tuple[Languages, ...]:
    """Give the languages in which content in these may have been logged, whatever the circumstances were."""
    offered = tuple(language for language in Language if language in given)
    rule = _rule(kind)
    if rule.logged is as_given:
        return (offered,)
    if rule.logged is all_four:
        return (ALL_FOUR,) if offered == ALL_FOUR else ()
    return tuple((language,) for language in offered)


def all_four(_circumstances: Circumstances) -> Languages:
    """Always DE, EN, FR, IT."""
    return ALL_FOUR


def the_instances(circumstances: Circumstances) -> Languages:
    """The language of the instance."""
    return (circumstances.instance,)


def the_contracts(circumstances: Circumstances) -> Languages:
    """The one language that all of them got, where that is said; else that of the contract, which always has one."""
    if circumstances.got is not None:
        return (circumstances.got,)
    if circumstances.contract is None:
        raise BadInput("language: the publisher contract has none: set it (mailgate record set --language)")
    return (circumstances.contract,)


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def the_users(circumstances: Circumstances) -> Languages:
    """The one language that all users got, where that is said; else theirs; a user without one has the instance's."""
    if not circumstances.recipients:
        raise BadInput("recipients: this mail goes to registered users: name at least one")
    if strangers := [email for email in circumstances.recipients if email not in circumstances.users]:
        raise BadInput(f"recipients: this mail goes to registered users only: leave out or register {_few(strangers)}")
    if circumstances.got is not None:
        return (circumstances.got,)
    spoken = {email: circumstances.users[email] or circumstances.instance for email in circumstances.recipients}
    if len(set(spoken.values())) > 1:
        each = _few([f"{email} ({language.value})" for email, language in spoken.items()])
        raise BadInput(f"recipients: users of one language share a mail: send and log one mail per language: {each}")
    return (spoken[circumstances.recipients[0]],)


def as_given(circumstances: Circumstances) -> Languages:
    """The languages of the content; none while it is only asked for."""
    return tuple(language for language in Language if language in circumstances.given)


def to_all(choice: Choice) -> Sending:
    """Send all recipients the same."""
    return lambda circumstances: dict.fromkeys(circumstances.recipients, choice(circumstances))


def to_each_their_own(circumstances: Circumstances) -> Mapping[str, Languages]:
    """Send each recipient the language set on the contact, else on its customer, else the instance's."""
    return {email: (circumstances.contacts.get(email, circumstances.instance),) for email in circumstances.recipients}


def always(name: str) -> TopicChoice:
    """One topic, whatever the record."""
    return lambda _record, _task_topic: name


def where_it_exists(name: str) -> TopicChoice:
    """Take the topic on the kinds of record that have it, else ``other``."""
    return lambda record, _task_topic: name if name in topics(record) else TOPIC_OTHER


def the_tasks(_record: RecordKind, task_topic: str | None) -> str:
    """The topic of the task."""
    return task_topic or TOPIC_OTHER


def _rule(kind: Notification) -> Rule:
    return next(rule for rule in RULES if rule.kind is kind)


def _listed(languages: Languages) -> str:
    return ", ".join(language.value for language in languages)


ANY_RECORD = frozenset(RecordKind)

RULES: tuple[Rule, ...] = (
    # a contact's birthday (Geburtstag eines Kontakts): to users only, another mail and activity for each language
    Rule(
        kind=Notification.BIRTHDAY_REMINDER,
        sent=to_all(the_users),
        logged=the_users,
        topic=always("customer_care"),
        on=frozenset({RecordKind.CONTACT}),
    ),
    # the screenshots of a campaign (Screenshot-Aufgabe): one mail in all four, whoever gets it
    Rule(
        kind=Notification.SCREENSHOTS,
        sent=to_all(all_four),
        logged=all_four,
        topic=always("screenshots"),
        on=frozenset({RecordKind.CAMPAIGN}),
    ),
    # the report on a campaign (Reporting-Aufgabe): one mail in all four, whoever gets it
    Rule(
        kind=Notification.REPORTING,
        sent=to_all(all_four),
        logged=all_four,
        topic=always("reporting"),
        on=frozenset({RecordKind.CAMPAIGN}),
    ),
    # ad management asks for advertising material (Werbemittel-Einforderung): to each in their own language, but
    # logged in that of the instance, so that those who work there can read it: it may be one that nobody got
    Rule(
        kind=Notification.CREATIVE_REQUEST,
        sent=to_each_their_own,
        logged=the_instances,
        topic=always("creatives"),
        on=frozenset({RecordKind.CAMPAIGN}),
    ),
    # finance sends an invoice (Rechnung): one mail in all four; customers have no topic for billing
    Rule(
        kind=Notification.INVOICE,
        sent=to_all(all_four),
        logged=all_four,
        topic=where_it_exists("billing"),
        on=frozenset({RecordKind.CAMPAIGN, RecordKind.CUSTOMER}),
    ),
    # what a publisher is paid (Publisher-Payout): in the language that the contract was made in
    Rule(
        kind=Notification.PAYOUT_STATEMENT,
        sent=to_all(the_contracts),
        logged=the_contracts,
        topic=always("payout"),
        on=frozenset({RecordKind.PUBLISHER_CONTRACT}),
    ),
    # a task falls due: to users only, like a birthday, on the record of the task
    Rule(
        kind=Notification.TASK_REMINDER,
        sent=to_all(the_users),
        logged=the_users,
        topic=the_tasks,
        on=ANY_RECORD,
    ),
    # any other mail: we don't know better than who wrote it
    Rule(
        kind=Notification.MAIL,
        sent=to_all(as_given),
        logged=as_given,
        topic=always(TOPIC_OTHER),
        on=ANY_RECORD,
    ),
)
