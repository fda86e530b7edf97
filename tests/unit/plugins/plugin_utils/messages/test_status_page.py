# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ansible_collections.firebreak.incident.plugins.module_utils.errors import BadInput
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.channel import (
    ACCEPTED,
    UNKNOWN,
    Message,
)
from ansible_collections.firebreak.incident.plugins.plugin_utils.messages.status_page import StatusPage
from firebreak_lab import receivers
from firebreak_lab.receivers import DROP, FAIL, HANG, TAKE, Page

from .conftest import Place


@pytest.fixture
def public(place: Place, page: Page) -> Place:
    place.variables["firebreak_status_page"] = {"url": f"http://127.0.0.1:{page.port}", "token": "s3cret"}
    place.open(severity="P1", public="Logging in fails")
    return place


def of_page(result: dict[str, Any]) -> list[str]:
    return [each["state"] for each in result["messages"] if each["audience"] == "status_page"]


def test_an_incident_is_made_once_and_updated_afterwards(public: Place, page: Page) -> None:
    public.escalate(0)
    public.add("incident.update", text="pool of db1 exhausted", public="We found the cause")
    public.minute = 10
    public.add("incident.update", text="pool of db1 exhausted", public="We found the cause")
    public.escalate(11)
    public.add("incident.resolved", resolution="The database got more connections")
    public.escalate(20)
    ((first, second, last),) = page.incidents.values()
    assert (first["name"], first["status"]) == ("Logging in fails", "investigating")
    assert second["body"].startswith("We found the cause")
    assert last["status"] == "resolved"
    assert "Resolution: The database got more connections" in last["body"]
    assert page.tokens == {"Bearer s3cret"}
    assert not [text for text in (first, second, last) if "db1" in text["body"].partition("Reference:")[0]]


def test_a_page_that_fails_twice_has_it_once(public: Place, page: Page) -> None:
    page.behaviour = [FAIL, FAIL, TAKE]
    assert of_page(public.escalate(0)) == ["sent"]
    assert (len(page.incidents), len(page.seen)) == (1, 3)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("behaviour", [HANG, DROP])
def test_a_page_that_did_not_answer_is_asked_before_it_is_told_again(
    public: Place, page: Page, behaviour: str
) -> None:
    page.behaviour = [behaviour, TAKE]
    assert of_page(public.escalate(0)) == ["sent"]
    assert [len(texts) for texts in page.incidents.values()] == [1]
    public.escalate(30)
    assert [len(texts) for texts in page.incidents.values()] == [2]


@pytest.mark.usefixtures("impatient")
def test_an_update_that_was_not_answered_is_on_the_page_once(public: Place, page: Page) -> None:
    public.escalate(0)
    page.behaviour = [HANG, TAKE]
    assert of_page(public.escalate(30)) == ["sent"]
    assert [len(texts) for texts in page.incidents.values()] == [2]


def test_nothing_secret_is_told_of_a_page_that_is_away(public: Place) -> None:
    public.variables["firebreak_status_page"]["url"] = "http://127.0.0.1:1/hidden"
    result = public.escalate(0)
    assert "it could not be reached" in result["msg"]
    assert "hidden" not in json.dumps(result) and "s3cret" not in json.dumps(result)


def test_the_api_of_statuspage() -> None:
    message = Message("k", "inc-1", "initial", "status_page", "Logging in fails", "We look into it.")
    with receivers.status_page(inside="incident") as page:
        given = {"url": f"http://127.0.0.1:{page.port}", "token": "t", "kind": "statuspage", "page": "p1"}
        outcome = StatusPage.of(given).send(message, lambda: True)
        assert (outcome.result, outcome.data) == (ACCEPTED, {"page_incident": "1"})
        update = replace(message, key="k2", event="resolution")
        StatusPage.of(given, "1").send(update, lambda: True)
    assert [text["status"] for text in page.incidents["1"]] == ["investigating", "resolved"]
    assert page.tokens == {"OAuth t"}


@dataclass
class Cachet:
    """As Cachet keeps them: the first text belongs to the incident, what follows are its updates."""

    port: int = 0
    silent: bool = False
    incidents: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, str, str]] = field(default_factory=list)


@contextmanager
def cachet() -> Iterator[Cachet]:
    site = Cachet()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(site.updates if "/updates" in self.path else site.incidents)

        def do_POST(self) -> None:
            site.asked.append((self.command, self.path, str(self.headers["Authorization"])))
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            kept = site.updates if "/updates" in self.path else site.incidents
            kept.append({"id": len(kept) + 7, **body})
            if site.silent:
                self.connection.close()
                return
            self._answer(kept[-1])

        def _answer(self, data: Any) -> None:
            body = json.dumps({"data": data}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_given: Any) -> None: ...

    with receivers.served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as site.port:
        yield site


@pytest.mark.parametrize(("kind", "path"), [("cachet", "/api/v1/incidents"), ("cachet3", "/api/incidents")])
def test_an_incident_that_cachet_did_not_confirm_is_there_once(kind: str, path: str) -> None:
    message = Message("k", "inc-1", "initial", "status_page", "Logging in fails", "We look into it.")
    with cachet() as site:
        given = {"url": f"http://127.0.0.1:{site.port}", "token": "t", "kind": kind}
        site.silent = True
        assert StatusPage.of(given).send(message, lambda: True).result == UNKNOWN
        site.silent = False
        outcome = StatusPage.of(given).send(message, lambda: True)
        assert (outcome.result, outcome.data) == (ACCEPTED, {"page_incident": "7"})
        assert (len(site.incidents), site.updates) == (1, [])
        end = replace(message, key="k2", event="resolution")
        assert StatusPage.of(given, "7").send(end, lambda: True).result == ACCEPTED
        assert StatusPage.of(given, "7").send(end, lambda: True).result == ACCEPTED
    assert [(text["name"], text["status"], text["visible"]) for text in site.incidents] == [
        ("Logging in fails", 1, 1)
    ]
    assert [text["status"] for text in site.updates] == [4]
    assert [asked[1] for asked in site.asked] == [path, f"{path}/7/updates"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("https://x", "it cannot be read"),
        ({"url": "status.example", "token": "t"}, "it is no address of a web server"),
        ({"url": "https://[::bad", "token": "t"}, "it is no address of a web server"),
        ({"url": "file:///etc/passwd", "token": "t"}, "it is no address of a web server"),
        ({"url": "https://x"}, "Give it url and token"),
        ({"url": "https://x", "token": "t", "colour": "red"}, "it cannot be read"),
        ({"url": "https://x", "token": "t", "kind": "mine"}, "'mine' is not known. It is one of statuspage"),
        (
            {"url": "https://x", "token": "t", "kind": "statuspage"},
            r"firebreak_status_page\.page: it is missing",
        ),
    ],
)
def test_what_cannot_be_meant_is_named(given: Any, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        StatusPage.of(given)
