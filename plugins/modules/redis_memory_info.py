#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what fills the memory of a Redis or Valkey server."""

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_memory_info
short_description: Say what fills the memory of a Redis or Valkey server
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Asks a Redis server, 6 to 8, or a Valkey server why its memory is full. The answer may be its data, keys
    that never expire, expired keys that are not removed yet, buffers of clients or replicas, scripts, or
    the allocator. Changes nothing.
  - Two readings of its figures tell what happens now, such as writes refused for lack of memory.
  - A sample of the keys tells what the data is. It comes from C(SCAN), in batches of 100 keys, of which
    C(MEMORY USAGE), C(TYPE), C(PTTL) and C(OBJECT IDLETIME) are asked. No value is read, C(KEYS) is never
    used. Like every look at a key this lets the server remove one that has expired.
  - Keys lie in the order of a hash with a random seed, so those that C(SCAN) names first are a fair sample
    of a database of any size; every share comes with its margin. Two runs may meet the same keys. A few big
    keys among many small ones may not be met; RV(sample.unexplained) tells how many bytes the sample does
    not account for.
  - A node of a cluster knows its own keys only. There the keys lie by slots, and RV(sample) comes from
    C(RANDOMKEY) unless all of them are measured.
  - What a user may not see is left out and named in RV(unseen). Everything takes an ACL user with C(+info
    +time +scan +select +type +pttl +object|idletime +randomkey +memory|usage +memory|stats +memory|doctor
    +config|get +client|list +slowlog|get +latency|latest), and C(%R~*) or C(~*).
extends_documentation_fragment:
  - firebreak.incident.redis
  - firebreak.incident.services
  - firebreak.incident.context
options:
  database:
    description: Measure keys of this database only. Without it, of every one that is not empty.
    type: int
  sample_keys:
    description: Measure about so many keys; V(0) for none. Small databases are measured as a whole.
    type: int
    default: 10000
  sample_time:
    description: Stop measuring after this time, such as V(5s) or V(1m), at most five minutes.
    type: str
    default: 5s
  pattern:
    description:
      - Measure only keys that match, as C(SCAN) takes it. All keys are looked through for them, as far as
        O(sample_time) allows.
    type: str
"""

EXAMPLES = r"""
- name: What fills the memory?
  firebreak.incident.redis_memory_info:
    redis: {host: 127.0.0.1, password: "{{ vault_redis_password }}", caches: ["cache:*"]}
  register: memory

- name: How much of it is sessions?
  firebreak.incident.redis_memory_info:
    redis: {service: redis}
    pattern: "session:*"
    sample_time: 20s
"""

RETURN = r"""
server:
  description: Who answered.
  returned: success
  type: dict
  contains:
    subject:
      description: What findings call it.
      type: str
      sample: redis 127.0.0.1:6379
    address:
      description: The address, or the path of the socket.
      type: str
    name:
      description: V(redis) or V(valkey).
      type: str
    version:
      description: Its version.
      type: str
      sample: 7.0.15
    role:
      description: V(master) or V(slave).
      type: str
    cluster:
      description: Whether it is one node of a cluster.
      type: bool
    loading:
      description: Whether it still reads its data from disk. Then there is no sample.
      type: bool
    run_id:
      description: Another one after every start.
      type: str
    uptime_seconds:
      description: Since when it runs.
      type: int
    config_file:
      description: Where a change of its settings can be kept; null when it was started without a file.
      type: str
    ping_seconds:
      description: How long it took to answer a C(PING).
      type: float
memory:
  description: What is used, in bytes.
  returned: success
  type: dict
  contains:
    used:
      description: What it has asked the allocator for.
      type: int
    peak:
      description: The most that was used since it started.
      type: int
    rss:
      description: What the kernel counts.
      type: int
    limit:
      description: maxmemory; null without one.
      type: int
    used_percent:
      description: Of RV(memory.limit), without what does not count against it.
      type: float
    policy:
      description: What it evicts when the limit is reached.
      type: str
      sample: noeviction
    fragmentation_ratio:
      description: RV(memory.rss) to RV(memory.used).
      type: float
    parts:
      description: RV(memory.used) taken apart. C(data) has the keys and values with the tables they lie in.
      type: dict
    allocator:
      description: Its C(name), and the bytes C(fragmented) between what is used and C(kept) though unused.
      type: dict
room:
  description: The memory of where it runs, in bytes; null where that is another host or not known.
  returned: success
  type: dict
  contains:
    host:
      description: Of the host.
      type: int
    host_available:
      description: What the host has left.
      type: int
    limit:
      description: The narrowest limit of a container or control group around it; null without one.
      type: int
    limit_used:
      description: What counts against that limit, without the cache of files.
      type: int
settings:
  description: Settings that matter for memory by name; null where they could not be read.
  returned: success
  type: dict
  sample: {maxmemory: "67108864", maxmemory-policy: noeviction}
settings_refused:
  description: Why settings could not be read, as with a managed service; null where they could.
  returned: success
  type: str
