# SPDX-License-Identifier: GPL-3.0-or-later
"""What a collection contains, in the order of volatility (RFC 3227): the one table of it.

A smaller profile is contained in a larger one. Host and controller both read this table, so a host can
name only what is in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

from .places import ACCOUNTS, CHANGED, KERNEL, LOGS, PROC_NET, STARTUP

VOLATILE, STANDARD, FULL = PROFILES = ("volatile", "standard", "full")


@dataclass(frozen=True)
class State:
    """What /proc says of all processes; `read` names the function that reads it."""

    read: str


@dataclass(frozen=True)
class Program:
    """The output of a program. It is not asked, and nothing is missing, where `only_if` does not exist."""

    argv: tuple[str, ...]
    package: str
    only_if: str = ""
    timeout: float = 10.0
    optional: bool = False


@dataclass(frozen=True)
class Bundle:
    """Small files in one artefact, a JSON line each. `~` stands for every home directory."""

    patterns: tuple[str, ...]
    secret: tuple[str, ...] = ()


@dataclass(frozen=True)
class Files:
    """Whole files, an artefact each. `full_patterns` are added in the profile full."""

    patterns: tuple[str, ...]
    full_patterns: tuple[str, ...] = ()
    services: bool = False


@dataclass(frozen=True)
class Listing:
    """Names, owners, modes, times of what is below `roots`, without crossing into other filesystems.

    `hashed` says of which regular files there is a sha256: executables, all or none. `recent` leaves out
    what did not change within the window.
    """

    roots: tuple[str, ...]
    hashed: str = "none"
    recent: bool = False


@dataclass(frozen=True)
class Journal:
    """The journal, the newest entry first."""


@dataclass(frozen=True)
class Docker:
    """`what` is engine, inspect, top, changes, logs or compose_files."""

    what: str


Source = Union[State, Program, Bundle, Files, Listing, Journal, Docker]


@dataclass(frozen=True)
class Step:
    """One kind of artefact.

    `profile` is the smallest that contains it. A `bulk` step is asked for alone and leaves a share of the
    size budget to the others. Where there are several artefacts, their part comes before the ending of
    `file`.
    """

    name: str
    file: str
    profile: str
    about: str
    source: Source
    bulk: bool = False


CATALOGUE: tuple[Step, ...] = (
    Step("clock", "clock.json", VOLATILE, "the host's clock, boot time and time zone", State("clock")),
    Step(
        "processes",
        "processes.jsonl",
        VOLATILE,
        "every process: parent, user, start, command line, program, whether that was deleted, directory",
        State("processes"),
    ),
    Step("open_files", "open_files.jsonl", VOLATILE, "what each process has open", State("open_files")),
    Step(
        "connections",
        "connections.jsonl",
        VOLATILE,
        "TCP and UDP sockets of every network namespace, with the processes that own them",
        State("connections"),
    ),
    Step("memory_maps", "memory_maps.txt", VOLATILE, "what each process has mapped", State("memory_maps")),
    Step(
        "environment",
        "environment.jsonl",
        FULL,
        "the environment of every process; it holds secrets",
        State("environment"),
    ),
    Step(
        "sockets_ss",
        "sockets_ss.txt",
        VOLATILE,
        "the sockets as ss sees them, to hold against connections.jsonl",
        Program(("ss", "-tunapeiHO"), "iproute2"),
    ),
    Step("network", "network.jsonl", VOLATILE, "ARP, routes, interfaces, Unix sockets", Bundle(PROC_NET)),
    Step(
        "flows",
        "flows.txt",
        VOLATILE,
        "the flows that the kernel tracks",
        Files(("/proc/net/nf_conntrack",)),
    ),
    Step(
        "ip_addresses",
        "ip_addresses.json",
        VOLATILE,
        "addresses of the interfaces",
        Program(("ip", "-json", "-details", "address"), "iproute2"),
    ),
    Step(
        "ip_routes",
        "ip_routes.json",
        VOLATILE,
        "routes of every table",
        Program(("ip", "-json", "route", "show", "table", "all"), "iproute2"),
    ),
    Step(
        "ip_rules",
        "ip_rules.json",
        VOLATILE,
        "routing rules",
        Program(("ip", "-json", "rule"), "iproute2"),
    ),
    Step(
        "nftables",
        "nftables.txt",
        VOLATILE,
        "packet filter rules with counters",
        Program(("nft", "-a", "list", "ruleset"), "nftables"),
    ),
    Step(
        "iptables",
        "iptables.txt",
        VOLATILE,
        "packet filter rules of the older kind",
        # Without the condition it would load the module, and so change the host.
        Program(("iptables-legacy-save", "-c"), "iptables", "/proc/net/ip_tables_names", optional=True),
    ),
    Step(
        "kernel", "kernel.jsonl", VOLATILE, "version, command line, modules, taint, counters", Bundle(KERNEL)
    ),
    Step("kernel_log", "kernel_log.txt", VOLATILE, "what the kernel said since boot", State("kernel_log")),
    Step(
        "logged_in",
        "logged_in.jsonl",
        VOLATILE,
        "who is logged in",
        Bundle(("/run/utmp", "/run/systemd/sessions/*", "/run/systemd/users/*")),
    ),
    Step(
        "mounts",
        "mounts.jsonl",
        VOLATILE,
        "what is mounted",
        Bundle(("/proc/1/mountinfo", "/proc/self/mountinfo", "/proc/swaps", "/etc/fstab")),
    ),
    Step(
        "temporary_files",
        "temporary_files.jsonl",
        VOLATILE,
        "files in temporary directories, executables with their sha256",
        Listing(("/dev/shm", "/tmp", "/var/tmp"), hashed="executables"),
    ),
    Step(
        "deleted_binaries",
        "deleted_binary.bin",
        STANDARD,
        "programs that run and whose file was deleted",
        State("deleted_binaries"),
        bulk=True,
    ),
    Step("journal", "journal.jsonl", STANDARD, "the journal, the newest first", Journal(), bulk=True),
    Step(
        "logs",
        "log.raw",
        STANDARD,
        "log files and login records; those of the services too",
        Files(LOGS, ("/var/log/**",), services=True),
        bulk=True,
    ),
    Step("docker", "docker.json", STANDARD, "the engine and all containers", Docker("engine")),
    Step("docker_top", "docker_top.json", STANDARD, "processes of each container", Docker("top")),
    Step(
        "docker_inspect",
        "docker_inspect.json",
        STANDARD,
        "each container; values of its environment in the profile full only",
        Docker("inspect"),
    ),
    Step(
        "docker_changes",
        "docker_changes.json",
        STANDARD,
        "files that differ from the image (docker diff)",
        Docker("changes"),
    ),
    Step("docker_logs", "docker_logs.txt", STANDARD, "output of each container", Docker("logs"), bulk=True),
    Step("compose_files", "compose_files.jsonl", STANDARD, "compose files", Docker("compose_files")),
    Step(
        "cron",
        "cron.jsonl",
        STANDARD,
        "what is run by cron and at",
        Bundle(
            (
                "/etc/crontab",
                "/etc/anacrontab",
                "/etc/cron.*/*",
                "/var/spool/cron/**",
                "/var/spool/at/**",
            )
        ),
    ),
    Step(
        "units",
        "units.jsonl",
        STANDARD,
        "systemd units that do not come from packages",
        Bundle(
            (
                "/etc/systemd/**",
                "/run/systemd/system/**",
                "/run/systemd/generator*/**",
                "/usr/local/lib/systemd/**",
                "~/.config/systemd/**",
                "~/.local/share/systemd/**",
            )
        ),
    ),
    Step(
        "ssh",
        "ssh.jsonl",
        STANDARD,
        "authorized keys and the configuration of sshd",
        Bundle(
            (
                "~/.ssh/authorized_keys*",
                "~/.ssh/rc",
                "~/.ssh/known_hosts",
                "~/.ssh/config",
                "/etc/ssh/sshd_config*",
                "/etc/ssh/sshd_config.d/*",
                "/etc/ssh/authorized_keys/**",
                "/etc/ssh/sshrc",
                "/etc/ssh/*.pub",
            )
        ),
    ),
    Step(
        "accounts",
        "accounts.jsonl",
        STANDARD,
        "users, groups, sudo; password hashes in the profile full only",
        Bundle(ACCOUNTS, secret=("/etc/shadow", "/etc/gshadow")),
    ),
    Step(
        "startup",
        "startup.jsonl",
        STANDARD,
        "what is loaded or run at boot, at login and with every program",
        Bundle(STARTUP),
    ),
    Step("pam", "pam.jsonl", STANDARD, "how logins are decided", Bundle(("/etc/pam.d/*", "/etc/security/*"))),
    Step(
        "home_files",
        "home_files.jsonl",
        FULL,
        "hidden files of every home directory, shell histories among them",
        Bundle(("~/.*",)),
    ),
    Step(
        "recent_files",
        "recent_files.jsonl",
        STANDARD,
        "files and directories that changed within the window",
        Listing(CHANGED, hashed="executables", recent=True),
        bulk=True,
    ),
    Step(
        "hashes",
        "hashes.jsonl",
        FULL,
        "all files of the configuration and of what no package brings, with their sha256",
        Listing(("/dev/shm", "/etc", "/tmp", "/usr/local", "/var/tmp"), hashed="all"),
        bulk=True,
    ),
    Step(
        "packages",
        "packages_dpkg_verify.txt",
        STANDARD,
        "files of packages that differ from what was installed",
        Program(("dpkg", "--verify"), "dpkg", only_if="/var/lib/dpkg/status", timeout=120.0),
        bulk=True,
    ),
)
BY_NAME = {step.name: step for step in CATALOGUE}


def contains(profile: str, step: Step) -> bool:
    return PROFILES.index(step.profile) <= PROFILES.index(profile)


def of_profile(profile: str) -> tuple[Step, ...]:
    """The steps of a profile, the most volatile first."""
    return tuple(step for step in CATALOGUE if contains(profile, step))
