# SPDX-License-Identifier: GPL-3.0-or-later
"""The network and the containers: made when missing, made again when their definition has changed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import docker  # type: ignore[import-untyped]
from docker.errors import APIError, NotFound  # type: ignore[import-untyped]

from .engine import default_mtu, systemd_options
from .model import HOSTS, LABEL, NETWORK, SUBNET_V4, SUBNET_V6, Host, LabError

DEFINITION = f"{LABEL}.definition"
SYSCTLS = {
    # Docker inside a host routes, and cannot change this from within.
    "net.ipv4.ip_forward": "1",
    "net.ipv6.conf.all.disable_ipv6": "0",
    "net.ipv6.conf.default.disable_ipv6": "0",
    "net.ipv6.conf.all.forwarding": "1",
}


def ensure_network(client: Any) -> Any:
    """The dual-stack bridge of the lab."""
    try:
        network = client.networks.get(NETWORK)
    except NotFound:
        pools = [
            docker.types.IPAMPool(subnet=str(SUBNET_V4), gateway=str(SUBNET_V4[1])),
            docker.types.IPAMPool(subnet=str(SUBNET_V6), gateway=str(SUBNET_V6[1])),
        ]
        try:
            return client.networks.create(
                NETWORK,
                driver="bridge",
                enable_ipv6=True,
                labels={LABEL: "1"},
                ipam=docker.types.IPAMConfig(pool_configs=pools),
                options={
                    "com.docker.network.driver.mtu": str(default_mtu()),
                    "com.docker.network.bridge.name": "br-firebreak",
                },
            )
        except APIError as error:
            why = f"({SUBNET_V4}, {SUBNET_V6}) cannot be made: {error.explanation}"
            raise LabError(f"network {NETWORK} {why}") from error
    if (network.attrs.get("Labels") or {}).get(LABEL) != "1":
        raise LabError(f"a network {NETWORK} exists that is not the lab's (no label {LABEL}=1)")
    return network


def options_for(client: Any, host: Host) -> dict[str, Any]:
    """Everything the host's container is made with, except its place in the network."""
    options: dict[str, Any] = {
        "image": client.images.get(host.image.tag).id,
        "name": f"{NETWORK}-{host.name}",
        "hostname": host.name,
        "sysctls": SYSCTLS,
        "environment": {},
        "restart_policy": {"Name": "no"},
    }
    if host.systemd:
        options |= systemd_options(client, host.image.suite)
    else:
        v4, v6 = str(SUBNET_V4[0]).rpartition(".")[0], str(SUBNET_V6.network_address).removesuffix("::")
        options |= {"cap_add": ["NET_ADMIN"], "init": True}
        options["environment"] = {"LAB_V4_PREFIX": v4, "LAB_V6_PREFIX": v6}
    mounts = {f"{NETWORK}-{host.name}-{name}": {"bind": path, "mode": "rw"} for name, path in host.volumes}
    options["volumes"] = options.get("volumes", {}) | mounts
    return options


def definition(client: Any, host: Host, options: dict[str, Any], network_id: str) -> str:
    """A digest that changes whenever the container would be made differently."""
    carried = client.images.get(host.carries.tag).id if host.carries else ""
    text = json.dumps([options, host.ipv4, host.ipv6, network_id, carried], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def find(client: Any, host: Host) -> Any | None:
    """The host's container, if there is one that belongs to the lab."""
    try:
        container = client.containers.get(f"{NETWORK}-{host.name}")
    except NotFound:
        return None
    if container.labels.get(LABEL) != "1":
        raise LabError(f"a container {container.name} exists that is not the lab's (no label {LABEL}=1)")
    return container


def outdated(client: Any, host: Host, container: Any, network: Any) -> bool:
    """True when the container does not match its image or definition any more."""
    wanted = definition(client, host, options_for(client, host), network.id)
    return bool(container.labels.get(DEFINITION) != wanted)


def create(client: Any, host: Host, network: Any, archive: bytes) -> Any:
    """Make the host's container, give it its key and secrets, and start it."""
    options = options_for(client, host)
    labels = {
        LABEL: "1",
        f"{LABEL}.host": host.name,
        DEFINITION: definition(client, host, options, network.id),
    }
    for name, _ in host.volumes:
        client.volumes.create(f"{NETWORK}-{host.name}-{name}", labels={LABEL: "1"})
    endpoint = client.api.create_endpoint_config(ipv4_address=host.ipv4, ipv6_address=host.ipv6)
    try:
        container = client.containers.create(
            **options, labels=labels, network=NETWORK, networking_config={NETWORK: endpoint}, detach=True
        )
        container.put_archive("/", archive)
        container.start()
    except APIError as error:
        raise LabError(f"{host.name} does not start: {error.explanation}") from error
    return container


def remove_host(client: Any, host: Host) -> None:
    """Remove one host and its volumes."""
    container = find(client, host)
    if container is not None:
        container.remove(force=True, v=True)
    for name, _ in host.volumes:
        try:
            client.volumes.get(f"{NETWORK}-{host.name}-{name}").remove(force=True)
        except NotFound:
            continue


def remove_all(client: Any) -> int:
    """Remove everything that carries the lab's label, except images."""
    only = {"label": f"{LABEL}=1"}
    containers = client.containers.list(all=True, filters=only)
    for container in containers:
        container.remove(force=True, v=True)
    for network in client.networks.list(filters=only):
        network.remove()
    for volume in client.volumes.list(filters=only):
        volume.remove(force=True)
    return len(containers)


__all__ = ["HOSTS", "create", "ensure_network", "find", "outdated", "remove_all", "remove_host"]
