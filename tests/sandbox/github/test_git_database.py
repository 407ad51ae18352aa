"""Refs, commits, trees, blobs, branches, comparisons and contents, through PyGithub."""

from __future__ import annotations

import base64

import pytest
from github import GithubException, InputGitAuthor, InputGitTreeElement
from github.ContentFile import ContentFile
from github.Repository import Repository

from tests.sandbox.github.test_pulls import refusal
from tests.sandbox.github.world import World, commit_on_branch


def test_a_ref_is_made_found_moved_and_deleted(world: World, repo: Repository) -> None:
    second = world.hub.commit("acme/infra", "wes", {"new": b"1"}, "Second")
    ref = repo.create_git_ref("refs/heads/fix/a", world.first)
    assert repo.get_git_ref("heads/fix/a").object.sha == world.first
    ref.edit(second)
    assert [r.object.sha for r in repo.get_git_matching_refs("heads/fix")] == [second]
    ref.delete()
    with refusal(404, "Not Found"):
        repo.get_git_ref("heads/fix/a")


def test_a_ref_is_not_made_twice_nor_for_nothing(world: World, repo: Repository) -> None:
    with refusal(422, "Reference already exists"):
        repo.create_git_ref("refs/heads/main", world.first)
    with refusal(422, "Object does not exist"):
        repo.create_git_ref("refs/heads/x", "0" * 39 + "1")
    with refusal(422, "not a valid ref name"):
        repo.create_git_ref("refs/heads/a..b", world.first)
    with refusal(422, "cannot be created"):
        repo.create_git_ref("refs/heads/main/sub", world.first)
    with refusal(422, "Reference does not exist"):
        repo.get_git_ref("heads/main").__class__(
            repo.requester, {}, {"ref": "refs/heads/x", "url": f"{repo.url}/git/refs/heads/x"}, completed=True
        ).delete()


def test_a_ref_moves_backwards_by_force_only(world: World, repo: Repository) -> None:
    second = world.hub.commit("acme/infra", "wes", {"new": b"1"}, "Second")
    ref = repo.create_git_ref("refs/heads/fix/a", second)
    with refusal(422, "not a fast forward"):
        ref.edit(world.first)
    ref.edit(world.first, force=True)
    assert repo.get_git_ref("heads/fix/a").object.sha == world.first


def test_a_protected_branch_moves_only_by_pull_request(world: World, repo: Repository) -> None:
    world.hub.protect("main", required_reviews=1)
    repo.create_git_ref("refs/heads/fix/a", world.first)
    head = commit_on_branch(repo, "fix/a", world.first, {"new": b"1"})
    with refusal(422, "Protected branch update failed"):
        repo.get_git_ref("heads/main").edit(head)
    with refusal(422, "Cannot delete"):
        repo.get_git_ref("heads/main").delete()
    with refusal(422, "Protected branch update failed"):
        repo.create_file("new", "New", "1")
    assert repo.get_branch("main").commit.sha == world.first


def test_a_commit_is_built_from_blobs_trees_and_parents(world: World, repo: Repository) -> None:
    base = repo.get_git_commit(world.first)
    blob = repo.create_git_blob(base64.b64encode(b"\x00\xff").decode(), "base64")
    elements = [
        InputGitTreeElement("data.bin", "100644", "blob", sha=blob.sha),
        InputGitTreeElement("apps/cart.yaml", "100644", "blob", content="image: cart:0.9\n"),
        InputGitTreeElement("apps/web.yaml", "100644", "blob", sha=None),
    ]
    tree = repo.create_git_tree(elements, base.tree)
    commit = repo.create_git_commit("By hand", tree, [base])
    assert commit.verification.verified
    assert commit.author.name == "sre-bot[bot]"
    paths = {e.path for e in repo.get_git_tree(commit.sha, recursive=True).tree}
    assert paths == {"README.md", "apps", "apps/cart.yaml", "bin", "bin/deploy", "data.bin"}
    assert base64.b64decode(repo.get_git_blob(blob.sha).content) == b"\x00\xff"


