# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates that a server presents and that lie in files.

The handshake is Python's own; openssl reads the certificate, for Python alone cannot read one that it
does not trust, and those are the ones to be looked at.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from ..errors import Unreachable
from .command import require, run
from .trust import system_trust

FILE_BUDGET = 256 * 1024
READ_TIMEOUT = 5.0


@dataclass(frozen=True)
class Handshake:
    """`der` is the certificate that was presented; `complaint` says why a client would not trust it.

    `error` is set instead when there was no handshake at all.
    """

    der: bytes | None = None
    complaint: str | None = None
    error: str | None = None


@dataclass(frozen=True)
class Certificate:
    """`not_before` and `not_after` in seconds since the epoch, `names` as the certificate has them."""

    fingerprint: str
    not_before: float
    not_after: float
    issuer: str
    serial: str
    names: tuple[str, ...]


def shake_hands(address: str, port: int, name: str, verify: bool, timeout: float) -> Handshake:
    """Connect to one address as a client that wants `name` would. Never raises for what a server does.

    A certificate that is not to be trusted is asked for a second time, without verification.
    """
    if verify:
        try:
            return Handshake(der=_presented(address, port, name, system_trust(), timeout))
        except ssl.SSLCertVerificationError as error:
            complaint: str | None = error.verify_message
        except (OSError, ValueError) as error:
            return Handshake(error=_reason(error, timeout))
    else:
        complaint = None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return Handshake(der=_presented(address, port, name, context, timeout), complaint=complaint)
    except (OSError, ValueError) as error:
        return Handshake(complaint=complaint, error=_reason(error, timeout))


def fingerprint(der: bytes) -> str:
    return "sha256:" + hashlib.sha256(der).hexdigest()


def file_certificate(path: Path) -> bytes:
    """The first certificate of a PEM file, which is the one that a server presents, as DER."""
    try:
        with path.open("rb") as stream:
            text = stream.read(FILE_BUDGET).decode("ascii", "replace")
    except OSError as error:
        raise Unreachable(
            f"file {path}", str(error.strerror), "Run as root (become), or mend the path."
        ) from error
    begin, end = text.find(ssl.PEM_HEADER), text.find(ssl.PEM_FOOTER)
    if begin < 0 or end < begin:
        raise Unreachable(
            f"file {path}", "it holds no certificate in PEM", "Name the file that nginx serves."
        )
    try:
        return ssl.PEM_cert_to_DER_cert(text[begin : end + len(ssl.PEM_FOOTER)])
    except ValueError as error:
        raise Unreachable(f"file {path}", "its certificate is damaged", "Restore the file.") from error


def read(der: bytes) -> Certificate:
    """What a certificate says. Raises `Unreachable` without openssl."""
    program = require("openssl", "openssl")
    answer = run(
        [
            program, "x509", "-noout", "-startdate", "-enddate", "-serial", "-issuer", "-subject",
            "-nameopt", "RFC2253", "-ext", "subjectAltName",
        ],
        timeout=READ_TIMEOUT,
        stdin=ssl.DER_cert_to_PEM_cert(der),
    )  # fmt: skip
    if not answer.ok:
        raise Unreachable("program openssl", answer.complaint, "Look at the certificate by hand.")
    return parse(answer.stdout, fingerprint(der))


def parse(text: str, digest: str) -> Certificate:
    """The answer of `openssl x509`."""
    fields: dict[str, str] = {}
    names: list[str] = []
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and name in ("notBefore", "notAfter", "serial", "issuer", "subject"):
            fields[name] = value.strip()
        elif line.startswith(" ") and ":" in line:
            names += [part.strip().partition(":")[2] for part in line.split(",") if ":" in part]
    try:
        return Certificate(
            fingerprint=digest,
            not_before=float(ssl.cert_time_to_seconds(fields["notBefore"])),
            not_after=float(ssl.cert_time_to_seconds(fields["notAfter"])),
            issuer=fields["issuer"],
            serial=fields["serial"],
            names=tuple(names) or (fields.get("subject", ""),),
        )
    except (KeyError, ValueError) as error:
        raise Unreachable(
            "program openssl", "its answer cannot be read", "Look at the certificate by hand."
        ) from error


def _presented(address: str, port: int, name: str, context: ssl.SSLContext, timeout: float) -> bytes:
    plain = socket.create_connection((address, port), timeout)
    with plain, context.wrap_socket(plain, server_hostname=name) as channel:
        der = channel.getpeercert(binary_form=True)
    if der is None:
        raise ValueError("no certificate was presented")
    return der


def _reason(error: Exception, timeout: float) -> str:
    if isinstance(error, socket.timeout):
        return f"no answer within {timeout:.1f} s"
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or error)
