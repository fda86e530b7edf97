# SPDX-License-Identifier: GPL-3.0-or-later
"""The files from which Linux starts something without being asked, by kind."""

from __future__ import annotations

from typing import Mapping, Sequence

_UNIT_ROOTS = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd")
_UNIT_ENDINGS = ("service", "timer", "socket", "path")
_UNIT_NAMES = (*(f"*.{ending}" for ending in _UNIT_ENDINGS), "*.d/*.conf")
_GENERATORS = (
    "system-generators/*",
    "user-generators/*",
    "system-environment-generators/*",
    "user-environment-generators/*",
    "system-sleep/*",
    "system-shutdown/*",
)

PLACES: Mapping[str, Sequence[str]] = {
    "cron": (
        "/etc/crontab",
        "/etc/anacrontab",
        "/etc/cron.d/*",
        "/etc/cron.hourly/*",
        "/etc/cron.daily/*",
        "/etc/cron.weekly/*",
        "/etc/cron.monthly/*",
        "/etc/cron.yearly/*",
        "/etc/periodic/*/*",
        "/etc/crontabs/*",
        "/var/spool/cron/*",
        "/var/spool/cron/crontabs/*",
        "/var/spool/cron/tabs/*",
    ),
    "at": ("/var/spool/cron/atjobs/[a-z=]*", "/var/spool/at/[a-z=]*", "/var/spool/atjobs/[a-z=]*"),
    "unit": (
        *(
            f"{root}/{who}/{name}"
            for root in _UNIT_ROOTS
            for who in ("system", "user")
            for name in _UNIT_NAMES
        ),
        *(f"/etc/systemd/{who}.control/{name}" for who in ("system", "user") for name in _UNIT_NAMES),
        *(f"{root}/{name}" for root in _UNIT_ROOTS for name in _GENERATORS),
        "/etc/systemd/system.conf.d/*",
    ),
    "transient": ("/run/systemd/transient/*.service", "/run/systemd/transient/*.timer"),
    "preload": ("/etc/ld.so.preload",),
    "libraries": ("/etc/ld.so.conf", "/etc/ld.so.conf.d/*"),
    "pam": ("/etc/pam.conf", "/etc/pam.d/*", "/etc/security/pam_env.conf", "/etc/security/namespace.init"),
    "pam_module": (
        "/lib/security/*.so",
        "/lib64/security/*.so",
        "/usr/lib/security/*.so",
        "/usr/lib64/security/*.so",
        "/lib/*-linux-*/security/*.so",
        "/usr/lib/*-linux-*/security/*.so",
        "/usr/local/lib/security/*.so",
    ),
    "sudo": ("/etc/sudoers", "/etc/sudoers.d/*", "/etc/doas.conf", "/etc/polkit-1/rules.d/*"),
    "sshd": ("/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/*"),
    "shell": (
        "/etc/profile",
        "/etc/profile.d/*",
        "/etc/bash.bashrc",
        "/etc/bashrc",
        "/etc/environment",
        "/etc/environment.d/*",
        "/etc/zsh/*",
        "/etc/ssh/sshrc",
    ),
    "boot": (
        "/etc/rc.local",
        "/etc/rc.d/rc.local",
        "/etc/init.d/*",
        "/etc/inittab",
        "/etc/local.d/*",
        "/etc/rc.boot/*",
    ),
    "kernel": ("/etc/modules", "/etc/modules-load.d/*", "/etc/modprobe.d/*", "/run/modprobe.d/*"),
    "udev": ("/etc/udev/rules.d/*", "/run/udev/rules.d/*", "/usr/lib/udev/rules.d/*", "/lib/udev/rules.d/*"),
    "hook": (
        "/etc/apt/apt.conf",
        "/etc/apt/apt.conf.d/*",
        "/etc/dpkg/dpkg.cfg.d/*",
        "/etc/update-motd.d/*",
        "/etc/network/*.d/*",
        "/etc/NetworkManager/dispatcher.d/*",
        "/etc/networkd-dispatcher/*/*",
        "/etc/dhcp/dhclient-*-hooks.d/*",
        "/etc/ppp/*.d/*",
        "/etc/kernel/*.d/*",
        "/etc/letsencrypt/renewal-hooks/*/*",
        "/etc/logrotate.d/*",
        "/etc/dbus-1/system.d/*",
        "/etc/xdg/autostart/*",
        "/etc/initramfs-tools/hooks/*",
        "/usr/lib/python3/dist-packages/*.pth",
        "/usr/local/lib/python3*/*-packages/*.pth",
        "/usr/local/lib/python3*/*-packages/sitecustomize.py",
    ),
}

# Below the home of every account.
HOME_PLACES: Mapping[str, Sequence[str]] = {
    "unit": (
        *(f".config/systemd/user/{name}" for name in _UNIT_NAMES),
        *(f".local/share/systemd/user/{name}" for name in _UNIT_NAMES),
    ),
    "home_shell": (
        ".bashrc",
        ".bash_profile",
        ".bash_login",
        ".bash_logout",
        ".bash_aliases",
        ".profile",
        ".zshrc",
        ".zshenv",
        ".zprofile",
        ".zlogin",
        ".kshrc",
        ".config/fish/config.fish",
        ".config/autostart/*",
        ".xprofile",
        ".xsession",
    ),
    "shell": (".ssh/rc", ".ssh/environment"),
}

# Made once, when a system boots for the first time.
FIRST_BOOT = ("/etc/machine-id", "/etc/ssh/ssh_host_*_key")
# Where each of these speaks, the set-up is under way.
SETUP_SIGNS = (
    "/var/lib/cloud/instance/boot-finished",
    "/var/log/installer/*",
    "/etc/hostname",
    "/etc/fstab",
    "/etc/letsencrypt/live/*/README",
    "/etc/ssl/certs/ca-certificates.crt",
)
