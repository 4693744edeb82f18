"""The languages of the mail that the system sends: the table of the requirements, against every circumstance."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations, permutations, product

import pytest

from mailgate.domain import language
from mailgate.domain.language import (
    ALL_FOUR,
    RULES,
    Chosen,
    Circumstances,
    Notification,
    check_content,
    check_record,
    choose,
    may_be_logged,
    read_kind,
    topic,
)
from mailgate.domain.record import RecordKind
from mailgate.domain.topic import topics
from mailgate.domain.user import Language
from mailgate.errors import BadInput

# the table of the requirements in its own words and order; "/" reads "else"
PAGE = """
    birthday_reminder | the user's                          | the same       | customer_care      | contact
    screenshots       | all four                            | the same       | screenshots        | campaign
    reporting         | all four                            | the same       | reporting          | campaign
    creative_request  | contact's / customer's / instance's | the instance's | creatives          | campaign
    invoice           | all four                            | the same       | billing / other    | campaign or customer
    payout_statement  | the contract's                      | the same       | payout             | publisher_contract
    task_reminder     | the user's                          | the same       | the task's / other | any
    mail              | as given                            | the same       | other              | any
"""

# of 21,000 circumstances each, so many have an answer; in all others the mail is refused
ANSWERED = {
    "birthday_reminder": 2_500,  # one kind of record of seven; who isn't a user gets none
    "screenshots": 3_000,  # one kind of record of seven
    "reporting": 3_000,
    "creative_request": 3_000,
    "invoice": 6_000,  # two kinds of record
    "payout_statement": 2_400,  # one kind of record; a contract without a language has none
    "task_reminder": 17_500,  # every kind of record, users only
    "mail": 21_000,
}

DE, EN, FR, IT = Language
OR_NONE: tuple[Language | None, ...] = (*Language, None)
NO_USER = "not a user"
ANNA = "anna@legit.test"
BOB = "bob@legit.test"


@dataclass(frozen=True)
class Row:
    kind: Notification
    sent: str
    logged: str
    topic: str
    on: str

    def takes(self, record: RecordKind) -> bool:
        return self.on == "any" or record.value in self.on.split(" or ")


def page() -> list[Row]:
    cells = [[cell.strip() for cell in line.split("|")] for line in PAGE.strip().splitlines()]
    return [Row(Notification(kind), sent, logged, topic, on) for kind, sent, logged, topic, on in cells]


@dataclass(frozen=True)
class Case:
    """One recipient, who may be a user and a contact at once."""

    user: Language | str | None
    contact: Language | None
    customer: Language | None
    contract: Language | None
    instance: Language
    record: RecordKind
    given: tuple[Language, ...] = (IT, DE)

    def circumstances(self) -> Circumstances:
        folded = next((set_ for set_ in (self.contact, self.customer) if set_), None)
        return Circumstances(
            record=self.record,
            instance=self.instance,
            recipients=(ANNA,),
            users={} if self.user == NO_USER else {ANNA: Language(self.user) if self.user else None},
            contacts={ANNA: folded} if folded else {},
            contract=self.contract,
            given=self.given,
        )

    def read(self, words: str) -> str | None:
        """Read a cell of the page; None where it says that there is no answer."""
        if words == "all four":
            return "de en fr it"
        if words == "as given":
            return " ".join(code for code in ("de", "en", "fr", "it") if code in self.given)
        said = {
            "the user's": None if self.user == NO_USER else self.user or self.instance,
            "the contract's": self.contract,
            "the instance's": self.instance,
            "contact's": self.contact,
            "customer's": self.customer,
            "instance's": self.instance,
        }
        return next((said[part] for part in words.split(" / ") if said[part]), None)

    def expected(self, row: Row) -> tuple[str, str] | None:
        sent = self.read(row.sent)
        logged = sent if row.logged == "the same" else self.read(row.logged)
        return (sent, logged) if row.takes(self.record) and sent and logged else None


def every_case() -> Iterator[Case]:
    for values in product((*OR_NONE, NO_USER), OR_NONE, OR_NONE, OR_NONE, Language, RecordKind):
        yield Case(*values)


def answer(kind: Notification, case: Case) -> tuple[str, str] | None:
    try:
        chosen = choose(kind, case.circumstances())
    except BadInput:
        return None
    assert list(chosen.send) == [ANNA]
    return " ".join(chosen.send[ANNA]), " ".join(chosen.log)


def at(
    record: RecordKind = RecordKind.CAMPAIGN,
    *,
    instance: Language = EN,
    recipients: tuple[str, ...] = (ANNA,),
    users: dict[str, Language | None] | None = None,
    contacts: dict[str, Language] | None = None,
    contract: Language | None = None,
    given: tuple[Language, ...] = (),
) -> Circumstances:
    return Circumstances(
        record=record,
        instance=instance,
        recipients=recipients,
        users=users or {},
        contacts=contacts or {},
        contract=contract,
        given=given,
    )


def refusal(kind: Notification, circumstances: Circumstances) -> str:
    with pytest.raises(BadInput) as refused:
        choose(kind, circumstances)
    return str(refused.value)


# ---- the whole matrix


def test_rules_stand_once_each_in_the_order_of_the_page() -> None:
    assert [rule.kind for rule in RULES] == [row.kind for row in page()] == list(Notification)


@pytest.mark.parametrize("row", page(), ids=lambda row: row.kind.value)
def test_in_every_circumstance_the_page_is_followed(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    hits = dict.fromkeys(Notification, 0)

    def counted(rule: language.Rule) -> language.Rule:
        def logged(circumstances: Circumstances) -> tuple[Language, ...]:
            answer = rule.logged(circumstances)
            hits[rule.kind] += 1
            return answer

        return replace(rule, logged=logged)

    monkeypatch.setattr(language, "RULES", tuple(counted(rule) for rule in RULES))
    cases = list(every_case())
    wrong = [case for case in cases if answer(row.kind, case) != case.expected(row)]
    assert wrong == []
    assert len(set(cases)) == 21_000
    assert hits == dict.fromkeys(Notification, 0) | {row.kind: ANSWERED[row.kind]}


@pytest.mark.parametrize("kind", [Notification.BIRTHDAY_REMINDER, Notification.TASK_REMINDER])
def test_two_users_share_a_mail_when_their_languages_are_the_same(kind: Notification) -> None:
    shared = 0
    for anna, bob, instance in product(OR_NONE, OR_NONE, Language):
        circumstances = at(
            RecordKind.CONTACT, instance=instance, recipients=(ANNA, BOB), users={ANNA: anna, BOB: bob}, contract=FR
        )
        spoken = {email: code or instance for email, code in ((ANNA, anna), (BOB, bob))}
        if spoken[ANNA] == spoken[BOB]:
            both = (spoken[ANNA],)
            assert choose(kind, circumstances) == Chosen({ANNA: both, BOB: both}, both)
            shared += 1
            continue
        text = refusal(kind, circumstances)
        for email, code in spoken.items():
            assert f"{email} ({code.value})" in text
        assert "one mail per language" in text
    assert shared == 4 * (4 + 2 + 1)  # per instance: both set alike, one set as the instance, none set


def test_each_contact_is_asked_for_creatives_in_their_own_language_and_it_is_logged_in_the_instances() -> None:
    for anna, bob, instance in product(OR_NONE, OR_NONE, Language):
        contacts = {email: code for email, code in ((ANNA, anna), (BOB, bob)) if code}
        chosen = choose(Notification.CREATIVE_REQUEST, at(instance=instance, recipients=(BOB, ANNA), contacts=contacts))
        assert list(chosen.send.items()) == [(BOB, (bob or instance,)), (ANNA, (anna or instance,))]
        assert chosen.log == (instance,)


def test_any_other_mail_is_sent_and_logged_as_given_in_the_order_of_the_languages() -> None:
    orders = [order for size in range(5) for order in permutations(Language, size)]
    assert len(orders) == 65
    for order in orders:
        given = tuple(code for code in (DE, EN, FR, IT) if code in order)
        chosen = choose(Notification.MAIL, at(recipients=(ANNA, BOB), given=order))
        assert chosen == Chosen({ANNA: given, BOB: given}, given)


@pytest.mark.parametrize("row", page(), ids=lambda row: row.kind.value)
def test_without_recipients_it_is_logged_alike_but_mail_to_users_is_refused(row: Row) -> None:
    record = next(kind for kind in RecordKind if row.takes(kind))
    circumstances = at(record, recipients=(), contract=FR, given=(FR,))
    if row.sent == "the user's":
        assert "name at least one" in refusal(row.kind, circumstances)
    else:
        assert choose(row.kind, circumstances) == Chosen(
            {}, choose(row.kind, replace(circumstances, recipients=(ANNA,))).log
        )


READERS = {"birthday_reminder", "payout_statement", "task_reminder"}  # "the same", and one language


@pytest.mark.parametrize("row", page(), ids=lambda row: row.kind.value)
def test_what_readers_of_one_language_got_is_logged_whatever_is_set_by_now(row: Row) -> None:
    for case, got in product(every_case(), Language):
        expected = case.expected(row)
        reads = row.kind == "payout_statement" or case.user != NO_USER
        if row.kind.value in READERS and row.takes(case.record) and reads:
            expected = (got.value, got.value)
        try:
            chosen = choose(row.kind, replace(case.circumstances(), got=got))
            answered = (" ".join(chosen.send[ANNA]), " ".join(chosen.log))
        except BadInput:
            assert expected is None
        else:
            assert answered == expected


def test_users_of_two_languages_by_now_may_have_got_one_mail() -> None:
    circumstances = at(RecordKind.CONTACT, recipients=(ANNA, BOB), users={ANNA: DE, BOB: IT})
    assert choose(Notification.BIRTHDAY_REMINDER, replace(circumstances, got=FR)) == Chosen(
        {ANNA: (FR,), BOB: (FR,)}, (FR,)
    )


# ---- by example


@pytest.mark.parametrize(
    ("kind", "circumstances", "sent", "logged"),
    [
        pytest.param(
            "birthday_reminder",
            at(RecordKind.CONTACT, users={ANNA: FR}),
            "fr",
            "fr",
            id="a birthday, to a user of French",
        ),
        pytest.param(
            "birthday_reminder",
            at(RecordKind.CONTACT, users={ANNA: None}, instance=IT),
            "it",
            "it",
            id="a birthday, to a user without a language where the instance is Italian",
        ),
        pytest.param(
            "birthday_reminder",
            at(RecordKind.CONTACT, users={ANNA: DE}, contacts={ANNA: FR}),
            "de",
            "de",
            id="a birthday, to a user who is a contact too",
        ),
        pytest.param("screenshots", at(), "de en fr it", "de en fr it", id="screenshots"),
        pytest.param("reporting", at(), "de en fr it", "de en fr it", id="a report"),
        pytest.param(
            "creative_request", at(contacts={ANNA: IT}), "it", "en", id="creatives, asked of an Italian contact"
        ),
        pytest.param("creative_request", at(instance=DE), "de", "de", id="creatives, asked of somebody nobody knows"),
        pytest.param(
            "creative_request",
            at(users={ANNA: FR}),
            "en",
            "en",
            id="creatives, asked of a user of French: that counts for contacts only",
        ),
        pytest.param(
            "invoice", at(RecordKind.CUSTOMER, contract=FR), "de en fr it", "de en fr it", id="an invoice to a customer"
        ),
        pytest.param(
            "payout_statement",
            at(RecordKind.PUBLISHER_CONTRACT, contract=FR, contacts={ANNA: DE}),
            "fr",
            "fr",
            id="a payout on a French contract, to a German contact",
        ),
        pytest.param(
            "task_reminder", at(RecordKind.LEAD, users={ANNA: DE}), "de", "de", id="a task of a user of German"
        ),
        pytest.param("mail", at(given=(IT, DE)), "de it", "de it", id="any other mail, in Italian and German"),
        pytest.param("mail", at(), "", "", id="any other mail, before it is written"),
    ],
)
def test_the_languages_by_example(kind: str, circumstances: Circumstances, sent: str, logged: str) -> None:
    chosen = choose(read_kind(kind), circumstances)
    assert (" ".join(chosen.send[ANNA]), " ".join(chosen.log)) == (sent, logged)


# ---- topics, kinds of record, kinds of mail


@pytest.mark.parametrize("row", page(), ids=lambda row: row.kind.value)
def test_a_mail_stands_on_its_kinds_of_record_with_its_topic_and_is_refused_on_others(row: Row) -> None:
    for record in RecordKind:
        if row.takes(record):
            check_record(row.kind, record)
            wanted, *fallback = row.topic.split(" / ")
            has_it = wanted in topics(record)
            assert topic(row.kind, record) == (wanted if has_it else fallback[0])
            continue
        for refuse in (check_record, topic):
            with pytest.raises(BadInput) as refused:
                refuse(row.kind, record)
            named = " or ".join(kind.value for kind in RecordKind if row.takes(kind))
            assert str(refused.value) == f"record: {row.kind.value} stands on {named}, not on {record.value}"


@pytest.mark.parametrize(
    ("kind", "record", "expected"),
    [
        ("invoice", "campaign", "billing"),
        ("invoice", "customer", "other"),
        ("birthday_reminder", "contact", "customer_care"),
        ("creative_request", "campaign", "creatives"),
        ("payout_statement", "publisher_contract", "payout"),
        ("task_reminder", "campaign", "other"),
        ("mail", "deal_group", "other"),
    ],
)
def test_the_topics_by_example(kind: str, record: str, expected: str) -> None:
    assert topic(read_kind(kind), RecordKind(record)) == expected


def test_a_reminder_has_the_topic_of_its_task_and_nothing_else_has() -> None:
    for row, record in product(page(), RecordKind):
        if row.takes(record):
            for task_topic in topics(record):
                expected = task_topic if row.kind is Notification.TASK_REMINDER else topic(row.kind, record)
                assert topic(row.kind, record, task_topic) == expected


def test_every_kind_is_read_by_its_name() -> None:
    assert [read_kind(row.kind.value) for row in page()] == list(Notification)


@pytest.mark.parametrize("text", ["", "Invoice", "invoice ", "birthday", "MAIL", "invoice\n"])
def test_an_unknown_kind_is_refused_with_those_that_there_are(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_kind(text)
    assert f"kind {text!r}" in str(refused.value)
    assert ", ".join(row.kind.value for row in page()) in str(refused.value)


# ---- what is refused, and what it says


@pytest.mark.parametrize("kind", [Notification.BIRTHDAY_REMINDER, Notification.TASK_REMINDER])
def test_all_who_are_no_users_are_named_and_no_others(kind: Notification) -> None:
    others = ("carla@kunde.example", "dora@kunde.example")
    text = refusal(kind, at(RecordKind.CONTACT, recipients=(others[0], ANNA, others[1]), users={ANNA: DE}))
    assert ", ".join(others) in text
    assert "registered users only" in text
    assert ANNA not in text


@pytest.mark.parametrize("strangers", [True, False])
def test_of_very_many_a_few_are_named(strangers: bool) -> None:
    many = tuple(f"somebody{number}@kunde.example" for number in range(1000))
    users: dict[str, Language | None] = (
        {} if strangers else {email: (DE, FR)[number % 2] for number, email in enumerate(many)}
    )
    text = refusal(Notification.BIRTHDAY_REMINDER, at(RecordKind.CONTACT, recipients=many, users=users))
    assert many[0] in text
    assert "and 990 more" in text
    assert len(text) < 600


def test_a_payout_on_a_contract_without_a_language_is_refused() -> None:
    text = refusal(Notification.PAYOUT_STATEMENT, at(RecordKind.PUBLISHER_CONTRACT, contacts={ANNA: DE}))
    assert "publisher contract" in text
    assert "record set --language" in text


def test_a_mail_on_the_wrong_kind_of_record_is_refused_before_all_else() -> None:
    assert refusal(Notification.BIRTHDAY_REMINDER, at(RecordKind.LEAD, recipients=())) == (
        "record: birthday_reminder stands on contact, not on lead"
    )


# ---- content

SUBSETS = [chosen for size in range(5) for chosen in combinations(Language, size)]


def test_content_has_every_language_that_is_logged_and_what_is_not_needed_is_given_back() -> None:
    complete = 0
    for kind, logged, given in product(Notification, SUBSETS, SUBSETS):
        if not logged:
            continue
        lacking = [code.value for code in Language if code in logged and code not in given]
        if not lacking:
            unneeded = check_content(kind, logged, given[::-1])
            assert unneeded == tuple(code for code in Language if code in given and code not in logged)
            complete += 1
            continue
        with pytest.raises(BadInput) as refused:
            check_content(kind, logged, given)
        assert str(refused.value).startswith(f"content: {kind.value} is logged in ")
        assert str(refused.value).endswith(f"missing: {', '.join(lacking)}")
    assert complete == len(Notification) * (3**4 - 2**4)  # of each language: logged and given, only given, neither


@pytest.mark.parametrize("row", page(), ids=lambda row: row.kind.value)
def test_what_was_logged_in_any_circumstances_may_have_been_logged(row: Row) -> None:
    record = next(kind for kind in RecordKind if row.takes(kind))
    for given in SUBSETS:
        possible = set()
        for spoken, instance in product(Language, Language):
            circumstances = at(record, instance=instance, users={ANNA: spoken}, contract=spoken, given=given)
            logged = choose(row.kind, circumstances).log
            if logged and set(logged) <= set(given):
                possible.add(logged)
        assert set(may_be_logged(row.kind, given[::-1])) - {()} == possible


def test_what_is_missing_is_named_by_its_field() -> None:
    for kind, logged in ((Notification.INVOICE, ALL_FOUR), (Notification.MAIL, ())):
        with pytest.raises(BadInput, match=r"^language: "):
            check_content(kind, logged, (), "language")


def test_any_other_mail_without_content_is_refused() -> None:
    with pytest.raises(BadInput, match="content: mail needs at least one language of de, en, fr, it"):
        check_content(Notification.MAIL, (), ())


def test_all_four_stand_in_the_order_of_the_mails_that_hold_them() -> None:
    assert " ".join(ALL_FOUR) == "de en fr it"
