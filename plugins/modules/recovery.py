#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation of the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: recovery
short_description: Watch until users have been served well for long enough
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Runs M(firebreak.incident.recovery_info) on the host again and again. Every look must find everything
    well, for the whole O(window) without a break and at least O(passes) times; a look that does not
    begins it anew. How far it is, is told after each look.
  - A host with nothing to ask, neither a URL nor a Prometheus, fails at the first look.
  - A host that can no longer be reached is not well. It is given up as soon as the time that is left is
    too short.
  - In check mode it looks once. Changes nothing.
extends_documentation_fragment:
  - firebreak.incident.context
  - firebreak.incident.endpoints
  - firebreak.incident.recovery
  - firebreak.incident.services
options:
  window:
    description: How long everything must be well without a break, in seconds or as V(90s), V(30m), V(1h).
    type: str
    default: 30m
  interval:
    description: From the beginning of one look to that of the next, in seconds or as V(30s).
    type: str
    default: 30s
  passes:
    description: How many looks in a row must find everything well, however short the window is.
    type: int
    default: 3
  give_up_after:
    description: After which time it has not recovered, in seconds or as V(2h).
    type: str
    default: 2h
"""

EXAMPLES = r"""
- name: Have users been served well for ten minutes?
  firebreak.incident.recovery:
    window: 10m
    endpoints:
      - {url: "https://api.zekka.example/health", connect_to: "127.0.0.1:443"}
"""

RETURN = r"""
recovered:
  description: Whether it was well for long enough; null in check mode.
  returned: success
  type: bool
looks:
  description: How often it was looked.
  returned: success
  type: int
failures:
  description: How many looks found something wrong.
  returned: success
  type: int
consecutive_passes:
  description: How many looks in a row, up to the last, found everything well.
  returned: success
  type: int
last_reasons:
  description: What was wrong at the last look that found something.
  returned: success
  type: list
  elements: str
verdict:
  description: V(resolved) when it was well for long enough, else V(unchanged).
  returned: not in check mode
  type: str
after:
  description: How often it was looked, and with what result.
  returned: not in check mode
  type: dict
healthy:
  description: Whether nothing critical was found at the last look.
  returned: success
  type: bool
reasons:
  description: What was not well at the last look.
  returned: success
  type: list
  elements: str
probes:
  description: Each URL with its C(status), C(error) and C(seconds).
  returned: success
  type: list
  elements: dict
measured:
  description: >-
    What Prometheus says of C(errors) (percent) and C(latency) (seconds), each with C(value), null when there
    is nothing to count, and C(unseen), why it is not known.
  returned: success
  type: dict
findings:
  description: What is wrong, the worst first.
  returned: success
  type: list
  elements: dict
"""
