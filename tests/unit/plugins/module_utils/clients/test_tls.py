# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import re
import select
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import tls, x509
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

OPENSSL = shutil.which("openssl") or "openssl"


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
    assert (hands.der,) == tls.file_chain(pem)
    assert hands.code in (18, 62)
    assert hands.der is not None
    read = x509.read(hands.der)
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


def test_a_file_without_a_certificate_is_named(tmp_path: Path) -> None:
    for text in ("", "-----BEGIN CERTIFICATE-----\n%%%\n", "-----END CERTIFICATE-----"):
        path = tmp_path / "cert.pem"
        path.write_text(text)
        with pytest.raises(Unreachable, match=r"cert\.pem"):
            tls.file_chain(path)
    with pytest.raises(Unreachable, match="gone"):
        tls.file_chain(tmp_path / "gone.pem")


@pytest.mark.parametrize(
    ("key", "fits"), [("rsa:2048", False), ("ec -pkeyopt ec_paramgen_curve:prime256v1", False), ("own", True)]
)
def test_a_key_of_another_certificate_does_not_fit(tmp_path: Path, pem: Path, key: str, fits: bool) -> None:
    other = pem
    if key != "own":
        other = tmp_path / "other.key"
        words = f"req -x509 -newkey {key} -nodes -subj /CN=x -keyout {other} -out {tmp_path}/other.pem"
        subprocess.run([OPENSSL, *words.split()], capture_output=True, check=True)
    assert tls.key_fits(pem, other) is fits


def test_a_key_that_cannot_be_read_is_said(tmp_path: Path, pem: Path) -> None:
    locked = tmp_path / "locked.key"
    words = ["genpkey", "-algorithm", "ed25519", "-aes256", "-pass", "pass:secret", "-out", str(locked)]
    subprocess.run([OPENSSL, *words], capture_output=True, check=True)
    garbage = tmp_path / "garbage.key"
    garbage.write_text("garbage")
    for key in (locked, garbage, tmp_path / "gone.key", tmp_path):
        with pytest.raises(Unreachable, match=re.escape(str(key))):
            tls.key_fits(pem, key)


def test_every_certificate_that_is_presented_is_told(server: int, pem: Path) -> None:
    assert tls.presented_chain("127.0.0.1", server, "api.example", 5.0) == tls.file_chain(pem)
    assert tls.presented_chain("127.0.0.1", server, "127.0.0.1", 5.0) == tls.file_chain(pem)


def test_what_a_server_says_behind_its_chain_is_not_read(pem: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError), listener.accept()[0] as plain:
            plain.settimeout(5)
            with context.wrap_socket(plain, server_side=True) as channel:
                channel.sendall(f"{ssl.PEM_HEADER}\n%\n{ssl.PEM_FOOTER}\n".encode())
                while True:
                    channel.sendall(f"{ssl.PEM_HEADER}\n".encode() * 1000)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        chain = tls.presented_chain("127.0.0.1", listener.getsockname()[1], "api.example", 5.0)
    finally:
        listener.close()
        thread.join()
    assert chain == tls.file_chain(pem)


def test_one_that_hangs_up_once_is_not_called_weak(pem: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as plain:
                plain.settimeout(5)
                plain.recv(65536)
            with contextlib.suppress(OSError), listener.accept()[0] as plain:
                plain.settimeout(5)
                context.wrap_socket(plain, server_side=True).close()

        thread = threading.Thread(target=serve)
        thread.start()
        hands = tls.shake_hands("127.0.0.1", listener.getsockname()[1], "api.example", True, 5.0)
        thread.join()
    assert hands == tls.Handshake(error="the server hung up in the middle of the handshake")


def test_a_file_of_nothing_but_beginnings_is_read_at_once(tmp_path: Path, pem: Path) -> None:
    path = tmp_path / "cert.pem"
    path.write_text(f"{ssl.PEM_HEADER}\n" * 9000)
    started = time.monotonic()
    with pytest.raises(Unreachable, match="no certificate"):
        tls.file_chain(path)
    path.write_text(f"{ssl.PEM_HEADER}\n" + pem.read_text())
    assert tls.file_chain(path) == tls.file_chain(pem)
    assert time.monotonic() - started < 2


def test_one_that_speaks_only_what_nobody_does_is_seen_all_the_same(pem: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    words = [
        "s_server",
        "-accept",
        f"127.0.0.1:{port}",
        "-cert",
        str(pem),
        "-key",
        str(pem),
        "-tls1",
        "-quiet",
    ]
    old = subprocess.Popen([OPENSSL, *words, "-cipher", "ALL:@SECLEVEL=0"], stderr=subprocess.DEVNULL)
    try:
        for _attempt in range(100):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 0.1).close()
                break
            select.select([], [], [], 0.02)
        hands = tls.shake_hands("127.0.0.1", port, "api.example", True, 5.0)
    finally:
        old.kill()
        old.wait()
    assert (hands.der,) == tls.file_chain(pem)
    assert hands.complaint is not None
