"""Branch, commit and pull request: found or made, never twice, never anybody else's."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from gitops_sre.adapters.github import GitHubForge
from gitops_sre.delivery.seal import unseal
from gitops_sre.model.change import FieldEdit, FileEdit
from gitops_sre.model.outcome import Outdated, Refused, Unavailable
from gitops_sre.model.pull import Cover, PullRequest
from gitops_sre.model.verdict import Level
from gitops_sre.sandbox.github import Fault
from tests.adapters.github.conftest import BOT, BRANCH, KEY, Stage
from tests.delivery import sample

WRITES = (
    "{repo}/git/refs",
    "/api/graphql",
    "{repo}/pulls",
    "{repo}/issues/1/labels",
    "{repo}/check-runs",
)


def assert_one_of_each(stage: Stage) -> None:
    assert stage.bot_branches() == [BRANCH]
    assert len(stage.repo.pulls) == 1
    assert len(stage.repo.checks) == 1
    tip = stage.repo.head_of(BRANCH)
    assert tip is not None
    assert list(stage.repo.git.commit(tip).parents) == [stage.base]


def requested(stage: Stage, *reviewers: str) -> tuple[str, ...]:
    """Who is asked for a review when these are to be."""
    pull = stage.offer(stage.forge(), Level.L3, cover=Cover("The body.", reviewers=reviewers))
    assert isinstance(pull, PullRequest), pull
    return stage.repo.pulls[pull.number].requested_reviewers


def test_those_who_may_approve_are_asked_for_a_review_once(stage: Stage) -> None:
    assert requested(stage, "alice", "bob") == ("alice", "bob")
    stage.requests.clear()
    assert requested(stage, "Alice", "bob") == ("alice", "bob")
    assert stage.writes("/requested_reviewers") == 0


def test_somebody_who_cannot_be_asked_keeps_nobody_else_from_being_asked(stage: Stage) -> None:
    assert requested(stage, "nobody-here", "alice", "acme/payments") == ("alice",)


def test_the_whole_story_is_in_the_verdicts_check_run(stage: Stage) -> None:
    pull = stage.offer(stage.forge(), Level.L3, cover=Cover("Short.", "All the evidence."))
    assert isinstance(pull, PullRequest)
    (run,) = stage.repo.checks.values()
    assert (run.head_sha, run.text) == (pull.head, "All the evidence.")


def test_a_proposal_is_one_branch_one_verified_commit_one_pull_request(stage: Stage) -> None:
    pull = stage.opened(stage.forge())
    assert (pull.branch, pull.state, pull.draft, pull.ours, pull.base) == (BRANCH, "open", False, True, "main")
    assert pull.title == "checkout (production): rollback image checkout to 1.4.2"
    assert pull.head in stage.repo.verified
    assert_one_of_each(stage)


def test_the_commit_changes_the_proven_bytes_only_and_carries_the_sealed_record(stage: Stage) -> None:
    pull = stage.opened(stage.forge())
    git = stage.repo.git
    changed = {entry.path for entry in git.tree(pull.head, recursive=True)} ^ {
        entry.path for entry in git.tree(stage.base, recursive=True)
    }
    assert not changed
    shas = {entry.path: entry.sha for entry in git.tree(pull.head, recursive=True)}
    assert git.blob(shas[sample.FILE]) == sample.AFTER.encode()
    assert git.blob(shas["README.md"]) == b"# infra\n"
    assert unseal(git.commit(pull.head).message, KEY.ring, stage.name, stage.base) == stage.record()


@pytest.mark.parametrize(
    ("level", "draft", "conclusion"),
    [(Level.L4, False, "success"), (Level.L3, False, "neutral"), (Level.L2, True, "action_required")],
)
def test_the_level_shows_as_draft_label_and_check(stage: Stage, level: Level, draft: bool, conclusion: str) -> None:
    pull = stage.opened(stage.forge(), level)
    assert pull.draft is draft
    assert stage.repo.issues[1].labels == ("gitops-sre", f"gitops-sre/{level.name}")
    (check,) = stage.repo.checks.values()
    assert (check.name, check.conclusion, check.head_sha) == ("gitops-sre/verdict", conclusion, pull.head)
    assert "confidence.minimum" in (check.summary or "")


def test_proposing_again_finds_what_stands_and_writes_nothing(stage: Stage) -> None:
    first = stage.opened(stage.forge())
    before = stage.writes()
    again = stage.forge()
    assert stage.opened(again) == first
    assert stage.writes() == before
    assert_one_of_each(stage)


@pytest.mark.parametrize(
    ("path", "when"),
    [*((path, "after") for path in WRITES), ("/api/graphql", "before"), ("{repo}/pulls", "before")],
)
def test_a_502_on_any_write_ends_in_one_of_each(stage: Stage, path: str, when: str) -> None:
    stage.github.inject("POST", path.format(repo=stage.api), Fault(502, when=when))  # type: ignore[arg-type]  # one of its two words
    pull = stage.opened(stage.forge())
    assert pull.number == 1
    assert_one_of_each(stage)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("path", WRITES)
def test_what_a_crashed_bot_left_is_adopted_by_the_next(stage: Stage, path: str, when: str) -> None:
    stage.github.inject("POST", path.format(repo=stage.api), Fault(500, when=when), times=99)  # type: ignore[arg-type]  # one of its two words
    assert isinstance(stage.offer(stage.forge()), PullRequest | Unavailable)
    stage.github.clear_faults()
    assert stage.opened(stage.forge()).number == 1
    assert_one_of_each(stage)


def test_two_workers_at_once_end_in_one_pull_request(stage: Stage) -> None:
    forge, found = stage.forge(), list[object]()
    workers = [threading.Thread(target=lambda: found.append(stage.offer(forge))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert {pull.number for pull in found if isinstance(pull, PullRequest)} == {1}
    assert all(isinstance(pull, PullRequest | Unavailable) for pull in found)
    assert stage.bot_branches() == [BRANCH]
    assert len(stage.repo.pulls) == 1


def test_a_branch_of_somebody_else_is_refused_and_left_alone(stage: Stage) -> None:
    theirs = stage.commit("bob", {"x": b"1"}, "mine", branch=BRANCH)
    made = stage.offer(stage.forge())
    assert isinstance(made, Refused)
    assert "not the bot's" in made.reason
    assert stage.repo.head_of(BRANCH) == theirs
    assert not stage.repo.pulls


def test_a_forged_commit_with_a_copied_seal_is_not_adopted(stage: Stage) -> None:
    genuine = stage.opened(stage.forge())
    message = stage.repo.git.commit(genuine.head).message
    other = "gitops-sre/inc-0123456789ab/fix-2"
    stage.commit(BOT, {sample.FILE: b"evil: true\n"}, message, branch=other)
    record = replace(stage.record(), attempt=2)
    made = stage.offer(stage.forge(), record=record)
    assert isinstance(made, Refused)
    assert "not the bot's" in made.reason


def test_an_impostors_pull_request_on_the_branch_is_refused(stage: Stage) -> None:
    stage.commit("bob", {"x": b"1"}, "mine", branch=BRANCH)
    stage.as_person("bob", "POST", "/pulls", {"title": "x", "head": BRANCH, "base": "main"})
    made = stage.offer(stage.forge())
    assert isinstance(made, Refused)
    assert "not the bot's" in made.reason


def test_a_persons_push_to_the_open_pull_request_is_seen_as_theirs(stage: Stage) -> None:
    stage.opened(stage.forge())
    stage.commit("bob", {"x": b"1"}, "and this", branch=BRANCH)
    pull = stage.opened(stage.forge())
    assert not pull.ours
    assert pull.number == 1


def test_a_closed_pull_request_means_no(stage: Stage) -> None:
    stage.opened(stage.forge())
    stage.as_person("bob", "PATCH", "/pulls/1", {"state": "closed"})
    made = stage.offer(stage.forge())
    assert isinstance(made, Refused)
    assert "closed by a person" in made.reason
    assert len(stage.repo.pulls) == 1


def test_a_merged_one_is_given_back_as_merged(stage: Stage) -> None:
    forge = stage.forge()
    forge.merge(stage.opened(forge))
    pull = stage.opened(stage.forge())
    assert pull.state == "merged"
    assert pull.merge_sha == stage.repo.head_of("main")


def test_a_base_that_moved_in_an_edited_file_is_refused_before_anything_is_made(stage: Stage) -> None:
    stage.commit("alice", {sample.FILE: b"images: []\n"}, "other")
    made = stage.offer(stage.forge())
    assert isinstance(made, Outdated)
    assert not stage.bot_branches()


def test_a_base_that_moved_elsewhere_does_no_harm(stage: Stage) -> None:
    stage.commit("alice", {"README.md": b"# new\n"}, "other")
    stage.opened(stage.forge())
    assert_one_of_each(stage)


def test_an_edited_file_that_is_gone_is_a_moved_base(stage: Stage) -> None:
    stage.commit("alice", {sample.FILE: None}, "gone")
    made = stage.offer(stage.forge())
    assert isinstance(made, Outdated)


BUMPED = sample.BEFORE.replace("1.5.0", "1.5.1")


def offered_again(stage: Stage, forge: GitHubForge | None = None) -> PullRequest | Outdated | Refused | Unavailable:
    """Propose the sample's change as it is after somebody has pushed 1.5.1."""
    base = stage.repo.head_of("main") or ""
    edit = FieldEdit(sample.FILE, 0, ("images", 0, "newTag"), "1.5.1", "1.4.2", "1.5.1", "1.4.2")
    record = replace(stage.record(base=base), edits=(edit,))
    file = replace(sample.PROOF.change.files[0], before=BUMPED)
    proof = replace(sample.PROOF, change=replace(sample.PROOF.change, base=base, edits=(edit,), files=(file,)))
    return (forge or stage.forge()).propose(record, (file,), proof, record.verdict, Cover("The body, made again."))


