# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.firebreak.incident.plugins.plugin_utils.rendering.failure import failed, unreachable

SSH = "Failed to connect to the host via ssh: "


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "ssh: connect to host 192.0.2.7 port 22: Connection refused",
            "ssh is refused on 192.0.2.7 port 22",
        ),
        ("ssh: connect to host db1 port 22: Connection timed out", "no answer from db1 port 22"),
        ("ssh: connect to host db1 port 22: No route to host", "no way to db1 port 22"),
        (
            "ssh: Could not resolve hostname db1: Temporary failure in name resolution",
            "the name db1 does not resolve",
        ),
        ("ops@192.0.2.7: Permission denied (publickey,password).", "ssh let nobody in (publickey,password)"),
        ("Host key verification failed.", "its ssh host key is not known here"),
        (
            "@@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
            "its ssh host key is not the known one",
        ),
        (
            "kex_exchange_identification: Connection closed by remote host",
            "sshd accepted the connection and closed it",
        ),
        ("Shared connection to 192.0.2.7 closed.", "the ssh connection broke"),
    ],
)
def test_what_ssh_says_becomes_a_sentence_and_a_cure(said: str, shown: str) -> None:
    failure = unreachable({"msg": f"Task failed: {SSH}{said}"})
    assert failure.lines == (shown,)
    assert failure.cure


def test_a_changed_host_key_is_never_waved_through() -> None:
    failure = unreachable({"msg": "WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!"})
    assert "do not log in" in failure.cure


def test_a_full_disk_is_recognised_by_the_temporary_directory() -> None:
    failure = unreachable({"msg": "Failed to create temporary directory. In some cases, you may have ..."})
    assert "/dev/shm" in failure.cure


def test_unknown_words_of_ssh_are_kept_without_its_banner() -> None:
    text = f"{SSH}Warning: Permanently added 'x' (ED25519) to the list of known hosts.\nsomething new\x1b[2J"
    assert unreachable({"msg": text}).lines == ("something new\\x1b[2J",)


def test_a_message_loses_ansibles_prefixes_only() -> None:
    assert failed({"msg": "Task failed: Module failed: redis: NOAUTH. Give it."}).lines == (
        "redis: NOAUTH. Give it.",
    )


def test_ssh_words_in_a_modules_message_are_its_own() -> None:
    message = "ip_block: Connection closed by 203.0.113.9 in auth.log cannot be read"
    assert failed({"msg": message}).lines == (message,)


def test_a_mute_command_is_told_by_its_code_and_its_last_words() -> None:
    result = {"msg": "non-zero return code", "rc": 2, "stderr": "first\nnginx: [emerg] no such file\n"}
    assert failed(result).lines == ("exit code 2", "nginx: [emerg] no such file")


def test_a_vain_wait_says_how_often_it_looked() -> None:
    assert failed({"attempts": 3}).lines == ("given up after 3 attempts",)


def test_a_hidden_message_stays_hidden() -> None:
    failure = failed({"censored": "the output has been hidden", "msg": "hunter2"})
    assert "hunter2" not in failure.sentence + failure.cure


def test_no_word_at_all_is_said_to_be_none() -> None:
    assert failed({}).sentence == "it failed without a word"


def test_wrong_inputs_are_listed() -> None:
    assert failed({"argument_errors": ["a is required", "b is not"], "msg": "x"}).lines == (
        "a is required",
        "b is not",
    )
