from __future__ import annotations

import pytest

from gitops_sre.delivery.branch import branch_name


def test_the_branch_is_a_function_of_the_incident() -> None:
    assert branch_name("inc-0123", "fix", 1) == "gitops-sre/inc-0123/fix-1"
    assert branch_name("inc-0123", "revert", 2) == "gitops-sre/inc-0123/revert-2"


@pytest.mark.parametrize("name", ["", "-x", "../main", "a b", "a\nb", "a/b", "a.lock", "\u202egnp", "x" * 101])
def test_ids_that_git_could_misread_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not fit"):
        branch_name(name, "fix", 1)
