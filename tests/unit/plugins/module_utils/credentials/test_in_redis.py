# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.redis import (
    AuthRefused,
    Login,
    ServerError,
)
from ansible_collections.firebreak.incident.plugins.module_utils.credentials import in_redis
from ansible_collections.firebreak.incident.plugins.module_utils.credentials.in_redis import RedisHolder
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError, IdentityChanged
from ansible_collections.firebreak.incident.plugins.module_utils.redis.server import Server

CLIENTS = (
    "id=1 addr=127.0.0.1:1 flags=N user=default cmd=client|list\n"
    "id=5 addr=127.0.0.1:2 flags=N user=default cmd=get\n"
    "id=6 addr=127.0.0.1:3 flags=P user=default cmd=subscribe\n"
    "id=7 addr=127.0.0.1:4 flags=S user=default cmd=replconf\n"
    "id=8 addr=127.0.0.1:5 flags=N user=other cmd=get\n"
)


def sha(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


class FakeRedis:
    """The users and settings of one server; every connection is this object."""

    open_to_all = False

    def __init__(self) -> None:
        self.hashes = {"default": [sha("old")]}
        self.flags = ["on"]
        self.settings = {"requirepass": "old", "masterauth": "", "aclfile": ""}
        self.run_id = "run-1"
        self.said: list[str] = []
        self.refuses: dict[str, str] = {}
        self.stubborn = False
        self.killed = False

    def __enter__(self) -> FakeRedis:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def hide(self, secret: str) -> str:
        return secret

    def execute(self, *words: Any) -> Any:
        self.said.append(" ".join(map(str, words)))
        head = " ".join(map(str, words[:2]))
        if head in self.refuses:
            raise ServerError("redis", self.refuses[head], "")
        handler = {"ACL GETUSER": self._get, "ACL SETUSER": self._set, "CONFIG GET": self._setting}.get(head)
        if handler:
            return handler(*map(str, words[2:]))
        if head == "CONFIG SET":
            self.settings[words[2]] = words[3]
            if words[2] == "requirepass":
                self.hashes["default"] = [sha(words[3])]
        if head == "CLIENT KILL":
            self.killed = not self.stubborn
        return {
            "INFO server": f"run_id:{self.run_id}\r\n",
            "CLIENT ID": 1,
            "CLIENT LIST": CLIENTS.splitlines()[0] if self.killed else CLIENTS,
            "PING": "PONG",
        }.get(head, "OK")

    def _get(self, user: str) -> Any:
        if user not in self.hashes:
            return None
        return ["flags", self.flags, "passwords", self.hashes[user], "commands", "+@all"]

    def _set(self, user: str, *rules: str) -> str:
        for rule in rules:
            if rule.startswith("#"):
                self.hashes[user].append(rule[1:])
            else:
                self.hashes[user].remove(rule[1:])
        return "OK"

    def _setting(self, name: str) -> list[str]:
        return [name, self.settings[name]]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeRedis:
    server = FakeRedis()

    def session(wanted: Server, remaining: Any) -> FakeRedis:
        if sha(str(wanted.login.password)) not in server.hashes["default"]:
            raise AuthRefused("redis", "WRONGPASS", "")
        return server

    monkeypatch.setattr(in_redis, "session", session)
    return server


def holder(user: str = "default") -> RedisHolder:
    return RedisHolder(Server(True, login=Login("old")), user, pause=lambda seconds: None)


def test_both_secrets_are_valid_until_the_old_one_is_dropped(server: FakeRedis) -> None:
    one = holder()
    one.begin("run-1")
    one.add("new")
    assert (one.accepts("old"), one.accepts("new"), one.accepts("other")) == (True, True, False)
    one.drop_old()
    assert (one.accepts("old"), one.accepts("new")) == (False, True)
    assert server.settings["requirepass"] == "new"


def test_a_user_is_changed_by_hashes_alone(server: FakeRedis) -> None:
    server.hashes["app"] = [sha("old-app")]
    one = holder("app")
    one.begin("run-1")
    one.add("new-secret")
    one.drop_old()
    assert server.hashes["app"] == [sha("new-secret")]
    assert not any("new-secret" in said for said in server.said)
    assert server.settings["requirepass"] == "old"


def test_what_was_added_is_taken_back_and_nothing_else(server: FakeRedis) -> None:
    server.hashes["default"].append(sha("second"))
    one = holder()
    one.begin("run-1")
    one.add("new")
    one.take_back()
    assert server.hashes["default"] == [sha("old"), sha("second")]


def test_the_secret_towards_the_master_follows(server: FakeRedis) -> None:
    server.settings["masterauth"] = "old"
    one = holder()
    one.begin("run-1")
    one.add("new")
    one.drop_old()
    assert server.settings["masterauth"] == "new"


def test_the_masters_other_secret_is_left_alone(server: FakeRedis) -> None:
    server.settings["masterauth"] = "of-the-master"
    one = holder()
    one.begin("run-1")
    one.add("new")
    one.drop_old()
    assert server.settings["masterauth"] == "of-the-master"


@pytest.mark.parametrize(
    ("flags", "hashes", "problem"),
    [
        (["on"], [sha("old")], None),
        (["off"], [sha("old")], "the user is off"),
        (["on", "nopass"], [sha("old")], "the user has no password"),
    ],
)
def test_a_user_without_a_password_cannot_be_rotated(
    server: FakeRedis, flags: list[str], hashes: list[str], problem: str | None
) -> None:
    server.flags = flags
    account = holder().look()
    assert account.problem == problem
    # Neither our own connection, nor a replica, nor somebody else.
    assert account.sessions == 2


def test_a_user_that_does_not_exist_is_said(server: FakeRedis) -> None:
    assert holder("nobody").look().problem == "there is no such user"


def test_a_server_before_users_is_said(server: FakeRedis) -> None:
    server.refuses["ACL GETUSER"] = "ERR unknown command 'ACL'"
    with pytest.raises(FirebreakError, match="Before version 6"):
        holder().look()


def test_a_server_that_was_restarted_meanwhile_is_another_one(server: FakeRedis) -> None:
    with pytest.raises(IdentityChanged):
        holder().begin("run-0")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, ["CONFIG REWRITE"]),
        ({"aclfile": "/etc/redis/users.acl"}, ["ACL SAVE", "CONFIG REWRITE"]),
        ({"aclfile": "/etc/redis/users.acl", "requirepass": ""}, ["ACL SAVE"]),
    ],
)
def test_a_change_is_written_where_the_server_keeps_its_users(
    server: FakeRedis, settings: dict[str, str], said: list[str]
) -> None:
    server.settings.update(settings)
    assert holder().persist() is None
    assert [word for word in server.said if word in ("CONFIG REWRITE", "ACL SAVE")] == said


def test_a_server_without_a_file_says_so(server: FakeRedis) -> None:
    server.refuses["CONFIG REWRITE"] = "ERR The server is running without a config file"
    assert "without a config file" in str(holder().persist())


def test_every_connection_of_the_user_is_ended(server: FakeRedis) -> None:
    assert holder().end_sessions() == 2
    kills = [said for said in server.said if said.startswith("CLIENT KILL")]
    assert kills == [
        "CLIENT KILL USER default TYPE normal SKIPME yes",
        "CLIENT KILL USER default TYPE pubsub SKIPME yes",
    ]


def test_connections_that_live_on_are_no_success(server: FakeRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_redis, "ENDED_WITHIN", 0.0)
    server.stubborn = True
    with pytest.raises(FirebreakError, match="2 connections from before"):
        holder().end_sessions()
