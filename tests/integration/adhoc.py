# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `ansible`, each time in a fork of one process that has imported it and run nothing.

Half of what it takes is importing itself. No inventory, plugin or result of one run is there for the next.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
SECONDS = 60
REQUEST_BYTES = 1 << 17
# Or a connection that ssh keeps open would keep the files of a run open.
CLOSE = socket.MSG_CMSG_CLOEXEC


@cache
def _server() -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """Where to ask, and who is asked: it ends with this process, as nobody can ask it any more."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        number = theirs.fileno()
        return ours, subprocess.Popen(
            [sys.executable, __file__, str(number)], cwd=CHECKOUT, pass_fds=[number]
        )


def ad_hoc(*words: str) -> subprocess.CompletedProcess[str]:
    """What comes of `ansible` with these words in the checkout. A signal ends it when it takes too long."""
    server, _process = _server()
    ended, alive = os.pipe()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, os.fdopen(ended, "rb") as end:
        socket.send_fds(server, [json.dumps(words).encode()], [out.fileno(), err.fileno(), alive])
        os.close(alive)
        code = int(end.read() or -signal.SIGALRM)
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(words, code, out.read().decode(), err.read().decode())


def _serve(asked: socket.socket) -> None:
    from ansible.cli.adhoc import AdHocCLI

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        request, descriptors, _flags, _address = socket.recv_fds(asked, REQUEST_BYTES, 3, CLOSE)
        if not request:
            return
        if os.fork() == 0:
            asked.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.alarm(SECONDS)
            os.dup2(descriptors[0], 1)
            os.dup2(descriptors[1], 2)
            try:
                AdHocCLI.cli_executor(["ansible", *json.loads(request)])
            except SystemExit as done:
                sys.stdout.flush()
                sys.stderr.flush()
                os.write(descriptors[2], str(done.code or 0).encode())
            finally:
                # Without what the first process has to put away when it ends itself.
                os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        _serve(socket.socket(fileno=int(sys.argv[1])))
