# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest

TOOLS = Path(__file__).resolve().parents[3] / "tools"

DECIDE = """
from x import Act, Finding, Remedy, Undo
from ..remedies import ASK
FLUSH = "disk.flush"
def decide(seen):
    level, said = (CRITICAL, "dead") if seen.dead else (WARNING, "slow")
    yield Finding(id="disk.space.low", level=level, subject=seen.point,
        summary=f"{seen.point} is {used(seen):.0f} % full: {_size(seen.left)} | left, " + f"<b>{said}</b>",
        remedy=Remedy("fix_disk_space", {}))
    yield _oom(NOTICE, "one")
    yield _oom(CRITICAL, f"{len(seen.kills)} killed")
def _oom(level, summary):
    return Finding("host.memory.oom", level, "memory", summary)
def plan(seen):
    yield Act("disk.truncate", seen.path, {}, DESTRUCTIVE, "full")
    yield Act(action="disk.rotate", risk=REVERSIBLE, reason="", undo=Undo("disk.unrotate", {}))
    yield Act(action=seen.action, risk=REVERSIBLE, reason="")
    yield Act(FLUSH, seen.path, {}, DISRUPTIVE, "full")
    yield Finding(id="disk.space.odd", level=NOTICE, subject="", summary="odd", remedy=ASK if seen else None)
"""

META = """
short_description: &short Make room
argument_specs:
  main:
    short_description: *short
    x_changes: true
    options:
      path: {type: str, required: true, description: Where.}
      keep: {type: int, default: 7, description: How many., x_survey: {min: 1, max: 99}}
      parts: {type: list, elements: str, choices: [a, b], default: [a], description: [What., Which.]}
      password: {type: str, no_log: true, description: Secret.}
      all_hosts: {type: bool, default: false, description: All.}
      max_risk: {type: str, choices: [reversible, destructive], default: reversible, description: Risk.}
"""

CATALOGUE = """
CATALOGUE: tuple = (
    Step("clock", "clock.json", VOLATILE, "the clock", State("clock")),
    Step("hashes", "hashes.jsonl", FULL, "every file", Listing(("/etc",)), bulk=True),
)
"""

MODULE = 'DOCUMENTATION = r"""\nmodule: x\nshort_description: {}\n"""\n'

Docs = Callable[..., int]