def test_a_commit_in_somebody_elses_name_is_not_verified(world: World, repo: Repository) -> None:
    base = repo.get_git_commit(world.first)
    author = InputGitAuthor("Eve", "eve@example.com", "2026-11-02T10:00:00Z")
    commit = repo.create_git_commit("As Eve", base.tree, [base], author=author)
    assert (commit.verification.verified, commit.verification.reason) == (False, "unsigned")
    assert commit.author.email == "eve@example.com"
    assert repo.get_commit(commit.sha).author is None


@pytest.mark.parametrize("path", ["../up", "a/../b", ".git/config", "/rooted"])
def test_a_tree_with_a_malformed_path_is_refused(world: World, repo: Repository, path: str) -> None:
    base = repo.get_git_commit(world.first)
    with refusal(422, "malformed path"):
        repo.create_git_tree([InputGitTreeElement(path, "100644", "blob", content="x")], base.tree)


def test_commits_are_listed_newest_first_and_by_path(world: World, repo: Repository) -> None:
    second = world.hub.commit("acme/infra", "wes", {"apps/cart.yaml": b"image: cart:1.1\n"}, "Bump cart")
    third = world.hub.commit("acme/infra", "wes", {"apps/web.yaml": b"image: web:1.1\n"}, "Bump web")
    assert [c.sha for c in repo.get_commits()] == [third, second, world.first]
    assert [c.sha for c in repo.get_commits(path="apps/cart.yaml")] == [second, world.first]
    assert [c.sha for c in repo.get_commits(sha=second)] == [second, world.first]
    assert not list(repo.get_commits(until=repo.get_commit(world.first).commit.author.date.replace(year=2020)))


def test_a_commit_shows_its_author_and_its_files(world: World, repo: Repository) -> None:
    files = {"apps/cart.yaml": b"image: cart:1.1\nreplicas: 3\n", "apps/web.yaml": None, "logo": b"\x00\x01"}
    sha = world.hub.commit("acme/infra", "wes", files, "Change much")
    commit = repo.get_commit(sha)
    assert (commit.author.login, commit.commit.message) == ("wes", "Change much")
    assert not commit.commit.verification.verified
    changes = {file.filename: (file.status, file.patch) for file in commit.files}
    assert changes["apps/cart.yaml"] == (
        "modified",
        "@@ -1,2 +1,2 @@\n-image: cart:1.0\n+image: cart:1.1\n replicas: 3",
    )
    assert changes["apps/web.yaml"] == ("removed", "@@ -1 +0,0 @@\n-image: web:1.0")
    assert [file.patch for file in commit.files if file.filename == "logo"] == [None]
    assert repo.get_commit("main").sha == sha
    with refusal(422, "No commit found"):
        repo.get_commit("no-such-branch")


def test_a_renamed_file_names_where_it_was(world: World, repo: Repository) -> None:
    moved = {"apps/cart.yaml": None, "apps/basket.yaml": b"image: cart:1.0\nreplicas: 3\n"}
    (file,) = repo.get_commit(world.hub.commit("acme/infra", "wes", moved, "Rename")).files
    assert (file.status, file.filename, file.previous_filename) == ("renamed", "apps/basket.yaml", "apps/cart.yaml")


def test_two_commits_compare(world: World, repo: Repository) -> None:
    repo.create_git_ref("refs/heads/fix/a", world.first)
    head = commit_on_branch(repo, "fix/a", world.first, {"new": b"1\n"})
    world.hub.commit("acme/infra", "wes", {"apps/web.yaml": b"image: web:1.1\n"}, "Bump web")
    comparison = repo.compare("main", "fix/a")
    assert (comparison.status, comparison.ahead_by, comparison.behind_by) == ("diverged", 1, 1)
    assert [c.sha for c in comparison.commits] == [head]
    assert [f.filename for f in comparison.files] == ["new"]
    assert comparison.merge_base_commit.sha == world.first
    assert repo.compare(world.first, world.first).status == "identical"
    assert repo.compare("fix/a", world.first).status == "behind"
    with refusal(404, "Not Found"):
        repo.compare("main", "gone")


