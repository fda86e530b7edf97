# SPDX-License-Identifier: GPL-3.0-or-later
"""Base images from a registry or from Debian's archive, and the lab's own images on top of them."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from docker.errors import BuildError, DockerException, ImageNotFound  # type: ignore[import-untyped]

from .model import IMAGES, LAB_DIR, LABEL, Image, LabError

CONTEXT = f"{LABEL}.context"
PULL_SECONDS = 90
Say = Callable[[str], None]
_apt = threading.Lock()


def _files(image: Image) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for part in image.parts:
        base = LAB_DIR / "images" / part
        paths = (p for p in base.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        found |= {str(p.relative_to(base)): p for p in paths}
    return dict(sorted(found.items()))


def context_digest(image: Image) -> str:
    """A digest of everything that goes into the build."""
    total = hashlib.sha256(image.suite.encode())
    for name, path in _files(image).items():
        executable = os.access(path, os.X_OK)
        total.update(f"\0{name}\0{executable}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:24]


def _context(image: Image) -> io.BytesIO:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, path in _files(image).items():
            info = tarfile.TarInfo(name)
            info.size = path.stat().st_size
            # Neither owner nor time of the checkout may reach the engine's cache.
            info.mode = 0o755 if os.access(path, os.X_OK) else 0o644
            with path.open("rb") as stream:
                archive.addfile(info, stream)
    buffer.seek(0)
    return buffer


def _present(client: Any, image: Image) -> bool:
    try:
        labels = client.images.get(image.tag).labels
    except ImageNotFound:
        return False
    return bool(labels.get(CONTEXT) == context_digest(image))


def ensure_images(client: Any, say: Say) -> bool:
    """Build what is missing or has changed, independent images at the same time; True when any was."""
    missing = [image for image in IMAGES if not _present(client, image)]
    if not missing:
        return False
    suites = sorted({image.suite for image in missing})
    with ThreadPoolExecutor(max_workers=len(suites) + len(missing)) as pool:
        bases = {suite: pool.submit(_ensure_base, client, suite, say) for suite in suites}

        def build(image: Image) -> None:
            bases[image.suite].result()
            _build(client, image, say)

        for job in [pool.submit(build, image) for image in missing]:
            job.result()
    return True


def _build(client: Any, image: Image, say: Say) -> None:
    say(f"building {image.tag}")
    try:
        client.images.build(
            fileobj=_context(image),
            custom_context=True,
            tag=image.tag,
            network_mode="host",
            labels={LABEL: "1", CONTEXT: context_digest(image)},
            rm=True,
            forcerm=True,
        )
    except BuildError as error:
        log = "".join(entry.get("stream") or entry.get("error") or "" for entry in error.build_log)
        raise LabError(f"image {image.tag} does not build; the end of its log:\n{log[-1500:]}") from error
    except DockerException as error:
        raise LabError(f"image {image.tag} does not build: {error}") from error
    say(f"built {image.tag}")


def _ensure_base(client: Any, suite: str, say: Say) -> None:
    tag = f"debian:{suite}-slim"
    try:
        client.images.get(tag)
        return
    except ImageNotFound:
        pass
    say(f"pulling {tag}")
    why = _pull(client, suite)
    if why is None:
        return
    say(f"no registry ({why}): making {tag} from Debian's archive")
    _bootstrap(client, suite, say)
    say(f"made {tag}")


def _pull(client: Any, suite: str) -> str | None:
    """None when the image is there, else why not. A registry that never answers is given up."""
    outcome: list[str | None] = []

    def pull() -> None:
        try:
            client.images.pull("debian", tag=f"{suite}-slim")
            outcome.append(None)
        except DockerException as error:
            outcome.append(str(error).rpartition(": ")[2].strip('")') or "it failed")

    worker = threading.Thread(target=pull, daemon=True)
    worker.start()
    worker.join(PULL_SECONDS)
    return outcome[0] if outcome else f"no answer within {PULL_SECONDS} s"


def _bootstrap(client: Any, suite: str, say: Say) -> None:
    if os.geteuid() != 0:
        raise LabError(f"debian:{suite}-slim cannot be pulled, and making it needs root (mmdebstrap)")
    with _apt:
        _ensure_mmdebstrap(say)
    # What the registry's slim images leave out.
    left_out = ("doc", "man", "locale", "info", "groff", "lintian")
    slim = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in left_out]
    slim.append("--dpkgopt=path-include=/usr/share/doc/*/copyright")
    argv = ["mmdebstrap", "--quiet", "--variant=minbase", *slim, suite, "-"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        errors: list[bytes] = []
        reader = threading.Thread(target=lambda: errors.append(process.stderr.read()), daemon=True)  # type: ignore[union-attr]
        reader.start()
        answer = client.api.import_image_from_stream(
            process.stdout, repository="debian", tag=f"{suite}-slim", changes=['CMD ["bash"]']
        )
        code = process.wait()
        reader.join()
    if code or '"error"' in str(answer):
        # A half image under this tag would be taken for good the next time.
        with contextlib.suppress(ImageNotFound):
            client.images.remove(f"debian:{suite}-slim", force=True)
        words = b"".join(errors).decode(errors="replace")[-600:]
        raise LabError(f"mmdebstrap of {suite} failed: {words} {answer}")


def _ensure_mmdebstrap(say: Say) -> None:
    if shutil.which("mmdebstrap"):
        return
    if not shutil.which("apt-get"):
        raise LabError("mmdebstrap is missing, and this is no Debian to install it on")
    say("installing mmdebstrap and debian-archive-keyring with apt-get")
    environment = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    packages = ["mmdebstrap", "debian-archive-keyring"]
    install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    for argv in (["apt-get", "update", "-qq"], install):
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=300)
        if done.returncode:
            raise LabError(f"{' '.join(argv)} failed: {done.stderr.strip()[-600:]}")