@pytest.fixture
def docs(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(TOOLS))
    loader = SourceFileLoader("firebreak_docs", str(TOOLS / "docs"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, loader.name, module)
    loader.exec_module(module)
    return module


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in {
        "README.md": "# X\n<!-- generated: playbooks -->\nold\n<!-- end -->\ntail\n",
        "docs/all.md": "".join(
            f"<!-- generated: {name} -->\n<!-- end -->\n"
            for name in ("inputs", "findings", "modules", "actions", "artefacts")
        ),
        "docs/awx/gone.json": "{}\n",
        "playbooks/fix_disk_space.meta.yml": META,
        "plugins/modules/disk.py": MODULE.format("Make room"),
        "plugins/modules/disk_info.py": MODULE.format("Look for room"),
        "plugins/module_utils/disk/decide.py": DECIDE,
        "plugins/module_utils/evidence/catalogue.py": CATALOGUE,
        "plugins/module_utils/remedies.py": 'ASK = Remedy("triage", {})\n',
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def row(tree: Path, start: str, name: str = "docs/all.md") -> list[str]:
    (found,) = [line for line in (tree / name).read_text().splitlines() if line.startswith(f"| {start} |")]
    return [cell.strip() for cell in found.strip("|").replace("\\|", "¦").split("|")]


def test_writing_makes_the_check_pass_and_it_fails_again_after_a_change(
    docs: Any, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert docs.main(["--check"], tree) == 1
    assert docs.main([], tree) == 0
    assert docs.main(["--check"], tree) == 0
    capsys.readouterr()
    meta = tree / "playbooks/fix_disk_space.meta.yml"
    meta.write_text(meta.read_text().replace("default: 7", "default: 9"))
    assert docs.main(["--check"], tree) == 1
    shown = capsys.readouterr().out
    assert "+| `keep` | int |  | `9` | How many. |" in shown and '+      "default": 9,' in shown


def test_the_text_around_the_tables_is_left_alone(docs: Any, tree: Path) -> None:
    docs.main([], tree)
    text = (tree / "README.md").read_text()
    assert text.startswith("# X\n<!-- generated: playbooks -->\n| Playbook |")
    assert text.endswith("|\n<!-- end -->\ntail\n")
    assert row(tree, "`fix_disk_space`", "README.md") == [
        "`fix_disk_space`",
        "Make room",
        "yes",
        "reversible",
    ]


def test_findings_are_read_off_the_source(docs: Any, tree: Path) -> None:
    docs.main([], tree)
    assert row(tree, "`disk.space.low`") == [
        "`disk.space.low`",
        "critical, warning",
        "&lt;point> is &lt;seen> % full: &lt;left> ¦ left, &lt;b>&lt;said>&lt;/b>",
        "`fix_disk_space`",
        "`disk/decide.py`",
    ]


def test_levels_and_words_handed_to_a_helper_are_found(docs: Any, tree: Path) -> None:
    docs.main([], tree)
    cells = row(tree, "`host.memory.oom`")
    assert cells[1:3] == ["critical, notice", "one<br>&lt;kills> killed"]


def test_acts_have_their_risk_and_their_undo(docs: Any, tree: Path) -> None:
    docs.main([], tree)
    assert row(tree, "`disk.truncate`") == ["`disk.truncate`", "destructive", ""]
    assert row(tree, "`disk.rotate`") == ["`disk.rotate`", "reversible", "`disk.unrotate`"]


def test_names_kept_in_constants_are_followed_into_other_files(docs: Any, tree: Path) -> None:
    docs.main([], tree)
    assert row(tree, "`disk.flush`") == ["`disk.flush`", "disruptive", ""]
    assert row(tree, "`disk.space.odd`")[3] == "`triage`"


def test_what_a_collection_of_evidence_holds_is_listed_in_its_order(docs: Any, tree: Path) -> None:
    docs.main([], tree)
    assert row(tree, "`clock`") == ["`clock`", "volatile", "the clock"]
    assert row(tree, "`hashes`") == ["`hashes`", "full", "every file"]


def test_modules_are_shown_with_their_pair(docs: Any, tree: Path) -> None:
    docs.main([], tree)
    assert row(tree, "`disk`") == ["`disk`", "Make room", "`disk_info`"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            'Finding(id=f"{x}.bad", level=NOTICE, subject="", summary="")',
            "the id of a finding is not a literal",
        ),
        ('Finding(id="a.b.c", level=unknown(), subject="", summary="")', "the level of a.b.c cannot be told"),
    ],
)
def test_a_finding_that_cannot_be_listed_is_an_error(
    docs: Any, tree: Path, capsys: pytest.CaptureFixture[str], source: str, message: str
) -> None:
    (tree / "plugins/module_utils/disk/decide_more.py").write_text(f"found = {source}\n")
    assert docs.main([], tree) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- generated: nonsense -->\n<!-- end -->\n", "there is no table nonsense"),
        ("", "no document has a place for playbooks"),
    ],
)
def test_a_table_without_a_place_and_a_place_without_a_table(
    docs: Any, tree: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (tree / "README.md").write_text(text)
    assert docs.main([], tree) == 1
    assert message in capsys.readouterr().err


def test_the_survey_asks_what_awx_can_ask(docs: Any, tree: Path) -> None:
    docs.main([], tree)
    spec = json.loads((tree / "docs/awx/fix_disk_space.json").read_text())["spec"]
    questions = {question["variable"]: question for question in spec}
    assert {name: question["type"] for name, question in questions.items()} == {
        "path": "text",
        "keep": "integer",
        "parts": "multiselect",
        "password": "password",
        "all_hosts": "multiplechoice",
        "max_risk": "multiplechoice",
    }
    assert questions["path"]["required"] and not questions["keep"]["required"]
    assert (questions["keep"]["default"], questions["keep"]["min"], questions["keep"]["max"]) == (7, 1, 99)
    assert (questions["all_hosts"]["choices"], questions["all_hosts"]["default"]) == (
        ["false", "true"],
        "false",
    )
    assert (questions["parts"]["default"], questions["parts"]["question_description"]) == (
        "a",
        "What. Which.",
    )


def test_the_survey_of_a_playbook_that_is_gone_goes_too(docs: Any, tree: Path) -> None:
    docs.main([], tree)
    assert not (tree / "docs/awx/gone.json").exists()


def test_a_meta_file_must_say_whether_its_playbook_changes_anything(docs: Any, tree: Path) -> None:
    meta = tree / "playbooks/fix_disk_space.meta.yml"
    meta.write_text(meta.read_text().replace("    x_changes: true\n", ""))
    assert docs.main([], tree) == 1
