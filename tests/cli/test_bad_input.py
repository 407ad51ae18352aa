"""Bad input: one clear line that names the place and the remedy, exit status 1, and nothing is changed."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cli.conftest import Run, Said, edited, everything

ALERT = {
    "version": "4",
    "alerts": [
        {
            "status": "firing",
            "labels": {"alertname": "HighErrorRate", "service": "checkout", "namespace": "staging"},
            "startsAt": "2026-03-01T12:00:00Z",
        }
    ],
}


@pytest.fixture(autouse=True)
def _token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_TOKEN", "secret-of-github")


def one_line(said: Said) -> str:
    """The one line on standard error of a command that was refused."""
    assert said.code == 1, said
    assert said.err.startswith("gitops-sre: "), said.err
    assert said.err.count("\n") == 1, said.err
    assert "Traceback" not in said.err
    return said.err.removeprefix("gitops-sre: ").rstrip("\n")


COMMANDS = (["investigate", "--firing"], ["run", "--once"], ["serve"], ["explain", "inc-1"], ["config", "check"])


class TestSettings:
    """A file that cannot be used stops every command that needs it."""

    @pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
    def test_unknown_key(self, run: Run, nowhere: Path, command: list[str]) -> None:
        edited(nowhere, "signing:", "signin: {}\nsigning:")
        before = everything(nowhere.parent)
        said = one_line(run(*command, "--settings", nowhere))
        assert said == f"{nowhere}:9: signin: unknown key; remove it or see `gitops-sre config schema`"
        assert everything(nowhere.parent) == before

    @pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
    def test_no_file(self, run: Run, tmp_path: Path, command: list[str]) -> None:
        said = one_line(run(*command, "--settings", tmp_path / "none.yaml"))
        assert said.endswith("none.yaml: cannot be read (No such file or directory); name the file with --settings")

    def test_a_folder(self, run: Run, tmp_path: Path) -> None:
        assert "Is a directory" in one_line(run("config", "check", "--settings", tmp_path))

    def test_from_the_environment(self, run: Run, nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GITOPS_SRE_SETTINGS", str(nowhere))
        assert run("config", "check") == Said(0, f"{nowhere}: ok\n", "")

    @pytest.mark.parametrize("command", [["investigate", "--firing"], ["run", "--once"], ["serve"]], ids=" ".join)
    def test_missing_key_file(self, run: Run, nowhere: Path, command: list[str]) -> None:
        (nowhere.parent / "key.pem").unlink()
        said = one_line(run(*command, "--settings", nowhere))
        assert said.startswith(f"{nowhere.parent / 'key.pem'}: cannot be read (No such file or directory); ")
        assert "--create-key" in said

    def test_no_credential_for_github(self, run: Run, nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("TEST_TOKEN")
        assert "or TEST_TOKEN" in one_line(run("run", "--once", "--settings", nowhere))

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("nonsense", "the database URL cannot be read; write sqlite:///FILE or postgresql://..."),
            ("mysql://bot:hunter2@db/x", "mysql://bot:***@db/x is not a database that keeps anything"),
            ("postgresql://bot:hunter2@127.0.0.1:9/sre", "postgresql+psycopg://bot:***@127.0.0.1:9/sre: "),
            ("sqlite:////proc/none/x.db", "unable to open database file"),
        ],
    )
    def test_a_database_that_cannot_be_used(
        self, run: Run, nowhere: Path, monkeypatch: pytest.MonkeyPatch, url: str, said: str
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", url)
        told = one_line(run("run", "--once", "--settings", nowhere))
        assert said in told
        assert "hunter2" not in told

    def test_a_database_that_is_none(self, run: Run, nowhere: Path) -> None:
        file = nowhere.parent / "gitops-sre.db"
        file.write_text("This is a letter, and a rather long one at that." * 100)
        assert str(file) in one_line(run("explain", "inc-1", "--settings", nowhere))


class TestAlertFiles:
    """What is handed to `investigate --alert`."""

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", ":1:1: not JSON (Expecting value)"),
            (b'{"alerts":\n  [}', ":2:4: not JSON (Expecting value)"),
            (b"\xff\xfe\xff", ": not usable JSON ("),
            (b"[" * 100_000, ": not usable JSON ("),
            (b"3", ": payload: expected an object, found int"),
            (b"{}", ": alerts: missing; expected a list"),
            (b'{"version": "3", "alerts": []}', ": version: expected '4', found '3'"),
            (b'{"alerts": [{"status": "on"}]}', ": alerts[0].status: expected 'firing' or 'resolved', found 'on'"),
            (json.dumps(ALERT).replace("2026-03-01T", "2026-13-01T").encode(), ": alerts[0].startsAt: "),
        ],
    )
    def test_malformed(self, run: Run, nowhere: Path, tmp_path: Path, content: bytes, said: str) -> None:
        file = tmp_path / "alert.json"
        file.write_bytes(content)
        before = everything(tmp_path)
        told = one_line(run("investigate", "--alert", file, "--settings", nowhere))
        assert told.startswith(f"{file}{said}")
        assert told.endswith("; give what Alertmanager or Prometheus sends, as it is")
        assert everything(tmp_path) == before

    def test_no_file(self, run: Run, nowhere: Path, tmp_path: Path) -> None:
        told = one_line(run("investigate", "--alert", tmp_path / "none.json", "--settings", nowhere))
        assert told.endswith(
            "none.json: cannot be read (No such file or directory); name a file, or - for standard input"
        )

    def test_from_standard_input(self, run: Run, nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"{}")))
        told = one_line(run("investigate", "--alert", "-", "--settings", nowhere))
        assert told.startswith("standard input: alerts: missing")


class TestUnreachable:
    """Nobody answers."""

    def test_alerts_cannot_be_polled(self, run: Run, nowhere: Path) -> None:
        told = one_line(run("investigate", "--firing", "--settings", nowhere))
        assert told.startswith("alerts cannot be polled: Prometheus at 127.0.0.1")
        assert "doctor" in told

    def test_the_cluster_cannot_be_asked(self, run: Run, nowhere: Path, tmp_path: Path) -> None:
        file = tmp_path / "alert.json"
        file.write_text(json.dumps(ALERT))
        before = everything(tmp_path)
        told = one_line(run("investigate", "--alert", file, "--settings", nowhere))
        assert "the cluster cannot be asked what this is about: list deployments: no answer" in told
        after = everything(tmp_path)
        assert {path: after[path] for path in after if ".gitops-sre-cache" not in path.parts} == before

    def test_nothing_is_done_without_github(self, run: Run, nowhere: Path) -> None:
        told = one_line(run("run", "--once", "--settings", nowhere))
        assert told.startswith("GitHub does not answer (ConnectionError); is 127.0.0.1 reachable?; nothing was done")
        assert "secret-of-github" not in told

    def test_on_a_real_terminal_too(self, nowhere: Path) -> None:
        command = [sys.executable, "-m", "gitops_sre", "run", "--once", "--settings", str(nowhere)]
        said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert one_line(Said(said.returncode, said.stdout, said.stderr)).startswith("GitHub does not answer")

    def test_doctor_names_each(self, run: Run, nowhere: Path) -> None:
        said = run("doctor", "--settings", nowhere)
        assert said.code == 1
        assert said.err == ""
        lines = said.out.splitlines()
        bad = [line[4:24].strip() for line in lines if line.startswith("NO")]
        assert bad == ["GitHub", "infra repository", "metrics", "alerts (prometheus)", "Argo CD, Flux", "workloads"]
        for number, line in enumerate(lines):
            if line.startswith("NO"):
                assert "->" in lines[number + 1]
        assert not (nowhere.parent / "gitops-sre.db").exists()

    def test_a_repository_that_is_none(self, run: Run, nowhere: Path) -> None:
        edited(nowhere, "  api_url:", f"  git_url: {nowhere.parent}\n  api_url:")
        said = run("doctor", "--settings", nowhere)
        assert f"-> git file://{nowhere.parent}: " in said.out

    def test_a_repository_url_that_is_not_allowed(self, run: Run, nowhere: Path) -> None:
        edited(nowhere, "  api_url:", "  git_url: ext::sh\n  api_url:")
        told = one_line(run("run", "--once", "--settings", nowhere))
        assert told.startswith("github: the repository URL must be https, ssh or file; check github.git_url")


class TestServe:
    """The service."""

    def test_a_port_that_is_taken(self, run: Run, nowhere: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            nowhere.write_text(f"{nowhere.read_text()}web: {{port: {port}}}\n")
            told = one_line(run("serve", "--settings", nowhere))
        assert told.startswith(f"cannot listen on 127.0.0.1:{port} (Address already in use")
        assert told.endswith("; choose another web.host or web.port")
        assert not (nowhere.parent / "gitops-sre.db").exists()


class TestExitCodes:
    """0 done, 1 refused or failed, 2 usage, 3 a bug."""

    @pytest.mark.parametrize(
        "arguments",
        [
            ["wake"],
            ["investigate"],
            ["investigate", "--firing", "--alert", "x"],
            ["run"],
            ["explain"],
            ["run", "--twice"],
        ],
        ids=" ".join,
    )
    def test_wrong_usage_is_2(self, run: Run, arguments: list[str]) -> None:
        said = run(*arguments)
        assert said.code == 2
        assert "Usage: gitops-sre" in said.err

    @pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["config", "schema"], ["explain", "-h"]])
    def test_done_is_0(self, run: Run, arguments: list[str]) -> None:
        said = run(*arguments)
        assert (said.code, said.err) == (0, "")
        assert said.out

    def test_a_bug_is_3(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken() -> None:
            raise KeyError("nobody thought of this")

        monkeypatch.setattr("gitops_sre.cli.config.schema", broken)
        said = run("config", "schema")
        assert said.code == 3
        assert "nobody thought of this" in said.err
        assert said.err.endswith("gitops-sre: this is a bug; please report it with the lines above\n")
