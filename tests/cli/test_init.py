"""`init` in real clones: what it writes, what it leaves alone, and how it ends where it cannot go on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from gitops_sre import settings as s
from gitops_sre.cli.init.remote import home
from gitops_sre.policy import documents
from tests.cli.conftest import Run, everything
from tests.gitops.commits import History

CALLED = Path(__file__).parents[2] / ".github" / "workflows" / "investigate.yml"
POLICIES = ("freeze.yaml", "ladder.yaml", "notification.yaml", "ownership.yaml", "policies.test.yaml", "rules.yaml")
FLUX = (
    "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"
    "metadata:\n  name: apps\n  namespace: flux-system\nspec:\n  path: ./apps/{name}\n  targetNamespace: {name}\n"
)
FILES = {
    "clusters/staging/apps.yaml": FLUX.format(name="staging"),
    "clusters/production/apps.yaml": FLUX.format(name="production"),
    "monitoring/prometheus.yaml": "apiVersion: monitoring.coreos.com/v1\nkind: Prometheus\n"
    "metadata:\n  name: main\n  namespace: monitoring\n",
    "slos/checkout.yaml": 'version: "prometheus/v1"\nservice: checkout\nslos:\n'
    "  - name: requests\n    objective: 99.9\n    sli:\n      events:\n"
    "        error_query: sum(rate(http_requests_total[5m]))\n",
}


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    """A clone of acme/infra on GitHub, and a home for keys."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    made = History(tmp_path / "infra")
    made.git("remote", "add", "origin", "git@github.com:acme/infra.git")
    made.commit(FILES)
    yield made
    made.close()


def test_the_settings_say_what_was_found_and_by_which_place(clone: History, run: Run, tmp_path: Path) -> None:
    said = run("init", clone.folder, "--yes")
    assert said.code == 0, said.err
    settings = s.load(clone.folder / ".gitops-sre.yaml", {})
    assert (settings.github.repository, settings.github.branch) == ("acme/infra", "main")
    assert settings.prometheus.url == "http://prometheus-operated.monitoring.svc:9090"
    assert {name: (each.tier, each.namespaces) for name, each in settings.environments.items()} == {
        "production": ("critical", ("production",)),
        "staging": ("standard", ("staging",)),
    }
    assert [(each.services, each.error_ratio) for each in settings.slos] == [(("checkout",), 0.001), (("*",), 0.02)]
    assert settings.signing.key_file == tmp_path / "home/.config/gitops-sre/acme/infra/signing.pem"
    assert "of HelmReleases expect reports" in said.err
    text = (clone.folder / ".gitops-sre.yaml").read_text()
    assert "- staging  # clusters/staging/apps.yaml:8" in text
    assert "  url: http://prometheus-operated.monitoring.svc:9090  # monitoring/prometheus.yaml:2" in text
    assert "- services: [checkout]  # slos/checkout.yaml:5" in text


def test_on_the_first_day_everything_is_only_reported(clone: History, run: Run) -> None:
    assert run("init", clone.folder, "--yes").code == 0
    folder = clone.folder / ".gitops-sre/policies"
    assert sorted(path.name for path in folder.iterdir()) == sorted(POLICIES)
    assert documents.check(folder) == ()
    assert all((folder / name).read_bytes() == (s.shipped("policies") / name).read_bytes() for name in POLICIES)


def test_a_level_is_opened_only_where_no_users_are(clone: History, run: Run) -> None:
    assert run("init", clone.folder, "--yes", "--level", "L2").code == 0
    folder = clone.folder / ".gitops-sre/policies"
    assert documents.check(folder) == ()
    ladder = (folder / "ladder.yaml").read_text()
    assert "    - action: rollback_image\n      environment: staging\n      level: L2\n" in ladder
    assert "production" not in ladder.partition("levels:")[2]


def test_the_diff_on_standard_output_is_what_is_written(clone: History, run: Run, tmp_path: Path) -> None:
    diff = run("init", clone.folder, "--dry-run").out
    assert not (clone.folder / ".gitops-sre.yaml").exists()
    subprocess.run(["git", "clone", "-q", clone.folder, tmp_path / "other"], check=True)
    subprocess.run(["git", "-C", tmp_path / "other", "apply"], check=True, input=diff.encode())
    assert run("init", clone.folder, "--yes").out == diff
    written = {path for path in everything(clone.folder) if ".git" not in path.relative_to(clone.folder).parts}
    for path in written:
        assert (tmp_path / "other" / path.relative_to(clone.folder)).read_bytes() == path.read_bytes()


def test_run_again_it_has_nothing_to_write(clone: History, run: Run) -> None:
    assert run("init", clone.folder, "--yes").code == 0
    before = everything(clone.folder)
    said = run("init", clone.folder, "--yes")
    assert (said.code, said.out) == (0, "")
    assert "Nothing to write." in said.err
    assert ".gitops-sre.yaml: is there and stays as it is" in said.err
    assert everything(clone.folder) == before


