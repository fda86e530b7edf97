#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compares what is served with what nginx is told and what certbot holds."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certificate_info
short_description: Say which certificates are served, and what is wrong with them
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Compares, for every endpoint, the certificate that each of its addresses serves, the file that nginx is
    told to serve there, and the lineage of certbot that it belongs to. Changes nothing, and asks nobody but
    the endpoints, nginx and the container engine.
  - A certificate is due when less than a third of its lifetime is left, or less than half of one of up to
    10 days.
  - nginx is asked with C(nginx -T), on the host and in the containers that are called nginx or take a port of
    an endpoint. Where it refuses its configuration, that is said, and the files are read without it. A file
    in the layers of a container, or with a variable other than C($ssl_server_name) in its path, is not read.
  - At most four IPv4 and four IPv6 addresses of a name are asked, ten containers and 1000 lineages. Where
    there are more containers or lineages, that is said.
  - Whether a certificate was revoked is not looked at, for that takes asking its issuer.
extends_documentation_fragment:
  - firebreak.incident.context
  - firebreak.incident.endpoints
options:
  lineages:
    description: Whether lineages that no endpoint uses are looked at, too.
    type: bool
    default: true
  now:
    description: Judge as of this time, UTC in ISO 8601. The clock of the host by default.
    type: str
  timeout:
    description: Seconds for all of it. What does not answer in time is reported as not seen.
    type: int
    default: 15
"""

EXAMPLES = r"""
- name: What is wrong with the certificates?
  firebreak.incident.certificate_info:
    endpoints:
      - {url: "https://api.zekka.example/", connect_to: "127.0.0.1:443", certificate: api.zekka.example}
      - {url: "postgresql://db.zekka.example/"}

- name: What will be due by the first of May?
  firebreak.incident.certificate_info:
    endpoints: "{{ firebreak_endpoints }}"
    now: "2027-05-01T00:00:00Z"
"""

RETURN = r"""
endpoints:
  description: Every endpoint with TLS.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name that is asked for.
      type: str
    port:
      description: Where.
      type: int
    verified:
      description: Whether it was verified as a client would.
      type: bool
    state:
      description:
        - What is wrong, the worst of it.
        - C(healthy), C(expired), C(expiring), C(early) (not valid yet), C(not_reloaded) (renewed, and the old
          one still served), C(other_file) (what is served is not in the file, and not older), C(wrong_file)
          (nginx is told a file that is not the lineage's), C(outdated_file) (an older copy of the lineage's),
          C(chain_incomplete), C(name_mismatch), C(key_mismatch), C(untrusted) or C(unseen).
      type: str
    served:
      description:
        - Each C(address) with the C(certificate) that it serves, the C(complaint) of a client, and why it was
          C(unseen). Of each certificate the sha256 C(fingerprint), C(not_before), C(not_after),
          C(seconds_left), C(share_left) of its lifetime, C(issuer), C(serial) and C(names).
      type: list
      elements: dict
    files:
      description:
        - What nginx is told to serve there. C(path) on this host, the C(configured) path, C(place) in the
          configuration, C(container), C(certificate), C(chain_length) of the file, whether C(key_fits), and
          why it was C(unseen).
      type: list
      elements: dict
    file:
      description: The same of the file that the endpoint names, if any, without what nginx says of it.
      type: dict
    lineage:
      description: Name of the lineage that it belongs to.
      type: str
    unseen:
      description: Why not one address is known.
      type: str
lineages:
  description: The lineages of certbot; null when they could not be read.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    certificate:
      description: The newest, as above.
      type: dict
    due:
      description: Whether it should have been renewed by now.
      type: bool
    fullchain:
      description: Where it is for those who serve it.
      type: str
    key:
      description: Where its key is.
      type: str
    key_fits:
      description: Whether that is its key; null when that was not seen.
      type: bool
    server:
      description: URL of the ACME server.
      type: str
    authenticator:
      description: How certbot proves that it owns the names.
      type: str
    webroots:
      description: Directories by name, for C(webroot). A C(*) stands for every name.
      type: dict
    account:
      description: Id of its account.
      type: str
    account_present:
      description: Whether that is on this host.
      type: bool
    renews:
      description: False where automatic renewal is switched off.
      type: bool
    hook:
      description: What certbot runs after a renewal.
      type: str
    version:
      description: The version of certbot that wrote it.
      type: str
    endpoints:
      description: Those of O(endpoints) that it belongs to.
      type: list
      elements: str
    problem:
      description: Why it cannot be used or seen as it is.
      type: str
nginx:
  description:
    - Each nginx that was found, its C(container) (null on the host), how many C(certificates) it is told to
      serve, and what it says of a C(broken) configuration.
  returned: success
  type: list
  elements: dict
scheduled:
  description: The timers and cron tables that start certbot by themselves; null when that was not seen.
  returned: success
  type: list
  elements: str
complaints:
  description: What certbot last said was wrong, since it last received a certificate.
  returned: success
  type: list
  elements: str
findings:
  description: What is wrong, the worst first.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.certificate.inform import (
    SPEC,
    judge,
    observe,
)
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec, run_info


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **context_spec()}, supports_check_mode=True)
    try:
        result = run_info(lambda: observe(module.params), judge)
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
