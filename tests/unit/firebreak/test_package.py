# SPDX-License-Identifier: GPL-3.0-or-later
"""What `pip install` brings."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
COLLECTION = "ansible_collections/firebreak/incident"
BUILD = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    target = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-c", BUILD, str(target)], cwd=ROOT, check=True, timeout=60)
    [path] = target.glob("firebreak-*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def installed(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel is nothing but Python: unpacked it is installed."""
    target = tmp_path_factory.mktemp("installed")
    wheel.extractall(target)
    return target


def started(command: list[str], installed: Path, directory: Path) -> subprocess.CompletedProcess[str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("ANSIBLE_")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        command,
        cwd=directory,
        env={**kept, "PATH": path, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    assert project["version"] == galaxy["version"]


def test_every_file_of_the_collection_is_in_it(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    for part in ("plugins", "playbooks", "meta"):
        files = [path for path in (ROOT / part).rglob("*") if path.is_file()]
        wanted = {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}
        wanted -= {"playbooks/ansible.cfg"}
        assert wanted == {
            name.removeprefix(f"{COLLECTION}/") for name in names if name.startswith(f"{COLLECTION}/{part}/")
        }
    assert "firebreak/__init__.py" in names


def test_nothing_else_is_in_it(wheel: zipfile.ZipFile) -> None:
    for entry in wheel.infolist():
        first = entry.filename.split("/")[0]
        assert first in ("firebreak", "ansible_collections") or first.endswith(".dist-info")
        assert not {"__pycache__", "tests", "ansible.cfg"} & set(entry.filename.split("/"))
        assert not stat.S_ISLNK(entry.external_attr >> 16)


def test_an_editable_install_brings_no_second_copy(tmp_path: Path) -> None:
    code = BUILD.replace("build_wheel", "build_editable")
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, check=True, timeout=60)
    [path] = tmp_path.glob("firebreak-*.whl")
    with zipfile.ZipFile(path) as opened:
        [paths] = [name for name in opened.namelist() if ".dist-info/" not in name]
        assert sorted(opened.read(paths).decode().split()) == [str(ROOT / "collections"), str(ROOT / "src")]


def test_its_playbooks_are_found_from_anywhere(installed: Path, tmp_path: Path) -> None:
    command = ["ansible-playbook", "--list-tasks", "-i", "localhost,", "firebreak.incident.triage"]
    run = started(command, installed, tmp_path)
    assert run.returncode == 0, run.stderr
    assert "Ask every host what is wrong" in run.stdout


def test_it_is_imported_from_anywhere(installed: Path, tmp_path: Path) -> None:
    code = "import firebreak; print(firebreak.playbooks()['triage'].path)"
    run = started([sys.executable, "-c", code], installed, tmp_path)
    assert run.stdout.strip() == str(installed / COLLECTION / "playbooks/triage.yml"), run.stderr


def test_a_run_uses_the_plugins_that_came_with_it(installed: Path, tmp_path: Path) -> None:
    code = (
        "import firebreak, sys\n"
        "host = {'ansible_connection': 'local', 'ansible_python_interpreter': sys.executable}\n"
        "outcome = firebreak.run('triage', inventory={'all': {'hosts': {'here': host}}},\n"
        "                        inputs={'sections': ['host']})\n"
        "print(outcome.status)\n"
    )
    run = started([sys.executable, "-c", code], installed, tmp_path)
    assert run.stdout.strip() == "successful", run.stdout + run.stderr