def test_what_is_there_is_kept_and_what_is_missing_is_added(clone: History, run: Run) -> None:
    clone.commit({".gitops-sre.yaml": "github: {}\n", ".gitignore": "bin/"})
    said = run("init", clone.folder, "--yes")
    assert said.code == 0
    assert (clone.folder / ".gitops-sre.yaml").read_text() == "github: {}\n"
    assert (clone.folder / ".gitignore").read_text() == "bin/\n.gitops-sre-cache/\ngitops-sre.db*\n"
    assert (clone.folder / ".gitops-sre/policies/ladder.yaml").exists()


def test_environments_that_share_a_namespace_are_told_apart_by_a_person(clone: History, run: Run) -> None:
    same = FLUX.format(name="production").replace("targetNamespace: production", "targetNamespace: staging")
    clone.commit({"clusters/production/apps.yaml": same})
    assert run("init", clone.folder, "--yes").code == 0
    text = (clone.folder / ".gitops-sre.yaml").read_text()
    assert text.count("give each settings of its own") == 1
    assert "- staging  # clusters/production/apps.yaml:8; also in staging" in text
    assert list(s.load(clone.folder / ".gitops-sre.yaml", {}).environments) == ["production", "staging"]


def test_line_ends_stay_as_they_are(clone: History, run: Run) -> None:
    clone.commit({".gitignore": "bin/\r\n"})
    assert run("init", clone.folder, "--yes").code == 0
    assert (clone.folder / ".gitignore").read_bytes() == b"bin/\r\n.gitops-sre-cache/\r\ngitops-sre.db*\r\n"


def test_a_team_that_has_policies_gets_no_second_set(clone: History, run: Run) -> None:
    clone.commit({".gitops-sre/policies/ours.yaml": "# ours\n"})
    said = run("init", clone.folder, "--yes")
    assert said.code == 0
    assert [path.name for path in (clone.folder / ".gitops-sre/policies").iterdir()] == ["ours.yaml"]
    assert ".gitops-sre/policies: is there and stays as it is" in said.err


