"""`config schema` and `config check`, and the keys that `doctor` makes."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from gitops_sre.policy.schema import KINDS
from gitops_sre.settings import Settings, shipped
from tests.cli.conftest import Run, Said, edited

LADDER = """\
apiVersion: gitops-sre.dev/v1
kind: RemediationPolicy
metadata: {name: mine}
spec:
  rules:
    - name: broken
      when: plan.actoin == "rollback_image"
      atMost: L1
"""


class TestSchema:
    """JSON Schema on standard output."""

    def test_of_the_settings(self, run: Run) -> None:
        said = run("config", "schema")
        assert said.code == 0
        assert set(json.loads(said.out)["properties"]) == set(Settings.model_fields)

    def test_of_policies(self, run: Run) -> None:
        said = run("config", "schema", "--policy")
        assert said.code == 0
        assert set(json.loads(said.out)["discriminator"]["mapping"]) == set(KINDS)


class TestCheck:
    """Settings, then policies."""

    def test_the_shipped_policies(self, run: Run, nowhere: Path) -> None:
        folder = shipped("policies")
        said = run("config", "check", "--settings", nowhere, "--policies", folder)
        assert (said.code, said.out, said.err) == (0, f"{nowhere}: ok\n{folder}: ok\n", "")

    def test_policies_alone_where_there_are_no_settings(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        folder = shipped("policies")
        assert run("config", "check", "--policies", folder) == Said(0, f"{folder}: ok\n", "")
        assert run("config", "check").code == 1
        assert run("config", "check", "--policies", folder, "--settings", "none.yaml").code == 1

    def test_a_policy_that_does_not_compile(self, run: Run, nowhere: Path, tmp_path: Path) -> None:
        folder = tmp_path / "policies"
        folder.mkdir()
        (folder / "mine.yaml").write_text(LADDER)
        said = run("config", "check", "--settings", nowhere, "--policies", folder)
        assert said.code == 1
        problem, summary = said.err.splitlines()
        assert problem.startswith(f"{folder}/mine.yaml:")
        assert summary == f"gitops-sre: {folder}: 1 problem(s); mend them and run this again"

    def test_a_folder_that_is_none(self, run: Run, nowhere: Path, tmp_path: Path) -> None:
        said = run("config", "check", "--settings", nowhere, "--policies", tmp_path / "none")
        assert said.code == 1
        assert "is not a folder" in said.err

    def test_reads_no_key_and_asks_nobody(self, run: Run, nowhere: Path) -> None:
        (nowhere.parent / "key.pem").unlink()
        assert run("config", "check", "--settings", nowhere).code == 0


class TestCreateKey:
    """`doctor --create-key`."""

    def test_makes_a_private_file(self, run: Run, tmp_path: Path) -> None:
        key = tmp_path / "signing.pem"
        said = run("doctor", "--create-key", key)
        assert said.code == 0
        assert said.out.startswith(f"{key}: made, key id ")
        assert stat.S_IMODE(key.stat().st_mode) == 0o600

    def test_overwrites_none(self, run: Run, tmp_path: Path) -> None:
        key = tmp_path / "signing.pem"
        key.write_text("precious")
        said = run("doctor", "--create-key", key)
        assert said.code == 1
        assert said.err.startswith(f"gitops-sre: {key}")
        assert key.read_text() == "precious"

    def test_makes_the_folder_for_its_owner_alone(self, run: Run, tmp_path: Path) -> None:
        assert run("doctor", "--create-key", tmp_path / "none" / "signing.pem").code == 0
        assert (tmp_path / "none").stat().st_mode & 0o777 == 0o700

    def test_names_a_folder_that_cannot_be_made(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "none").write_text("a file")
        said = run("doctor", "--create-key", tmp_path / "none" / "keys" / "signing.pem")
        assert said.code == 1
        assert "cannot be made (Not a directory)" in said.err

    def test_its_key_serves(self, run: Run, nowhere: Path) -> None:
        assert run("doctor", "--create-key", nowhere.parent / "new.pem").code == 0
        edited(nowhere, "key_file: key.pem", "key_file: new.pem")
        said = run("doctor", "--settings", nowhere)
        assert f"ok  signing key          {nowhere.parent / 'new.pem'}, id " in said.out
