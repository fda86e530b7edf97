#!/usr/bin/python
# GNU General Public License v3.0 or later, see LICENSE
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what takes the room of filesystems."""

from __future__ import annotations

DOCUMENTATION = r"""
module: disk_space_info
short_description: Say what takes the room of filesystems
version_added: 0.1.0
author: Firebreak maintainers (@firebreak)
description:
  - Walks once over each filesystem and says which directories, files, kinds of files, containers, caches,
    backups and deleted files take its bytes and inodes, and what of them no file explains. Writes nothing,
    so that it works where nothing can be written any more.
  - A walk stays on its filesystem. Links are not followed, mounts are not entered, a file with several names
    counts once and a sparse file for what it takes. Filesystems of the network and of FUSE are not touched.
  - It runs with low priority and ends with O(timeout); what was not reached by then is said.
  - Control characters and bytes that are not UTF-8 are shown in paths as escapes such as C(\n) and C(\xff).
  - As an ordinary user, it sees what that user may see, and says so.
extends_documentation_fragment:
  - firebreak.incident.postgres
  - firebreak.incident.services
  - firebreak.incident.context
options:
  paths:
    description:
      - What to look at. A directory stands for what is below it, a mount point or a file for the whole
        filesystem. Without any, all local filesystems, and those in memory on C(/run), C(/tmp), C(/var/tmp)
        and C(/dev/shm).
    type: list
    elements: str
    default: []
  top:
    description: How many directories and files to list of each filesystem, 1 to 500.
    type: int
    default: 20
  timeout:
    description: How long it may take, for example V(90s) or V(10m), up to an hour.
    type: str
    default: 60s
  backup:
    description: Where the backups are, as in C(firebreak_backup). They are counted, not verified.
    type: dict
    suboptions:
      directory:
        description: The directory, on this host.
        type: path
        default: /var/backups/firebreak
      keep:
        description: How many of each database are to be kept.
        type: int
        default: 7
      command:
        description: Of use to M(firebreak.incident.pg_backup) only.
        type: raw
      command_user:
        description: Of use to M(firebreak.incident.pg_backup) only.
        type: str
"""

EXAMPLES = r"""
- name: What fills the disks?
  firebreak.incident.disk_space_info:

- name: What fills the application's directory, and what do its backups take?
  firebreak.incident.disk_space_info:
    paths: [/opt/zekka]
    backup: {directory: /var/backups/zekka, keep: 7}
    top: 50
    timeout: 5m
"""

RETURN = r"""
filesystems:
  description: Each one that was looked at, or each directory of O(paths).
  returned: success
  type: list
  elements: dict
  contains:
    point:
      description: Where it is mounted.
      type: str
      sample: /var
    kind:
      description: Its type.
      type: str
      sample: ext4
    source:
      description: The device.
      type: str
    read_only:
      description: Whether it is mounted so.
      type: bool
    whole:
      description: Whether all of it was looked at, and not a directory only.
      type: bool
    size:
      description: Bytes of the filesystem.
      type: int
    used:
      description: Bytes in use.
      type: int
    available:
      description: Bytes left to ordinary users.
      type: int
    reserved:
      description: Bytes that are kept for root.
      type: int
    used_percent:
      description: As C(df) counts.
      type: float
    inodes:
      description: How many files it can have; V(0) where there is no limit.
      type: int
    inodes_used:
      description: How many it has.
      type: int
    inodes_available:
      description: How many more it can have.
      type: int
    inodes_used_percent:
      description: Share of them in use, null where there is no limit.
      type: float
    walk:
      description:
        - What was found, with C(roots) (where it began), C(seconds), C(complete) (the time sufficed),
          C(bytes) (of blocks), C(apparent_bytes) (what files claim to hold), C(sparse_files) and
          C(sparse_bytes) (those that claim 1 MiB more than they take, and what they do not take), C(files),
          C(directories), C(unreadable) (directories), C(first_unreadable) (by path, why) and C(mounts)
          (passed over).
      type: dict
    directories:
      description:
        - The largest directories. C(bytes) and C(entries) are those of the directory and what is below it,
          without other directories that are listed; C(total_bytes) and C(total_entries) are with them. So a
          directory that merely contains others is not listed. What has less than 1 % is not either.
      type: list
      elements: dict
    inode_directories:
      description: The same by the number of entries.
      type: list
      elements: dict
    files:
      description: The largest files, with C(path), C(kind), C(bytes), C(size) and C(modified).
      type: list
      elements: dict
    types:
      description:
        - C(bytes) and C(files) by what files are, judged by path and name. V(log), V(rotated_log), V(dump)
          (dumps, backups, archives), V(core), V(journal), V(package_cache), V(container_log),
          V(container_layer), V(database), V(wal), V(temporary) and V(other). Directories are not counted.
      type: dict
    ages:
      description: The same by when they were last written, within a V(day), V(week), V(month), or V(older).
      type: dict
    deleted_open:
      description:
        - Files without a name that a process holds open, with C(bytes), C(complete) (all processes were
          seen) and the first 20 in C(files).
      type: dict
    unaccounted:
      description:
        - In C(bytes), what is in use and was not found, null where that cannot be said; C(reasons) for it.
      type: dict
journal:
  description: C(bytes) of the journal in what was looked at, and C(directories) with theirs.
  returned: success
  type: dict
caches:
  description: Package caches, with C(name), C(path), C(bytes) and C(files).
  returned: success
  type: list
  elements: dict
wal:
  description:
    - WAL directories of PostgreSQL, with C(path), C(bytes), C(archive_waiting) (segments) and C(slots)
      (names, from the directory beside it).
  returned: success
  type: list
  elements: dict
postgres:
  description:
    - What the server of O(postgres) says of its WAL, with C(subject), C(bytes) (null where that may not be
      seen), C(max_bytes) (max_wal_size), C(slots), C(archiver) and C(waiting). Null without O(postgres).
  returned: success
  type: dict
docker:
  description:
    - What Docker has, with C(logs) (C(container), C(path), C(bytes), C(max_size)), C(layers) (what containers
      wrote into themselves), C(volumes) (C(name), C(path), C(used), C(bytes)), C(images_bytes),
      C(images_unused_bytes), C(build_cache_bytes) and C(build_cache_unused_bytes). Null where there is no
      engine; bytes are null where they were not looked at.
  returned: success
  type: dict
backups:
  description:
    - The dumps in the directory of O(backup), with C(directory), C(keep), C(count), C(bytes), C(oldest),
      C(newest) (in UTC), C(beyond) and C(beyond_bytes) (more than are to be kept), and C(directory_bytes),
      what everything in it takes. Null without O(backup).
  returned: success
  type: dict
unseen:
  description: Why something is not known, by the name of the part.
  returned: success
  type: dict
findings:
  description:
    - Filesystems without room or inodes, and what takes it. What takes 2 % of a filesystem that is short, or
      10 % and 1 GiB of any other; what could not be seen.
  returned: success
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.firebreak.incident.plugins.module_utils.disk.job import SPEC, look
from ansible_collections.firebreak.incident.plugins.module_utils.errors import FirebreakError
from ansible_collections.firebreak.incident.plugins.module_utils.information import context_spec


def main() -> None:
    module = AnsibleModule(argument_spec={**SPEC, **context_spec()}, supports_check_mode=True)
    try:
        result = look(module.params)
    except FirebreakError as error:
        module.fail_json(**error.as_result())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
