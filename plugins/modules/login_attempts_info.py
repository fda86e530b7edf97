#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds who guesses passwords, and who has got in that way."""

from __future__ import annotations

DOCUMENTATION = r"""
module: login_attempts_info
short_description: Find who is guessing passwords, and who has got in that way
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Reads what sshd has logged within a window of time, in plain, rotated and gzip-compressed files, with or
    without the year in their timestamps, and in the journal; and the refused basic authentications in the
    error logs of nginx, bare or wrapped by Docker.
  - A source is an B(attacker) when it failed O(threshold) times or more within the window. It B(broke in)
    when it failed that often, or on three accounts or more, and then logged in. That is a finding of its
    own, for a ban does not undo a break-in.
  - What counts is failed guesses, or connections that ended before a login, whichever there are more of. One
    try thus never counts twice, though sshd writes several lines about it. Keys that are refused before
    another is accepted do not count, for an agent offers all it holds.
  - Whoever has one address of version 6 has all of its /64. So when two addresses of a /64 or more have
    failures, their failures count together, except those of an address judged C(user). When they reach
    O(threshold), the /64 is the attacker. It is not when one of its addresses logged in without a failure,
    when something protected is in it, or when it is one that strangers share (NAT64, Teredo); then its
    addresses are judged singly.
  - User names are the attacker's to choose, so addresses are read from where sshd and nginx write them and no
    user name can reach.
  - The journal is read for the time that the files do not cover, or for all of the window when no file has
    a line of sshd in it. So nothing counts twice where rsyslog copies the journal.
  - When there is neither a log nor a journal to read the module fails. It never takes that for "no
    attackers".
extends_documentation_fragment:
  - firebreak.incident.context
options:
  window:
    description: How far back from O(now) the logs are read, in seconds, or as C(10m), C(24h), C(7d).
    type: str
    default: 1h
  threshold:
    description: So many failures of one source within the window make it an attacker.
    type: int
    default: 10
  account_threshold:
    description: So many sources failing on one account within the window are distributed guessing.
    type: int
    default: 10
  logs:
    description: Files that sshd's messages go to, as globs. None of them need exist where there is a journal.
    type: list
    elements: str
    default: [/var/log/auth.log*, /var/log/secure*]
  nginx_logs:
    description: Error logs of nginx, as globs. None of them need exist.
    type: list
    elements: str
    default: [/var/log/nginx/error.log*]
  nginx_access_logs:
    description:
      - Access logs of nginx, as globs. Outsiders can write into the error log, so a refused login counts
        only as often as its address was answered 401 here. Docker writes both into one file; name it twice
        then.
    type: list
    elements: str
    default: [/var/log/nginx/access.log*]
  journal:
    description: Whether to read the journal for what the files lack.
    type: bool
    default: true
  max_bytes:
    description:
      - The most that is read of all files together, in bytes, or as C(512m), C(4g). Compressed files count
        with what is in them. The newest is read first; what is left out is reported.
    type: str
    default: 4g
  now:
    description: The end of the window, as C(2026-11-21T22:01:07Z). The host's clock, when it is not given.
    type: str
"""

EXAMPLES = r"""
- name: Find who is guessing passwords right now
  firebreak.incident.login_attempts_info:
    window: 10m
  register: logins

- name: Look at the whole last week, and call five failures an attack
  firebreak.incident.login_attempts_info:
    window: 7d
    threshold: 5

- name: Judge logs that were brought from another host
  firebreak.incident.login_attempts_info:
    logs: [/srv/evidence/web1/auth.log*]
    nginx_logs: []
    journal: false
    now: "2026-11-21T22:00:00Z"
    window: 24h
"""

