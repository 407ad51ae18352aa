"""No byte outside the edited scalars ever differs, however the service is laid out."""

from __future__ import annotations

import pytest

from gitops_sre.model.incident import Incident, State
from tests.loop.conftest import Founder
from tests.loop.place import Place

LAYOUTS = pytest.mark.parametrize("service", ["checkout", "catalog", "payments", "inventory"])
"""A kustomize overlay, Helm values, several documents in a file, JSON."""


def tree(place: Place, commit: str) -> dict[str, bytes]:
    """Every file of a commit: path -> bytes."""
    listed = place.repo.git.run("ls-tree", "-r", "-z", "--name-only", commit).decode()
    return {path: place.read(path, commit) for path in listed.split("\0") if path}


def assert_only_scalars_differ(place: Place, incident: Incident, commit: str) -> None:
    """Between a merge and its first parent, exactly the proven edits differ."""
    assert incident.record is not None
    before, after = tree(place, f"{commit}^1"), tree(place, commit)
    changed = {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
    (edit,) = incident.record.edits
    assert changed == {edit.file}
    old, new = before[edit.file], after[edit.file]
    # What stands before the scalar and after it is the same, byte for byte.
    head, _, tail = old.partition(edit.before_raw.encode())
    assert old.count(edit.before_raw.encode()) == 1
    assert new == head + edit.after_raw.encode() + tail


@LAYOUTS
def test_a_rollback_touches_the_tag_and_restores_the_tree_before_the_deploy(found: Founder, service: str) -> None:
    place = found("L4", service=service)
    whole = place.repo.git.run("rev-parse", "main^{tree}")
    place.deploy_bad()

    incident = place.until(place.bot(), State.RESOLVED)

    (merge,) = place.merges
    assert_only_scalars_differ(place, incident, merge)
    assert place.repo.git.run("rev-parse", "main^{tree}") == whole


def test_a_revert_restores_the_tree_before_the_fix(found: Founder) -> None:
    place = found("L4", service="checkout")
    place.deploy_beside_a_fault()
    whole = place.repo.git.run("rev-parse", "main^{tree}")

    place.until(place.bot(), State.ESCALATED)

    assert len(place.merges) == 2
    assert place.repo.git.run("rev-parse", "main^{tree}") == whole
