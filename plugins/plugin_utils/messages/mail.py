# SPDX-License-Identifier: GPL-3.0-or-later
"""E-mail. Handed over here rather than by Apprise, so that each attempt has the same Message-ID, and so that
it is known at what step one failed: until the text is sent, nothing has arrived."""

from __future__ import annotations

import contextlib
import re
import smtplib
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formataddr, formatdate

from .channel import (
    ACCEPTED,
    CONNECT_SECONDS,
    READ_SECONDS,
    REFUSED,
    UNKNOWN,
    Claim,
    Message,
    Outcome,
    Taken,
    bounded,
)

STARTTLS, SSL = "starttls", "ssl"
# A line that is a dot alone would end the text.
_STUFFED = re.compile(rb"^\.", re.MULTILINE)


@dataclass(frozen=True)
class Mail:
    """`copies` are told as well; `secure` is `starttls`, `ssl` or something else for neither."""

    id: str
    shown: str
    deduplicates: bool
    host: str
    port: int
    secure: str
    sender: tuple[str, str]
    to: str
    copies: Sequence[str] = ()
    user: str = ""
    password: str = field(default="", repr=False)
    verify: bool = True

    def send(self, message: Message, claim: Claim) -> Outcome:
        return bounded(lambda: self._send(message, claim))

    def _send(self, message: Message, claim: Claim) -> Outcome:
        text = _STUFFED.sub(b"..", self._written(message).as_bytes(policy=SMTP))
        handed_over, server = False, None
        try:
            server = self._connected()
            self._envelope(server)
            # Without the line that ends it a text is thrown away, so up to here nothing has arrived.
            if not claim():
                raise Taken
            handed_over = True
            server.send(text + b".\r\n")
            code, _answer = server.getreply()
            return Outcome(ACCEPTED) if code == 250 else Outcome(REFUSED, f"SMTP {code}")
        except smtplib.SMTPServerDisconnected:
            return Outcome(UNKNOWN if handed_over else REFUSED, "the connection broke off")
        except smtplib.SMTPResponseException as error:
            return Outcome(REFUSED, f"SMTP {error.smtp_code}")
        except (OSError, smtplib.SMTPException) as error:
            why = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
            return Outcome(UNKNOWN if handed_over else REFUSED, why)
        finally:
            if server is not None:
                with contextlib.suppress(OSError, smtplib.SMTPException):
                    server.quit() if handed_over else server.close()

    def _connected(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if not self.verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        server: smtplib.SMTP
        seconds = CONNECT_SECONDS + READ_SECONDS
        if self.secure == SSL:
            server = smtplib.SMTP_SSL(self.host, self.port, timeout=seconds, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=seconds)
        try:
            if self.secure == STARTTLS:
                server.starttls(context=context)
            if self.user and self.password:
                server.login(self.user, self.password)
        except (OSError, smtplib.SMTPException):
            server.close()
            raise
        return server

    def _envelope(self, server: smtplib.SMTP) -> None:
        server.ehlo_or_helo_if_needed()
        _expect(server.mail(self.sender[1]), 250)
        for recipient in (self.to, *self.copies):
            _expect(server.rcpt(recipient), 250, 251)
        _expect(server.docmd("DATA"), 354)

    def _written(self, message: Message) -> EmailMessage:
        mail = EmailMessage()
        mail["Subject"] = message.subject
        mail["From"] = formataddr(self.sender)
        mail["To"] = self.to
        mail["Date"] = formatdate()
        mail["Message-ID"] = f"<{message.token}@{self.sender[1].rpartition('@')[2] or 'firebreak'}>"
        # Answers of holiday programs would go to nobody.
        mail["Auto-Submitted"] = "auto-generated"
        if message.urgent:
            mail["X-Priority"], mail["Importance"] = "1", "high"
        mail.set_content(message.body, cte="quoted-printable")
        return mail


def _expect(answer: tuple[int, bytes], *codes: int) -> None:
    if answer[0] not in codes:
        raise smtplib.SMTPResponseException(*answer)
