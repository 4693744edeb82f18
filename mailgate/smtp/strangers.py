"""Clients that are no registered relay: 554 as greeting, then 503 to everything until QUIT (RFC 5321 3.1).

They stay for ``stranger_seconds`` and ten lines at most, so that they can't keep relays out.
"""

import asyncio

from mailgate import events
from mailgate.errors import Deferred, Reason, Refused
from mailgate.smtp import replies
from mailgate.smtp.shared import STRANGER, Shared
from mailgate.smtp.wire import LineTooLong, Wire

_MAX_LINES = 10


async def turn_away(shared: Shared, wire: Wire, peer: str) -> None:
    """Refuse a client at this address. Raises ``Hangup``."""
    events.turned_away(peer=peer, reason=Reason.BAD_RELAY)
    shared.intake.turn_away(STRANGER, Reason.BAD_RELAY)
    no = Deferred(Reason.BAD_RELAY) if shared.soft else Refused(Reason.BAD_RELAY)
    wire.say(shared.replies.refusal(no))
    try:
        async with asyncio.timeout(shared.limits.stranger_seconds):
            await _until_quit(wire, shared.limits.stranger_seconds)
    except TimeoutError:
        wire.say(replies.TIMED_OUT)
    except LineTooLong:
        wire.say(replies.LINE_TOO_LONG)
    await wire.flush()


async def _until_quit(wire: Wire, seconds: float) -> None:
    for _ in range(_MAX_LINES):
        line = await wire.line(seconds)
        if line.strip().upper() == b"QUIT":
            wire.say(replies.BYE)
            return
        wire.say(replies.BAD_SEQUENCE)
