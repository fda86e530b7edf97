# SPDX-License-Identifier: GPL-3.0-or-later
"""Goes through the keys of a pattern, a little at a time, and removes them or sets when they expire.

Each step is a script in the server: it looks at a key's type and TTL and acts on it with nobody in between,
and no key has to travel. A step is kept so short that other clients hardly notice it, and as much time is
left to them after it.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Callable, Sequence

from ...clients.redis import Redis
from ...errors import FirebreakError

# A step should take so many seconds; by that the number of keys in the next one is chosen.
STEP = 0.001
FEWEST, FIRST, MOST = 10, 100, 1000
# Between two steps the server answers everybody who waits. Beside that it gets a rest, as a share of what the
# steps took; it is no use to sleep for less than `NAP` seconds.
REST, NAP = 0.2, 0.002
# A survey ends after so many seconds, when it has found nothing yet after so many more.
ENOUGH, PATIENCE = 0.2, 30.0
# The clocks that an expiry is computed with may differ by so many milliseconds.
TOLERANCE = 100
NO_LIMIT = -1

UNLINK, EXPIRE, PERSIST, SURVEY = "unlink", "expire", "persist", "survey"

# ARGV: verb, cursor, pattern, count, types (",string,hash,"; empty: any), keys left, bytes left (-1: any
# number), moment and spread in ms, "cluster" or nothing. Answers: cursor, matching, done, bytes, spared,
# without TTL, then each type and its count. The cursor is "full" when more would be done than is left. Of one
# type and with no bytes to count, keys are not asked about one by one; but on a node of a cluster those of
# several slots cannot go in one command.
_SCRIPT = f"""
local verb, types = ARGV[1], ARGV[5]
local keys_left, bytes_left = tonumber(ARGV[6]), tonumber(ARGV[7])
local at, spread = tonumber(ARGV[8]), tonumber(ARGV[9])
local only = string.match(types, '^,(%a+),$')
if verb == 'unlink' and only and bytes_left < 0 and ARGV[10] == '' then
  local page = redis.call('SCAN', ARGV[2], 'MATCH', ARGV[3], 'COUNT', ARGV[4], 'TYPE', only)
  local keys = page[2]
  if #keys == 0 then return {{page[1], 0, 0, 0, 0, 0}} end
  local last = keys_left >= 0 and math.min(#keys, keys_left) or #keys
  local done = last > 0 and redis.call('UNLINK', unpack(keys, 1, last)) or 0
  return {{last < #keys and 'full' or page[1], #keys, done, 0, 0, 0}}
end
local page = redis.call('SCAN', ARGV[2], 'MATCH', ARGV[3], 'COUNT', ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if verb == 'expire' and at <= now then
  return redis.error_reply('ERR the moment to expire at has passed')
end
local done, bytes, spared, lasting, kinds = 0, 0, 0, 0, {{}}
local function expiry(key)
  return at + tonumber(string.sub(redis.sha1hex(key), 1, 8), 16) % spread
end
for _, key in ipairs(page[2]) do
  local kind = redis.call('TYPE', key).ok
  local ttl = verb ~= 'unlink' and redis.call('PTTL', key) or -1
  if verb == 'survey' then
    kinds[kind] = (kinds[kind] or 0) + 1
    if ttl == -1 then lasting = lasting + 1 end
  elseif types ~= '' and not string.find(types, ',' .. kind .. ',', 1, true) then
    spared = spared + 1
  elseif verb == 'persist' then
    if ttl >= 0 and math.abs(now + ttl - expiry(key)) <= {TOLERANCE} then
      done = done + redis.call('PERSIST', key)
    end
  elseif ttl == -1 then
    local size = bytes_left >= 0 and redis.call('MEMORY', 'USAGE', key) or 0
    if done == keys_left or (bytes_left >= 0 and bytes + size > bytes_left) then
      return {{'full', #page[2], done, bytes, spared, 0}}
    end
    bytes = bytes + size
    if verb == 'unlink' then
      done = done + redis.call('UNLINK', key)
    else
      done = done + redis.call('PEXPIREAT', key, string.format('%.0f', expiry(key)))
    end
  end
end
local answer = {{page[1], #page[2], done, bytes, spared, lasting}}
for kind, count in pairs(kinds) do
  answer[#answer + 1] = kind
  answer[#answer + 1] = count
end
return answer
"""


@dataclass(frozen=True)
class Work:
    """What is done to the keys of `pattern` in the database that the connection is in.

    `types` are those that are meant; none means any. `max_keys` and `max_bytes` are budgets, `NO_LIMIT` is
    none. A key expires at the moment `at` plus a part of `spread` that its name decides, in milliseconds, so
    that it can be told afterwards who gave it its TTL, and not all go at once. `cluster` says that the keys
    of one pattern may not be named in one command; `only_lasting` that a survey is for those without a TTL.
    """

    verb: str
    pattern: str
    types: Sequence[str] = ()
    max_keys: int = NO_LIMIT
    max_bytes: int = NO_LIMIT
    at: int = 0
    spread: int = 1
    cluster: bool = False
    only_lasting: bool = False


@dataclass
class Tally:
    """`done` keys of `matching` that were met, and their `bytes` where these are counted.

    `spared` were of a type that is not meant, `lasting` have no TTL, `types` says how many there are of each.
    `whole`: every key was looked at; `full`: the budget is used up. `longest` is the longest step in seconds.
    """

    matching: int = 0
    done: int = 0
    bytes: int = 0
    spared: int = 0
    lasting: int = 0
    types: Counter[str] = field(default_factory=Counter)
    whole: bool = False
    full: bool = False
    seconds: float = 0.0
    longest: float = 0.0
    steps: int = 0
    looked_at: int = 0


def carry_out(
    connection: Redis,
    work: Work,
    seconds: float,
    tally: Tally,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Go through all keys, for `seconds` at most; count in `tally`. Raises `ServerError`, `Unreachable`."""
    began = clock()
    cursor, count, owed = "0", FIRST, 0.0
    while True:
        started = clock()
        answer = _step(connection, work, cursor, count, tally)
        took = clock() - started
        _add(tally, answer, count)
        tally.steps, tally.longest = tally.steps + 1, max(tally.longest, took)
        tally.seconds = clock() - began
        cursor = str(answer[0])
        tally.whole, tally.full = cursor == "0", cursor == "full"
        if tally.whole or tally.full or tally.seconds >= seconds or _surveyed(work, tally):
            return
        count = max(FEWEST, min(MOST, int(count * min(2.0, STEP / max(took, 1e-6)))))
        owed += took * REST
        if owed >= NAP:
            pause(owed)
            owed = 0.0


def survey(connection: Redis, pattern: str, only_lasting: bool = False) -> Tally:
    """Which keys there are, or which without a TTL.

    Not `whole` means that it was enough to tell the shares, or, when none was found, that the time was over.
    """
    tally = Tally()
    carry_out(connection, Work(SURVEY, pattern, only_lasting=only_lasting), PATIENCE, tally)
    return tally


def _surveyed(work: Work, tally: Tally) -> bool:
    found = tally.lasting if work.only_lasting else tally.matching
    return work.verb == SURVEY and found > 0 and tally.seconds >= ENOUGH


def _step(connection: Redis, work: Work, cursor: str, count: int, tally: Tally) -> Sequence[Any]:
    types = f",{','.join(work.types)}," if work.types else ""
    keys = NO_LIMIT if work.max_keys == NO_LIMIT else work.max_keys - tally.done
    size = NO_LIMIT if work.max_bytes == NO_LIMIT else work.max_bytes - tally.bytes
    words = (work.verb, cursor, work.pattern, count, types, keys, size, work.at, work.spread)
    answer: Sequence[Any] = connection.execute("EVAL", _SCRIPT, 0, *words, "cluster" if work.cluster else "")
    if not _makes_sense(answer):
        raise FirebreakError("redis", "its answer to a script makes no sense", "See what answers there.")
    return answer


def _makes_sense(answer: Any) -> bool:
    """The cursor, five counts, and pairs of a name and a count."""
    if not isinstance(answer, list) or len(answer) < 6:
        return False
    counts = answer[1:6] + answer[7::2]
    named = all(isinstance(kind, str) for kind in answer[6::2])
    return named and all(isinstance(count, int) and count >= 0 for count in counts)


def _add(tally: Tally, answer: Sequence[Any], count: int) -> None:
    matching, done, size, spared, lasting = answer[1:6]
    tally.looked_at += count
    tally.matching += matching
    tally.done += done
    tally.bytes += size
    tally.spared += spared
    tally.lasting += lasting
    for kind, number in zip(answer[6::2], answer[7::2]):
        tally.types[kind] += number
