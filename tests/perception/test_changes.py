from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitops_sre.adapters.git import GitRepository
from gitops_sre.model.change_feed import ChangeRecord, FieldChange
from gitops_sre.model.live import Application
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.target import Source
from gitops_sre.perception import changes, images
from gitops_sre.perception.changes.fields import compare

ONSET = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KUSTOMIZATION = """\
images:
- name: registry.example.com/shop/cart
  newTag: {tag}  # moved by the train
replicas:
- name: cart
  count: {count}
"""
VALUES = """\
image:
  repository: shop/catalog
  registry: registry.example.com
  tag: {tag}
env:
  LOG_LEVEL: {level}
resources:
  limits: {{memory: {memory}}}
"""
MANIFEST = """\
apiVersion: v1
kind: ConfigMap
metadata: {{name: payments}}
data: {{URL: {url}}}
---
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      containers:
      - image: registry.example.com/shop/payments:{tag}
"""
BASE = "spec: {{strategy: {strategy}}}\n"


class Repo:
    """A real repository whose commits have chosen times."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str, at: datetime = ONSET) -> str:
        stamp = f"{at.timestamp():.0f} +0000"
        identity = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in self.who(stamp)}
        environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, **identity}
        done = subprocess.run(
            ["git", *arguments], cwd=self.folder, env=environment, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    @staticmethod
    def who(stamp: str) -> tuple[tuple[str, str], ...]:
        return (("NAME", "alice"), ("EMAIL", "alice@example.com"), ("DATE", stamp))

    def commit(self, seconds: float, subject: str, files: Mapping[str, str | bytes | None]) -> str:
        """Commit `seconds` before the onset."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            else:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
        at = ONSET - timedelta(seconds=seconds)
        self.git("add", "-A", at=at)
        self.git("commit", "-q", "-m", subject, at=at)
        return self.git("rev-parse", "HEAD")


def application(name: str, environment: str = "staging", images: tuple[str, ...] = ()) -> Application:
    source = Source("https://git.example.com/acme/infra", f"{name}/{environment}")
    return Application(
        "argocd", f"{environment}-{name}", (source,), environment, "Synced", ("x",), "Healthy", None, None, True, images
    )


APPLICATIONS = (*tuple(application(name) for name in ("cart", "catalog", "payments")), application("cart", "dev"))
INPUTS = {
    "cart/staging": {"cart/staging/kustomization.yaml", "cart/base.yaml"},
    "cart/dev": {"cart/dev/kustomization.yaml", "cart/base.yaml"},
    "catalog/staging": {"values/catalog.yaml", "values/tag.yaml", "values/flags.yaml", "values/notes.txt"},
    "payments/staging": {"payments/all.yaml"},
}
TREE = {
    "cart/staging/kustomization.yaml": KUSTOMIZATION.format(tag="v1", count=2),
    "cart/dev/kustomization.yaml": KUSTOMIZATION.format(tag="v1", count=1),
    "cart/base.yaml": BASE.format(strategy="Recreate"),
    "values/catalog.yaml": VALUES.format(tag="v1", level="info", memory="1Gi"),
    "values/tag.yaml": "image: {tag: v7}\n",
    "values/flags.yaml": "new_checkout: off\n",
    "payments/all.yaml": MANIFEST.format(url="https://a", tag="v1"),
    "README.md": "hello\n",
}


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    folder = tmp_path / "infra"
    folder.mkdir()
    made = Repo(folder)
    made.commit(5000, "Import", TREE)
    return made


def feed(repo: Repo, applications: tuple[Application, ...] = APPLICATIONS) -> tuple[ChangeRecord, ...] | Unavailable:
    repository = GitRepository(f"file://{repo.folder}", "main", repo.folder.parent / "cache")
    try:
        head = repository.head()
        assert isinstance(head, str)
        return changes.feed(
            repository=repository,
            inputs=lambda _, source: frozenset(INPUTS[source.path]),
            commit=head,
            applications=applications,
            environment_of=lambda namespace: namespace,
            onset=ONSET,
            lookback=timedelta(hours=1),
            skew=timedelta(seconds=60),
        )
    finally:
        repository.close()


def only(found: tuple[ChangeRecord, ...] | Unavailable) -> ChangeRecord:
    assert isinstance(found, tuple)
    assert len(found) == 1
    return found[0]