def assert_made_again(stage: Stage, pull: object) -> None:
    """One pull request, the first, with one signed commit on the present base."""
    assert isinstance(pull, PullRequest), pull
    assert (pull.number, pull.state, pull.ours, len(stage.repo.pulls)) == (1, "open", True, 1)
    assert pull.head == stage.repo.head_of(BRANCH)
    assert list(stage.repo.git.commit(pull.head).parents) == [stage.repo.head_of("main")]
    assert stage.repo.issues[1].body == "The body, made again."
    assert [run.head_sha for run in stage.repo.checks.values()].count(pull.head) == 1
    assert stage.bot_branches() == [BRANCH]


def test_a_left_over_commit_on_an_old_base_is_made_again(stage: Stage) -> None:
    stage.github.inject("POST", f"{stage.api}/pulls", Fault(500), times=99)
    assert isinstance(stage.offer(stage.forge()), Unavailable)
    stage.github.clear_faults()
    stage.commit("alice", {sample.FILE: BUMPED.encode()}, "1.5.1")
    assert isinstance(stage.offer(stage.forge()), Outdated)
    assert_made_again(stage, offered_again(stage))


def test_an_open_pull_request_is_made_again_on_the_present_base(stage: Stage) -> None:
    first = stage.opened(stage.forge())
    stage.commit("alice", {sample.FILE: BUMPED.encode()}, "1.5.1")
    again = offered_again(stage)
    assert_made_again(stage, again)
    assert isinstance(again, PullRequest)
    assert again.head != first.head
    stage.requests.clear()
    assert offered_again(stage) == again
    assert stage.writes() == 0


