"""Handing our own mails to a mail server: what becomes of them, whatever the server does."""

import re
import socket
from pathlib import Path

import pytest

from mailgate.errors import Misconfigured
from mailgate.mailer import Mailer, MailServer, Patience, hand_over
from mailgate.ports import HandedOver, Handing
from mailgate.smtp.tls import TlsFiles
from tests.dialogue import mail_server as scripted
from tests.dialogue.conftest import make_certificate
from tests.dialogue.mail_server import CUT, DRIP, MORE, PASSWORD, SILENT, USERNAME, mail_server

FROM, TO = "mailgate@firma.example", "anna@firma.example"
MAIL = b"Subject: Erinnerung\r\n\r\n.eins\r\nzwei\r\n..\r\n"
STUFFED = b"Subject: Erinnerung\r\n\r\n..eins\r\nzwei\r\n...\r\n"
QUICK = Patience(command=5, content=5, reply=5)
HASTY = Patience(command=0.3, content=0.3, reply=0.3)


@pytest.fixture(scope="session")
def localhost(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    return make_certificate(tmp_path_factory.mktemp("localhost"), "localhost")


@pytest.fixture
def trusted(localhost: TlsFiles, monkeypatch: pytest.MonkeyPatch) -> TlsFiles:
    monkeypatch.setenv("SSL_CERT_FILE", str(localhost.cert))
    return localhost


def place(
    server: scripted.MailServer, *, starttls: bool = False, username: str = "", password: str = PASSWORD
) -> MailServer:
    return MailServer(
        host="localhost", port=server.port, starttls=starttls, username=username, password=password if username else ""
    )


def send(
    server: scripted.MailServer, *, times: int = 1, patience: Patience = QUICK, where: MailServer | None = None
) -> list[HandedOver]:
    with Mailer(where or place(server), patience) as mailer:
        return [mailer.hand_over(FROM, TO, MAIL) for _ in range(times)]


# -- the whole way ----------------------------------------------------------------------------------------------------


def test_a_mail_goes_over_tls_after_login_and_neither_is_seen_on_the_wire(trusted: TlsFiles) -> None:
    with mail_server(tls=trusted) as server:
        (done,) = send(server, where=place(server, starttls=True, username=USERNAME))
        assert done == HandedOver(Handing.TAKEN, "250 2.0.0 Queued as 4711")
        assert server.mails == [(TO, STUFFED)]
        assert server.logins == [(USERNAME, PASSWORD)]
        assert [line.split()[0] for line in server.plain] == ["ehlo", "STARTTLS"]
        assert server.connections == [["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]]


def test_without_tls_and_login_it_is_the_plain_way() -> None:
    with mail_server() as server:
        assert [done.state for done in send(server)] == [Handing.TAKEN]
        assert server.connections == [["EHLO", "MAIL", "RCPT", "DATA", "QUIT"]]
        assert server.plain[1:3] == [f"MAIL FROM:<{FROM}>", f"RCPT TO:<{TO}>"]


def test_a_server_that_knows_only_login_by_turns_is_logged_in_to() -> None:
    with mail_server({"EHLO": "250-mail.test|250 AUTH LOGIN CRAM-MD5"}) as server:
        assert [done.state for done in send(server, where=place(server, username=USERNAME))] == [Handing.TAKEN]
        assert server.logins == [(USERNAME, PASSWORD)]


def test_one_connection_serves_many_mails() -> None:
    with mail_server() as server:
        assert [done.state for done in send(server, times=3)] == [Handing.TAKEN] * 3
        assert len(server.connections) == 1
        assert len(server.mails) == 3


def test_an_address_beyond_ascii_is_sent_where_the_server_takes_it() -> None:
    with mail_server({}, {"EHLO": "250 mail.test"}) as server:
        with Mailer(place(server), QUICK) as mailer:
            assert mailer.hand_over(FROM, "jürg@firma.example", MAIL).state is Handing.TAKEN
        assert server.mails == [("jürg@firma.example", STUFFED)]
        assert server.plain[1] == f"MAIL FROM:<{FROM}> SMTPUTF8 BODY=8BITMIME"
        with Mailer(place(server), QUICK) as mailer:
            done = mailer.hand_over(FROM, "jürg@firma.example", MAIL)
        assert done.state is Handing.REFUSED
        assert "letters beyond ASCII" in done.text


def test_a_quoted_address_is_sent_as_it_is() -> None:
    with mail_server() as server, Mailer(place(server), QUICK) as mailer:
        assert mailer.hand_over(FROM, '"a b"@firma.example', MAIL).state is Handing.TAKEN
        assert server.mails[0][0] == '"a b"@firma.example'


# -- what the server says and does ------------------------------------------------------------------------------------

LATER, REFUSED, UNKNOWN = Handing.LATER, Handing.REFUSED, Handing.UNKNOWN

OUTCOMES = [
    # 4xx: later, wherever
    ("GREETING", "421 4.3.2 Busy", LATER, "421 4.3.2 Busy"),
    ("EHLO", "451 4.3.0 Wait", LATER, "451 4.3.0 Wait"),
    ("MAIL", "451 4.3.0 Wait", LATER, "451 4.3.0 Wait"),
    ("RCPT", "450 4.2.0 Greylisted", LATER, "450 4.2.0 Greylisted"),
    ("DATA", "451 4.3.0 Wait", LATER, "451 4.3.0 Wait"),
    ("CONTENT", "452 4.3.1 Full", LATER, "452 4.3.1 Full"),
    # 5xx to the recipient or the content: refused
    ("RCPT", "550-5.1.1 There is|550 5.1.1 no Anna", REFUSED, "550 5.1.1 There is 5.1.1 no Anna"),
    ("DATA", "554 5.5.1 No valid recipients", REFUSED, "554 5.5.1 No valid recipients"),
    ("CONTENT", "550 5.7.1 Spam", REFUSED, "550 5.7.1 Spam"),
    # the connection ends before the content: nothing was taken
    ("GREETING", CUT, LATER, "can't be reached"),
    ("EHLO", CUT, LATER, "can't be reached"),
    ("MAIL", CUT, LATER, "before the content"),
    ("RCPT", CUT, LATER, "before the content"),
    ("DATA", CUT, LATER, "before the content"),
    # and after: nobody knows
    ("CONTENT", CUT, UNKNOWN, "after the content began"),
    ("CONTENT", CUT + CUT, UNKNOWN, "after the content began"),
    # no sense
    ("GREETING", "What do you want?", LATER, "turns us away"),
    ("GREETING", "999 Later", LATER, "999 Later"),
    ("MAIL", "999 Later", LATER, "999 Later"),
    ("RCPT", "Hello", LATER, "an answer that is none"),
    ("DATA", "250 Done", LATER, "250 Done"),
    ("CONTENT", "What?", UNKNOWN, "an answer that is none"),
    ("CONTENT", "354 Go on", UNKNOWN, "354 Go on"),
    ("CONTENT", "550" + "x" * 9000, UNKNOWN, "after the content began"),
]


@pytest.mark.parametrize(("step", "answer", "state", "text"), OUTCOMES)
def test_what_became_of_the_mail(step: str, answer: str, state: Handing, text: str) -> None:
    with mail_server({step: answer}) as server:
        (done,) = send(server)
    assert done.state is state
    assert text in done.text
    assert server.mails == []


@pytest.mark.parametrize(
    ("step", "state"),
    [("GREETING", LATER), ("EHLO", LATER), ("MAIL", LATER), ("RCPT", LATER), ("DATA", LATER), ("CONTENT", UNKNOWN)],
)
def test_a_server_that_says_nothing_is_not_waited_for(step: str, state: Handing) -> None:
    with mail_server({step: SILENT}) as server:
        assert [done.state for done in send(server, patience=HASTY)] == [state]


@pytest.mark.timeout(15)  # the server goes on for 20 seconds
@pytest.mark.parametrize("endless", [DRIP, MORE, "250-" + "x" * 9000, "|".join(["250-x" * 400] * 40)])
@pytest.mark.parametrize(
    ("step", "state", "text"),
    [
        ("GREETING", LATER, "can't be reached"),
        ("EHLO", LATER, "can't be reached"),
        ("STARTTLS", LATER, "can't be reached"),
        ("AUTH", LATER, "can't be reached"),
        ("MAIL", LATER, "before the content"),
        ("RCPT", LATER, "before the content"),
        ("DATA", LATER, "before the content"),
        ("CONTENT", UNKNOWN, "after the content began"),
    ],
)
def test_a_reply_without_end_is_a_lost_connection(step: str, state: Handing, text: str, endless: str) -> None:
    with mail_server({step: endless}) as server:
        where = place(server, starttls=step == "STARTTLS", username=USERNAME if step == "AUTH" else "")
        (done,) = send(server, patience=HASTY, where=where)
    assert done.state is state
    assert text in done.text
    assert re.search(r"\((no whole reply in time|a (reply|line) without end)\)", done.text)


@pytest.mark.timeout(15)
def test_a_reply_without_end_to_the_goodbye_is_not_waited_for() -> None:
    with mail_server({"QUIT": DRIP}) as server:
        assert [done.state for done in send(server, patience=HASTY)] == [Handing.TAKEN]


def test_a_long_reply_is_read_whole() -> None:
    reply = "|".join([*(f"250-{number}" for number in range(150)), "250 8BITMIME"])
    with mail_server({"EHLO": reply, "RCPT": reply}) as server:
        assert [done.state for done in send(server)] == [Handing.TAKEN]


def test_no_content_is_sent_after_the_time_for_all_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Patience, "before_content", 0.0)
    with mail_server() as server:
        (done,) = send(server)
        assert (done.state, server.mails) == (LATER, [])
        assert "took too long before the content" in done.text


def test_a_reply_is_printable_and_cut() -> None:
    with mail_server({"RCPT": "550 \x1b[31m\x00\x9b" + "é" * 1000}) as server:
        (done,) = send(server)
    assert done.text.isprintable()
    assert done.text.startswith("550 [31m é")
    assert len(done.text) == 300


def test_where_nobody_listens_it_is_later() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        where = MailServer(host="127.0.0.1", port=taken.getsockname()[1], starttls=True)
        with Mailer(where, QUICK) as mailer:
            done = mailer.hand_over(FROM, TO, MAIL)
    assert done == HandedOver(LATER, f"127.0.0.1:{where.port} can't be reached (Connection refused)")


def test_a_host_without_an_address_is_later() -> None:
    with Mailer(MailServer(host="nowhere.invalid", port=25, starttls=False), QUICK) as mailer:
        assert mailer.hand_over(FROM, TO, MAIL).state is LATER


# -- many mails -------------------------------------------------------------------------------------------------------


def test_a_connection_that_was_lost_is_opened_again() -> None:
    with mail_server({"RSET": CUT}) as server:
        assert [done.state for done in send(server, times=3)] == [Handing.TAKEN] * 3
        assert len(server.connections) == 3


def test_a_server_that_closes_after_each_mail_still_gets_all() -> None:
    with mail_server({"RSET": "421 4.7.0 One is enough"}) as server:
        assert [done.state for done in send(server, times=2)] == [Handing.TAKEN] * 2


def test_after_a_no_the_connection_is_used_on() -> None:
    with mail_server({"RCPT": "550 5.1.1 No Anna"}) as server:
        assert [done.state for done in send(server, times=2)] == [REFUSED] * 2
        assert server.connections == [["EHLO", "MAIL", "RCPT", "RSET", "MAIL", "RCPT", "QUIT"]]


def test_after_an_unknown_fate_a_new_connection_is_opened() -> None:
    with mail_server({"CONTENT": CUT}, {}) as server:
        assert [done.state for done in send(server, times=2)] == [UNKNOWN, Handing.TAKEN]
        assert len(server.mails) == 1


def test_a_server_that_can_not_be_reached_is_not_asked_again() -> None:
    with mail_server({"GREETING": "421 4.3.2 Busy"}) as server:
        done = send(server, times=3)
        assert done == [done[0]] * 3
        assert done[0].state is LATER
        assert len(server.connections) == 1


# -- what is our own fault --------------------------------------------------------------------------------------------

HOST = "outbound.smtp.host: localhost:PORT turns us away"
LOGIN = "outbound.smtp.username, outbound.smtp.password_file: localhost:PORT refuses the login"

FAULTS = [
    ({"GREETING": "554 5.3.2 No"}, f"{HOST} (554 5.3.2 No)"),
    ({"EHLO": "550 5.7.1 Not you"}, f"{HOST} (550 5.7.1 Not you)"),
    ({"MAIL": "530 5.7.0 Log in"}, "outbound.smtp.username, outbound.smtp.starttls: localhost:PORT wants a login"),
    ({"RCPT": "530 5.7.0 Log in"}, "outbound.smtp.username, outbound.smtp.starttls: localhost:PORT wants a login"),
    ({"MAIL": "553 5.7.1 Not yours"}, "outbound.smtp.from: localhost:PORT refuses the sender (553 5.7.1 Not yours)"),
]


@pytest.mark.parametrize(("script", "text"), FAULTS)
def test_a_no_that_is_not_about_the_mail_names_the_setting(script: dict[str, str], text: str) -> None:
    with mail_server(script) as server:
        with pytest.raises(Misconfigured) as told:
            send(server)
        assert text.replace("PORT", str(server.port)) in str(told.value)


@pytest.mark.parametrize(
    ("ehlo", "auth", "text"),
    [
        ("250 AUTH PLAIN", "535 5.7.8 Wrong", f"{LOGIN} (535)"),
        ("250 AUTH LOGIN", "535 5.7.8 Wrong", f"{LOGIN} (535)"),
        ("250 AUTH PLAIN", "538 5.7.11 Encryption required", f"{LOGIN} (538)"),
        ("250 AUTH CRAM-MD5", "", "outbound.smtp.username: localhost:PORT offers no login by PLAIN or LOGIN"),
        ("250 mail.test", "", "outbound.smtp.username: localhost:PORT offers no login by PLAIN or LOGIN"),
    ],
)
def test_a_login_that_is_refused_names_the_settings(ehlo: str, auth: str, text: str) -> None:
    with mail_server({"EHLO": f"250-mail.test|{ehlo}", "AUTH": auth}) as server:
        with pytest.raises(Misconfigured) as told:
            send(server, where=place(server, username=USERNAME))
        assert text.replace("PORT", str(server.port)) in str(told.value)
        assert "MAIL" not in server.connections[0]


@pytest.mark.parametrize("auth", ["454 4.7.0 Later", CUT, "Hello", "334 What else?"])
def test_a_login_that_fails_for_now_is_later(auth: str) -> None:
    with mail_server({"AUTH": auth}) as server:
        assert [done.state for done in send(server, where=place(server, username=USERNAME))] == [LATER]
        assert server.mails == []


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_a_password_is_in_no_text_even_if_the_server_repeats_it(mechanism: str) -> None:
    with mail_server({"EHLO": f"250-mail.test|250 AUTH {mechanism}"}) as server:
        wrong = place(server, username=USERNAME, password="hunter2 ü")
        with pytest.raises(Misconfigured) as told:
            send(server, where=wrong)
        assert server.logins == [(USERNAME, "hunter2 ü")]
    for text in (str(told.value), repr(told.value.__cause__), repr(told.value.__context__), repr(wrong)):
        assert "hunter2" not in text


# -- TLS --------------------------------------------------------------------------------------------------------------


def test_a_server_without_starttls_gets_neither_password_nor_mail() -> None:
    with mail_server({"EHLO": "250-mail.test|250 AUTH PLAIN LOGIN"}) as server:
        with pytest.raises(Misconfigured, match=r"^outbound\.smtp\.starttls: localhost:\d+ offers no STARTTLS"):
            send(server, where=place(server, starttls=True, username=USERNAME))
        assert server.logins == []
        assert "MAIL" not in server.connections[0]


@pytest.mark.parametrize("answer", ["454 4.7.0 No TLS now", CUT, "Hello"])
def test_starttls_that_fails_for_now_is_later_and_not_gone_around(answer: str) -> None:
    with mail_server({"STARTTLS": answer}) as server:
        assert [done.state for done in send(server, where=place(server, starttls=True))] == [LATER]
        assert server.connections[0][:2] == ["EHLO", "STARTTLS"]
        assert "MAIL" not in server.connections[0]


def test_starttls_that_is_refused_names_the_setting() -> None:
    text = r"^outbound\.smtp\.starttls: .* refuses STARTTLS \(501 5\.5\.4 No\)"
    with mail_server({"STARTTLS": "501 5.5.4 No"}) as server, pytest.raises(Misconfigured, match=text):
        send(server, where=place(server, starttls=True))


def test_a_handshake_that_is_none_is_later() -> None:
    with mail_server() as server:  # says 220 and goes on in the clear
        assert [done.state for done in send(server, where=place(server, starttls=True), patience=HASTY)] == [LATER]
        assert server.mails == []


def test_a_certificate_that_nobody_vouches_for_is_not_taken(localhost: TlsFiles) -> None:
    with mail_server(tls=localhost) as server:
        with pytest.raises(Misconfigured, match=r"^outbound\.smtp\.host: .* doesn't hold \(self.signed certificate"):
            send(server, where=place(server, starttls=True, username=USERNAME))
        assert (server.logins, server.mails) == ([], [])


def test_a_certificate_of_another_name_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = make_certificate(tmp_path, "other.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(other.cert))
    with mail_server(tls=other) as server:
        with pytest.raises(Misconfigured, match=r"^outbound\.smtp\.host: .* doesn't hold \(Hostname mismatch"):
            send(server, where=place(server, starttls=True))
        assert server.mails == []


# -- the plain one ----------------------------------------------------------------------------------------------------


def test_the_plain_one_returns_the_last_reply() -> None:
    with mail_server({}, {"RCPT": "550 5.1.1 Nobody"}) as server:
        assert hand_over("127.0.0.1", server.port, FROM, [TO], MAIL) == (250, "2.0.0 Queued as 4711")
        assert hand_over("127.0.0.1", server.port, FROM, [TO], MAIL) == (550, "5.1.1 Nobody")