def test_a_branch_shows_its_protection(world: World, repo: Repository) -> None:
    assert not repo.get_branch("main").protected
    with refusal(404, "Branch not protected"):
        repo.get_branch("main").get_protection()
    world.hub.protect("main", required_reviews=2, required_checks=["verdict"], enforce_admins=True)
    branch = repo.get_branch("main")
    protection = branch.get_protection()
    assert branch.protected
    assert protection.required_pull_request_reviews.required_approving_review_count == 2
    assert (protection.required_status_checks.contexts, protection.enforce_admins) == (["verdict"], True)
    assert [b.name for b in repo.get_branches()] == ["main"]
    with refusal(404, "Branch not found"):
        repo.get_branch("gone")


def test_a_branch_has_no_ruleset_rules(repo: Repository) -> None:
    assert repo.requester.requestJsonAndCheck("GET", f"{repo.url}/rules/branches/main")[1] == []


def test_contents_are_read_at_any_ref(world: World, repo: Repository) -> None:
    world.hub.commit("acme/infra", "wes", {"apps/cart.yaml": b"image: cart:1.1\n"}, "Bump cart")
    assert _file(repo, "apps/cart.yaml").decoded_content == b"image: cart:1.1\n"
    assert _file(repo, "apps/cart.yaml", world.first).decoded_content == b"image: cart:1.0\nreplicas: 3\n"
    listed = repo.get_contents("apps")
    assert isinstance(listed, list)
    assert [(entry.type, entry.path) for entry in listed] == [("file", "apps/cart.yaml"), ("file", "apps/web.yaml")]
    top = repo.get_contents("")
    assert isinstance(top, list)
    assert [entry.path for entry in top] == ["README.md", "apps", "bin"]
    with refusal(404, "Not Found"):
        repo.get_contents("apps/gone.yaml")


def test_a_file_is_created_and_updated_against_what_stands(repo: Repository) -> None:
    made = repo.create_file("notes/a b.md", "Note", "one")
    assert repo.get_commit(made["commit"].sha).commit.verification.verified
    before = _file(repo, "notes/a b.md")
    repo.update_file(before.path, "Again", "two", before.sha)
    assert _file(repo, "notes/a b.md").decoded_content == b"two"
    with refusal(409, "does not match"):
        repo.update_file(before.path, "Late", "three", before.sha)
    with refusal(422, "sha"):
        repo.create_file("notes/a b.md", "Over it", "four")


def test_long_lists_come_in_pages(world: World, repo: Repository) -> None:
    for number in range(5):
        world.hub.commit("acme/infra", "wes", {"n": str(number).encode()}, f"Number {number}")
    headers, first = repo.requester.requestJsonAndCheck("GET", f"{repo.url}/commits", parameters={"per_page": 2})
    assert len(first) == 2
    assert 'rel="next"' in headers["link"]
    assert "page=3" in headers["link"]
    repo.requester.per_page = 2
    assert len(list(repo.get_commits())) == 6
    assert next(iter(repo.get_commits().reversed)).commit.message == "Begin"


def test_an_answer_that_did_not_change_is_a_304(repo: Repository) -> None:
    headers, _ = repo.requester.requestJsonAndCheck("GET", f"{repo.url}/labels")
    status, _, _ = repo.requester.requestJson("GET", f"{repo.url}/labels", headers={"If-None-Match": headers["etag"]})
    assert status == 304


def test_a_malformed_body_is_a_clear_refusal(repo: Repository) -> None:
    for body in ({"sha": 3, "ref": "refs/heads/x"}, {"ref": "refs/heads/x"}):
        with pytest.raises(GithubException) as refused:
            repo.requester.requestJsonAndCheck("POST", f"{repo.url}/git/refs", input=body)
        assert (refused.value.status, refused.value.data["errors"][0]["field"]) == (422, "sha")


def _file(repo: Repository, path: str, ref: str = "main") -> ContentFile:
    found = repo.get_contents(path, ref=ref)
    assert isinstance(found, ContentFile)
    return found
