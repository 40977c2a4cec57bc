"""Containers without a Docker engine: images by buildah, run by podman and crun."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.system import needs
from tests.system.building import HERE, REPOSITORY
from tests.system.emulated import CPU

if TYPE_CHECKING:
    from collections.abc import Iterable

_PYTHON = "/run/python"
_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
_PROGRAMS = {
    "buildah": "buildah", "podman": "podman", "crun": "crun", "mmdebstrap": "mmdebstrap",
    "qemu-aarch64-static": "qemu-user-static", "update-binfmts": "binfmt-support", "arch-test": "arch-test",
}  # fmt: skip
# crun is confused by a second hierarchy of control groups beside the first: it is hidden from what we start.
_ALONE = ("unshare", "-m", "sh", "-c", 'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"', "sh")
_LIMITS = ("--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096")
_CONFINED = (
    "--read-only",
    "--read-only-tmpfs=false",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
)


def missing() -> str:
    """Say why these tests cannot run here; "" when they can."""
    return needs.missing(_PROGRAMS)


def base_image() -> str:
    """Give the name of the image that Dockerfile.arm64 starts from."""
    found = re.search(r"^ARG BASE_IMAGE=(\S+)$", (REPOSITORY / "Dockerfile.arm64").read_text(), re.MULTILINE)
    assert found
    return found[1]


class Images:
    """A place of images of one architecture, and the containers run from them.

    Args:
        folder: where all is kept; layers that are there are used again.
        arch: ``arm64`` or ``amd64``.
    """

    def __init__(self, folder: Path, arch: str) -> None:
        self._folder, self.arch = folder, arch
        self._place = ("--root", str(folder / "storage"), "--runroot", str(folder / "run"))
        self._environment = {**os.environ, "STORAGE_DRIVER": "overlay", "BUILDAH_ISOLATION": "chroot"}
        self._interpreter = ""
        folder.mkdir(parents=True, exist_ok=True)

    def buildah(self, *arguments: str, timeout: float = 120) -> str:
        """Run buildah; give what it printed."""
        command = ["buildah", *self._place, *arguments]
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, (
            f"buildah {' '.join(arguments)}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
        )
        return done.stdout.strip()

    def podman(self, *arguments: str, timeout: float = 400) -> subprocess.CompletedProcess[str]:
        """Run podman, with no other hierarchy of control groups than the first."""
        options = ("--log-level", "fatal", "--cgroup-manager", "cgroupfs", "--runtime", "crun")
        command = [*_ALONE, "podman", *self._place, *options, *arguments]
        return subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    def base(self) -> None:
        """Make the base image of Debian's packages, under the name that the Dockerfile has; once."""
        if base_image() in self.buildah("images", "--format", "{{.Name}}:{{.Tag}}").split():
            return
        root = self._folder / "base"
        subprocess.run([str(HERE / "image_base.sh"), str(root), self.arch], check=True, timeout=200)
        work = self.buildah("from", "--arch", self.arch, "scratch")
        self.buildah("add", "--quiet", work, str(root), "/")
        self.buildah("config", "--arch", self.arch, "--os", "linux", "--cmd", "python3", work)
        self.buildah("commit", "--quiet", "--rm", work, base_image())
        for made in (root, root.with_name("base.own")):
            shutil.rmtree(made, ignore_errors=True)

    def build(self, tag: str, target: str) -> None:
        """Build a target of Dockerfile.arm64 unchanged, with packages from where this machine finds them."""
        settings = self._folder / "pip.conf"
        settings.write_text("\n".join(["[global]", *_pip_settings()]))
        shown = ["-v", f"{settings}:/etc/pip.conf:ro"]
        if Path(_AUTHORITIES).exists():
            shown += ["-v", f"{_AUTHORITIES}:{_AUTHORITIES}:ro"]
        options = ("--format", "docker", "--arch", self.arch, "--network", "host", "--pull-never", "--layers")
        what = ("-f", "Dockerfile.arm64", "--target", target, "-t", tag, ".")
        self.buildah("build", *options, *shown, *what, timeout=1500)
        self._take_python(tag)

    def sizes(self, tag: str) -> tuple[list[int], list[int]]:
        """Give the bytes of each layer, the base's first: on a disk, and compressed as it travels."""
        history = self.podman("history", "--format", "json", "--human=false", tag).stdout
        unpacked = [layer["size"] for layer in reversed(json.loads(history)) if layer["size"] > 4096]
        packed = self._folder / "packed"
        shutil.rmtree(packed, ignore_errors=True)
        self.buildah("push", "--quiet", tag, f"oci:{packed}", timeout=300)
        index = json.loads((packed / "index.json").read_text())
        manifest = json.loads(_blob(packed, index["manifests"][0]["digest"]).read_text())
        shutil.rmtree(packed)
        return unpacked, [layer["size"] for layer in manifest["layers"] if layer["size"] > 4096]

    def inspect(self, tag: str) -> dict[str, Any]:
        """Give what the image says of itself."""
        found: dict[str, Any] = json.loads(self.buildah("inspect", "--type", "image", tag))
        return found

    def run(self, tag: str, *arguments: str, options: Iterable[str] = ()) -> subprocess.CompletedProcess[str]:
        """Run a container to its end: read-only, without a network, without rights."""
        shown = (*_CONFINED, *_LIMITS, "--network", "none", *self._processor(), *options)
        return self.podman("run", "--rm", *shown, tag, *arguments, timeout=900)

    def start(self, name: str, tag: str, *arguments: str, options: Iterable[str] = ()) -> None:
        """Start a container that stays, confined in the same way."""
        shown = (*_CONFINED, *_LIMITS, *self._processor(), *options)
        done = self.podman("run", "--detach", "--name", name, *shown, tag, *arguments)
        assert done.returncode == 0, done.stderr

    def remove(self, name: str) -> None:
        """End a container at once, if there is one, and forget it."""
        self.podman("rm", "--force", "--time", "0", name)

    def _processor(self) -> tuple[str, ...]:
        """Say for which processor the image is, and show it where it is emulated: see fakehw/README.md."""
        platform = ("--platform", f"linux/{self.arch}")
        if self.arch == "amd64":
            return platform
        fake = HERE / "fakehw" / CPU
        shown = {
            f"{fake}/cpuinfo": "/proc/cpuinfo",
            f"{fake}/cpu": "/sys/devices/system/cpu",
            str(self._folder / "python"): _PYTHON,
            str(self._folder / "starter"): self._interpreter,
        }
        binds = [part for here, there in shown.items() for part in ("-v", f"{here}:{there}:ro")]
        return (*platform, "-e", f"QEMU_CPU={CPU}", *binds)

    def _take_python(self, tag: str) -> None:
        """Have each Python be started by a script that says which processor is emulated.

        Workers get an environment of their own, without ``QEMU_CPU``. The processor would then have more than
        its cpuinfo says, and LiteRT take kernels that qemu 7.2 computes wrong.
        """
        work = self.buildah("from", "--pull-never", "--arch", self.arch, tag)
        root = Path(self.buildah("mount", work))
        [python] = [found for found in root.glob("usr/**/bin/python3.[0-9][0-9]") if not found.is_symlink()]
        self._interpreter = f"/{python.relative_to(root)}"
        shutil.copy(python, self._folder / "python")
        starter = self._folder / "starter"
        starter.write_text(f'#!/bin/bash\nexport QEMU_CPU={CPU}\nexec -a "$0" {_PYTHON} "$@"\n')
        starter.chmod(0o755)
        self.buildah("rm", work)


def _blob(folder: Path, digest: str) -> Path:
    return folder / "blobs" / digest.replace(":", "/")


def _pip_settings() -> list[str]:
    """Where this machine's pip finds packages; folders of this machine mean nothing in a build."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    found = re.findall(
        r"^(?:global|:env:)\.(index-url|extra-index-url|trusted-host)='(.*)'$", listed, re.MULTILINE
    )
    kept = {name: value for name, value in found if "file:" not in value}
    return [*(f"{name} = {value}" for name, value in kept.items()), f"cert = {_AUTHORITIES}"]
