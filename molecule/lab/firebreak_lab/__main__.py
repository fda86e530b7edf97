# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m firebreak_lab up|down|status|reset|attack|probe|break|mend"""

from __future__ import annotations

import argparse
import sys
import time

from .attack import SERVER_NAMES, Attacker
from .faults import FAULTS, begin, end
from .lab import Lab
from .model import LabError, lab_hosts


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="firebreak_lab", description="The Firebreak lab.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up", help="make and start it, wait until it is healthy")
    commands.add_parser("down", help="remove it; images stay")
    commands.add_parser("status", help="what is not well")
    reset = commands.add_parser("reset", help="back to how it was after the first boot")
    reset.add_argument("host", nargs="?", choices=sorted(lab_hosts()))
    attack = commands.add_parser("attack", help="failed ssh logins from an address of the client")
    attack.add_argument("--attempts", type=int, default=30)
    probe = commands.add_parser("probe", help="can an address of the client make a new connection?")
    probe.add_argument("--port", type=int, default=443)
    probe.add_argument(
        "--expect", choices=["open", "closed"], default="open", help="anything else ends with 1"
    )
    for command in (attack, probe):
        command.add_argument("--source", type=int, default=66, help="50, or 66 to 75")
        command.add_argument("--family", choices=["ipv4", "ipv6"], default="ipv4")
        command.add_argument("host", choices=sorted(SERVER_NAMES))
    for name, what in (("break", "break one thing"), ("mend", "mend it again")):
        commands.add_parser(name, help=what).add_argument("fault", choices=sorted(FAULTS))
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 when it did what was asked."""
    args = _parser().parse_args(argv)
    try:
        return _run(args, Lab())
    except LabError as error:
        print(f"firebreak_lab: {error}", file=sys.stderr)
        return 1


def _run(args: argparse.Namespace, lab: Lab) -> int:
    if args.command == "up":
        lab.up()
    elif args.command == "down":
        lab.down()
    elif args.command == "status":
        return _status(lab)
    elif args.command == "reset":
        start = time.monotonic()
        lab.reset(args.host)
        print(f"{time.monotonic() - start:6.1f} s  {args.host or 'the lab'} is as after its first boot")
    elif args.command == "attack":
        print(Attacker(lab).attack(args.host, args.source, attempts=args.attempts, family=args.family))
    elif args.command == "probe":
        state = (
            "open" if Attacker(lab).probe(args.host, args.port, args.source, family=args.family) else "closed"
        )
        print(state)
        return int(state != args.expect)
    else:
        print((begin if args.command == "break" else end)(lab, args.fault))
    return 0


def _status(lab: Lab) -> int:
    report = lab.status()
    for name, host in lab_hosts().items():
        troubles = report[name]
        print(f"{name:10} {host.ipv4:15} {host.ipv6:12} {'healthy' if not troubles else 'not healthy'}")
        for service, text in troubles.items():
            print(f"{'':10} {service}: {text}")
    return 1 if any(report.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