def test_a_moved_kustomize_tag_is_an_image_change_of_its_workload(repo: Repo) -> None:
    path = "cart/staging/kustomization.yaml"
    sha = repo.commit(90, "Deploy cart v2", {path: KUSTOMIZATION.format(tag="v2", count=2)})
    record = only(feed(repo))
    assert (record.commit.sha, record.commit.author, record.commit.subject) == (sha, "alice", "Deploy cart v2")
    assert (record.service, record.environment, record.kind, record.lead) == ("cart", "staging", "image", 90)
    image = "registry.example.com/shop/cart"
    assert record.fields == (FieldChange(path, 0, ("images", 0), f"{image}:v1", f"{image}:v2", "image"),)


def test_a_helm_tag_is_joined_with_registry_and_repository(repo: Repo) -> None:
    repo.commit(90, "Deploy", {"values/catalog.yaml": VALUES.format(tag="v2", level="info", memory="1Gi")})
    record = only(feed(repo))
    image = "registry.example.com/shop/catalog"
    assert record.fields == (FieldChange("values/catalog.yaml", 0, ("image",), f"{image}:v1", f"{image}:v2", "image"),)


def test_a_lone_tag_is_completed_from_the_image_that_runs(repo: Repo) -> None:
    repo.commit(90, "Deploy", {"values/tag.yaml": "image: {tag: v8}\n"})
    running = application("catalog", images=("registry.example.com/shop/catalog:v8", "registry.example.com/proxy:v1"))
    record = only(feed(repo, (running,)))
    change = record.fields[0]
    assert (change.before, change.after) == (
        "registry.example.com/shop/catalog:v7",
        "registry.example.com/shop/catalog:v8",
    )
    unnamed = only(feed(repo)).fields[0]
    assert (unnamed.before, unnamed.after) == ("v7", "v8")


def test_a_raw_manifest_names_the_image_itself_in_its_own_document(repo: Repo) -> None:
    repo.commit(90, "Deploy", {"payments/all.yaml": MANIFEST.format(url="https://a", tag="v2")})
    change = only(feed(repo)).fields[0]
    assert change.document == 1
    assert change.after == "registry.example.com/shop/payments:v2"


@pytest.mark.parametrize(
    ("path", "content", "kind"),
    [
        ("cart/staging/kustomization.yaml", KUSTOMIZATION.format(tag="v1", count=5), "scale"),
        ("values/catalog.yaml", VALUES.format(tag="v1", level="debug", memory="1Gi"), "config"),
        ("values/catalog.yaml", VALUES.format(tag="v1", level="info", memory="2Gi"), "resources"),
        ("values/catalog.yaml", VALUES.format(tag="v2", level="debug", memory="2Gi"), "image"),
        ("values/flags.yaml", "new_checkout: on\n", "flag"),
        ("payments/all.yaml", MANIFEST.format(url="https://b", tag="v1"), "config"),
        ("values/catalog.yaml", "image: [unclosed\n", "other"),
        ("values/catalog.yaml", b"\xff\xfe\x00", "other"),
        ("values/notes.txt", "hello\n", "other"),
    ],
)
def test_the_kind_is_read_from_the_fields(repo: Repo, path: str, content: str | bytes, kind: str) -> None:
    repo.commit(90, "Change", {path: content})
    assert only(feed(repo)).kind == kind


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("configMapGenerator:\n- name: web\n  literals: [LOG=a, FEATURE_CART={}]\n", "FEATURE_CART", "flag"),
        ("configMapGenerator:\n- name: web\n  literals: [LOG=a, POOL={}]\n", "POOL", "config"),
        ("kind: Deployment\nspec: {{containers: [{{env: [{{name: POOL, value: '{}'}}]}}]}}\n", "POOL", "config"),
        (
            "kind: Deployment\nspec: {{containers: [{{env: [{{name: FEATURE_A, value: '{}'}}]}}]}}\n",
            "FEATURE_A",
            "flag",
        ),
        ("kind: ConfigMap\ndata: {{POOL: '{}'}}\n", "", "config"),
        ("replicaCount: {}\n", "", "scale"),
    ],
)
def test_a_field_says_what_it_is_about_and_what_a_setting_is_called(text: str, name: str, kind: str) -> None:
    ((field,), whole) = compare("a.yaml", text.format(1).encode(), text.format(2).encode())
    assert (field.name, field.kind, whole) == (name, kind, None)


