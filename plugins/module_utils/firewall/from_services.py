# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rules of ufw, fail2ban, hosts.deny and nginx keep an address out."""

from __future__ import annotations

from typing import Iterator, Mapping, Sequence

from ..clients import hosts_deny
from ..clients.fail2ban import Ban
from ..clients.hosts_deny import PATH, Entry
from ..clients.line_file import Edit
from ..clients.nginx import Access, without
from ..clients.ufw import Added, Numbered, Ufw
from ..plan import Undo
from .model import EVERYONE, EXACT, Block, Removal
from .scope import Wanted
from .span import is_address, span

EDIT_HOSTS_DENY, EDIT_NGINX = "firewall.edit_hosts_deny", "firewall.edit_nginx"
_UFW_VERBS = ("deny", "reject")


def ufw_blocks(found: Ufw, wanted: Sequence[Wanted]) -> Iterator[Block]:
    seen: dict[tuple[str, str], int] = {}
    for added in found.added:
        verb, address = _ufw_target(added)
        if address is None:
            continue
        nth = seen[verb, address] = seen.get((verb, address), 0) + 1
        number = _ufw_number(found.numbered, verb, address, nth)
        for each in wanted:
            scope = each.scope(span(address))
            if scope is None:
                continue
            removal = Removal(
                "firewall.delete_ufw_rule",
                {"spec": added.spec},
                Undo("firewall.add_ufw_rule", {"spec": added.spec, "number": number}),
            )
            yield Block(
                asked=each.address,
                address=address,
                layer="ufw",
                where=f"rule {number}" if number else "user rules",
                rule=f"ufw {added.spec}",
                scope=scope,
                removal=removal if scope == EXACT else None,
            )


def _ufw_target(added: Added) -> tuple[str, str | None]:
    words = added.words[1:] if added.words[:1] == ("route",) else added.words
    if not words or words[0] not in _UFW_VERBS:
        return "", None
    # Where a rule names both ends, the source is whom it keeps out.
    for preposition in ("from", "to"):
        if preposition in words[:-1]:
            address = words[words.index(preposition) + 1]
            if is_address(address):
                return words[0], address
    return words[0], None


def _ufw_number(numbered: Sequence[Numbered], verb: str, address: str, nth: int) -> int:
    """The place in the order of evaluation, 0 when it cannot be told."""
    mine = [
        line.number
        for line in numbered
        if line.action == verb.upper() and address in (line.source, line.to.partition(" ")[0])
    ]
    return mine[nth - 1] if nth <= len(mine) else 0


def fail2ban_blocks(bans: Mapping[str, Sequence[Ban]], wanted: Sequence[Wanted]) -> Iterator[Block]:
    """One block for each jail; whichever is removed, fail2ban lets the address go everywhere."""
    holding: dict[str, dict[str, Ban]] = {}
    for jail, banned in bans.items():
        for ban in banned:
            if is_address(ban.address):
                holding.setdefault(ban.address, {})[jail] = ban
    spans = {address: span(address) for address in holding}
    for each in wanted:
        for address, jails in holding.items():
            scope = each.scope(spans[address])
            if scope is None:
                continue
            removal = Removal(
                "fail2ban.unban",
                {"address": address},
                Undo("fail2ban.ban", {"address": address, "jails": list(jails)}),
            )
            for name, ban in jails.items():
                yield Block(
                    asked=each.address,
                    address=address,
                    layer="fail2ban",
                    where=f"jail {name}",
                    rule=f"banned in jail {name}",
                    scope=scope,
                    until=ban.until,
                    removal=removal if scope == EXACT else None,
                )


def hosts_deny_blocks(entries: Sequence[Entry], wanted: Sequence[Wanted]) -> Iterator[Block]:
    for entry in entries:
        held = _hosts_pattern(entry.client)
        if held is None:
            continue
        for each in wanted:
            scope = EVERYONE if held == "ALL" else each.scope(span(held))
            if scope is None:
                continue
            edit = Edit(PATH, entry.number, entry.line, hosts_deny.without(entry.line, entry.client))
            yield Block(
                asked=each.address,
                address=entry.client,
                layer="hosts.deny",
                where=f"{PATH} line {entry.number}",
                rule=entry.line.strip(),
                scope=scope,
                removal=_edit_hosts_deny(edit) if scope == EXACT and entry.editable else None,
                because="" if entry.editable else "the entry has exceptions or goes on in the next line",
            )


def _hosts_pattern(client: str) -> str | None:
    """A client of hosts.deny as an address or network, `ALL`, or None for names of hosts and groups."""
    if client == "ALL":
        return client
    text = client.replace("[", "").replace("]", "")
    if text.endswith(".") and is_address(text + ".".join("0" * (4 - text.count(".")))):
        octets = text.count(".")
        return f"{text}{'.'.join('0' * (4 - octets))}/{8 * octets}"
    return text if is_address(text) else None


def nginx_blocks(rules: Sequence[Access], wanted: Sequence[Wanted]) -> Iterator[Block]:
    """Every `deny` that is not preceded by an `allow` for the same address in the same level.

    `deny all` of a single location keeps nobody in particular out, and is passed over.
    """
    for each in wanted:
        admitted: set[int] = set()
        for access in rules:
            scope = _nginx_scope(each, access)
            if scope is None or access.level in admitted:
                continue
            if access.verb == "deny":
                if not (scope == EVERYONE and "location " in access.block):
                    yield _nginx_block(each, access, scope)
            elif access.what == "all" or each.span.within(span(access.what)):
                admitted.add(access.level)


def _nginx_scope(wanted: Wanted, access: Access) -> str | None:
    if access.what == "all":
        return EVERYONE
    return wanted.scope(span(access.what)) if is_address(access.what) else None


def _nginx_block(wanted: Wanted, access: Access, scope: str) -> Block:
    edit = Edit(access.path, access.number, access.line, without(access.line, access.what))
    return Block(
        asked=wanted.address,
        address=access.what,
        layer="nginx",
        where=f"{access.path} line {access.number}" + (f" in {access.block}" if access.block else ""),
        rule=access.statement,
        scope=scope,
        removal=_edit_nginx(edit) if scope == EXACT and access.editable else None,
        because="" if access.editable else "it does not stand on one line",
    )


def _edit_hosts_deny(edit: Edit) -> Removal:
    undo = Undo("firewall.edit_hosts_deny", edit.reverse.as_identity())
    return Removal("firewall.edit_hosts_deny", edit.as_identity(), undo)


def _edit_nginx(edit: Edit) -> Removal:
    undo = Undo("firewall.edit_nginx", edit.reverse.as_identity())
    return Removal("firewall.edit_nginx", edit.as_identity(), undo)


def refitted(block: Block, removal: Removal, line: str) -> Removal:
    """The same removal for a line from which an earlier act of the plan takes something out."""
    edit = Edit.of(removal.identity)
    without_entry, edited = _EDITS[removal.action]
    return edited(Edit(edit.path, edit.number, line, without_entry(line, block.address)))


_EDITS = {
    EDIT_HOSTS_DENY: (hosts_deny.without, _edit_hosts_deny),
    EDIT_NGINX: (without, _edit_nginx),
}