MADE_AGAIN = (
    ("POST", "{repo}/git/blobs"),
    ("POST", "{repo}/git/trees"),
    ("POST", "{repo}/git/commits"),
    ("POST", "{repo}/check-runs"),
    ("PATCH", "{repo}/pulls/1"),
    ("POST", "/api/graphql"),
)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("method", "path"), MADE_AGAIN)
def test_dying_anywhere_while_it_is_made_again_ends_in_one_of_each(
    stage: Stage, method: str, path: str, when: str
) -> None:
    stage.opened(stage.forge())
    stage.commit("alice", {sample.FILE: BUMPED.encode()}, "1.5.1")
    stage.github.inject(method, path.format(repo=stage.api), Fault(500, when=when), times=99)  # type: ignore[arg-type]  # one of its two words
    assert isinstance(offered_again(stage), PullRequest | Unavailable)
    stage.github.clear_faults()
    assert stage.repo.issues[1].state == "open"
    assert_made_again(stage, offered_again(stage))


def test_it_is_not_made_again_over_a_persons_push(stage: Stage) -> None:
    stage.opened(stage.forge())
    theirs = stage.commit("bob", {"x": b"1"}, "and this", branch=BRANCH)
    stage.commit("alice", {sample.FILE: BUMPED.encode()}, "1.5.1")
    pull = offered_again(stage)
    assert isinstance(pull, PullRequest)
    assert not pull.ours
    assert stage.repo.head_of(BRANCH) == theirs
    assert stage.repo.issues[1].body == "The body."


def test_a_push_in_the_last_moment_wins_over_making_it_again(stage: Stage) -> None:
    stage.opened(stage.forge())
    stage.commit("alice", {sample.FILE: BUMPED.encode()}, "1.5.1")
    theirs: list[str] = []

    def push() -> None:
        if not theirs:
            theirs.append(stage.commit("bob", {"x": b"1"}, "and this", branch=BRANCH))

    stage.recorder.before["/api/graphql"] = push
    pull = offered_again(stage)
    assert isinstance(pull, PullRequest)
    assert not pull.ours
    assert stage.repo.head_of(BRANCH) == theirs[0]


def test_a_commit_elsewhere_makes_nothing_again(stage: Stage) -> None:
    first = stage.opened(stage.forge())
    base = stage.commit("alice", {"README.md": b"# new\n"}, "other")
    assert stage.offer(stage.forge(), record=stage.record(base=base)) == replace(first, base_tip=base)
    assert not stage.writes("/git/commits")


