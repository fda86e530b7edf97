# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import random
import shutil
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import x509
from ansible_collections.firebreak.incident.plugins.module_utils.clients.x509 import Certificate
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

OPENSSL = shutil.which("openssl") or "openssl"


def made(folder: Path, subject: str, *words: str, key: str = "rsa:2048") -> bytes:
    """A certificate that signs itself, as DER."""
    out = folder / "made.der"
    subprocess.run(
        [
            OPENSSL, "req", "-x509", "-newkey", key, "-nodes", "-subj", subject, "-utf8",
            "-keyout", str(folder / "made.key"), "-out", str(out), "-outform", "DER", *words,
        ],
        capture_output=True, check=True,
    )  # fmt: skip
    return out.read_bytes()


@pytest.fixture(scope="module")
def der(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    names = "subjectAltName=DNS:api.example,DNS:*.api.example,IP:192.0.2.1,IP:2001:db8::1,email:a@b.example"
    return made(
        tmp_path_factory.mktemp("x509"), '/C=DE/O=Ünïcode, "Inc"/CN=api.example', "-days", "7",
        "-set_serial", "0x8001", "-addext", names,
    )  # fmt: skip


def test_it_reads_what_openssl_reads(der: bytes) -> None:
    said = subprocess.run(
        [
            OPENSSL, "x509", "-inform", "DER", "-noout", "-startdate", "-enddate", "-serial", "-issuer",
            "-nameopt", "RFC2253,utf8,-esc_msb",
        ],
        input=der, capture_output=True, check=True,
    ).stdout.decode()  # fmt: skip
    fields = dict(line.split("=", 1) for line in said.splitlines())
    read = x509.read(der)
    assert (read.serial, read.issuer) == (fields["serial"], fields["issuer"])
    assert read.not_before == ssl.cert_time_to_seconds(fields["notBefore"])
    assert read.not_after == ssl.cert_time_to_seconds(fields["notAfter"])
    assert read.names == ("api.example", "*.api.example", "192.0.2.1", "2001:db8::1", "a@b.example")
    assert read.signs_itself
    assert read.issued(read)


def test_one_without_alternative_names_is_named_by_its_subject(tmp_path: Path) -> None:
    read = x509.read(made(tmp_path, "/CN=old.example", key="ed25519"))
    assert read.names == ("CN=old.example",)


@pytest.mark.parametrize(
    ("name", "covered"),
    [
        ("api.example", True),
        ("API.example.", True),
        ("a.wild.example", True),
        ("wild.example", False),
        ("a.b.wild.example", False),
        ("evilapi.example", False),
        ("2001:db8::1", True),
    ],
)
def test_a_star_stands_for_one_label(name: str, covered: bool) -> None:
    names = ("api.example", "*.wild.example", "2001:db8::1")
    assert Certificate("sha256:aa", 0, 1, "CN=ca", "01", names).covers(name) is covered


def test_an_issuer_is_told_by_name_and_where_they_tell_by_key() -> None:
    lower = Certificate("sha256:aa", 0, 1, "CN=ca", "01", (), subject="CN=a", authority="11")
    assert Certificate("sha256:bb", 0, 1, "CN=root", "02", (), subject="CN=ca", identity="11").issued(lower)
    assert Certificate("sha256:bb", 0, 1, "CN=root", "02", (), subject="CN=ca").issued(lower)
    assert not Certificate("sha256:bb", 0, 1, "", "02", (), subject="CN=ca", identity="22").issued(lower)
    assert not Certificate("sha256:bb", 0, 1, "", "02", (), subject="CN=other", identity="11").issued(lower)


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"0", b"\x30\x80", b"\x30\x03\x30\x01\x02", b"\x30\x84\xff\xff\xff\xff"]
)
def test_what_is_no_certificate_is_said(data: bytes) -> None:
    with pytest.raises(Unreachable, match="certificate sha256:"):
        x509.read(data)


def element(tag: int, content: bytes) -> bytes:
    return bytes([tag, 0x84]) + len(content).to_bytes(4, "big") + content


def built(not_after: bytes = b"20990101000000Z", subject: bytes = b"") -> bytes:
    """As little of a certificate as can be."""
    nothing = element(0x30, b"")
    validity = element(0x30, element(0x18, b"20200101000000Z") + element(0x18, not_after))
    fields = element(2, b"\1") + nothing * 2 + validity + element(0x30, subject) + nothing
    return element(0x30, element(0x30, fields))


def test_a_time_that_cannot_be_written_is_none() -> None:
    assert x509.read(built(b"99991231235959Z")).not_after == 253402300799
    with pytest.raises(Unreachable):
        x509.read(built(b"99991231235961Z"))


def test_what_is_endless_is_cut_off() -> None:
    attribute = element(0x30, element(6, b"\x55\x04\x03") + element(12, b"x" * 50_000))
    read = x509.read(built(subject=element(0x31, attribute)))
    assert read.subject == "CN=" + "x" * 256
    assert read.names == (read.subject,)


def test_an_object_id_without_end_costs_nothing() -> None:
    attribute = element(0x30, element(6, b"\xff" * 500_000 + b"\1") + element(12, b"x"))
    started = time.monotonic()
    with pytest.raises(Unreachable):
        x509.read(built(subject=element(0x31, attribute)))
    assert time.monotonic() - started < 2


def test_a_damaged_one_breaks_nothing(der: bytes) -> None:
    chance = random.Random(1)
    for _attempt in range(3000):
        data = bytearray(der)
        for _damage in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        cut = chance.randrange(len(data)) if chance.random() < 0.3 else len(data)
        try:
            x509.read(bytes(data[:cut]))
        except Unreachable:
            continue
