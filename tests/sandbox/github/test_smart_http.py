"""git over HTTP with a real git client."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from github.Repository import Repository

from tests.sandbox.github.test_pulls import refusal
from tests.sandbox.github.world import World


def cloned(world: World, token: str, *options: str) -> Path:
    done = world.git("clone", "--quiet", *options, "--", world.clone_url(token), "clone")
    assert done.returncode == 0, done.stderr
    return world.folder / "clone"


def committed(world: World, clone: Path, name: str = "new") -> str:
    (clone / name).write_text("x" * 2_000_000 if name == "large" else "1\n")
    assert world.git("add", "--", name, cwd=clone).returncode == 0
    assert world.git("commit", "--quiet", "-m", "By hand", cwd=clone).returncode == 0
    return world.git("rev-parse", "HEAD", cwd=clone).stdout.strip()


def pushed(world: World, clone: Path, *refs: str) -> subprocess.CompletedProcess[str]:
    return world.git("push", "--quiet", "origin", *refs, cwd=clone)


def test_the_app_clones_with_its_token(world: World) -> None:
    clone = cloned(world, world.installation_token())
    assert (clone / "apps" / "cart.yaml").read_bytes() == b"image: cart:1.0\nreplicas: 3\n"


def test_a_partial_shallow_bare_clone_fetches_blobs_by_need(world: World) -> None:
    world.hub.commit("acme/infra", "wes", {"apps/cart.yaml": b"image: cart:1.1\n"}, "Bump")
    clone = cloned(world, world.tokens["rae"], "--bare", "--filter=blob:none", "--depth=1")
    missing = world.git("rev-list", "--objects", "--all", "--missing=print", cwd=clone).stdout
    assert "?" in missing
    assert world.git("cat-file", "blob", "main:apps/cart.yaml", cwd=clone).stdout == "image: cart:1.1\n"
    fetched = world.git("fetch", "--quiet", "--depth=1", "origin", world.first, cwd=clone)
    assert fetched.returncode == 0, fetched.stderr


@pytest.mark.parametrize("name", ["new", "large"])
def test_a_push_moves_the_branch_and_its_pull_request(world: World, repo: Repository, name: str) -> None:
    pull = world.propose(repo)
    clone = cloned(world, world.tokens["wes"], "--branch=fix/cart")
    head = committed(world, clone, name)
    done = pushed(world, clone, "fix/cart")
    assert done.returncode == 0, done.stderr
    seen = repo.get_pull(pull.number)
    assert seen.head.sha == head
    assert not repo.get_commit(head).commit.verification.verified


def test_a_shallow_clone_pushes_too(world: World, repo: Repository) -> None:
    world.hub.commit("acme/infra", "wes", {"other": b"1"}, "Second")
    world.hub.protect("main", required_reviews=1)
    clone = cloned(world, world.tokens["wes"], "--depth=1")
    head = committed(world, clone)
    assert "403" in pushed(world, clone, "main").stderr
    done = pushed(world, clone, "main:refs/heads/mine")
    assert done.returncode == 0, done.stderr
    assert repo.get_branch("mine").commit.sha == head


def test_a_reader_may_not_push(world: World, repo: Repository) -> None:
    clone = cloned(world, world.tokens["rae"])
    committed(world, clone)
    done = pushed(world, clone, "main")
    assert done.returncode != 0
    assert "403" in done.stderr
    assert repo.get_branch("main").commit.sha == world.first


def test_a_protected_branch_takes_pushes_from_administrators_only(world: World, repo: Repository) -> None:
    world.hub.protect("main", required_reviews=1)
    clone = cloned(world, world.tokens["wes"])
    head = committed(world, clone)
    assert "403" in pushed(world, clone, "main").stderr
    assert pushed(world, clone, "main:refs/heads/mine").returncode == 0
    assert "403" in pushed(world, clone, "main:refs/heads/more", "main").stderr
    world.git("remote", "set-url", "origin", world.clone_url(world.tokens["ada"]), cwd=clone)
    assert pushed(world, clone, "main").returncode == 0
    assert repo.get_branch("main").commit.sha == head
    with refusal(404, "Branch not found"):
        repo.get_branch("more")


def test_a_push_that_is_not_a_fast_forward_is_refused(world: World, repo: Repository) -> None:
    clone = cloned(world, world.tokens["wes"])
    moved = world.hub.commit("acme/infra", "ada", {"other": b"1"}, "First")
    committed(world, clone)
    assert pushed(world, clone, "main").returncode != 0
    assert repo.get_branch("main").commit.sha == moved


def test_deleting_a_branch_closes_its_pull_request(world: World, repo: Repository) -> None:
    pull = world.propose(repo)
    clone = cloned(world, world.tokens["wes"])
    assert pushed(world, clone, "--delete", "fix/cart").returncode == 0
    assert repo.get_pull(pull.number).state == "closed"


@pytest.mark.parametrize("token", ["wrong", ""])
def test_strangers_are_turned_away(world: World, token: str) -> None:
    done = world.git("ls-remote", "--", world.clone_url(token))
    assert done.returncode != 0
    assert "Authentication failed" in done.stderr or "could not read" in done.stderr


def test_a_token_for_one_repository_opens_no_other(world: World) -> None:
    done = world.git("ls-remote", "--", world.clone_url(world.tokens["ada"]).replace("infra", "gone"))
    assert "not found" in done.stderr


def test_hooks_in_a_pushed_tree_do_not_run(world: World) -> None:
    clone = cloned(world, world.tokens["wes"])
    (clone / "hooks").mkdir()
    (clone / "hooks" / "post-receive").write_text(f"#!/bin/sh\ntouch {world.folder}/ran\n")
    (clone / "hooks" / "post-receive").chmod(0o755)
    assert world.git("add", "--", "hooks", cwd=clone).returncode == 0
    assert world.git("commit", "--quiet", "-m", "Hooks", cwd=clone).returncode == 0
    assert pushed(world, clone, "main").returncode == 0
    assert not (world.folder / "ran").exists()
