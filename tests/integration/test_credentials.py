# SPDX-License-Identifier: GPL-3.0-or-later
"""The application's secrets are rotated under it: users notice nothing, whoever has the old ones is out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret

from firebreak_lab import Attacker, Lab

CHECKOUT = Path(__file__).resolve().parents[2]
HOST = "zekka1"
POSTGRES, REDIS, SYSTEM = "vault_postgres_password", "vault_redis_password", "vault_deploy_password"
IN_THE_LAB = {POSTGRES: "zekka_postgres_password", REDIS: "zekka_redis_password", SYSTEM: "deploy_password"}
VAULT_PASSWORD = "of the vault"

# What a site would have: one line of the environment file, a restart, and an answer. With a marker it does
# all that and fails, once.
HOOK = """#!/bin/sh
set -eu
read -r secret
umask 077
sed "/^$1=/d" /opt/zekka/.env > /opt/zekka/.env.new
printf '%s=%s\\n' "$1" "$secret" >> /opt/zekka/.env.new
chown zekka:zekka /opt/zekka/.env.new
mv /opt/zekka/.env.new /opt/zekka/.env
systemctl restart zekka
if [ -e /run/lab-hook-fails ]; then rm /run/lab-hook-fails; echo "cannot deploy $secret" >&2; exit 1; fi
for _ in $(seq 50); do
    curl -fsS -o /dev/null -m 2 http://127.0.0.1:3000/health 2> /dev/null && exit 0
    sleep 0.1
done
exit 1
"""

# Somebody who has the old secrets and a session with each, and who looks at every command line meanwhile.
INTRUDER = """
import glob, json, os, sys, time
import psycopg2, redis
secrets = json.load(sys.stdin)
os.close(0)
database = psycopg2.connect(host="127.0.0.1", dbname="zekka_production", user="zekka_user",
                            password=secrets["vault_postgres_password"], application_name="intruder")
store = redis.Redis(password=secrets["vault_redis_password"], single_connection_client=True, retry=None)
store.ping()
pid, number, seen = database.get_backend_pid(), store.client_id(), set()
end = time.monotonic() + 90
while time.monotonic() < end and not os.path.exists("/run/lab-intruder-ends"):
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path) as stream:
                seen.add(stream.read())
        except OSError:
            pass
    with open("/run/lab-intruder.new", "w") as stream:
        json.dump({"pid": pid, "client": number, "seen": sorted(seen)}, stream)
    os.replace("/run/lab-intruder.new", "/run/lab-intruder")
    time.sleep(0.02)
