# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.clients import certbot
from ansible_collections.firebreak.incident.plugins.module_utils.clients.certbot import Problem, problems
from ansible_collections.firebreak.incident.plugins.module_utils.clients.command import Completed
from ansible_collections.firebreak.incident.plugins.module_utils.errors import Unreachable

END = """\
All renewals failed. The following certificates could not be renewed:
  /etc/letsencrypt/live/api.example/fullchain.pem (failure)
1 renew failure(s), 0 parse failure(s)
Ask for help or search for solutions at https://community.letsencrypt.org. See the logfile
/var/log/letsencrypt/letsencrypt.log or re-run Certbot with -v for more details.
"""
FAILED = "Saving debug log to /var/log/x.log\nFailed to renew certificate api.example with error: "
CHALLENGE = """\
Renewing an existing certificate for api.example and www.api.example

Certbot failed to authenticate some domains (authenticator: webroot).
The Certificate Authority reported these problems:
  Domain: api.example
  Type:   unauthorized
  Detail: 192.0.2.1: Invalid response from
http://api.example/.well-known/acme-challenge/x: 404

  Domain: www.api.example
  Type:   dns
  Detail: DNS problem: NXDOMAIN looking up A for www.api.example

Hint: The Certificate Authority failed to download the temporary challenge files created by Certbot.
"""
# Identifiers instead of domains: from certbot 5 on a certificate may be for an address.
NEWER = CHALLENGE.replace("  Domain: api.example", "  Identifier: api.example")
UNAUTHORIZED = Problem(
    "unauthorized",
    "192.0.2.1: Invalid response from http://api.example/.well-known/acme-challenge/x: 404",
    "api.example",
)
NXDOMAIN = Problem("dns", "DNS problem: NXDOMAIN looking up A for www.api.example", "www.api.example")


@pytest.mark.parametrize(
    ("stdout", "stderr", "expected"),
    [
        (CHALLENGE, f"{FAILED}Some challenges have failed.\n{END}", (UNAUTHORIZED, NXDOMAIN)),
        (NEWER, f"{FAILED}Some challenges have failed.\n{END}", (UNAUTHORIZED, NXDOMAIN)),
        (
            "",
            f"{FAILED}urn:ietf:params:acme:error:rateLimited :: Too many requests :: "
            f"too many certificates (5) already issued, retry after 2026-01-02 03:04:05 UTC\n{END}",
            (
                Problem(
                    "rateLimited",
                    "Too many requests :: too many certificates (5) already issued, "
                    "retry after 2026-01-02 03:04:05 UTC",
                ),
            ),
        ),
        (
            "",
            f"{FAILED}urn:ietf:params:acme:error:accountDoesNotExist :: The request specified an account "
            f"that does not exist :: Account https://acme/my-account/7c not found.\n{END}",
            (
                Problem(
                    "accountDoesNotExist",
                    "The request specified an account that does not exist :: "
                    "Account https://acme/my-account/7c not found.",
                ),
            ),
        ),
        (
            "",
            f"{FAILED}Account at /etc/letsencrypt/accounts/acme/dir/5c does not exist\n{END}",
            (
                Problem(
                    "accountDoesNotExist",
                    "Account at /etc/letsencrypt/accounts/acme/dir/5c does not exist",
                ),
            ),
        ),
        (
            "",
            f"{FAILED}Requesting localhost/dir: Connection refused\n{END}",
            (Problem("", "Requesting localhost/dir: Connection refused"),),
        ),
        (
            "",
            "Saving debug log to /x\nAnother instance of Certbot is already running.\nAsk for help\n",
            (Problem("locked", "another certbot is running"),),
        ),
        (
            "",
            "Renewal configuration file /etc/letsencrypt/renewal/api.example.conf is broken.\n"
            "The error was: target /x/privkey1.pem of symlink /y/privkey.pem does not exist\nSkipping.\n"
            "0 renew failure(s), 1 parse failure(s)\nAsk for help\n",
            (
                Problem("configuration", "target /x/privkey1.pem of symlink /y/privkey.pem does not exist"),
            ),
        ),
        (
            "",
            "Renewal configuration file /a.conf (cert: a) produced an unexpected error: 'Namespace' "
            "has no x. Skipping.\n",
            (Problem("configuration", "'Namespace' has no x."),),
        ),
        (
            "",
            "No certificate found with name a (expected /etc/letsencrypt/renewal/a.conf).\nAsk for help\n",
            (Problem("", "No certificate found with name a (expected /etc/letsencrypt/renewal/a.conf)."),),
        ),
        ("", "", (Problem("", "it gave no reason"),)),
        ("\x00\xff Domain:\n Type:\n", "Traceback ...", (Problem("", "Traceback ..."),)),
    ],
)  # fmt: skip
def test_why_it_failed_is_said_in_the_words_of_the_authority(
    stdout: str, stderr: str, expected: tuple[Problem, ...]
) -> None:
    assert problems(Completed((), 1, stdout, stderr)) == expected


def test_a_hook_that_prints_many_blank_lines_does_not_stop_it() -> None:
    started = time.monotonic()
    assert problems(Completed((), 1, "\n" * 100_000, "The end\n")) == (Problem("", "The end"),)
    assert time.monotonic() - started < 2


def test_a_cure_names_what_it_concerns() -> None:
    assert "http://api.example/.well-known" in certbot.cure(UNAUTHORIZED, "lineage", "/x.conf")
    account = Problem("accountDoesNotExist", "gone")
    assert "/x.conf" in certbot.cure(account, "lineage", "/x.conf")
    assert "letsencrypt.log" in certbot.cure(Problem("serverInternal", "oops"), "lineage", "/x.conf")


def test_only_the_named_lineage_is_renewed_and_without_a_random_delay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[list[str]] = []

    def run(argv: list[str], timeout: float) -> Completed:
        told.append(argv)
        return Completed(argv, 0, "", "")

    monkeypatch.setattr(certbot, "program", lambda: "/usr/bin/certbot")
    monkeypatch.setattr(certbot, "run", run)
    certbot.renew("api.example")
    certbot.renew("api.example", force=True)
    certbot.renew("api.example", rehearse=True)
    plain = ["/usr/bin/certbot", "renew", "--cert-name=api.example"]
    plain += ["--non-interactive", "--no-random-sleep-on-renew"]
    assert told == [plain, [*plain, "--force-renewal"], [*plain, "--dry-run"]]


def test_without_certbot_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certbot, "find", lambda program: None)
    monkeypatch.setattr(certbot, "ELSEWHERE", ())
    with pytest.raises(Unreachable, match="package certbot"):
        certbot.renew("api.example")


def test_failed_hooks_and_what_was_skipped_are_found_in_success() -> None:
    hook = Completed((), 0, "Congratulations\n", "Hook 'deploy-hook' reported error code 3\n")
    assert certbot.hooks_failed(hook) == ("Hook 'deploy-hook' reported error code 3",)
    idle = Completed((), 0, "Processing x\nCertificate not yet due for renewal\n", "")
    assert certbot.hooks_failed(idle) == ()
    assert certbot.skipped(idle) == "Certificate not yet due for renewal"
