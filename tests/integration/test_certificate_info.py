# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with a certificate is called by its cause, whoever serves it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from firebreak_lab import Lab

from .conftest import module, postgres_cluster

NAME = "api.zekka.example"
SITE, FOLDER = "/etc/nginx/conf.d/lab-certificates.conf", "/etc/nginx/lab-certificates"
EXPIRED, RENEWED, COPIED, WRONG, ALONE, KEY, SMTP, POSTGRES = range(9441, 9449)

# Lineages beside the real one, with its key and names: `lineage NAME`, and `renew NAME` for a second version.
SHELL = f"""
set -e
cd /etc/letsencrypt
real={NAME}
lineage() {{
    cp -a archive/$real archive/$1
    mkdir live/$1
    for kind in cert chain fullchain privkey; do
        # The real one may have been renewed before.
        cp --remove-destination -L live/$real/$kind.pem archive/$1/${{kind}}1.pem
        ln -s ../../archive/$1/${{kind}}1.pem live/$1/$kind.pem
    done
    sed "s|/$real|/$1|" renewal/$real.conf > renewal/$1.conf
}}
renew() {{
    for kind in cert chain fullchain privkey; do
        cp archive/$1/${{kind}}1.pem archive/$1/${{kind}}2.pem
        ln -sfn ../../archive/$1/${{kind}}2.pem live/$1/$kind.pem
    done
    lab-certificate $1 0 7776000
}}
block() {{
    echo "server {{ listen 127.0.0.1:$1 ssl; listen [::1]:$1 ssl; server_name $real;
        ssl_certificate $2; ssl_certificate_key $3; }}" >> {SITE}
}}
"""
SET_UP = f"""{SHELL}
mkdir -p {FOLDER}
for name in expired renewed copied; do lineage $name; done
lab-certificate expired -7776000 -86400
lab-certificate copied -7000000 776000
cp -L live/copied/fullchain.pem {FOLDER}/copied.pem
cp -L live/$real/privkey.pem {FOLDER}/key.pem
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 300 -subj "/CN=$real" \
    -addext "subjectAltName=DNS:$real" -keyout {FOLDER}/other.key -out {FOLDER}/other.pem 2> /dev/null
block {EXPIRED} $PWD/live/expired/fullchain.pem $PWD/live/expired/privkey.pem
block {RENEWED} $PWD/live/renewed/fullchain.pem $PWD/live/renewed/privkey.pem
block {COPIED} {FOLDER}/copied.pem {FOLDER}/key.pem
block {WRONG} {FOLDER}/other.pem {FOLDER}/other.key
block {ALONE} $PWD/live/$real/cert.pem $PWD/live/$real/privkey.pem
block {KEY} $PWD/live/$real/fullchain.pem {FOLDER}/key.pem
nginx -t -q
systemctl reload nginx
sleep 0.5
renew renewed
renew copied
"""
CLEAR = f"""
systemctl stop lab-smtp 2> /dev/null
rm -rf {SITE} {FOLDER} /run/lab-smtp.py
cd /etc/letsencrypt
for name in expired renewed copied; do rm -rf live/$name archive/$name renewal/$name.conf; done
systemctl reload nginx
"""
SMTP_SERVER = f"""
import socket, ssl
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
live = "/etc/letsencrypt/live/{NAME}"
context.load_cert_chain(f"{{live}}/fullchain.pem", f"{{live}}/privkey.pem")
with socket.create_server(("127.0.0.1", {SMTP})) as server:
    while True:
        client, _peer = server.accept()
        try:
            client.sendall(b"220 mail.zekka.example ESMTP\\r\\n")
            client.recv(1000)
            client.sendall(b"250-mail.zekka.example\\r\\n250 STARTTLS\\r\\n")
            client.recv(1000)
            client.sendall(b"220 go ahead\\r\\n")
            context.wrap_socket(client, server_side=True).close()
        except OSError:
            client.close()
"""
PG_TLS = "-c fsync=off -c ssl=on -c ssl_cert_file=/run/lab-pg.pem -c ssl_key_file=/run/lab-pg.key"


def endpoint(
    port: int, certificate: str | None = None, scheme: str = "https", name: str = NAME
) -> dict[str, Any]:
    named = {"certificate": certificate} if certificate else {}
    return {"url": f"{scheme}://{name}:{port}/", "connect_to": f"localhost:{port}", **named}


ASKED = [
    endpoint(443, NAME),
    endpoint(EXPIRED, "expired"),
    endpoint(RENEWED, "renewed"),
    endpoint(COPIED, "copied"),
    endpoint(WRONG, NAME),
    endpoint(ALONE),
    endpoint(443, name="other.zekka.example"),
]


@pytest.fixture(scope="module")
def scene(lab: Lab) -> Iterator[Mapping[str, Any]]:
    """Every fault at once, each at a port of its own, and what the module says of them."""
    lab.reset()
    try:
        lab.run("zekka1", ["bash", "-s"], input=SET_UP).check("making the faults")
        yield module("zekka1", "certificate_info", endpoints=ASKED)
    finally:
        lab.run("zekka1", ["bash", "-s"], input=CLEAR)
        lab.reset()


def said(result: Mapping[str, Any], port: int, name: str = NAME) -> list[Mapping[str, Any]]:
    """The findings of one endpoint, but for notices."""
    return [
        finding
        for finding in result["findings"]
        if finding["subject"] == f"certificate of {name}:{port}" and finding["level"] != "notice"
    ]


