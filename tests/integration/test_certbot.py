# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates renewed by Pebble, an ACME server, and every order it gets counted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from firebreak_lab import Lab
from firebreak_lab.faults import ISSUED

from .conftest import Play, module

NAMES = {"zekka1": "api.zekka.example", "matrixon1": "matrixon.example"}
ADDRESSES = {"zekka1": "172.29.77.11", "matrixon1": "172.29.77.12"}
RELOAD = {"zekka1": "systemctl reload nginx", "matrixon1": "docker exec matrixon-nginx nginx -s reload"}
MEND = """
chmod 755 /var/www/acme 2> /dev/null
rm -rf /etc/nginx/conf.d/broken.conf /etc/nginx/copy /var/lib/firebreak
"""
ENDED, DAY = -86400, 86400


class Host:
    """One host of the lab with its lineage."""

    def __init__(self, lab: Lab, name: str) -> None:
        self._lab, self.name, self.lineage = lab, name, NAMES[name]

    def run(self, command: str) -> str:
        return self._lab.run(self.name, ["bash", "-c", command]).check(command).stdout.strip()

    def mend(self) -> None:
        self.run(f"{MEND}{ISSUED}; {RELOAD[self.name]}")

    def sign(self, begin: int, end: int, lineage: str | None = None) -> None:
        """The newest certificate of a lineage anew, with other dates, in seconds from now."""
        self.run(f"lab-certificate {lineage or self.lineage} {begin} {end}")

    def expire(self) -> None:
        self.sign(-90 * DAY, ENDED)
        self.run(f"{RELOAD[self.name]}; sleep 0.3")

    def orders(self) -> int:
        """How many Pebble has got."""
        return int(
            self.run("journalctl --sync; journalctl -u pebble -o cat | grep -c 'POST /order-plz'; true")
        )

    def filed(self) -> str:
        file = f"/etc/letsencrypt/live/{self.lineage}/fullchain.pem"
        return self.run(f"openssl x509 -noout -fingerprint -sha256 -in {file}")

    def files(self) -> str:
        """Every link and file of certbot that a renewal writes."""
        return self.run("cd /etc/letsencrypt; find live archive renewal -printf '%p %l %s\\n' | sort")

    def served(self) -> str:
        """The fingerprint of what a user gets, from outside."""
        script = (
            "import hashlib, socket, ssl; context = ssl._create_unverified_context()\n"
            f"plain = socket.create_connection(('{ADDRESSES[self.name]}', 443), 5)\n"
            f"channel = context.wrap_socket(plain, server_hostname='{self.lineage}')\n"
            "print(hashlib.sha256(channel.getpeercert(True)).hexdigest())"
        )
        digest = self._lab.run("client1", ["python3", "-c", script]).check("handshake").stdout.strip()
        pairs = [digest[at : at + 2] for at in range(0, len(digest), 2)]
        return f"sha256 Fingerprint={':'.join(pairs).upper()}"

    def fix(self, *words: str, **options: Any) -> Mapping[str, Any]:
        given = {"services": "{{ firebreak_services }}", "endpoints": "{{ firebreak_endpoints }}"}
        arguments = json.dumps({**given, "max_risk": "disruptive", **options})
        return module(self.name, "certbot", "-a", arguments, *words)


def done(result: Mapping[str, Any]) -> list[str]:
    return [act["action"] for act in result["actions"] if act["status"] == "done"]


@pytest.fixture
def zekka(lab: Lab) -> Iterator[Host]:
    yield from _host(lab, "zekka1")


@pytest.fixture
def matrixon(lab: Lab) -> Iterator[Host]:
    yield from _host(lab, "matrixon1")


def _host(lab: Lab, name: str) -> Iterator[Host]:
    host = Host(lab, name)
    host.mend()
    yield host
    host.mend()


def test_an_expired_lineage_is_renewed_with_one_order_and_served(
    zekka: Host, play: Callable[..., Play]
) -> None:
    zekka.expire()
    before, files, old = zekka.orders(), zekka.files(), zekka.served()
    planned = zekka.fix("--check")
    assert (planned["verdict"], zekka.orders(), zekka.files()) == ("planned", before, files)

    fixed = play("fix_certificate", limit="zekka1")

    assert fixed.code == 0, fixed.output
    result = fixed.result("zekka1", "certbot")
    assert result["verdict"] == "resolved"
    assert done(result) == ["certificate.renew", "certificate.reload"]
    assert zekka.orders() == before + 1
    assert zekka.served() == zekka.filed() != old
    again = zekka.fix()
    assert (again["verdict"], again["changed"], zekka.orders()) == ("not_needed", False, before + 1)


def test_what_was_renewed_and_not_reloaded_costs_no_order(zekka: Host) -> None:
    zekka.sign(0, 120 * DAY)
    assert zekka.served() != zekka.filed()
    before = zekka.orders()

    result = zekka.fix()

    assert (result["verdict"], done(result)) == ("resolved", ["certificate.reload"])
    assert (zekka.orders(), zekka.served()) == (before, zekka.filed())