"""


@dataclass
class Site:
    """The lab's host with the site's hook, and a vault file with the secrets in force."""

    lab: Lab
    directory: Path
    old: dict[str, str]

    @property
    def vault(self) -> Path:
        return self.directory / "secrets.yml"

    def content(self) -> Any:
        secrets = [("default", VaultSecret(VAULT_PASSWORD.encode()))]
        return yaml.safe_load(VaultLib(secrets).decrypt(self.vault.read_bytes()))

    def shell(self, script: str, text: str = "") -> str:
        return str(self.lab.run(HOST, ["bash", "-c", script], input=text).check(script).stdout)

    def stored(self) -> str:
        """What the servers keep of the secrets."""
        verifier = "SELECT rolpassword FROM pg_authid WHERE rolname = 'zekka_user'"
        return self.shell(
            f'su postgres -c "psql -XAtq" <<< "{verifier}"; grep ^deploy: /etc/shadow; cat /opt/zekka/.env;'
            "grep -E '^(requirepass|user)' /etc/redis/redis.conf"
        )

    def postgres(self, secret: str) -> bool:
        client = "psql -h 127.0.0.1 -U zekka_user zekka_production -c 'SELECT 1'"
        script = f"read -r PGPASSWORD; export PGPASSWORD; {client}"
        return bool(self.lab.run(HOST, ["bash", "-c", script], input=f"{secret}\n").rc == 0)

    def redis(self, secret: str) -> bool:
        script = "read -r REDISCLI_AUTH; export REDISCLI_AUTH; redis-cli --no-auth-warning ping"
        return "PONG" in self.lab.run(HOST, ["bash", "-c", script], input=f"{secret}\n").stdout

    def variables(self, **more: Any) -> dict[str, Any]:
        def credential(name: str, kind: str, user: str, *deploy: str) -> dict[str, Any]:
            return {"name": name, "kind": kind, "user": user, "deploy": list(deploy)}

        hook = "/opt/zekka/scripts/set-secret"
        read = f"{{{{ (lookup('ansible.builtin.unvault', '{self.vault}') | from_yaml).{REDIS} }}}}"
        return {
            "firebreak_credentials": [
                credential(POSTGRES, "postgres", "zekka_user", hook, "PGPASSWORD"),
                credential(REDIS, "redis", "default", hook, "REDIS_PASSWORD"),
                credential(SYSTEM, "system", "deploy"),
            ],
            "firebreak_redis": {"host": "127.0.0.1", "password": read},
            "firebreak_credential_store": {"vault_file": str(self.vault)},
            **more,
        }


@pytest.fixture(scope="module")
def put_back(lab: Lab) -> Iterator[None]:
    """The secrets that the lab was made with are in force afterwards."""
    yield
    lab.reset()


@pytest.fixture
def site(pristine: Lab, tmp_path: Path, put_back: None) -> Site:
    return _site(pristine, tmp_path)


def _site(lab: Lab, directory: Path) -> Site:
    known = json.loads((CHECKOUT / ".lab" / "secrets.json").read_text())
    old = {name: known[its] for name, its in IN_THE_LAB.items()}
    (directory / "password").write_text(VAULT_PASSWORD)
    secret = VaultSecret(VAULT_PASSWORD.encode())
    site = Site(lab, directory, old)
    site.vault.write_bytes(VaultLib([("default", secret)]).encrypt(yaml.safe_dump(old), secret))
    site.shell(
        "cat > /opt/zekka/scripts/set-secret; chmod 755 /opt/zekka/scripts/set-secret;"
        "rm -f /run/lab-hook-fails",
        HOOK,
    )
    return site


@dataclass
class Run:
    """Check mode, the rotation, the same once more; what the servers and the vault kept meanwhile."""

    site: Site
    checked: Any
    untouched: bool
    users_saw: list[int]
    applied: Any
    intruder: dict[str, Any]
    again: Any
    settled: bool


@pytest.fixture(scope="module")
def rotated(
    lab: Lab,
    attacker: Attacker,
    tmp_path_factory: pytest.TempPathFactory,
    make_play: Callable[..., Any],
    put_back: None,
) -> Iterator[Run]:
    lab.reset()
    directory = tmp_path_factory.mktemp("credentials")
    site, play = _site(lab, directory), make_play(directory)
    words = ("--vault-password-file", str(directory / "password"))
    inputs = site.variables(incident="INC-7")

    def look() -> tuple[str, bytes]:
        return site.stored(), site.vault.read_bytes()

    site.shell("cat > /run/lab-intruder.py; rm -f /run/lab-intruder /run/lab-intruder-ends", INTRUDER)
    site.shell(
        "cat > /run/lab-known;"
        "(setsid python3 /run/lab-intruder.py < /run/lab-known > /run/lab-intruder.log 2>&1 &);"
        "for _ in $(seq 50); do [ -s /run/lab-intruder ] && break; sleep 0.1; done; rm /run/lab-known",
        json.dumps(site.old),
    )
    assert site.shell("cat /run/lab-intruder"), site.shell("cat /run/lab-intruder.log")
    before, seen = look(), [attacker.get(HOST, "/api/items")[0]]
    checked = play("rotate_credentials", "--check", "--diff", *words, limit=HOST, **inputs)
    untouched = look() == before
    applied = play("rotate_credentials", "-vvv", *words, limit=HOST, **inputs)
    seen.append(attacker.get(HOST, "/api/items")[0])
    intruder = json.loads(site.shell("cat /run/lab-intruder; touch /run/lab-intruder-ends"))
    after = look()
    again = play("rotate_credentials", *words, limit=HOST, **inputs)
    yield Run(site, checked, untouched, seen, applied, intruder, again, look() == after)
    site.shell("rm -f /run/lab-intruder*")


def outcome(run: Run, name: str) -> Any:
    found = run.applied.result(HOST, "credentials")["after"]["credentials"]
    return next(one for one in found if one["name"] == name)


def test_check_mode_plans_and_neither_makes_nor_stores_a_secret(rotated: Run) -> None:
    assert rotated.checked.code == 0, rotated.checked.output
    result = rotated.checked.result(HOST, "credentials")
    assert [act["status"] for act in result["actions"]] == ["planned"] * 3
    assert result["verdict"] == "planned"
    assert rotated.untouched


def test_users_are_served_before_and_after(rotated: Run) -> None:
    assert rotated.applied.code == 0, rotated.applied.output
    assert rotated.applied.result(HOST, "credentials")["verdict"] == "resolved"
    assert rotated.users_saw == [200, 200]


def test_the_old_secrets_are_refused_and_the_new_ones_get_in(rotated: Run) -> None:
    site, new = rotated.site, rotated.site.content()
    assert (site.postgres(site.old[POSTGRES]), site.postgres(new[POSTGRES])) == (False, True)
    assert (site.redis(site.old[REDIS]), site.redis(new[REDIS])) == (False, True)
    for name in IN_THE_LAB:
        assert (outcome(rotated, name)["in_force"], outcome(rotated, name)["old_refused"]) == ("new", True)


def test_the_vault_holds_the_new_ones_and_forgets_the_old_ones(rotated: Run) -> None:
    content = rotated.site.content()
    assert not set(rotated.site.old.values()) & {content[name] for name in IN_THE_LAB}
    assert not any(secret in str(content) for secret in rotated.site.old.values())
    assert {content["firebreak_rotations"][name]["status"] for name in IN_THE_LAB} == {"current"}


def test_the_intruders_sessions_are_gone(rotated: Run) -> None:
    site, new = rotated.site, rotated.site.content()
    own = f"pid = {rotated.intruder['pid']} AND application_name = 'intruder'"
    alive = f"SELECT count(*) FROM pg_stat_activity WHERE {own}"
    assert site.shell(f'su postgres -c "psql -XAtq" <<< "{alive}"').strip() == "0"
    script = "read -r REDISCLI_AUTH; export REDISCLI_AUTH; redis-cli --no-auth-warning CLIENT LIST"
    clients = site.shell(script, f"{new[REDIS]}\n")
    assert f"id={rotated.intruder['client']} " not in clients
    assert outcome(rotated, POSTGRES)["sessions_ended"] >= 1
    assert outcome(rotated, REDIS)["sessions_ended"] >= 1


def test_no_secret_is_where_others_can_read_it(rotated: Run) -> None:
    content = rotated.site.content()
    places = {
        "output of -vvv": f"{rotated.applied.output} {rotated.applied.results}",
        "ledger": rotated.site.shell("cat /var/lib/firebreak/ledger.jsonl"),
        "journal": rotated.site.shell("journalctl -q --no-pager"),
        "logs": rotated.site.shell(
            "cat /var/log/syslog /var/log/postgresql/*.log /var/log/redis/*.log /opt/zekka/logs/*.log"
        ),
        "command lines": json.dumps(rotated.intruder["seen"]),
    }
    assert "systemctl" in places["command lines"]
    for place, text in places.items():
        for name in IN_THE_LAB:
            assert content[name] not in text, place
            assert rotated.site.old[name] not in text, place


def test_the_same_incident_rotates_nothing_twice(rotated: Run) -> None:
    assert (rotated.again.code, rotated.again.changed()) == (0, 0), rotated.again.output
    assert rotated.again.result(HOST, "credentials")["verdict"] == "not_needed"
    assert rotated.settled


def test_a_restart_of_redis_does_not_bring_the_old_one_back(rotated: Run) -> None:
    rotated.site.shell("systemctl restart redis-server")
    new = rotated.site.content()
    assert (rotated.site.redis(rotated.site.old[REDIS]), rotated.site.redis(new[REDIS])) == (False, True)


@pytest.mark.parametrize("name", [POSTGRES, REDIS])
def test_a_hook_that_fails_leaves_the_old_secret_in_force_and_deployed(
    site: Site, attacker: Attacker, play: Callable[..., Any], name: str
) -> None:
    site.shell("touch /run/lab-hook-fails")
    words = ("--vault-password-file", str(site.directory / "password"))
    failed = play("rotate_credentials", *words, limit=HOST, **site.variables(names=[name]))
    assert failed.code != 0
    (message,) = failed.messages()
    assert "cannot deploy ***" in message
    assert "the old one is in force again, deployed again, and gets in" in message
    assert site.postgres(site.old[POSTGRES])
    assert site.redis(site.old[REDIS])
    assert attacker.get(HOST, "/api/items")[0] == 200
    content = site.content()
    assert {key: content[key] for key in site.old} == site.old
    assert content["firebreak_rotations"][name]["status"] == "abandoned"
    assert failed.result(HOST, "credentials")["verdict"] == "unchanged"


def test_without_a_vault_password_nothing_is_done(site: Site, play: Callable[..., Any]) -> None:
    before = site.stored()
    # Read by this test itself, so that only the store wants the vault's password.
    inputs = site.variables(firebreak_redis={"password": site.old[REDIS]})
    refused = play("rotate_credentials", limit=HOST, **inputs)
    assert refused.code != 0
    assert "no vault password" in refused.messages()[0]
    assert site.stored() == before
