# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
from pathlib import Path

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import (
    UNPACKED_IN,
    environment,
    find,
    require,
    run,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable


def test_both_streams_and_the_exit_code_are_kept_apart() -> None:
    done = run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.stdout, done.stderr, done.code, done.ok) == ("out\n", "err\n", 3, False)


def test_the_last_line_said_is_the_complaint() -> None:
    assert run(["sh", "-c", "echo first >&2; echo last >&2; exit 1"]).complaint == "last"
    assert run(["false"]).complaint == "exit code 1 and no message"


def test_more_input_than_a_pipe_holds_does_not_block() -> None:
    assert len(run(["cat"], stdin="x" * 1_000_000).stdout) == 1_000_000


def test_a_child_that_does_not_read_its_input_is_no_error() -> None:
    assert run(["head", "-c1"], stdin="x" * 1_000_000).stdout == "x"


def test_a_child_that_takes_too_long_is_ended_with_its_children() -> None:
    started = time.monotonic()
    with pytest.raises(Unreachable, match=r"sh: it did not finish within 0\.2 s"):
        run(["sh", "-c", "sleep 30 & wait"], timeout=0.2)
    assert time.monotonic() - started < 5


def test_a_child_that_closed_its_output_and_stays_is_ended_too() -> None:
    with pytest.raises(Unreachable, match="did not finish"):
        run(["sh", "-c", "exec >&- 2>&-; sleep 30"], timeout=0.2)


def test_a_child_that_prints_without_end_is_cut_off() -> None:
    done = run(["yes"], budget=1000)
    assert done.truncated
    assert len(done.stdout) == 1000


def test_output_that_is_not_utf8_is_still_text() -> None:
    assert run(["printf", r"\377"]).stdout == "\ufffd"


def test_secrets_go_through_the_environment() -> None:
    assert run(["sh", "-c", 'printf %s "$SECRET"'], env={"SECRET": "s3cret"}).stdout == "s3cret"


def test_programs_do_not_fill_the_memory_in_which_the_module_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**UNPACKED_IN, "TMPDIR": "/run"}.items():
        monkeypatch.setenv(name, value)
    assert not {"TMPDIR", "TEMP", "TMP"} & set(environment())
    monkeypatch.setenv("TMPDIR", "/data")
    assert environment()["TMPDIR"] == "/data", "what the host or the inventory asked for is kept"


def test_programs_speak_the_c_locale() -> None:
    assert run(["sh", "-c", 'printf %s "$LC_ALL"']).stdout == "C"


def test_a_program_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_text("")
    with pytest.raises(Unreachable, match=r"program: Permission denied\. See that it can be executed"):
        run([str(path)])


def test_a_program_is_found_or_it_is_none() -> None:
    assert find("sh")
    assert find("no-such-program") is None


def test_a_missing_program_names_the_package() -> None:
    with pytest.raises(Unreachable, match=r"program no-such-program: .* package sometools"):
        require("no-such-program", "sometools")
