# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the authority has taken a certificate back, as its OCSP responder says."""

from __future__ import annotations

from ..errors import Unreachable
from .command import require, run

SECONDS = 10.0


def revoked(certificate: str, chain: str) -> bool | None:
    """Of PEM files. None where no responder is named, or where it does not say. Raises `Unreachable`."""
    program = require("openssl", "openssl")
    found = run([program, "x509", "-noout", "-ocsp_uri", "-in", certificate], SECONDS)
    url = found.stdout.strip().partition("\n")[0]
    if not found.ok or not url.startswith(("http://", "https://")):
        return None
    words = ["-no_nonce", "-issuer", chain, "-cert", certificate, "-url", url]
    try:
        answer = run([program, "ocsp", *words], SECONDS)
    except Unreachable:
        return None
    return status(answer.stdout, answer.stderr) if answer.ok else None


def status(stdout: str, stderr: str) -> bool | None:
    """The answer of `openssl ocsp`: one that is not signed by the authority says nothing."""
    if "Response verify OK" not in stderr:
        return None
    words = {line.rpartition(": ")[2].strip() for line in stdout.splitlines()}
    return True if "revoked" in words else False if "good" in words else None