def test_ten_times_on_a_healthy_host_order_nothing(zekka: Host) -> None:
    before, files = zekka.orders(), zekka.files()
    verdicts = {(result["verdict"], result["changed"]) for result in (zekka.fix() for _time in range(10))}
    assert verdicts == {("not_needed", False)}
    assert (zekka.orders(), zekka.files()) == (before, files)


def test_a_broken_configuration_of_nginx_orders_and_reloads_nothing(zekka: Host) -> None:
    zekka.expire()
    zekka.run("echo 'nonsense on;' > /etc/nginx/conf.d/broken.conf")
    before, files, old = zekka.orders(), zekka.files(), zekka.served()

    result = zekka.fix()

    assert result["failed"]
    assert '[emerg] unknown directive "nonsense" in /etc/nginx/conf.d/broken.conf:1' in result["msg"]
    assert (zekka.orders(), zekka.files(), zekka.served()) == (before, files, old)


def test_a_broken_challenge_fails_in_the_words_of_the_authority(zekka: Host) -> None:
    zekka.expire()
    zekka.run("chmod 000 /var/www/acme")
    before, files, old = zekka.orders(), zekka.files(), zekka.served()

    result = zekka.fix()

    assert result["failed"] and done(result) == []
    assert "unauthorized: api.zekka.example: " in result["msg"] and "returned 403" in result["msg"]
    assert (zekka.files(), zekka.served(), zekka.orders()) == (files, old, before + 1)


def test_an_account_that_the_server_does_not_know_is_named_with_a_cure(zekka: Host) -> None:
    zekka.expire()
    zekka.run("sed -i 's#my-account/[0-9a-f]*#my-account/ffff#' /etc/letsencrypt/accounts/*/*/*/regr.json")
    files = zekka.files()
    result = zekka.fix()
    assert result["failed"] and "accountDoesNotExist" in result["msg"] and "certbot register" in result["msg"]
    assert zekka.files() == files


def test_of_three_lineages_only_the_expired_one_is_ordered(zekka: Host) -> None:
    order = "certbot certonly -q -n --server https://localhost:14000/dir --webroot -w /var/www/acme"
    zekka.run(f"{order} -d one.zekka.example; {order} -d two.zekka.example")
    zekka.sign(-90 * DAY, ENDED, "two.zekka.example")
    before, filed = zekka.orders(), zekka.filed()

    result = zekka.fix()

    assert (result["verdict"], done(result)) == ("resolved", ["certificate.renew"])
    assert [act["target"] for act in result["actions"]] == ["lineage two.zekka.example"]
    assert (zekka.orders(), zekka.filed()) == (before + 1, filed)


def test_a_copy_that_nobody_renews_is_refused_with_what_to_do(zekka: Host) -> None:
    live, site = "/etc/letsencrypt/live/api.zekka.example", "/etc/nginx/sites-available/zekka"
    zekka.run(
        f"cp -p {site} /run/site; mkdir /etc/nginx/copy; cp -L {live}/*.pem /etc/nginx/copy; "
        f"sed -i 's#{live}#/etc/nginx/copy#' {site}; sed -i /renew_hook/d /etc/letsencrypt/renewal/*.conf"
    )
    try:
        zekka.run(
            "systemctl reload nginx; certbot renew -q --no-random-sleep-on-renew --force-renewal "
            "--cert-name api.zekka.example"
        )
        before, old = zekka.orders(), zekka.served()
        result = zekka.fix()
        assert result["failed"] and done(result) == []
        assert "/etc/nginx/copy/fullchain.pem, a copy" in result["msg"] and "--deploy-hook" in result["msg"]
        assert (zekka.orders(), zekka.served()) == (before, old)
    finally:
        zekka.run(f"cat /run/site > {site}")


def test_force_is_for_a_lost_key_and_not_for_a_sound_lineage(zekka: Host) -> None:
    before = zekka.orders()
    refused = zekka.fix(name=zekka.lineage, force=True)
    assert (refused["verdict"], zekka.orders()) == ("not_needed", before)
    assert "would only use up the limits" in refused["actions"][0]["reason"]

    # What nginx then complains of is the very thing that is mended.
    zekka.run(
        "openssl ecparam -genkey -name prime256v1 -noout -out "
        f"/etc/letsencrypt/live/{zekka.lineage}/privkey.pem; nginx -t 2>&1 | grep -q mismatch"
    )
    unforced = zekka.fix(name=zekka.lineage)
    assert unforced["failed"] and "give the name and force" in unforced["msg"]
    forced = zekka.fix(name=zekka.lineage, force=True)
    assert (forced["verdict"], zekka.orders()) == ("resolved", before + 1)
    assert zekka.served() == zekka.filed()


def test_in_a_container_it_is_renewed_and_served_from_outside(matrixon: Host) -> None:
    matrixon.expire()
    before, old = matrixon.orders(), matrixon.served()

    result = matrixon.fix()

    assert (result["verdict"], done(result)) == ("resolved", ["certificate.renew", "certificate.reload"])
    assert matrixon.orders() == before + 1
    assert matrixon.served() == matrixon.filed() != old
    assert (
        matrixon.run("curl -s -o /dev/null -w '%{ssl_verify_result}' https://matrixon.example:8448/") == "0"
    )