RETURN = r"""
window_seconds:
  description: Length of the window in seconds.
  returned: success
  type: int
  sample: 3600
since:
  description: Begin of the window, UTC.
  returned: success
  type: str
  sample: "2026-11-21T21:00:00.000Z"
until:
  description: End of the window, UTC.
  returned: success
  type: str
  sample: "2026-11-21T22:00:00.000Z"
scanned:
  description: What was read, each with C(path) (C(journal) for the journal), C(bytes), C(from) and C(to), the
    times of the first and the last line in the window in UTC or null, and C(complete), whether all of the
    window's lines in it could be read.
  returned: success
  type: list
  elements: dict
  sample: [{path: /var/log/auth.log, bytes: 81920, from: "2026-11-21T21:00:03.112Z",
            to: "2026-11-21T21:59:58.002Z", complete: true}]
sources:
  description: Who failed or logged in, the worst first, at most 1000.
  returned: success
  type: list
  elements: dict
  contains:
    address:
      description: The address; v4 addresses mapped into v6 as v4, without a zone.
      type: str
      sample: 203.0.113.7
    failures:
      description: Failures within the window.
      type: int
    successes:
      description: Logins over ssh within the window.
      type: int
    accounts:
      description: At most ten of the accounts it failed on.
      type: list
      elements: str
    account_count:
      description: The number of accounts it failed on, as far as they could be remembered.
      type: int
    accounts_complete:
      description: Whether all of them could be remembered.
      type: bool
    services:
      description: What it tried to log in to, C(ssh) and C(nginx).
      type: list
      elements: str
    first:
      description: Time of the first failure, UTC, or null.
      type: str
    last:
      description: Time of the last failure, UTC, or null.
      type: str
    success_after_failures:
      description: The login that shows a break-in, or null. With C(account), C(method), C(time),
        C(failures_before), C(accounts_before).
      type: dict
    judgement:
      description: C(broke_in), C(attacker), C(below_threshold), or C(user) for one below the threshold that
        has logged in. Each address by itself, also where its /64 is in RV(attackers).
      type: str
    protected:
      description: Why it must not be blocked, or null.
      type: str
sources_left_out:
  description: How many more sources there are than in RV(sources).
  returned: success
  type: int
attackers:
  description: Who should be banned, the worst first. Attackers and those who broke in, without the protected.
    A /64 that guesses from several addresses stands in place of them.
  returned: success
  type: list
  elements: str
  sample: [203.0.113.7, "2001:db8::66", "2001:db8:1:2::/64"]
intruders:
  description: The addresses that seem to have got in by guessing, protected ones among them.
  returned: success
  type: list
  elements: str
  sample: [203.0.113.7]
accounts:
  description: The accounts that many sources failed on, at most 100.
  returned: success
  type: list
  elements: dict
  contains:
    account:
      description: The name.
      type: str
    exists:
      description: Whether sshd knows it.
      type: bool
    sources:
      description: How many sources failed on it.
      type: int
    below_threshold:
      description: How many of those failed too seldom to be attackers by themselves.
      type: int
    success:
      description: A login to it by password after that, from an address that is neither protected nor judged
        to have broken in by itself. With the keys of RV(sources[].success_after_failures) and C(address).
        Or null.
      type: dict
accounts_left_out:
  description: How many more accounts there are than in RV(accounts).
  returned: success
  type: int
findings:
  description: Break-ins, attacks, and whatever of the logs could not be seen, the worst first.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.clients.network import protected_by
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.information import (
    Context,
    context_spec,
    run_info,
)
from ansible_collections.firebreak.incident.plugins.module_utils.logins.decide import decide
from ansible_collections.firebreak.incident.plugins.module_utils.logins.judge import Policy
from ansible_collections.firebreak.incident.plugins.module_utils.logins.observe import SPEC, Request, observe
from ansible_collections.firebreak.incident.plugins.module_utils.moments import utc_now


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **context_spec()}, supports_check_mode=True)
    params = module.params
    try:
        protected = protected_by(Context.from_params(params).protected)
        policy = Policy(params["threshold"], params["account_threshold"], protected)
        request = Request.from_params(params, utc_now())
        result = run_info(lambda: observe(request), lambda snapshot: decide(snapshot, policy))
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
