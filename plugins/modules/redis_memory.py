#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes room in the memory of a Redis or Valkey server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_memory
short_description: Make room in the memory of Redis or Valkey
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Moves the levers in O(levers), the mildest first, and only those that are against what it sees. What it
    sees is what M(firebreak.incident.redis_memory_info) returns.
  - C(FLUSHALL), C(KEYS) and C(DEBUG) are never used, nothing is changed on a replica, and C(maxmemory) is
    never set below what is in use. The server must be the same process, with the same setting, as when it was
    looked at.
  - What was wrong is measured in percent of C(maxmemory) above the warning at 85, more than all else when
    writes are refused, the percent of what is used that O(levers) could get back as past due or wasted, and
    whatever the levers V(ttl), V(unlink), V(evict) and V(flush) still find to do.
  - After the acts a key of its own, C(firebreak:probe:) and a random number, is written, read and removed. It
    is not V(resolved) while such a write is refused. A finding says so where its user may not write that key.
  - Where nobody may use C(CONFIG), as with managed servers, V(expire), V(raise) and V(evict) are refused, and
    what they would set is for the console of the provider; the other levers work.
  - On a node of a cluster everything concerns this node only.
extends_documentation_fragment:
  - firebreak.incident.redis
  - firebreak.incident.services
  - firebreak.incident.change
  - firebreak.incident.context
options:
  levers:
    description:
      - V(expire) sets C(active-expire-effort) to 10 when keys are past due and still there. V(reversible).
      - V(purge) has the allocator give back what nothing uses, when that is much. V(disruptive), because it
        cannot be taken back.
      - V(raise) raises C(maxmemory), and writes that to the configuration file of the server where it has
        one. V(reversible).
      - V(ttl) has the keys of O(pattern) that have no TTL expire after O(ttl). V(reversible) for a pattern of
        a declared cache, as long as they live; V(destructive) for any other. Refused where there is no room
        for the TTLs themselves, about 64 bytes each.
      - V(unlink) removes the keys of O(pattern). V(disruptive) for a pattern of a declared cache,
        V(destructive) for any other.
      - V(evict) sets O(policy), when all it could throw out are declared caches. V(disruptive), or
        V(destructive) where there are so many keys that only a sample of them could be looked at.
      - V(flush) empties O(database). V(destructive). It is refused together with O(pattern), O(max_keys) or
        O(max_bytes), which it could not keep to.
      - Declared caches are those in C(caches) of O(redis).
    type: list
    elements: str
    choices: [expire, purge, raise, ttl, unlink, evict, flush]
    default: [expire, purge, raise]
  maxmemory:
    description:
      - What O(levers=raise) raises to, in bytes or as in V(512mb). Without it, as much as brings the use down
        to 75 percent and is safe where the server runs.
      - Safe is what leaves room for a fork that saves, for buffers, for the waste of the allocator and for
        whoever else runs in the same container or on the same host.
    type: str
  pattern:
    description:
      - The keys that O(levers=ttl) and O(levers=unlink) mean, as C(SCAN) takes it, such as V(cache:*).
      - One that means next to every key there is, such as V(*), is refused.
    type: str
  ttl:
    description:
      - How long the keys of O(pattern) live on, at least V(60s). Each lives up to a tenth longer, as its name
        decides, so that not all go at once and that those of this module are known again when it is undone.
    type: str
  policy:
    description: The eviction policy for O(levers=evict).
    type: str
    choices:
      [allkeys-lru, allkeys-lfu, allkeys-random, volatile-lru, volatile-lfu, volatile-random, volatile-ttl]
  database:
    description: The database for O(levers=ttl) and O(levers=unlink), 0 without it, and for O(levers=flush).
    type: int
  max_keys:
    description:
      - The largest number of keys that O(levers=ttl) and O(levers=unlink) touch. Unlimited without it.
    type: int
  max_bytes:
    description:
      - How much O(levers=unlink) removes at most, in bytes or as in V(512mb). It takes twice as long, for
        every key is measured.
    type: str
"""

EXAMPLES = r"""
- name: See what would be done
  firebreak.incident.redis_memory:
    redis: {host: 127.0.0.1, password: "{{ vault_redis_password }}"}
  check_mode: true
  diff: true

- name: Remove what the application makes anew
  firebreak.incident.redis_memory:
    redis: {host: 127.0.0.1, caches: ["cache:*"]}
    levers: [unlink]
    pattern: cache:thumbnails:*
    max_keys: 500000
    max_risk: disruptive
"""

RETURN = r"""
before:
  description:
    - The state before anything was done. In bytes C(used), as the server compares it with its limit, C(rss),
      as the kernel sees the process, and C(limit), null without one. C(used_percent) is percent of C(limit).
    - C(refused_per_second) counts writes refused for lack of memory, C(evicted_per_second) keys thrown out,
      C(keys) all keys of all databases, C(matching) about those of O(pattern).
    - C(probe) is V(ok) or the code that a write was refused with, null before the acts.
    - C(work) is what was done to C(keys), null without that, with C(bytes) where O(max_bytes) had them
      counted, C(spared) of a type that was not there at first, whether the C(budget_used_up) is, whether it
      is C(complete), the C(seconds) it took, the number of C(steps) and the C(longest_step_seconds), for
      which the server's other clients had to wait.
  returned: success
  type: dict
  sample: {used: 67109000, limit: 67108864, used_percent: 100.0, refused_per_second: 12.0, probe: null}
after:
  description: The same, measured again afterwards; the state before in check mode.
  returned: success
  type: dict
  sample: {used: 67109000, limit: 90177536, used_percent: 74.4, refused_per_second: 0.0, probe: ok}
actions:
  description:
    - Every act with its C(target), C(risk), C(status) (V(planned), V(done), V(refused) or V(failed)),
      C(reason) and C(undo).
  returned: always, once a plan was made
  type: list
  elements: dict
verdict:
  description:
    - V(resolved), V(improved), V(not_needed), or V(planned) in check mode. V(unchanged) and V(worse) fail
      the task.
  returned: success
  type: str
  sample: resolved
plan_digest:
  description: Digest of what is touched, for O(approved_plan).
  returned: success
  type: str
findings:
  description: What is still wrong with its memory, and what will not survive a restart, measured afterwards.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import change_spec, run_change
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.job import SPEC, job


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **change_spec()}, supports_check_mode=True)
    try:
        result = run_change(module.params, module.check_mode, job(module.params))
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