def test_nothing_is_written_unless_somebody_says_so(clone: History, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    before = everything(clone.folder)
    with Path("/dev/null").open() as nobody:
        monkeypatch.setattr("sys.stdin", nobody)
        said = run("init", clone.folder)
    assert said.code == 1
    assert "--yes" in said.err
    assert everything(clone.folder) == before


def test_without_an_address_of_prometheus_every_command_names_the_line(clone: History, run: Run) -> None:
    clone.commit({"monitoring/prometheus.yaml": None})
    assert "write the address of Prometheus into .gitops-sre.yaml" in run("init", clone.folder, "--yes").err
    path = clone.folder / ".gitops-sre.yaml"
    line = path.read_text().splitlines().index("  url:") + 1
    for command in ("doctor", "run --once"):
        said = run(*command.split(), "--settings", path)
        assert said.code == 1
        assert f"{path}:{line}: prometheus.url: is missing; add it" in said.out + said.err


def test_text_of_the_repository_cannot_break_out_of_a_comment(clone: History, run: Run) -> None:
    clone.commit({"clusters/staging/a\nslos: [].yaml": FLUX.format(name="staging")})
    assert run("init", clone.folder, "--yes").code == 0
    assert len(s.load(clone.folder / ".gitops-sre.yaml", {}).slos) == 2


def test_a_link_out_of_the_repository_is_not_followed(clone: History, run: Run, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (clone.folder / ".gitops-sre").symlink_to(tmp_path / "elsewhere")
    said = run("init", clone.folder, "--yes")
    assert said.code == 1
    assert "a link leads out of the repository" in said.err
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_workflow_is_written_where_it_is_said_what_to_install(clone: History, run: Run) -> None:
    said = run("init", clone.folder, "--yes", "--project", "acme/gitops-sre@v0.1.0")
    assert said.code == 0
    (clone.folder / ".gitops-sre.yaml").write_text(
        (clone.folder / ".gitops-sre.yaml").read_text().replace("app_id:", "app_id: 1")
    )
    assert s.load(clone.folder / ".gitops-sre.yaml", {}).engine.state == "branch"
    job = yaml.safe_load((clone.folder / ".github/workflows/gitops-sre.yml").read_text())["jobs"]["gitops-sre"]
    called = yaml.safe_load(CALLED.read_text())[True]["workflow_call"]  # YAML 1.1 reads `on` as a truth value
    assert job["uses"] == "acme/gitops-sre/.github/workflows/investigate.yml@v0.1.0"
    assert job["with"] == {
        "project": "acme/gitops-sre",
        "ref": "v0.1.0",
        "runner": "self-hosted",
        "keys": "~/.config/gitops-sre/acme/infra",
    }
    assert set(job["with"]) <= set(called["inputs"])
    assert set(job["secrets"]) == set(called["secrets"])
    assert (
        "gh secret set GITOPS_SRE_APP_PRIVATE_KEY --repo acme/infra < ~/.config/gitops-sre/acme/infra/app.pem"
        in said.err
    )


def test_settings_that_were_there_before_the_workflow_are_to_be_completed(clone: History, run: Run) -> None:
    assert run("init", clone.folder, "--yes").code == 0
    assert not (clone.folder / ".github").exists()
    assert "state: branch" not in (clone.folder / ".gitops-sre.yaml").read_text()
    said = run("init", clone.folder, "--yes", "--project", "acme/gitops-sre@v0.1.0")
    assert (said.code, (clone.folder / ".github/workflows/gitops-sre.yml").exists()) == (0, True)
    assert "set `engine: {state: branch}` in .gitops-sre.yaml, which was there already" in said.err


@pytest.mark.parametrize("project", ["acme", "acme/gitops-sre", "acme/gitops-sre@", "acme/gitops-sre@a b", "a/b@x\n y"])
def test_a_project_that_is_none_is_refused(clone: History, run: Run, project: str) -> None:
    said = run("init", clone.folder, "--yes", "--project", project)
    assert said.code == 1
    assert "OWNER/NAME@REF" in said.err
    assert not (clone.folder / ".gitops-sre.yaml").exists()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        ("plain", "no git repository"),
        ("bare", "bare repository"),
        ("empty", "no commit yet"),
        ("code", "no Application, ApplicationSet or Flux Kustomization"),
        ("missing", "no git repository"),
    ],
)
def test_what_is_no_infra_repository_is_one_clear_error(make: str, says: str, run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "it"
    if make == "plain":
        folder.mkdir()
    elif make == "bare":
        subprocess.run(["git", "init", "-q", "--bare", folder], check=True)
    elif make == "empty":
        History(folder)
    elif make == "code":
        History(folder).commit({"main.py": "print()\n"})
    said = run("init", folder, "--yes", "--repository", "acme/infra")
    assert said.code == 1
    assert says in said.err
    assert str(folder) in said.err
    assert said.err.count("\n") == 1


def test_without_a_remote_the_name_must_be_given(clone: History, run: Run) -> None:
    clone.git("remote", "remove", "origin")
    said = run("init", clone.folder, "--yes")
    assert (said.code, said.err) == (
        1,
        "gitops-sre: there is no remote; name the repository with --repository OWNER/NAME\n",
    )
    assert run("init", clone.folder, "--yes", "--repository", "acme/infra").code == 0


def test_keys_do_not_come_into_the_repository(clone: History, run: Run) -> None:
    said = run("init", clone.folder, "--yes", "--keys", clone.folder / "keys")
    assert said.code == 1
    assert "keys do not belong in the repository" in said.err


def test_the_signing_key_is_made_where_the_settings_look_for_it(clone: History, run: Run) -> None:
    assert run("init", clone.folder, "--yes").code == 0
    key = s.load(clone.folder / ".gitops-sre.yaml", {}).signing.key_file
    assert run("doctor", "--create-key", key).code == 0
    assert (key.stat().st_mode & 0o777, key.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize(
    ("url", "repository", "api"),
    [
        ("git@github.com:acme/infra.git", "acme/infra", "https://api.github.com"),
        ("https://github.com/acme/infra", "acme/infra", "https://api.github.com"),
        ("ssh://git@github.com:22/acme/infra.git/", "acme/infra", "https://api.github.com"),
        ("git@acme.ghe.com:acme/infra.git", "acme/infra", "https://api.acme.ghe.com"),
        ("https://github.example.com/acme/in.fra.git", "acme/in.fra", "https://github.example.com/api/v3"),
    ],
)
def test_remotes(url: str, repository: str, api: str) -> None:
    found = home(url, "", "")
    assert (found.repository, found.api_url) == (repository, api)


def test_a_token_in_the_remote_is_shown_nowhere(clone: History, run: Run) -> None:
    clone.git("remote", "set-url", "origin", "https://ada:ghp_canary@github.com/acme/infra.git")
    said = run("init", clone.folder, "--dry-run")
    assert said.code == 0
    assert "canary" not in said.out + said.err
    assert "# the remote https://github.com/acme/infra.git" in said.out


@pytest.mark.parametrize(
    "url", ["git@gitlab.com:acme/infra.git", "https://github.com/", "/srv/git/infra", "file:///srv/x"]
)
def test_a_remote_elsewhere_is_refused(clone: History, run: Run, url: str) -> None:
    clone.git("remote", "set-url", "origin", url)
    said = run("init", clone.folder, "--yes")
    assert said.code == 1
    assert not (clone.folder / ".gitops-sre.yaml").exists()