now:
  description: What happened between the two readings.
  returned: success
  type: dict
  contains:
    seconds:
      description: Time between them.
      type: float
    writes_refused:
      description: Writes that were refused for lack of memory; null where the server does not count them.
      type: int
    writes_refused_per_second:
      description: The same by the second.
      type: float
    writes_refused_total:
      description: The same since its statistics were reset.
      type: int
    evicted:
      description: Keys thrown out to make room.
      type: int
    evicted_per_second:
      description: The same by the second.
      type: float
    expired:
      description: Keys that were removed because their time had come.
      type: int
    expired_stale_percent:
      description: Keys past due and not removed yet, in percent of those with a TTL, as the server estimates.
      type: float
    expire_time_cap_reached:
      description: How often removing expired keys was broken off because it took too long.
      type: int
    commands_per_second:
      description: Commands of everybody.
      type: int
keys:
  description: Number of C(keys), and of those with a TTL (C(expires)), of each database that is not empty.
  returned: success
  type: dict
  sample: {db0: {keys: 4021, expires: 3990}}
clients:
  description: By V(normal), V(replica) and V(pubsub), what their connections hold, in bytes.
  returned: success
  type: dict
  contains:
    count:
      description: Number of connections.
      type: int
    output:
      description: Answers that they have not read yet.
      type: int
    total:
      description: All of their buffers.
      type: int
    biggest:
      description: The three that hold most.
      type: list
      elements: dict
causes:
  description: What takes memory, most bytes first.
  returned: success
  type: list
  elements: dict
  contains:
    cause:
      description:
        - V(growth) is the data itself; V(no_ttl) keys that should pass and have no TTL; V(big_key) one key
          with a fifth of all; V(expired) keys past due and not removed yet; V(clients) and V(replicas)
          buffers; V(aof) what waits to be written; V(scripts) kept scripts and functions; V(allocator)
          memory kept though unused; V(fragmentation) pages that are not quite empty.
      type: str
    bytes:
      description: What it takes.
      type: int
    percent_of_used:
      description: Of RV(memory.used). The allocator's comes on top of it.
      type: float
    pattern:
      description: Which keys, for V(no_ttl).
      type: str
sample:
  description: What was measured of the keys; null when nothing was.
  returned: success
  type: dict
  contains:
    keys:
      description: Number of keys measured.
      type: int
    total:
      description: Number of keys in the databases looked at.
      type: int
    matching:
      description: Number of them that match O(pattern), estimated; without it the same as RV(sample.total).
      type: int
    percent:
      description: How much of RV(sample.total) was measured.
      type: float
    complete:
      description: Whether every key was looked at. Then nothing is estimated.
      type: bool
    seconds:
      description: How long it took.
      type: float
    bytes:
      description: Size of RV(sample.matching) keys, estimated. Null where C(MEMORY USAGE) is refused.
      type: int
    unexplained:
      description: Bytes of data beyond that, when they are many. They are in big keys that were not met.
      type: int
    patterns:
      description: Keys that are named alike, most bytes first, at most 20.
      type: list
      elements: dict
      contains:
        database:
          description: Number of their database.
          type: int
        pattern:
          description: All of them match it, as C(SCAN) takes it. Others may match it as well.
          type: str
          sample: session:*
        sampled:
          description: Number of them that was measured.
          type: int
        keys:
          description: How many there are, estimated.
          type: int
        bytes:
          description: What they take, estimated.
          type: int
        share:
          description: Percent of RV(sample.bytes).
          type: float
        margin:
          description: In 19 of 20 samples the true share is no further away than this.
          type: float
        without_ttl:
          description: Percent of them without a TTL; null where C(PTTL) is refused.
          type: float
        persistent_bytes:
          description: What those take, estimated.
          type: int
        ttl_seconds:
          description: The longest TTL that one of them has.
          type: int
        idle_seconds:
          description: How long ago half of them were last used; null with a policy that counts uses.
          type: int
        types:
          description: Number measured by type.
          type: dict
        biggest:
          description: The biggest of those measured.
          type: dict
    patterns_left_out:
      description: Number of patterns beyond these.
      type: int
    caches:
      description: The same for each pattern of C(caches) in O(redis).
      type: list
      elements: dict
    biggest:
      description:
        - The five biggest keys measured, with name, database, type, bytes, TTL and idle time. Of a session
          or a token only the pattern is told.
      type: list
      elements: dict
latency:
  description: Events that the server itself found slow, if C(latency-monitor-threshold) is set.
  returned: success
  type: list
  elements: dict
slow:
  description: The slowest commands of its slow log, at most 20, without what they carry.
  returned: success
  type: list
  elements: dict
doctor:
  description: What C(MEMORY DOCTOR) says.
  returned: success
  type: str
statistics:
  description: What C(MEMORY STATS) says.
  returned: success
  type: dict
unseen:
  description: What could not be seen, and why.
  returned: success
  type: list
  elements: str
findings:
  description: Whether memory is full, and why.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec, run_info
from ansible_collections.firebreak.incident.plugins.module_utils.redis import entry
from ansible_collections.firebreak.incident.plugins.module_utils.redis.memory.inform import SPEC, inform, look


def main() -> None:
    module = AnsibleModule(
        argument_spec={**SPEC, **entry.SPEC, **context_spec()},
        supports_check_mode=True,
    )
    try:
        result = run_info(observe=lambda: look(module.params), decide=inform)
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
