"""Sends unique mails as fast as a server takes them: bare sockets, prepared bytes, connections reused.

A mail is what people send: several Received lines, a DKIM-Signature, text and HTML with umlauts, about 5 kB.
"""

import socket
import threading
import time
from dataclasses import dataclass

FILLER = "<p>Grüsse aus Zürich, wie besprochen die Zahlen für den Herbst.</p>\r\n" * 45


def a_mail(number: int, author: str) -> bytes:
    """Write mail ``number``: CRLF line ends, dot-stuffed by construction (no line begins with a dot)."""
    return (
        f"Received: from pc{number}.muster.example (pc.muster.example [192.0.2.7])\r\n"
        f"\tby mta.muster.example (Postfix) with ESMTPSA id 4bK{number:08d};\r\n\tSun, 22 Nov 2026 10:00:00 +0100\r\n"
        "Received: from [192.0.2.7] by pc.muster.example; Sun, 22 Nov 2026 09:59:59 +0100\r\n"
        "DKIM-Signature: v=1; a=rsa-sha256; d=muster.example; s=s1; h=from:to:subject:date;\r\n"
        f"\tbh=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa=; b={'b' * 160}\r\n"
        f"From: Anna Muster <{author}>\r\nTo: Kunde <kunde@kunde.example>\r\n"
        f"Subject: =?utf-8?q?Angebot_f=C3=BCr_Herbst_{number}?=\r\nDate: Sun, 22 Nov 2026 10:00:00 +0100\r\n"
        f"Message-ID: <{number}.{time.time_ns()}@muster.example>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/alternative; boundary=xyz\r\n\r\n"
        "--xyz\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        f"Grüsse, Nummer {number}\r\n--xyz\r\nContent-Type: text/html; charset=utf-8\r\n"
        f"Content-Transfer-Encoding: 8bit\r\n\r\n<html><body>{FILLER}</body></html>\r\n--xyz--\r\n"
    ).encode()


@dataclass
class Load:
    """One run: ``clients`` connections at once, ``mails`` in all."""

    port: int
    sender: str
    recipient: str
    mails: int
    clients: int = 20

    def run(self) -> float:
        """Send everything and return mails per second; raises when a mail is not taken."""
        each = self.mails // self.clients
        prepared = [[a_mail(client * each + n, self.sender) for n in range(each)] for client in range(self.clients)]
        failures: list[str] = []
        threads = [threading.Thread(target=self._client, args=(mails, failures)) for mails in prepared]
        start = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.perf_counter() - start
        if failures:
            raise RuntimeError(f"{len(failures)} mails not taken, the first: {failures[0]}")
        return each * self.clients / took

    def _client(self, mails: list[bytes], failures: list[str]) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as link, link.makefile("rb") as replies:
            replies.readline()
            link.sendall(b"EHLO bench.example\r\n")
            while replies.readline()[3:4] == b"-":
                pass
            for mail in mails:
                for line in (f"MAIL FROM:<{self.sender}>", f"RCPT TO:<{self.recipient}>", "DATA"):
                    link.sendall(line.encode() + b"\r\n")
                    said = replies.readline()
                    if said[:1] not in b"23":
                        failures.append(said.decode())
                        return
                link.sendall(mail + b".\r\n")
                said = replies.readline()
                if not said.startswith(b"250"):
                    failures.append(said.decode())
                    return
