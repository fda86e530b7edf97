# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

TOOL = Path(__file__).resolve().parents[3] / "tools/picture"
SESSION = (
    b"Script started on 2026-11-21 22:14:03+00:00 [TERM=xterm]\n"
    b"\r\n"
    b"  \x1b[1;31mcritical\x1b[0m   97 of 97 <b>&amp;</b>\r\n"
    b"\x1b[J\r\n  | Look  1 host  0.1 s\x1b[A\r\x1b[J\r\n  / Look  1 host  0.2 s\x1b[A\r\x1b[J"
    b"  \x1b[2mfinished after 3 s\x1b[0m\r\n"
    b'\r\nScript done on 2026-11-21 22:14:09+00:00 [COMMAND_EXIT_CODE="0"]\n'
)


def test_a_session_becomes_a_picture_that_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    session, svg = tmp_path / "session.txt", tmp_path / "session.svg"
    session.write_bytes(SESSION)
    subprocess.run([sys.executable, TOOL, session, svg, "--title", "a <title>"], check=True, timeout=60)
    text = svg.read_text()
    assert text.count("http") == 1 and "www.w3.org/2000/svg" in text
    words = ["".join(node.itertext()) for node in ElementTree.parse(svg).iter() if node.tag.endswith("text")]
    assert words == ["a <title>", "critical", "97 of 97 <b>&amp;</b>", "finished after 3 s"]
