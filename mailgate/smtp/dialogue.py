"""What is said to one client, command by command.

SMTP (RFC 5321) and LMTP (RFC 2033) with PIPELINING (2920), CHUNKING (3030), SIZE (1870), 8BITMIME (6152), SMTPUTF8
(6531), ENHANCEDSTATUSCODES (2034) and STARTTLS (3207); XCLIENT for registered proxies.

Refuses: lines that end with a bare LF, hold control characters or pass 4,096 octets; commands out of order; mails by
their SIZE. What a bug of ours hit is deferred (451) and the connection goes on. After ten errors of the protocol in a
row the connection ends, and at once after a refused DATA whose mail follows without waiting: the lines of a mail must
never be obeyed as commands.

Limits: one dialogue, one task. The intake is asked in threads.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from mailgate import events
from mailgate.domain.ledger import Outcome
from mailgate.errors import Deferred, Reason, Refused
from mailgate.smtp import arguments, proxy, receiving, replies, strangers, xclient
from mailgate.smtp.arguments import BadArgument
from mailgate.smtp.caller import Caller
from mailgate.smtp.receiving import FarTooLarge, Transaction
from mailgate.smtp.replies import Reply
from mailgate.smtp.shared import Shared
from mailgate.smtp.wire import Hangup, LineTooLong, Wire

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
# a no at RCPT that says nothing about the recipient, so it isn't one bad recipient more
_NOT_THEIRS = frozenset({Reason.STORE_DOWN, Reason.DISK_FULL, Reason.DNS, Reason.PENDING_SENDER})

Command = Callable[[bytes], Awaitable[None]]


class Goodbye(Exception):
    """The connection ends, after these last words if any."""

    def __init__(self, last_words: Reply | None = None) -> None:
        super().__init__()
        self.last_words = last_words


_ENDS = (Hangup, LineTooLong, TimeoutError, Goodbye)


class Dialogue:
    """The state of one connection.

    ``start_tls`` does the handshake and gives the names of the client's certificate; ``Hangup`` where it fails.
    """

    def __init__(
        self,
        shared: Shared,
        caller: Caller,
        wire: Wire,
        start_tls: Callable[[], Awaitable[frozenset[str]]],
        *,
        lmtp: bool,
    ) -> None:
        self.idle = False  # waits for a command, with no mail begun
        self._shared = shared
        self._limits = shared.limits
        self._caller = caller
        self._wire = wire
        self._start_tls = start_tls
        self._lmtp = lmtp
        self._tls = False
        self._greeted = False
        self._mail: Transaction | None = None
        self._errors = 0
        self._bad_recipients = 0
        self._refused_data = False
        self._served = False  # a mail was settled, whatever became of it
        self._began = asyncio.get_running_loop().time()
        self._in_body = False  # what comes next is part of a mail: commands can't be told apart any more
        self._commands = self._all_commands()

    async def run(self) -> None:
        """Speak until one side ends it. Raises ``Hangup`` where there is nobody left to hear the last words."""
        last_words: Reply | None = None
        try:
            await self._talk()
        except Goodbye as bye:
            last_words = bye.last_words
        except LineTooLong:
            last_words = replies.LINE_TOO_LONG
        except TimeoutError:
            last_words = replies.TIMED_OUT
        if last_words:
            self._wire.say(last_words)
        if last_words not in {None, replies.SHUTTING_DOWN}:
            events.protocol_trouble(relay=self._caller.relay_name, what=str(last_words))
        await self._wire.flush()

    def settling_seconds(self) -> float:
        """Say how long a client that has just come may still begin its first mail although we drain.

        Told 421 instead of a greeting, Postfix puts the mail off to its next queue run: a restart would refuse it.
        """
        fresh = min(self._limits.fresh_seconds, self._limits.drain_seconds / 2)
        left = self._began + fresh - asyncio.get_running_loop().time()
        return 0.0 if self._served else max(0.0, left)

    def end(self) -> None:
        """Give up what was begun. To be called once ``run`` has ended, however it did."""
        self._drop_mail()

    # -- commands ---------------------------------------------------------------------------------------------------

    def _all_commands(self) -> Mapping[bytes, Command]:
        greetings: dict[bytes, Command] = (
            {b"LHLO": self._ehlo} if self._lmtp else {b"EHLO": self._ehlo, b"HELO": self._helo}
        )
        return greetings | {
            b"MAIL": self._mail_from,
            b"RCPT": self._rcpt_to,
            b"DATA": self._data,
            b"BDAT": self._bdat,
            b"RSET": self._rset,
            b"NOOP": self._noop,
            b"VRFY": self._vrfy,
            b"EXPN": self._expn,
            b"HELP": self._help,
            b"QUIT": self._quit,
            b"STARTTLS": self._starttls,
            b"XCLIENT": self._xclient,
            b"PROXY": self._proxy,
        }

    def _greeting(self) -> str:
        return f"220 {self._shared.hostname} {'LMTP' if self._lmtp else 'ESMTP'} mailgate"

    async def _talk(self) -> None:
        self._wire.say(self._greeting())
        while True:
            if self._shared.draining and self._mail is None and self.settling_seconds() <= 0:
                raise Goodbye(replies.SHUTTING_DOWN)
            line = await self._next_line()
            try:
                await self._obey(line)
            except BadArgument as bad:
                self._protest(bad.reply)
            except _ENDS:
                raise
            except Exception as bug:  # noqa: BLE001 - a bug of ours is a 4xx, and the next mail may do better
                self._excuse(bug)

    async def _next_line(self) -> bytes:
        self.idle = self._mail is None
        try:
            seconds = self._limits.command_seconds
            return await self._wire.line(min(seconds, self._mail.seconds_left()) if self._mail else seconds)
        finally:
            self.idle = False

    async def _obey(self, line: bytes) -> None:
        if line == proxy.V2[:2] and (self._caller.is_proxy or self._wire.goes_on_with(proxy.V2[2:])):
            raise Goodbye(replies.NO_PROXY)  # a proxy's may come in pieces: what follows it is its client's
        if not line.endswith(b"\r\n") or _CONTROL.search(line, 0, len(line) - 2):
            raise BadArgument(replies.BAD_LINE)
        verb, _, argument = line[:-2].partition(b" ")
        command = self._commands.get(verb.upper())
        if command is None:
            if self._refused_data:
                raise Goodbye(replies.TOO_MANY_ERRORS)
            raise BadArgument(replies.UNKNOWN_COMMAND)
        self._refused_data = False
        await command(argument)

    def _excuse(self, bug: Exception) -> None:
        events.surprise("dialogue", bug)
        self._drop_mail()
        sorry = self._shared.replies.refusal(Deferred(Reason.STORE_DOWN))
        if self._in_body:
            raise Goodbye(sorry) from bug
        self._wire.say(sorry)

    def _protest(self, reply: Reply) -> None:
        self._wire.say(reply)
        self._errors += 1
        if self._errors >= self._limits.max_errors:
            raise Goodbye(replies.TOO_MANY_ERRORS)

    def _accept(self, *said: Reply | str) -> None:
        self._wire.say(*said)
        self._errors = 0

    def _no(self, reason: Reason) -> Reply:
        return self._shared.replies.refusal(Deferred(reason) if self._shared.soft else Refused(reason))

    def _drop_mail(self) -> None:
        if self._mail:
            self._mail.release()
            self._mail = None

    # -- the small ones ---------------------------------------------------------------------------------------------

    async def _ehlo(self, argument: bytes) -> None:
        self._greet(argument)
        size = "SIZE" if self._shared.soft else f"SIZE {self._limits.max_size}"
        starttls = ["STARTTLS"] if self._shared.certificates and not self._tls else []
        handing = [f"XCLIENT {' '.join(xclient.ATTRIBUTES)}"] if self._caller.may_hand_over else []
        said = ["8BITMIME", "SMTPUTF8", "PIPELINING", "CHUNKING", size, *starttls, *handing, "ENHANCEDSTATUSCODES"]
        lines = [self._shared.hostname, *said]
        self._accept(*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}")

    async def _helo(self, argument: bytes) -> None:
        self._greet(argument)
        self._accept(f"250 {self._shared.hostname}")

    def _greet(self, argument: bytes) -> None:
        if not argument.strip():
            raise BadArgument(replies.BAD_SYNTAX)
        self._drop_mail()
        self._caller.greets(argument)
        self._greeted = True

    def _begin_anew(self) -> None:
        self._drop_mail()
        self._caller.forget_greeting()
        self._greeted = False

    async def _rset(self, argument: bytes) -> None:
        _want_nothing(argument)
        self._drop_mail()
        self._accept(replies.OK)

    async def _noop(self, _argument: bytes) -> None:
        self._accept(replies.OK)

    async def _help(self, _argument: bytes) -> None:
        self._accept(replies.HELP)

    async def _vrfy(self, argument: bytes) -> None:
        if not argument.strip():
            raise BadArgument(replies.BAD_SYNTAX)
        self._wire.say(replies.NOT_VERIFIED)

    async def _expn(self, _argument: bytes) -> None:
        raise BadArgument(replies.NOT_IMPLEMENTED)

    async def _quit(self, argument: bytes) -> None:
        _want_nothing(argument)
        self._wire.say(replies.BYE)
        raise Goodbye

    async def _starttls(self, argument: bytes) -> None:
        _want_nothing(argument)
        if not self._shared.certificates:
            raise BadArgument(replies.NOT_IMPLEMENTED)
        if self._tls:
            raise BadArgument(replies.BAD_SEQUENCE)
        await self._wire.flush()
        self._wire.forget()
        self._begin_anew()
        self._caller.certificate_names = await self._start_tls()
        self._tls = True

    # -- proxies ----------------------------------------------------------------------------------------------------

    async def _xclient(self, argument: bytes) -> None:
        if not self._caller.may_hand_over:
            raise BadArgument(replies.NO_XCLIENT)
        if self._mail:
            raise BadArgument(replies.BAD_SEQUENCE)
        told = xclient.told(argument)
        self._caller.hand_over_helo(told.helo)
        if told.has_address and not self._caller.hand_over(told.address):
            strangers.count_busy(self._shared, self._caller)
            raise Goodbye(replies.TOO_MANY_CONNECTIONS)
        self._begin_anew()
        self._accept(self._greeting())

    async def _proxy(self, _argument: bytes) -> None:
        """End it: a header comes first, from a registered proxy. Whoever sent this one, it isn't believed."""
        raise Goodbye(replies.NO_PROXY)

    # -- the envelope -----------------------------------------------------------------------------------------------

    async def _mail_from(self, argument: bytes) -> None:
        if self._mail or not self._greeted:
            raise BadArgument(replies.BAD_SEQUENCE)
        said = arguments.mail_from(argument)
        relay = self._caller.relay
        if relay is None:
            self._want_certificate()
            return
        if said.size > self._limits.max_size:
            self._turn_down(Reason.TOO_LARGE)
            return
        hold = self._shared.in_flight.hold(said.size)
        if hold is None:
            self._turn_down(Reason.BUSY)
            return
        self._mail = Transaction(said, hold, self._limits, relay, self._caller.client())
        self._accept(replies.SENDER_OK)

    def _want_certificate(self) -> None:
        """Say no to who could only be a relay whose certificate has not been shown."""
        if self._shared.certificates and not self._tls:
            events.protocol_trouble(relay=self._caller.relay_name, what=str(replies.TLS_NEEDED))
            self._protest(replies.TLS_NEEDED_SOFTLY if self._shared.soft else replies.TLS_NEEDED)
            return
        events.turned_away(peer=self._caller.name, reason=Reason.BAD_RELAY)
        self._shared.intake.turn_away(self._caller.relay_name, Reason.BAD_RELAY)
        self._protest(self._shared.replies.uncertified(soft=self._shared.soft))

    def _turn_down(self, reason: Reason) -> None:
        self._shared.intake.turn_away(self._caller.relay_name, reason)
        reply = self._no(reason)
        events.turned_down(relay=self._caller.relay_name, reason=reason, deferred=reply.code < replies.PERMANENT)
        self._wire.say(reply)

    async def _rcpt_to(self, argument: bytes) -> None:
        mail = self._mail
        if mail is None or mail.chunked or mail.failed:
            raise BadArgument(replies.BAD_SEQUENCE)
        try:
            recipient = arguments.rcpt_to(argument, utf8=mail.said.utf8)
        except BadArgument as bad:
            await self._bad_recipient(bad.reply)
            return
        if len(mail.addressees) >= self._limits.max_recipients:
            self._turn_down(Reason.TOO_MANY_RECIPIENTS)
            return
        await self._check(mail, recipient)

    async def _check(self, mail: Transaction, recipient: str) -> None:
        try:
            mail.addressees.append(await self._shared.look_up(mail, recipient, self._wire.patience))
        except (Refused, Deferred) as no:
            reply = self._shared.replies.refusal(no)
            if no.reason in _NOT_THEIRS:
                self._wire.say(reply)
            else:
                await self._bad_recipient(reply)
        else:
            self._accept(replies.RECIPIENT_OK)

    async def _bad_recipient(self, reply: Reply) -> None:
        """Answer later from the 21st on, so that guessing is slow; a relay speaks for many people, so no more."""
        self._bad_recipients += 1
        if self._bad_recipients > self._limits.bad_recipients:
            await self._wire.flush()
            await asyncio.sleep(self._limits.bad_recipient_seconds)
        self._wire.say(reply)

    # -- the mail ---------------------------------------------------------------------------------------------------

    async def _data(self, argument: bytes) -> None:
        mail = self._mail
        if argument or mail is None or mail.chunked or mail.failed or mail.said.binary or not mail.addressees:
            self._refuse_data(replies.BAD_SYNTAX if argument else replies.BAD_SEQUENCE)
            return
        self._accept(replies.GO_ON)
        self._in_body = True
        try:
            await receiving.read_data(self._wire, mail)
        except FarTooLarge:
            await self._finish(mail, last=True)
            raise Goodbye from None
        self._in_body = False
        await self._finish(mail, last=True)

    def _refuse_data(self, reply: Reply) -> None:
        if self._wire.pending:  # whoever sends on didn't wait for 354: this is a mail
            raise Goodbye(reply)
        self._refused_data = True
        self._protest(reply)

    async def _bdat(self, argument: bytes) -> None:
        said = arguments.chunk(argument)
        if said is None:
            raise Goodbye(replies.BAD_SYNTAX)  # how much to swallow can't be known
        octets, last = said
        mail = self._mail
        self._in_body = True
        if mail is None or mail.failed or not mail.addressees:
            await self._skip(octets)
        else:
            await self._chunk(mail, octets, last=last)

    async def _skip(self, octets: int) -> None:
        try:
            await receiving.skip(self._wire, octets, self._limits)
        except FarTooLarge:
            raise Goodbye(replies.BAD_SEQUENCE) from None
        self._in_body = False
        if self._mail:
            self._mail.failed = True
        raise BadArgument(replies.BAD_SEQUENCE)

    async def _chunk(self, mail: Transaction, octets: int, *, last: bool) -> None:
        mail.chunked = True
        try:
            await receiving.read_chunk(self._wire, mail, octets)
        except FarTooLarge:
            await self._finish(mail, last=last)
            raise Goodbye from None
        self._in_body = False
        if last or mail.dropped:
            await self._finish(mail, last=last)
        else:
            self._accept(f"250 2.0.0 {octets} octets")

    async def _finish(self, mail: Transaction, *, last: bool) -> None:
        """Have the mail judged, and say what became of it; a BDAT that isn't the last leaves the mail open, failed."""
        came, began = datetime.now(UTC), asyncio.get_running_loop().time()
        mail.failed = True
        if last:
            self._mail = None
        outcomes = await self._shared.judge(mail, came, self._wire.patience)
        self._tell(outcomes, each=self._lmtp and last)
        self._errors = 0
        self._served = True
        await self._wire.flush()
        events.replied(asyncio.get_running_loop().time() - began)

    def _tell(self, outcomes: tuple[Outcome, ...], *, each: bool) -> None:
        told = outcomes if each else (replies.for_all(outcomes),)
        self._wire.say(*(self._shared.replies.outcome(outcome) for outcome in told))


def _want_nothing(argument: bytes) -> None:
    if argument.strip():
        raise BadArgument(replies.BAD_SYNTAX)
