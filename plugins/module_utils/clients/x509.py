# SPDX-License-Identifier: GPL-3.0-or-later
"""What a certificate says, out of its DER. No child process: a hundred of them are a few milliseconds."""

from __future__ import annotations

import calendar
import hashlib
import ipaddress
import re
import time
from dataclasses import dataclass
from typing import Iterator, Mapping, Sequence

from ..errors import Unreachable

INTEGER, SEQUENCE = 0x02, 0x30
UTC_TIME, GENERALIZED_TIME, BMP_STRING = 0x17, 0x18, 0x1E
VERSION, EXTENSIONS = 0xA0, 0xA3
EMAIL, DNS, URI, ADDRESS, KEY_ID = 0x81, 0x82, 0x86, 0x87, 0x80
ALTERNATIVE_NAMES, SUBJECT_KEY, AUTHORITY_KEY = b"\x55\x1d\x11", b"\x55\x1d\x0e", b"\x55\x1d\x23"
ATTRIBUTES: Mapping[str, str] = {
    "2.5.4.3": "CN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.97": "organizationIdentifier",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
}
# Nobody needs longer ones, and a server may send anything: they end in findings.
OBJECT_BYTES, SERIAL_BYTES, TEXT, NAME = 64, 64, 256, 1000
_SPECIAL = re.compile(r'([,+"\\<>;]|^[# ]| $)')


@dataclass(frozen=True)
class Certificate:
    """`not_before` and `not_after` in seconds since the epoch, `names` as the certificate has them.

    `identity` and `authority` are the ids of its own key and of the one that signed it, empty where it does
    not tell.
    """

    fingerprint: str
    not_before: float
    not_after: float
    issuer: str
    serial: str
    names: tuple[str, ...]
    subject: str = ""
    identity: str = ""
    authority: str = ""

    @property
    def signs_itself(self) -> bool:
        return self.subject == self.issuer

    def covers(self, name: str) -> bool:
        """Whether it is for `name`; a * stands for one label."""
        wanted = name.lower().rstrip(".")
        parent = wanted.partition(".")[2]
        return any(each.lower() in (wanted, f"*.{parent}") for each in self.names)

    def issued(self, other: Certificate) -> bool:
        """Whether it may have signed the other one, by its name and where they tell by its key."""
        same_key = not (self.identity and other.authority) or self.identity == other.authority
        return self.subject == other.issuer and same_key


@dataclass(frozen=True)
class _Element:
    """One value of DER."""

    tag: int
    content: bytes

    def __iter__(self) -> Iterator[_Element]:
        return _elements(self.content)


def fingerprint(der: bytes) -> str:
    return "sha256:" + hashlib.sha256(der).hexdigest()


def read(der: bytes) -> Certificate:
    """Raises `Unreachable` for what is no certificate."""
    try:
        return _read(der)
    except (ValueError, IndexError, StopIteration, OverflowError) as error:
        raise Unreachable(
            f"certificate {fingerprint(der)}", "it cannot be read", "Look at it with: openssl x509 -text"
        ) from error


def _read(der: bytes) -> Certificate:
    signed = next(iter(next(_elements(der))))
    fields = [element for element in signed if element.tag != VERSION]
    serial, _algorithm, issuer, validity, subject, key = fields[:6]
    if serial.tag != INTEGER or key.tag != SEQUENCE:
        raise ValueError("no certificate")
    not_before, not_after = (_moment(element) for element in validity)
    extensions = _extensions(fields[6:])
    return Certificate(
        fingerprint=fingerprint(der),
        not_before=not_before,
        not_after=not_after,
        issuer=_name(issuer),
        serial=serial.content.lstrip(b"\0")[:SERIAL_BYTES].hex().upper() or "00",
        names=tuple(_alternatives(extensions.get(ALTERNATIVE_NAMES))) or (_name(subject),),
        subject=_name(subject),
        identity=_key_id(extensions.get(SUBJECT_KEY), 0x04),
        authority=_key_id(extensions.get(AUTHORITY_KEY), KEY_ID),
    )


def _elements(data: bytes) -> Iterator[_Element]:
    at = 0
    while at < len(data):
        start, size = at + 2, data[at + 1]
        if size & 0x80:
            digits = size & 0x7F
            if not 1 <= digits <= 4:
                raise ValueError("length")
            size = int.from_bytes(data[start : start + digits], "big")
            start += digits
        end = start + size
        if end > len(data):
            raise ValueError("cut off")
        yield _Element(data[at], data[start:end])
        at = end


def _moment(element: _Element) -> float:
    text = element.content.decode("ascii")
    if element.tag == UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif element.tag != GENERALIZED_TIME:
        raise ValueError("no time")
    moment = time.strptime(text, "%Y%m%d%H%M%SZ")
    if moment.tm_sec >= 60:
        # One that leads out of the year 9999 cannot be written any more.
        raise ValueError("no second")
    return float(calendar.timegm(moment))


def _name(element: _Element) -> str:
    """As RFC 4514 writes it: the last part first."""
    parts = ["+".join(_attribute(attribute) for attribute in part) for part in element]
    return ",".join(reversed(parts))[:NAME]


def _attribute(element: _Element) -> str:
    kind, value = list(element)[:2]
    text = value.content.decode("utf-16-be" if value.tag == BMP_STRING else "utf-8", "replace")
    number = _object(kind.content)
    return f"{ATTRIBUTES.get(number, number)}={_SPECIAL.sub(_escaped, text[:TEXT])}"


def _escaped(found: re.Match[str]) -> str:
    return "\\" + found.group()


def _object(content: bytes) -> str:
    if len(content) > OBJECT_BYTES:
        raise ValueError("object id")
    numbers, number = [], 0
    for byte in content:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return ".".join(str(each) for each in (first, numbers[0] - 40 * first, *numbers[1:]))


def _extensions(rest: Sequence[_Element]) -> Mapping[bytes, bytes]:
    """What is in each, by its object id."""
    found = {}
    for holder in rest:
        if holder.tag == EXTENSIONS:
            for extension in next(iter(holder)):
                parts = list(extension)
                found[parts[0].content] = parts[-1].content
    return found


def _alternatives(content: bytes | None) -> Iterator[str]:
    if content is None:
        return
    for name in next(_elements(content), ()):
        if name.tag == ADDRESS and len(name.content) in (4, 16):
            yield str(ipaddress.ip_address(name.content))
        elif name.tag in (EMAIL, DNS, URI):
            yield name.content[:TEXT].decode("ascii", "replace")


def _key_id(content: bytes | None, tag: int) -> str:
    if content is None:
        return ""
    first = next(_elements(content), None)
    if first is not None and first.tag == SEQUENCE:
        first = next((element for element in first if element.tag == tag), None)
    return first.content.hex() if first is not None and first.tag == tag else ""
