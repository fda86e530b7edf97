# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as one object: up, down, run, reset."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from . import containers, state
from .engine import NotFound, Result, connect, exec_in
from .images import ensure_images
from .model import HOSTS, LABEL, Host, Image, LabError, host_named

BOOT_SECONDS = 180.0
SETTLE_SECONDS = 30.0
STILL_BOOTING = 75


class Progress:
    """Short lines with the seconds since the start."""

    def __init__(self, quiet: bool = False) -> None:
        self._start = time.monotonic()
        self._quiet = quiet
        self._lock = threading.Lock()

    def __call__(self, text: str) -> None:
        if not self._quiet:
            with self._lock:
                sys.stdout.write(f"{time.monotonic() - self._start:6.1f} s  {text}\n")
                sys.stdout.flush()


class Lab:
    """The containers of the lab, whichever checkout started them."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet

    @cached_property
    def client(self) -> Any:
        """The engine."""
        return connect()

    def container(self, name: str) -> Any:
        """The running container of a host."""
        container = containers.find(self.client, host_named(name))
        if container is None or container.status != "running":
            raise LabError(f"{name} is not running; start the lab: python -m firebreak_lab up")
        return container

    def up(self) -> None:
        """Make and start whatever is missing, and wait until every service is healthy."""
        say = Progress(self._quiet)
        built = ensure_images(self.client, say)
        network = containers.ensure_network(self.client)
        found = {host: containers.find(self.client, host) for host in HOSTS}
        values = self._secrets(found)
        public_key = state.ensure_key()
        archive = state.target_archive(public_key, values)
        adopt = not state.complete() or state.read_secrets() != values
        state.write_secrets(values)

        def bring(host: Host) -> bool:
            container = found[host]
            if container is not None and containers.outdated(self.client, host, container, network):
                say(f"{host.name} has changed: making it again")
                containers.remove_host(self.client, host)
                container = None
            if container is None:
                containers.create(self.client, host, network, archive)
                say(f"{host.name} starts")
            elif container.status != "running":
                container.start()
                say(f"{host.name} starts again")
            else:
                if adopt or not state.KNOWN_HOSTS.exists():
                    container.put_archive("/", archive)
                    self.run(host.name, ["lab-access"]).check(f"installing the key on {host.name}")
                self._wait(host, SETTLE_SECONDS)
                return adopt
            if host.carries:
                self._load_image(host, host.carries)
            self._wait(host, BOOT_SECONDS)
            say(f"{host.name} is healthy")
            return True

        changed = self._on_all(HOSTS, bring)
        if any(changed) or not state.KNOWN_HOSTS.exists():
            state.write_known_hosts(dict(self._on_all(HOSTS, self._host_keys)))
        if built:
            # What the new images have replaced; no container uses it any more.
            self.client.images.prune(filters={"label": f"{LABEL}=1", "dangling": True})
        say("the lab is up")

    def down(self) -> None:
        """Remove containers, network, volumes and `.lab/`; images stay."""
        say = Progress(self._quiet)
        count = containers.remove_all(self.client)
        state.remove()
        say(f"the lab is down, {count} containers removed")

    def status(self) -> dict[str, dict[str, str]]:
        """For each host what is not well, by service; nothing when all is."""

        def one(host: Host) -> tuple[str, dict[str, str]]:
            container = containers.find(self.client, host)
            if container is None:
                return host.name, {"container": "there is none"}
            if container.status != "running":
                return host.name, {"container": f"it is {container.status}"}
            return host.name, self._troubles(host)

        return dict(self._on_all(HOSTS, one))

    def run(
        self, host: str, argv: Sequence[str], *, timeout: float = 60, input: str | bytes | None = None
    ) -> Result:
        """Run a command on a host as root, past its network and sshd."""
        data = input.encode() if isinstance(input, str) else input
        return exec_in(self.container(host), argv, timeout=timeout, stdin=None if data is None else [data])

    def reset(self, host: str | None = None) -> None:
        """Put one host, or all, back to how it was after its first boot."""
        hosts = (host_named(host),) if host else HOSTS

        def one(target: Host) -> None:
            container = containers.find(self.client, target)
            if container is not None and container.status == "paused":
                container.unpause()
            end = time.monotonic() + BOOT_SECONDS
            while (done := self.run(target.name, ["lab-reset"], timeout=60)).rc == STILL_BOOTING:
                if time.monotonic() > end:
                    break
                time.sleep(0.5)
            done.check(f"resetting {target.name}")
            self._wait(target, SETTLE_SECONDS)

        self._on_all(hosts, one)

    def _on_all(self, hosts: Sequence[Host], work: Callable[[Host], Any]) -> list[Any]:
        with ThreadPoolExecutor(max_workers=len(hosts)) as pool:
            return list(pool.map(work, hosts))

    def _secrets(self, found: dict[Host, Any]) -> dict[str, str]:
        # The hosts hold the truth: another checkout may have started them.
        for host, container in found.items():
            if container is not None and container.status == "running" and host.systemd:
                result = exec_in(container, ["cat", f"{state.TARGET_DIR}/secrets.env"], timeout=10)
                if result.rc == 0:
                    return state.from_environment(result.stdout)
        return state.read_secrets() if state.SECRETS.exists() else state.new_secrets()

    def _troubles(self, host: Host) -> dict[str, str]:
        result = self.run(host.name, ["lab-health"], timeout=20)
        found = (line.partition("\t") for line in result.stdout.splitlines())
        troubles = {service: text for service, _, text in found if text}
        if result.rc and not troubles:
            words = (result.stderr or result.stdout).strip()[-300:]
            troubles["container"] = words or f"lab-health ended with {result.rc}"
        return troubles

    def _wait(self, host: Host, seconds: float) -> None:
        end = time.monotonic() + seconds
        while troubles := self._troubles(host):
            if time.monotonic() > end or troubles.get("lab-late", "").startswith("set-up failed"):
                text = "; ".join(f"{service}: {what}" for service, what in troubles.items())
                raise LabError(f"{host.name} is not healthy. {text}. Back to pristine: reset {host.name}")
            time.sleep(0.2)

    def _load_image(self, host: Host, carried: Image) -> None:
        """Give the host's own Docker an image, as a registry would."""
        end = time.monotonic() + 60
        while (
            ready := self.run(host.name, ["docker", "version", "-f", "{{.Server.Version}}"], timeout=10)
        ).rc:
            if time.monotonic() > end:
                why = ready.stderr.strip()[-200:]
                raise LabError(f"{host.name}: docker does not start ({why}): journalctl -u docker")
            time.sleep(0.3)
        try:
            image = self.client.images.get(carried.tag)
        except NotFound as error:
            raise LabError(f"image {carried.tag} is missing") from error
        inside = self.run(host.name, ["docker", "image", "inspect", "-f", "{{.Id}}", carried.tag], timeout=10)
        if inside.stdout.strip() == image.id:
            return
        data = image.save(chunk_size=1 << 20, named=carried.tag)
        loaded = exec_in(self.container(host.name), ["docker", "load", "-q"], timeout=120, stdin=data)
        loaded.check(f"loading {carried.tag} into {host.name}")

    def _host_keys(self, host: Host) -> tuple[tuple[str, ...], list[str]]:
        result = self.run(host.name, ["sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub"])
        lines = result.check(f"host keys of {host.name}").stdout.splitlines()
        keys = [" ".join(line.split()[:2]) for line in lines if line.strip()]
        return (host.name, host.ipv4, host.ipv6), keys