@pytest.mark.parametrize(
    ("port", "name", "state", "id", "level", "remedy"),
    [
        (EXPIRED, NAME, "expired", "served.expired", "critical", "expired"),
        (RENEWED, NAME, "not_reloaded", "served.differs", "warning", "renewed"),
        (COPIED, NAME, "outdated_file", "file.outdated", "warning", None),
        (WRONG, NAME, "wrong_file", "file.wrong", "critical", None),
        (ALONE, NAME, "chain_incomplete", "chain.incomplete", "critical", None),
        (443, "other.zekka.example", "name_mismatch", "name.mismatch", "critical", None),
    ],
)
def test_one_fault_is_one_finding(
    scene: Mapping[str, Any], port: int, name: str, state: str, id: str, level: str, remedy: str | None
) -> None:
    assert not scene["failed"], scene
    (finding,) = said(scene, port, name)
    assert (finding["id"], finding["level"]) == (f"certificate.{id}", level), finding
    wanted = {"playbook": "fix_certificate", "inputs": {"lineage": remedy}, "cures": True} if remedy else None
    assert finding["remedy"] == wanted
    (shown,) = [each for each in scene["endpoints"] if (each["name"], each["port"]) == (name, port)]
    assert shown["state"] == state
    # Over IPv4 and IPv6; nginx of the lab takes both everywhere.
    assert {each["address"] for each in shown["served"]} == {"127.0.0.1", "::1"}


def test_an_endpoint_that_is_well_stays_so_among_the_others(scene: Mapping[str, Any]) -> None:
    assert said(scene, 443) == []
    assert {each["name"]: each["due"] for each in scene["lineages"]} == {
        NAME: False,
        "copied": False,
        "expired": True,
        "renewed": False,
    }


@pytest.mark.usefixtures("scene")
def test_a_key_of_another_certificate_is_seen_before_nginx_must_read_it(lab: Lab) -> None:
    swap = f"cd {FOLDER}; cp key.pem kept.pem; cat %s > key.pem"
    lab.run("zekka1", ["bash", "-c", swap % "other.key"]).check("taking another key")
    try:
        result = module("zekka1", "certificate_info", endpoints=[endpoint(KEY, NAME), endpoint(443, NAME)])
    finally:
        lab.run("zekka1", ["bash", "-c", f"cat {FOLDER}/kept.pem > {FOLDER}/key.pem"])
    found = {finding["id"]: finding for finding in result["findings"] if finding["level"] != "notice"}
    assert f"{FOLDER}/key.pem is not the key of" in found["certificate.key.mismatch"]["summary"]
    # nginx would refuse it, so it cannot be asked; what it is told is known all the same.
    assert "key values mismatch" in found["certificate.nginx.broken"]["summary"]
    assert [each["state"] for each in result["endpoints"]] == ["key_mismatch", "healthy"]


@pytest.mark.usefixtures("scene")
def test_servers_that_begin_without_tls(lab: Lab) -> None:
    lab.run("zekka1", ["tee", "/run/lab-smtp.py"], input=SMTP_SERVER)
    lab.run("zekka1", ["systemd-run", "-q", "--collect", "--unit", "lab-smtp", "python3", "/run/lab-smtp.py"])
    copies = (
        f"cd /etc/letsencrypt/live/{NAME}; cp -L fullchain.pem /run/lab-pg.pem; cp -L privkey.pem "
        "/run/lab-pg.key; chown postgres: /run/lab-pg.*; chmod 600 /run/lab-pg.key"
    )
    lab.run("zekka1", ["bash", "-c", copies])
    asked = [
        {**endpoint(SMTP, NAME, "smtp"), "connect_to": f"127.0.0.1:{SMTP}"},
        endpoint(POSTGRES, NAME, "postgresql"),
        # The application's own server speaks no TLS.
        {"url": f"postgresql://{NAME}/", "connect_to": "127.0.0.1:5432"},
    ]
    with postgres_cluster(lab, "/var/lib/postgresql/lab-tls", POSTGRES, "SELECT 1", PG_TLS):
        result = module("zekka1", "certificate_info", endpoints=asked)
    assert [each["state"] for each in result["endpoints"]][:2] == ["healthy", "healthy"], result["findings"]
    assert {each["certificate"]["names"][0] for each in result["endpoints"][1]["served"]} == {NAME}
    assert result["endpoints"][2]["state"] in ("healthy", "unseen")


@pytest.mark.parametrize("host", ["zekka1", "matrixon1"])
def test_what_is_well_today_is_not_for_ever(host: str, lab: Lab) -> None:
    name, ports = (NAME, [443]) if host == "zekka1" else ("matrixon.example", [443, 8448])
    asked = [{**endpoint(port, name, name=name), "connect_to": f"127.0.0.1:{port}"} for port in ports]
    result = module(host, "certificate_info", endpoints=asked)
    mine = [f for f in result["findings"] if f["level"] != "notice" and name in f["subject"]]
    assert (mine, result["changed"]) == ([], False)
    now = datetime.now(UTC)
    for days, state in ((80, "expiring"), (100, "expired"), (-2, "early")):
        then = (now + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        later = module(host, "certificate_info", endpoints=asked, now=then)
        assert {each["state"] for each in later["endpoints"]} == {state}


def test_a_container_that_was_not_reloaded(lab: Lab) -> None:
    lab.run("matrixon1", ["lab-certificate", "matrixon.example", "0", "10368000"]).check("renewing")
    try:
        asked = [endpoint(8448, "matrixon.example", name="matrixon.example")]
        result = module("matrixon1", "certificate_info", endpoints=asked)
        (finding,) = [each for each in result["findings"] if each["level"] != "notice"]
        assert finding["id"] == "certificate.served.differs"
        assert finding["remedy"]["inputs"] == {"lineage": "matrixon.example"}
        (told,) = result["endpoints"][0]["files"]
        assert (told["container"], told["key_fits"]) == ("matrixon-nginx", True)
    finally:
        lab.reset()
