"""A commit that ran a schema migration is not simply taken back."""

from __future__ import annotations

import pytest

from gitops_sre.gitops.fights import migrated_by, migration_between
from gitops_sre.gitops.files import AtCommit
from tests.gitops.infra import Infra, target

JOB = """\
apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
  annotations: {{{hook}}}
spec:
  template: {{spec: {{containers: [{{name: x, image: "registry.example.com/shop/x:{tag}"}}]}}}}
"""
INIT = """\
kind: Deployment
metadata: {{name: web}}
spec:
  template:
    spec:
      initContainers: [{{name: db-migrate, image: "x:{}"}}]
      containers: [{{name: web, image: "x:{}"}}]
"""


def between(world: Infra, file: str, before: str, after: str) -> str:
    one = world.commit({file: before, "asked.txt": before + after + "before"})
    two = world.commit({file: after, "asked.txt": before + after})
    return migration_between(AtCommit(world.repository, one), AtCommit(world.repository, two), [file])


@pytest.mark.parametrize(
    ("name", "hook"),
    [
        ("web-migrate", ""),
        ("db-migration", ""),
        ("flyway", ""),
        ("x", "helm.sh/hook: 'pre-install,pre-upgrade'"),
        ("x", "argocd.argoproj.io/hook: PreSync"),
    ],
)
def test_a_migration_job_or_hook_that_changed_is_named(world: Infra, name: str, hook: str) -> None:
    one, two = (JOB.format(name=name, hook=hook, tag=tag) for tag in ("v1", "v2"))
    reason = between(world, "apps/web/job.yaml", one, two)
    assert reason == f"rollback across a schema migration: Job {name} in apps/web/job.yaml changed"
    assert between(world, "apps/web/job.yaml", two, f"# a comment\n{two}") == ""


@pytest.mark.parametrize(
    ("name", "hook"), [("cleanup", ""), ("x", "helm.sh/hook: test"), ("x", "argocd.argoproj.io/hook: PostDelete")]
)
def test_other_jobs_are_no_migration(world: Infra, name: str, hook: str) -> None:
    one, two = (JOB.format(name=name, hook=hook, tag=tag) for tag in ("v1", "v2"))
    assert between(world, "apps/web/job.yaml", one, two) == ""


@pytest.mark.parametrize(
    "file",
    [
        "db/migrate/001.rb",
        "apps/web/migrations/002_add.py",
        "V2__add_table.sql",
        "alembic/versions/a.py",
        "c/templates/db-migrate.yaml",
        "x/schema.sql",
    ],
)
def test_migration_files_are_named(world: Infra, file: str) -> None:
    assert file in between(world, file, "a", "b")


@pytest.mark.parametrize("file", ["apps/immigration/values.yaml", "apps/web/values.yaml", "apps/migrator-app/x.txt"])
def test_other_files_are_no_migration(world: Infra, file: str) -> None:
    assert between(world, file, "tag: v1\n", "tag: v2\n") == ""


def test_values_of_a_migration_are_named(world: Infra) -> None:
    one = "migrations: {tag: v1}\nimage: {tag: v1}\n"
    assert "migrations.tag changed" in between(world, "values.yaml", one, one.replace("s: {tag: v1", "s: {tag: v2"))
    assert between(world, "values.yaml", one, one.replace("image: {tag: v1", "image: {tag: v3")) == ""


def test_an_init_container_that_migrates_is_told_from_the_others(world: Infra) -> None:
    assert "initContainers[0].image changed" in between(
        world, "w.yaml", INIT.format("v1", "v1"), INIT.format("v2", "v1")
    )
    assert between(world, "w.yaml", INIT.format("v2", "v1"), INIT.format("v2", "v2")) == ""


def test_a_file_that_came_or_cannot_be_read_is_answered(world: Infra) -> None:
    one = world.commit({"a.yaml": "a: 1\n"})
    two = world.commit({"job.yaml": JOB.format(name="migrate", hook="", tag="v1"), "broken.yaml": "a: {{ x }}\n"})
    files = [AtCommit(world.repository, commit) for commit in (one, two)]
    assert "Job migrate" in migration_between(files[0], files[1], ["broken.yaml", "job.yaml"])
    assert migration_between(files[0], files[1], ["broken.yaml", "gone.yaml"]) == ""


def test_a_commit_is_asked_about_the_folder_of_the_target_alone(world: Infra) -> None:
    job = "apps/web/job.yaml"
    first = world.commit({job: JOB.format(name="migrate", hook="", tag="v1"), "apps/db/x.sql": "a"})
    second = world.commit({job: JOB.format(name="migrate", hook="", tag="v2")})
    third = world.commit({"apps/db/x.sql": "b"})
    web, db = target("apps/web"), target("./apps/db/")
    assert "Job migrate" in migrated_by(world.repository, second, web)
    assert "apps/db/x.sql" in migrated_by(world.repository, third, db)
    assert [migrated_by(world.repository, *each) for each in ((second, db), (third, web), (first, web))] == [""] * 3
