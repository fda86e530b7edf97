# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.credentials.act import (
    Case,
    Proof,
    performers,
)
from ansible_collections.firebreak.incident.plugins.module_utils.credentials.model import Credential
from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput, FirebreakError

from .conftest import FakeHolder, FakeHook

NEW, OLD = "new-secret", "old"


def rotate(holder: FakeHolder, hook: FakeHook, **given: Any) -> Proof:
    defaults: dict[str, Any] = {"deploy": ("deploy",), "verify": ("verify",), "old": OLD, "new": NEW}
    credential = Credential("vault_x", "redis", "app", **{**defaults, **given})
    case = Case(credential, holder, Proof())
    try:
        performers([case], hook)["credentials.rotate"]({"name": "vault_x", "is": "id-1"})
    except FirebreakError as error:
        case.proof.unproven = str(error)
        raise RotationFailed(case.proof) from error
    return case.proof


class RotationFailed(Exception):
    @property
    def proof(self) -> Proof:
        proof: Proof = self.args[0]
        return proof


def test_the_order_is_new_deployed_verified_old_dropped_sessions_ended() -> None:
    holder, hook = FakeHolder(), FakeHook()
    proof = rotate(holder, hook)
    assert holder.log == ["begin", "add", "drop_old", "persist", "end_sessions"]
    assert hook.given == [("deploy", NEW), ("verify", "")]
    assert holder.valid == {NEW}
    assert (proof.in_force, proof.old_refused, proof.unproven, proof.sessions_ended) == ("new", True, None, 3)


def test_a_hook_that_fails_puts_the_old_one_back_and_deploys_it_again() -> None:
    holder, hook = FakeHolder(), FakeHook(fails={("deploy", NEW)})
    with pytest.raises(RotationFailed) as caught:
        rotate(holder, hook)
    assert holder.valid == {OLD}
    assert hook.given == [("deploy", NEW), ("deploy", OLD)]
    assert "drop_old" not in holder.log
    proof = caught.value.proof
    assert proof.in_force == "old"
    assert "the old one is in force again, deployed again, and gets in" in str(proof.unproven)


def test_a_new_secret_that_does_not_work_for_the_site_is_taken_back() -> None:
    holder, hook = FakeHolder(), FakeHook(fails={("verify", "")})
    with pytest.raises(RotationFailed) as caught:
        rotate(holder, hook)
    assert (holder.valid, caught.value.proof.in_force) == ({OLD}, "old")
    assert hook.given == [("deploy", NEW), ("verify", ""), ("deploy", OLD)]


def test_a_new_secret_that_does_not_get_in_is_taken_back() -> None:
    holder, hook = FakeHolder(breaks={"taking effect"}), FakeHook()
    with pytest.raises(RotationFailed) as caught:
        rotate(holder, hook)
    assert "the new secret does not get in" in str(caught.value.proof.unproven)
    assert hook.given == [("deploy", NEW), ("deploy", OLD)]
    assert (holder.valid, caught.value.proof.in_force) == ({OLD}, "old")


def test_a_server_that_cannot_set_the_new_one_is_put_back_and_nothing_is_deployed() -> None:
    holder, hook = FakeHolder(breaks={"add"}), FakeHook()
    with pytest.raises(RotationFailed) as caught:
        rotate(holder, hook)
    assert (hook.given, holder.log) == ([], ["begin", "add", "take_back"])
    assert caught.value.proof.in_force == "old"


def test_no_secret_is_in_a_message() -> None:
    with pytest.raises(RotationFailed) as caught:
        rotate(FakeHolder(), FakeHook(fails={("deploy", NEW)}))
    assert "cannot use ***" in str(caught.value.proof.unproven)
    assert NEW not in str(caught.value.proof.unproven)


def test_an_old_one_that_cannot_be_put_back_is_said_loudly() -> None:
    holder, hook = FakeHolder(breaks={"take_back"}), FakeHook(fails={("deploy", NEW)})
    with pytest.raises(RotationFailed) as caught:
        rotate(holder, hook)
    assert caught.value.proof.in_force == "unknown"
    assert "AND the old one could not be put back" in str(caught.value.proof.unproven)


def test_an_old_one_that_cannot_be_deployed_again_is_said_loudly() -> None:
    hook = FakeHook(fails={("deploy", NEW), ("deploy", OLD)})
    with pytest.raises(RotationFailed) as caught:
        rotate(FakeHolder(), hook)
    assert caught.value.proof.in_force == "old"
    assert "AND deploying it failed" in str(caught.value.proof.unproven)


def test_without_the_old_secret_what_the_hook_did_is_for_people_to_mend() -> None:
    hook = FakeHook(fails={("deploy", NEW)})
    with pytest.raises(RotationFailed) as caught:
        rotate(FakeHolder(), hook, old=None)
    assert hook.given == [("deploy", NEW)]
    assert "deploy the old one by hand" in str(caught.value.proof.unproven)


def test_an_old_secret_that_still_gets_in_fails_the_rotation() -> None:
    with pytest.raises(RotationFailed) as caught:
        rotate(FakeHolder(keeps_old=True), FakeHook())
    assert (caught.value.proof.in_force, caught.value.proof.old_refused) == ("both", False)


def test_after_the_old_one_is_dropped_nothing_is_put_back() -> None:
    holder = FakeHolder(breaks={"end_sessions"})
    with pytest.raises(RotationFailed) as caught:
        rotate(holder, FakeHook())
    assert "take_back" not in holder.log
    assert (holder.valid, caught.value.proof.in_force) == ({NEW}, "new")


@pytest.mark.parametrize(
    ("holder", "old", "why"),
    [
        (FakeHolder(), None, "not known here"),
        (FakeHolder(), "mistyped", "was not the one in force"),
        (FakeHolder(anybody=True), OLD, "any password is let in"),
    ],
)
def test_what_cannot_be_proven_is_said(holder: FakeHolder, old: str | None, why: str) -> None:
    proof = rotate(holder, FakeHook(), old=old)
    assert (proof.in_force, proof.old_refused) == ("new", None)
    assert why in str(proof.unproven)


def test_a_change_that_a_restart_forgets_is_done_and_said() -> None:
    proof = rotate(FakeHolder(breaks={"persistence"}), FakeHook())
    assert (proof.in_force, proof.not_persistent) == ("new", "there is no file")


def test_without_hooks_nobody_is_told() -> None:
    hook = FakeHook()
    assert rotate(FakeHolder(), hook, deploy=(), verify=()).in_force == "new"
    assert hook.given == []


def test_without_a_new_secret_nothing_is_touched() -> None:
    holder = FakeHolder()
    with pytest.raises(RotationFailed) as caught:
        rotate(holder, FakeHook(), new=None)
    assert isinstance(caught.value.__cause__, BadInput)
    assert holder.log == []
