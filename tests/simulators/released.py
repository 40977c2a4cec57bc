"""Releases of the agent as wheels, which behave or misbehave, and a machine to install them on.

Of the machine there are: pip and virtual environments, which are real; a stand-in for systemctl, whose
``start`` runs the place's ``edge-agent run`` once, or what is ordered of the helper's other units; and the
files between agent and helper.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_AGENT = """\
#!python
import json, os, sys
version, form, faults = {version!r}, {form!r}, {faults!r}
home, verb = os.environ["HOME"], sys.argv[1]
with open(home + "/log", "a") as log:
    words = [one for one in sys.argv[1:] if one != "--config" and not one.startswith("/")]
    log.write(version + ": " + " ".join(words) + "\\n")
if verb in faults:
    sys.exit(verb + ": it does not work")
if verb == "version":
    print(json.dumps({{"edge-agent": version, "data-folder": str(form)}}))
if verb == "store":
    with open(home + "/form", "w") as file:
        file.write(sys.argv[sys.argv.index("--to") + 1] if "--to" in sys.argv else str(form))
if verb == "run" and os.path.exists(home + "/helper/told.json"):
    with open(home + "/helper/told.json") as file:
        told = json.load(file)
    if told["state"] == "probation":
        with open(home + "/asked/word.json", "w") as file:
            json.dump({{"v": 1, "id": told["id"], "version": version}}, file)
"""
_METADATA = "Metadata-Version: 2.1\nName: edge-inference-agent\n"
_SYSTEMCTL = """\
#!/bin/sh
ordered() {{ {python} -m agent.host.ordered "$1" --orders "$HOME/orders" >"$HOME/orders/$1.done"; }}
case "$*" in
  "start edge-agent-fetch.service") ordered edge-agent-fetch; exit ;;
  "start edge-agent-try.service") ordered edge-agent-try; exit ;;
  "clean --what=cache edge-agent-fetch.service") rm -rf "$HOME"/fetched/*; exit ;;
  stop*edge-agent-*) exit ;;
esac
echo "systemctl $*" >>"$HOME/log"
case "$1" in
  start) "$HOME/opt/edge-agent/bin/edge-agent" run || true ;;
  is-failed) exit 1 ;;
esac
"""


def wheel(
    folder: Path, version: str, *, form: int = 5, faults: tuple[str, ...] = (), needs: str = ""
) -> Path:
    """Make a release; give it.

    Args:
        form: its version of the data folder.
        faults: the verbs that fail.
        needs: what it says that it needs, as of PEP 508.
    """
    program = _AGENT.format(version=version, form=form, faults=faults)
    start = f"edge_inference_agent-{version}"
    files = {
        f"{start}.data/scripts/edge-agent": program,
        f"{start}.dist-info/METADATA": _METADATA
        + f"Version: {version}\n"
        + (f"Requires-Dist: {needs}\n" if needs else ""),
        f"{start}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    return pack(folder, version, {name: text.encode() for name, text in files.items()})


def pack(folder: Path, version: str, files: dict[str, bytes]) -> Path:
    """Make a wheel of the agent out of its files, all but the list of them; give it."""
    start = f"edge_inference_agent-{version}"
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.writerow([name, f"sha256={digest}", len(content)])
    rows.writerow([f"{start}.dist-info/RECORD", "", ""])
    folder.mkdir(exist_ok=True)
    made = folder / f"{start}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in {**files, f"{start}.dist-info/RECORD": record.getvalue().encode()}.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = 0o100755 << 16  # pip keeps who may execute what
            archive.writestr(entry, content)
    return made


class Board:
    """A machine with release 1.0 of the agent, whose helper is to be run.

    Attributes:
        helper: the helper's folder.
        asked: the agent's folder.
        place: the link to what runs.
    """

    def __init__(self, root: Path, *, reboot: bool = False, more: str = "", probation_s: float = 60) -> None:
        self.root = root
        self.helper, self.asked, self.opt = root / "helper", root / "asked", root / "opt"
        self.wheels = root / "wheels"
        own = [root / name for name in ("bin", "orders", "fetched")]
        for folder in (self.helper, self.asked, self.opt, self.wheels, *own):
            folder.mkdir()
        self.place = self.opt / "edge-agent"
        self._script("systemctl", _SYSTEMCTL.format(python=sys.executable))
        first = self.opt / "edge-agent-1.0" / "bin"
        first.mkdir(parents=True)
        program = _AGENT.format(version="1.0", form=5, faults=()).replace("#!python", f"#!{sys.executable}")
        (first / "edge-agent").write_text(program)
        (first / "edge-agent").chmod(0o755)
        for link in (self.place, self.opt / "edge-agent-proven"):
            link.symlink_to("edge-agent-1.0")
        self.config = root / "host.toml"
        installer = json.dumps([sys.executable, "-m", "pip"])
        self.config.write_text(
            f'folder = "{self.asked}"\nreboot = {str(reboot).lower()}\nrest_s = 0\n{more}\n'
            f'[update]\nmanager = "pip"\nwheels = "{self.wheels}"\nplace = "{self.place}"\n'
            f"installer = {installer}\nprobation_s = {probation_s}\nsteady_s = 0\n"
        )
        self.config.chmod(0o644)

    def _script(self, name: str, text: str) -> None:
        path = self.root / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def ask(self, **request: Any) -> None:
        """Write a request, as the agent does."""
        (self.asked / "request.json").write_text(json.dumps({"v": 1, "id": "command-1", **request}))

    def serve(self, config: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run the helper, as systemd does."""
        command = [sys.executable, "-m", "agent.host.main", "--config", str(config or self.config)]
        path = f"{self.root / 'bin'}:{os.environ['PATH']}"
        own = ["--orders", str(self.root / "orders"), "--fetched", str(self.root / "fetched"), "--stay", "0"]
        return subprocess.run(
            [*command, "--home", str(self.helper), *own],
            env={**os.environ, "PATH": path, "HOME": str(self.root)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def told(self) -> dict[str, Any]:
        """What the helper says."""
        found: dict[str, Any] = json.loads((self.helper / "told.json").read_text())
        return found

    @property
    def log(self) -> list[str]:
        """What was run, in order."""
        path = self.root / "log"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def form(self) -> str:
        """The data folder's version; "" where nobody touched it."""
        path = self.root / "form"
        return path.read_text() if path.exists() else ""

    def runs(self, link: str = "edge-agent") -> str:
        """What a link leads to."""
        return (self.opt / link).readlink().name
