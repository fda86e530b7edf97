# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import tls
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

OPENSSL = shutil.which("openssl") or "openssl"
SAID = """notBefore=Nov 22 02:17:29 2026 GMT
notAfter=Feb 20 02:17:28 2027 GMT
serial=13F60A45886E45FA
issuer=CN=Pebble Intermediate CA 226387
subject=
X509v3 Subject Alternative Name: critical
    DNS:api.zekka.example, IP Address:2001:DB8:0:0:0:0:0:1
"""


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for another name, signed by nobody, with its key behind it."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    made = subprocess.run(
        [
            OPENSSL, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "7",
            "-subj", "/CN=other.example", "-addext", "subjectAltName=DNS:other.example",
            "-keyout", "-", "-out", "-",
        ],
        capture_output=True, check=True,
    )  # fmt: skip
    path.write_bytes(made.stdout)
    return path


@pytest.fixture
def server(pem: Path) -> Iterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.1)
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            try:
                plain, _peer = listener.accept()
                plain.settimeout(2)
                with plain, context.wrap_socket(plain, server_side=True):
                    pass
            except OSError:
                continue

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    stop.set()
    thread.join()
    listener.close()


def test_a_certificate_nobody_trusts_is_read_all_the_same(server: int, pem: Path) -> None:
    hands = tls.shake_hands("127.0.0.1", server, "api.example", True, 2.0)
    assert hands.complaint == "self-signed certificate" or "self signed" in str(hands.complaint)
    assert hands.der == tls.file_certificate(pem)
    read = tls.read(hands.der)
    assert read.names == ("other.example",)
    assert round((read.not_after - read.not_before) / 86400) == 7


def test_without_verification_nothing_is_complained_of(server: int) -> None:
    hands = tls.shake_hands("127.0.0.1", server, "api.example", False, 2.0)
    assert hands.der is not None
    assert hands.complaint is None


def test_a_closed_port_and_a_server_without_tls_are_no_handshake() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        assert tls.shake_hands("127.0.0.1", port, "api.example", True, 0.2).error == "no answer within 0.2 s"
    assert tls.shake_hands("127.0.0.1", port, "api.example", True, 1.0).error == "Connection refused"


def test_the_answer_of_openssl_is_understood() -> None:
    read = tls.parse(SAID, "sha256:x")
    assert read.names == ("api.zekka.example", "2001:DB8:0:0:0:0:0:1")
    assert (read.serial, read.issuer) == ("13F60A45886E45FA", "CN=Pebble Intermediate CA 226387")
    assert read.not_after - read.not_before == 90 * 86400 - 1


@pytest.mark.parametrize("text", ["", "garbage", SAID.replace("notAfter", "nothing")])
def test_an_answer_that_cannot_be_read_is_said(text: str) -> None:
    with pytest.raises(Unreachable, match="openssl"):
        tls.parse(text, "sha256:x")


def test_a_file_without_a_certificate_is_named(tmp_path: Path) -> None:
    for text in ("", "-----BEGIN CERTIFICATE-----\n%%%\n", "-----END CERTIFICATE-----"):
        path = tmp_path / "cert.pem"
        path.write_text(text)
        with pytest.raises(Unreachable, match=r"cert\.pem"):
            tls.file_certificate(path)
    with pytest.raises(Unreachable, match="gone"):
        tls.file_certificate(tmp_path / "gone.pem")
