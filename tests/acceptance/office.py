"""A company whose users submit with a login, and may use the envelope senders that Postfix's maps give them.

The settings of Postfix are those of ``deploy/postfix.md``.
"""

import json
import smtplib
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.company import Company, company
from tests.acceptance.postfix import Postfix, postfix
from tests.acceptance.program import DOMAIN, program
from tests.acceptance.sasl import ENABLED, PASSWORD, logins
from tests.dns_server import dns_server

ANNA, BEAT, DORA = "anna@muster.example", "beat@muster.example", "dora@muster.example"
SUPPORT = "support@muster.example"  # a shared mailbox that both may use
LOGINS = f"""\
smtpd_sasl_authenticated_header = yes
smtpd_sender_login_maps = inline:{{ {{ {ANNA} = {ANNA} }}, {{ {BEAT} = {BEAT} }}, {{ {DORA} = {DORA} }},
  {{ {SUPPORT} = {ANNA} {BEAT} }} }}
smtpd_restriction_classes = only_users
only_users = reject_sender_login_mismatch, permit_sasl_authenticated, reject
smtpd_recipient_restrictions = check_recipient_access inline:{{ {{ {DOMAIN} = only_users }} }}
"""


@dataclass
class Office:
    """A company whose users submit with a login, and its mailgate."""

    company: Company
    postfix: Postfix

    def send(self, login: str, sender: str, author: str, address: str) -> None:
        """Submit a mail as a mail program does."""
        mail = (
            f"From: {author}\r\nTo: kunde@kunde.example\r\nSubject: Angebot\r\n"
            f"Message-ID: {self.company.message_id()}\r\n\r\nGuten Tag\r\n"
        )
        with smtplib.SMTP("127.0.0.1", self.postfix.port) as client:
            if login:
                client.login(login, PASSWORD)
            client.sendmail(sender, [address], mail)


@contextmanager
def office(folder: Path, extra: str = "", **settings: str) -> Iterator[Office]:
    """Run a company whose relay must show the login."""
    relay = {"name": "mta", "networks": ["127.0.0.0/8"], "trust": "vouched", "login": "received", "received": 1}
    with ExitStack() as stack:
        dns = stack.enter_context(dns_server({}))  # for doctor, which looks at all kinds
        servers = json.dumps([dns.address])
        settled = program(folder, MAILGATE_RELAYS=json.dumps([relay]), MAILGATE_DNS__SERVERS=servers, **settings)
        # Postfix reads the logins as user postfix, who may not look into pytest's folders
        open_folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mailgate-sasl-")))
        open_folder.chmod(0o755)
        running = stack.enter_context(company(folder, settled, ANNA, BEAT, SUPPORT))
        mta = stack.enter_context(
            postfix(
                name="mta",
                record_domain=DOMAIN,
                transport=f"smtp:[127.0.0.1]:{settled.smtp_port}",
                elsewhere=f"smtp:[127.0.0.1]:{running.elsewhere.port}",
                extra=ENABLED + LOGINS + extra,
                files=logins(open_folder, ANNA, BEAT, DORA),
            )
        )
        yield Office(running, mta)
