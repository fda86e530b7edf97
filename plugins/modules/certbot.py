#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renews the lineages of certbot that need it, and has nginx serve what was renewed."""

from __future__ import annotations

DOCUMENTATION = r"""
module: certbot
short_description: Renew certificates of certbot that need it, and prove that they are served
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Looks at what is served, at the files and at the lineages of certbot (2 to 5) first. Where a lineage was
    renewed and nginx was not reloaded, nginx is reloaded and nothing is ordered. Where nothing is due,
    nothing is done.
  - A lineage is due when less than a third of its lifetime is left, or less than half of a lifetime of up to
    10 days. It is renewed alone, by its name. Where it comes from Let's Encrypt, the staging server is asked
    first, so that a broken challenge costs nothing; other servers have no such twin.
  - With a configuration that nginx itself complains of nothing is ordered and nothing is reloaded. The
    certificate from before goes on being served, also when the authority refuses a new one.
  - A reload counts when a new handshake with every address of O(endpoints) shows the certificate of the file.
  - A renewal cannot be taken back, so every act is V(disruptive).
  - The symptom counts the addresses that serve what is expired, due or not the newest, and the lineages in
    need that none of these addresses serves.
extends_documentation_fragment:
  - firebreak.incident.services
  - firebreak.incident.endpoints
  - firebreak.incident.change
  - firebreak.incident.context
options:
  name:
    description: The one lineage that is meant, as in C(certbot certificates). All that need it, if not given.
    type: str
  force:
    description:
      - Renew the lineage O(name) although certbot does not hold it to be due. Only when it is expired, when
        its OCSP responder says that it is revoked, or when its private key does not fit it.
    type: bool
    default: false
  service:
    description: The key in O(services) of the nginx that ends TLS.
    type: str
    default: nginx
"""

EXAMPLES = r"""
- name: Renew what needs it, and have it served
  firebreak.incident.certbot:
    services:
      nginx: {runtime: systemd, unit: nginx.service}
    endpoints:
      - {url: "https://api.example.org/", connect_to: "127.0.0.1:443", certificate: api.example.org}
    max_risk: disruptive

- name: Renew one lineage whose key was lost
  firebreak.incident.certbot:
    name: api.example.org
    force: true
    services:
      nginx: {runtime: compose, project: shop, service: nginx}
    endpoints:
      - {url: "https://api.example.org/"}
    max_risk: disruptive
"""

RETURN = r"""
before:
  description: The state before anything was done, with the keys of C(after).
  returned: success
  type: dict
  sample: {service: nginx.service, configuration: null, lineages: [], endpoints: []}
after:
  description:
    - The same, measured again afterwards; the state before in check mode.
    - C(lineages) has of each C(name), C(fingerprint), C(not_after) (UTC) and in C(need) why it should be
      renewed.
      C(endpoints) has what each address serves, and in C(newest) whether it is the newest of its lineage.
      C(service) is what ends TLS, C(configuration) what it has against its configuration. At most 50 each.
  returned: success
  type: dict
  sample:
    service: nginx.service
    configuration: null
    lineages:
      - {name: api.example.org, fingerprint: "sha256:6c1e", not_after: "2026-03-01T10:00:00Z", need: null}
    endpoints:
      - {name: api.example.org, port: 443, address: 127.0.0.1, fingerprint: "sha256:6c1e",
         not_after: "2026-03-01T10:00:00Z", newest: true}
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
  description: What is still wrong with certificates, as M(firebreak.incident.certificate_info) says it.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.certificate.renewal.job import SPEC, job
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.lifecycle import change_spec, run_change


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **change_spec()}, supports_check_mode=True)
    try:
        result = run_change(module.params, module.check_mode, job(module.params))
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