def test_a_base_reaches_every_environment_that_reads_it(repo: Repo) -> None:
    repo.commit(90, "Change the base", {"cart/base.yaml": BASE.format(strategy="RollingUpdate")})
    found = feed(repo)
    assert isinstance(found, tuple)
    assert [(record.service, record.environment) for record in found] == [("cart", "dev"), ("cart", "staging")]


def test_comments_blanks_and_foreign_files_are_no_changes(repo: Repo) -> None:
    repo.commit(90, "Comment", {"cart/base.yaml": "# why\n" + BASE.format(strategy="Recreate") + "\n"})
    repo.commit(80, "Read me", {"README.md": "hello again\n"})
    assert feed(repo) == ()


def test_a_new_or_deleted_file_is_never_a_deploy_that_could_be_undone(repo: Repo) -> None:
    repo.commit(90, "Remove", {"payments/all.yaml": None})
    assert only(feed(repo)).kind == "other"
    repo.commit(80, "Add again", {"payments/all.yaml": MANIFEST.format(url="https://a", tag="v2")})
    found = feed(repo)
    assert isinstance(found, tuple)
    assert {record.kind for record in found} == {"other"}


def test_only_the_window_counts_and_the_newest_comes_first(repo: Repo) -> None:
    path = "cart/staging/kustomization.yaml"
    for seconds, tag, count in ((4000, "v2", 2), (3000, "v2", 3), (100, "v3", 3), (-30, "v4", 3), (-90, "v5", 3)):
        repo.commit(seconds, f"Deploy {tag}", {path: KUSTOMIZATION.format(tag=tag, count=count)})
    found = feed(repo)
    assert isinstance(found, tuple)
    assert [record.lead for record in found] == [-30, 100, 3000]


def test_what_was_overwritten_before_the_onset_is_no_suspect_any_more(repo: Repo) -> None:
    path = "cart/staging/kustomization.yaml"
    for seconds, tag in ((900, "v2"), (600, "v1"), (100, "v3")):
        repo.commit(seconds, f"Deploy {tag}", {path: KUSTOMIZATION.format(tag=tag, count=2)})
    assert only(feed(repo)).commit.subject == "Deploy v3"


def test_the_first_commit_of_a_history_is_no_change(repo: Repo) -> None:
    repo.git("checkout", "-q", "--orphan", "fresh")
    repo.commit(60, "Start over", {"cart/base.yaml": BASE.format(strategy="Recreate")})
    repo.git("branch", "-q", "-f", "main", "fresh")
    assert feed(repo) == ()


def test_a_merge_is_compared_with_the_branch_that_it_came_into(repo: Repo) -> None:
    repo.git("checkout", "-q", "-b", "topic")
    repo.commit(200, "Deploy", {"cart/staging/kustomization.yaml": KUSTOMIZATION.format(tag="v2", count=2)})
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "--no-ff", "-m", "Merge topic", "topic", at=ONSET - timedelta(seconds=50))
    record = only(feed(repo))
    assert (record.commit.subject, record.kind, record.lead) == ("Merge topic", "image", 50)


def test_a_yaml_bomb_is_some_change_and_nothing_worse(repo: Repo) -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 30))
    repo.commit(90, "Bomb", {"values/catalog.yaml": f"l0: &l0 [x]\n{levels}"})
    assert only(feed(repo)).kind == "other"


def test_a_digest_moves_with_its_tag() -> None:
    place: tuple[str | int, ...] = ("images", 0)
    digest = "sha256:" + "a" * 64
    values: images.Values = {
        (0, (*place, "name")): "shop/cart",
        (0, (*place, "newName")): "mirror/cart",
        (0, (*place, "newTag")): "v1",
        (0, (*place, "digest")): digest,
    }
    assert images.reference(values, 0, place) == f"mirror/cart:v1@{digest}"
    assert images.reference({(0, (*place, "newTag")): "v1"}, 0, place) is None


class Broken:
    """A repository whose disk has failed."""

    def steps(self, commit: str, **_: object) -> tuple[()]:
        raise OSError("input/output error")


def test_a_repository_that_cannot_be_read_is_unavailable() -> None:
    found = changes.feed(
        repository=Broken(),  # type: ignore[arg-type]  # only what the feed touches first
        inputs=lambda *_: frozenset(),
        commit="x",
        applications=(),
        environment_of=str,
        onset=ONSET,
        lookback=timedelta(hours=1),
        skew=timedelta(0),
    )
    assert isinstance(found, Unavailable)
    assert "input/output error" in found.reason
