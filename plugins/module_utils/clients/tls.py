# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates that a server presents and that lie in files.

The handshake is Python's own. It does not tell the chain that was presented: openssl is asked for that, where
a client complains of it.
"""

from __future__ import annotations

import re
import socket
import ssl
import stat
from dataclasses import dataclass
from pathlib import Path

from ..deadlines import Deadline
from ..errors import FirebreakError, Unreachable
from .command import require, run
from .starttls import ask_for_tls
from .trust import system_trust

FILE_BUDGET, CHAIN_BUDGET = 256 * 1024, 1024 * 1024
# X509_V_ERR_* of OpenSSL.
EXPIRED_CODES = (9, 10)
ISSUER_CODES = (2, 20, 21)
NAME_CODES = (62, 63, 64)
# Releases of Python do not agree on what that is.
HANGING_UP = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
MODERN = ("TLSv1.2", "TLSv1.3")
_BEGIN = re.compile(r"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----")
_END = re.compile(r"-----END (?:TRUSTED |X509 )?CERTIFICATE-----")
# Stands behind the chain in what openssl prints; what the server itself says comes later.
_BEHIND = "\nServer certificate\n"
# The last is said of a key of another type.
_MISMATCH = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")


@dataclass(frozen=True)
class Handshake:
    """`der` is the certificate that was presented; `complaint` says why a client would not trust it.

    `code` is OpenSSL's number for that, None when it is not about the certificate. `error` is set instead
    when there was no handshake at all.
    """

    der: bytes | None = None
    complaint: str | None = None
    error: str | None = None
    code: int | None = None


def shake_hands(
    address: str, port: int, name: str, verify: bool, timeout: float, starttls: str | None = None
) -> Handshake:
    """Connect to one address as a client that wants `name` would. Never raises for what a server does.

    `starttls` is the protocol in which TLS is asked for first. What a client would refuse is asked for a
    second time, by one that accepts anything. `timeout` is in seconds for all of it.
    """
    place, deadline = (address, port, name, starttls), Deadline(timeout)
    complaint = code = None
    hung_up = False
    if verify:
        try:
            return Handshake(der=_presented(place, system_trust(), deadline)[0])
        except ssl.SSLCertVerificationError as error:
            complaint, code = error.verify_message, error.verify_code
        except (OSError, ValueError, FirebreakError) as error:
            if not isinstance(error, ssl.SSLError) or deadline.over:
                return Handshake(error=_reason(error, timeout))
            hung_up = isinstance(error, HANGING_UP)
    try:
        der, version = _presented(place, _tolerant(), deadline)
    except (OSError, ValueError, FirebreakError) as error:
        return Handshake(complaint=complaint, error=_reason(error, timeout), code=code)
    if hung_up and version in MODERN:
        return Handshake(error="the server hung up in the middle of the handshake")
    if verify and complaint is None:
        complaint = f"it offers only {version}, or a cipher or key that is too weak"
    return Handshake(der=der, complaint=complaint, code=code)


def presented_chain(
    address: str, port: int, name: str, timeout: float, starttls: str | None = None
) -> tuple[bytes, ...]:
    """Every certificate that is presented, in that order, as DER. Raises `Unreachable`."""
    place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    words = ["s_client", "-connect", place, "-showcerts", *_server_name(name)]
    if starttls:
        words += ["-starttls", starttls]
    answer = run([require("openssl", "openssl"), *words], timeout=timeout, budget=CHAIN_BUDGET)
    try:
        return _certificates(answer.stdout.partition(_BEHIND)[0])
    except ValueError as error:
        raise Unreachable(
            f"chain of {place}", "it cannot be read", "Look at it with: openssl s_client"
        ) from error


def file_chain(path: Path) -> tuple[bytes, ...]:
    """Every certificate of a PEM file, as DER. The first is the one that a server presents."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise Unreachable(f"file {path}", "it is no regular file", "Name the file that nginx serves.")
        with path.open("rb") as stream:
            text = stream.read(FILE_BUDGET).decode("ascii", "replace")
    except OSError as error:
        raise Unreachable(
            f"file {path}", str(error.strerror), "Run as root (become), or mend the path."
        ) from error
    try:
        found = _certificates(text)
    except ValueError as error:
        raise Unreachable(f"file {path}", "its certificate is damaged", "Restore the file.") from error
    if not found:
        raise Unreachable(
            f"file {path}", "it holds no certificate in PEM", "Name the file that nginx serves."
        )
    return found


def key_fits(certificate: Path, key: Path) -> bool:
    """Whether the key belongs to the first certificate of the file. Raises `Unreachable`."""
    subject = f"file {key}"
    try:
        known = key.stat()
        if not stat.S_ISREG(known.st_mode) or known.st_size > FILE_BUDGET:
            raise Unreachable(
                subject, "it is no regular file, or too long", "Name the key of the certificate."
            )
        # Only the pair is looked at here, not whether it is strong enough.
        context = _tolerant()
        context.load_cert_chain(certificate, key, password=lambda: b"-")
    except ssl.SSLError as error:
        if error.reason in _MISMATCH:
            return False
        raise Unreachable(subject, "it is encrypted or damaged", "Look at it with: openssl pkey") from error
    except OSError as error:
        raise Unreachable(subject, str(error.strerror), "Run as root (become), or mend the path.") from error
    return True


def _certificates(text: str) -> tuple[bytes, ...]:
    parts = (_END.split(part, 1) for part in _BEGIN.split(text)[1:])
    return tuple(
        ssl.PEM_cert_to_DER_cert(f"{ssl.PEM_HEADER}\n{whole[0].strip()}\n{ssl.PEM_FOOTER}")
        for whole in parts
        if len(whole) == 2
    )


def _tolerant() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    return context


def _presented(
    place: tuple[str, int, str, str | None], context: ssl.SSLContext, deadline: Deadline
) -> tuple[bytes, str]:
    """The certificate and the version of the protocol."""
    address, port, name, starttls = place
    plain = socket.create_connection((address, port), deadline.remaining())
    with plain:
        if starttls:
            ask_for_tls(plain, starttls, deadline)
        plain.settimeout(deadline.remaining())
        with context.wrap_socket(plain, server_hostname=name) as channel:
            der, version = channel.getpeercert(binary_form=True), channel.version()
    if der is None:
        raise ValueError("no certificate was presented")
    return der, str(version)


def _server_name(name: str) -> list[str]:
    """An address is no name of a server."""
    address = ":" in name or name.replace(".", "").isdigit()
    return ["-noservername"] if address else ["-servername", name]


def _reason(error: Exception, timeout: float) -> str:
    if isinstance(error, socket.timeout):
        return f"no answer within {timeout:.1f} s"
    return str(getattr(error, "reason", None) or getattr(error, "strerror", None) or error)
