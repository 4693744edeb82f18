import re

import pytest

from mailgate.domain.ledger import Outcome, Verdict
from mailgate.errors import Advice, Deferred, Reason, Refused
from mailgate.smtp import replies
from mailgate.smtp.replies import ROWS, Replies, Reply

PLAIN = Replies(max_size=1000, max_header_size=100, max_recipients=10)
HELPFUL = Replies(max_size=1000, max_header_size=100, max_recipients=10, help_url="https://help.example/bcc")

# code and enhanced code by contract; None where no enhanced code may stand
EXPECTED = {
    Reason.DUPLICATE: ("250 2.0.0", "MG-DUPLICATE"),
    Reason.DELETED: ("250 2.0.0", "MG-DUPLICATE"),
    Reason.BAD_RELAY: ("554", "MG-RELAY"),
    Reason.FOREIGN_DOMAIN: ("550 5.7.1", "MG-DOMAIN"),
    Reason.UNKNOWN_ADDRESS: ("550 5.1.1", "MG-ADDRESS"),
    Reason.CLOSED_ADDRESS: ("550 5.2.1", "MG-CLOSED"),
    Reason.CLOSED_RECORD: ("550 5.2.1", "MG-CLOSED"),
    Reason.NO_AUTHOR: ("550 5.7.1", "MG-AUTHOR"),
    Reason.AMBIGUOUS_AUTHOR: ("550 5.7.1", "MG-AUTHOR"),
    Reason.UNKNOWN_SENDER: ("550 5.7.1", "MG-SENDER"),
    Reason.DISABLED_SENDER: ("550 5.7.1", "MG-DISABLED"),
    Reason.MISSING_ROLE: ("550 5.7.1", "MG-ROLE"),
    Reason.NOT_BELIEVED: ("550 5.7.26", "MG-TRUST"),
    Reason.PENDING_SENDER: ("450 4.7.1", "MG-WAIT"),
    Reason.BOUNCE: ("550 5.7.1", "MG-BOUNCE"),
    Reason.MACHINE_MAIL: ("550 5.7.1", "MG-MACHINE"),
    Reason.LOOP: ("554 5.4.6", "MG-LOOP"),
    Reason.TOO_LARGE: ("552 5.3.4", "MG-SIZE"),
    Reason.BARE_NEWLINE: ("554 5.6.0", "MG-NEWLINE"),
    Reason.STORE_DOWN: ("451 4.3.0", "MG-STORE"),
    Reason.DNS: ("451 4.4.3", "MG-DNS"),
    Reason.DISK_FULL: ("452 4.3.1", "MG-DISK"),
    Reason.BUSY: ("452 4.3.1", "MG-BUSY"),
    Reason.TOO_MANY_RECIPIENTS: ("452 4.5.3", "MG-RCPTS"),
}


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_its_row(reason: Reason) -> None:
    codes, stable = EXPECTED[reason]
    assert str(PLAIN.refusal(Refused(reason, "anna@example.test"))).startswith(f"{codes} [{stable}] ")
    assert ROWS[reason].text.count("{") <= 1


@pytest.mark.parametrize("reason", Reason)
def test_deferred_keeps_subject_detail_code_and_text(reason: Reason) -> None:
    hard = str(PLAIN.refusal(Refused(reason, "anna@example.test")))
    soft = str(PLAIN.refusal(Deferred(reason, "anna@example.test")))
    softened = {"550 5": "450 4", "552 5": "452 4", "554 5": "451 4", "554 [": "451 ["}
    assert soft == softened.get(hard[:5], hard[:5]) + hard[5:]


@pytest.mark.parametrize("reason", Reason)
def test_the_class_of_both_codes_is_the_same(reason: Reason) -> None:
    for no in (Refused(reason), Deferred(reason)):
        said = re.match(r"(\d)\d\d (?:(\d)\.\d+\.\d+ )?\[", str(PLAIN.refusal(no)))
        assert said
        assert said[2] in {None, said[1]}


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize(
    "value", ["", "a" * 5000 + "@example.test", "x\r\n250 OK@example.test", "\x1b[2J", "jörg@straße.example", "\udcff"]
)
def test_a_reply_is_one_short_line_of_printable_ascii_whatever_the_value(reason: Reason, value: str) -> None:
    for said in (HELPFUL.refusal(Refused(reason, value)), HELPFUL.refusal(Deferred(reason, value))):
        assert re.fullmatch(r"[ -~]{1,400}", str(said))


