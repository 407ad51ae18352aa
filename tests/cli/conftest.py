"""Real command lines: in this process through `main`, against a settings file and, where needed, an embedded world."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from gitops_sre.cli.demo.processes import Place, world, write_settings
from gitops_sre.cli.main import main
from gitops_sre.delivery.seal import create_key

NOBODY = "http://127.0.0.1:9"
"""Port 9 (discard): refuses at once where nothing listens."""


@dataclass(frozen=True)
class Said:
    """What a command line left on the terminal."""

    code: int
    out: str
    err: str


Run = Callable[..., Said]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line."""
    for name in ("DATABASE_URL", "GITHUB_TOKEN", "GITOPS_SRE_SETTINGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "160")

    def command(*arguments: str | Path) -> Said:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return command


@pytest.fixture(scope="package")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An embedded world in which all is well."""
    root = tmp_path_factory.mktemp("embedded")
    with world(root / "world", root / "world.log") as ready:
        yield ready


@pytest.fixture
def settings(place: Place, tmp_path: Path) -> Path:
    """A settings file for the embedded world."""
    return write_settings(place, tmp_path / "bot")


@pytest.fixture
def nowhere(tmp_path: Path) -> Path:
    """A settings file that names services at which nobody answers."""
    folder = tmp_path / "nowhere"
    folder.mkdir()
    create_key(folder / "key.pem")
    (folder / "kubeconfig").write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "none",
                "clusters": [{"name": "none", "cluster": {"server": NOBODY}}],
                "users": [{"name": "none", "user": {"token": "none"}}],
                "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
            }
        )
    )
    path = folder / "settings.yaml"
    (folder / "kubeconfig").chmod(0o600)
    path.write_text(
        yaml.safe_dump(
            {
                "github": {"repository": "acme/infra", "api_url": NOBODY, "token_env": "TEST_TOKEN"},
                "prometheus": {"url": NOBODY},
                "kubernetes": {"kubeconfig": "kubeconfig"},
                "signing": {"key_file": "key.pem"},
            },
            sort_keys=False,
        )
    )
    return path


def edited(path: Path, old: str, new: str) -> Path:
    """A file with one place changed."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def everything(*folders: Path) -> dict[Path, bytes]:
    """All files below some folders, with their bytes."""
    return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}