def test_a_pull_request_that_was_merged_with_its_older_record_is_to_be_adopted(stage: Stage) -> None:
    forge = stage.forge()
    forge.merge(stage.opened(forge))
    stage.commit("alice", {sample.FILE: BUMPED.encode()}, "1.5.1")
    made = offered_again(stage)
    assert isinstance(made, Unavailable)
    assert "another record" in made.reason


def make_executable(stage: Stage) -> str:
    """The sample's file with mode 100755, on the base branch."""
    git = stage.repo.git
    blob = next(entry.sha for entry in git.tree(stage.base, recursive=True) if entry.path == sample.FILE)
    tree = git.write_tree(stage.base, [("100755", sample.FILE, blob)])
    now = git.commit(stage.base).author
    base = git.write_commit(tree, [stage.base], "executable", now, now)
    assert git.update_ref("refs/heads/main", base, stage.base)
    return base


@pytest.mark.parametrize("limit", [100_000, 2])
def test_a_files_mode_is_kept(stage: Stage, limit: int) -> None:
    base = make_executable(stage)
    stage.repo.tree_limit = limit
    pull = stage.offer(stage.forge(), record=stage.record(base=base))
    assert isinstance(pull, PullRequest), pull
    entry = next(entry for entry in stage.repo.git.tree(pull.head, recursive=True) if entry.path == sample.FILE)
    assert (entry.mode, stage.repo.git.blob(entry.sha)) == ("100755", sample.AFTER.encode())
    assert pull.ours
    assert pull.head in stage.repo.verified
    assert unseal(stage.repo.git.commit(pull.head).message, KEY.ring, stage.name, base) == stage.record(base=base)


def test_a_large_file_travels_in_a_request_of_its_own(stage: Stage) -> None:
    padding = "# a line of a large generated file\n" * 40_000
    base = stage.commit("alice", {sample.FILE: (sample.BEFORE + padding).encode()})
    record = stage.record(base=base)
    proof = stage.proof(record)
    files = (FileEdit(sample.FILE, sample.BEFORE + padding, sample.AFTER + padding),)
    proof = replace(proof, change=replace(proof.change, files=files))
    pull = stage.forge().propose(record, files, proof, record.verdict, Cover("The body."))
    assert isinstance(pull, PullRequest), pull
    assert pull.ours
    assert pull.head in stage.repo.verified
    assert stage.repo.git.run("show", f"{pull.head}:{sample.FILE}").decode() == files[0].after
    assert not [asked for asked in stage.recorder.asked if "createCommitOnBranch" in asked["query"]]


@pytest.mark.parametrize("path", ["{repo}/git/blobs", "{repo}/git/trees", "{repo}/git/commits"])
def test_dying_while_a_commit_is_made_by_rest_ends_in_one_of_each(stage: Stage, path: str) -> None:
    base = make_executable(stage)
    stage.github.inject("POST", path.format(repo=stage.api), Fault(500, when="after"), times=99)
    record = stage.record(base=base)
    assert isinstance(stage.offer(stage.forge(), record=record), Unavailable)
    stage.github.clear_faults()
    assert isinstance(stage.offer(stage.forge(), record=record), PullRequest)
    assert stage.bot_branches() == [BRANCH]
    assert len(stage.repo.pulls) == 1


def test_a_github_without_the_mutation_gets_the_commit_by_rest(stage: Stage) -> None:
    message = "Field 'createCommitOnBranch' doesn't exist on type 'Mutation'"
    stage.recorder.graphql.append({"errors": [{"message": message, "extensions": {"code": "undefinedField"}}]})
    pull = stage.opened(stage.forge())
    assert pull.ours
    assert_one_of_each(stage)


def test_an_open_pull_request_with_another_record_is_to_be_adopted_first(stage: Stage) -> None:
    stage.opened(stage.forge(), Level.L3)
    made = stage.offer(stage.forge(), Level.L4)
    assert isinstance(made, Unavailable)
    assert "another record" in made.reason


def test_no_gate_no_change(stage: Stage) -> None:
    forge, record = stage.forge(), stage.record(Level.L3)
    proof = stage.proof(record)
    files = proof.change.files
    tampered = (replace(files[0], after="evil: true\n"),)
    refused = (
        forge.propose(record, files, proof, sample.verdict(Level.L4), Cover("")),
        forge.propose(record, tampered, proof, record.verdict, Cover("")),
        forge.propose(record, files, sample.PROOF, record.verdict, Cover("")),
        stage.offer(forge, Level.L1),
        stage.offer(forge, Level.DENIED),
    )
    assert all(isinstance(made, Refused) for made in refused)
    assert not stage.requests


def test_a_missing_permission_is_named(stage: Stage) -> None:
    forge: GitHubForge = stage.weak_forge({"contents": "read"})
    made = stage.offer(forge)
    assert isinstance(made, Refused)
    assert "permissions requested are not granted" in made.reason