def test_the_author_is_named_with_the_domain_as_a_label_and_no_letter_beyond_ascii() -> None:
    said = str(PLAIN.refusal(Refused(Reason.UNKNOWN_SENDER, "jörg@bücher.example")))
    assert said == "550 5.7.1 [MG-SENDER] j?rg@xn--bcher-kva.example is not registered here."


def test_the_author_is_cut_at_80() -> None:
    said = str(PLAIN.refusal(Refused(Reason.UNKNOWN_SENDER, "a" * 60 + "@" + "b" * 60 + ".example")))
    assert said == f"550 5.7.1 [MG-SENDER] {'a' * 60}@{'b' * 19} is not registered here."


def test_braces_in_an_address_are_only_letters() -> None:
    assert "{0}@example.test" in str(PLAIN.refusal(Refused(Reason.UNKNOWN_SENDER, "{0}@example.test")))


@pytest.mark.parametrize("advice", Advice)
def test_advice_stands_between_the_text_and_the_help_page_and_both_fit_in_a_line(advice: Advice) -> None:
    longest = Replies(max_size=1, max_header_size=1, max_recipients=1, help_url="https://" + "h" * 192)
    for reason in Reason:
        plain = str(PLAIN.refusal(Refused(reason, "a" * 80)))
        said = str(PLAIN.refusal(Refused(reason, "a" * 80, advice)))
        assert said == f"{plain} {replies.ADVICE[advice]}"
        assert str(PLAIN.outcome(_refused(reason, advice))) in {said, plain}
        helped = str(longest.refusal(Refused(reason, "a" * 80, advice)))
        assert len(helped) <= 400
        assert not EXPECTED[reason][0].startswith("5") or helped.endswith("h")
        assert helped.count("h" * 192) == EXPECTED[reason][0].startswith("5")


def _refused(reason: Reason, advice: Advice) -> Outcome:
    return Outcome(recipient="r", verdict=Verdict.REFUSED, reason=reason, value="a" * 80, advice=advice)


@pytest.mark.parametrize("reason", Reason)
def test_the_help_page_stands_after_what_is_normally_a_refusal_and_nowhere_else(reason: Reason) -> None:
    permanent = EXPECTED[reason][0].startswith("5")
    for no in (Refused(reason), Deferred(reason)):
        assert str(HELPFUL.refusal(no)).endswith(" https://help.example/bcc") == permanent


def test_limits_are_named() -> None:
    assert " 1000 octets at most, its header 100." in str(PLAIN.refusal(Refused(Reason.TOO_LARGE)))
    assert " 10 " in str(PLAIN.refusal(Refused(Reason.TOO_MANY_RECIPIENTS)))


def told(verdict: Verdict, reason: Reason | None = None, value: str = "") -> str:
    return str(HELPFUL.outcome(Outcome(recipient="r", verdict=verdict, reason=reason, value=value, ledger_id="L1")))


def test_outcomes() -> None:
    assert told(Verdict.KEPT) == "250 2.0.0 [MG-KEPT] L1"
    assert told(Verdict.DUPLICATE, Reason.DUPLICATE) == "250 2.0.0 [MG-DUPLICATE] L1"
    assert told(Verdict.DUPLICATE, Reason.DELETED) == "250 2.0.0 [MG-DUPLICATE] L1"
    assert told(Verdict.REFUSED, Reason.BOUNCE).startswith("550 5.7.1 [MG-BOUNCE] ")
    assert told(Verdict.DEFERRED, Reason.BOUNCE).startswith("450 4.7.1 [MG-BOUNCE] ")
    assert told(Verdict.DEFERRED).startswith("451 4.3.0 [MG-STORE] ")
    assert told(Verdict.REFUSED, Reason.UNKNOWN_SENDER, "anna@example.test").startswith(
        "550 5.7.1 [MG-SENDER] anna@example.test is not registered here."
    )


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        ("kept duplicate", "kept"),
        ("duplicate duplicate", "duplicate"),
        ("kept deferred", "deferred"),
        ("refused deferred kept", "deferred"),
        ("kept refused", "refused"),
    ],
)
def test_smtp_speaks_of_the_worst(verdicts: str, worst: str) -> None:
    outcomes = tuple(Outcome(recipient="r", verdict=Verdict(word)) for word in verdicts.split())
    assert replies.for_all(outcomes).verdict == worst


def test_the_fixed_replies_agree_with_themselves() -> None:
    fixed = {name: value for name, value in vars(replies).items() if isinstance(value, Reply)}
    assert len(fixed) > 15
    for name, said in fixed.items():
        assert name == "GO_ON" or said.text[0] == str(said.code)[0], name
