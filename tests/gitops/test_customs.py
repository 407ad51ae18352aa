"""Who owns a file, and what the repository wants to be told, from its files at a commit."""

from __future__ import annotations

import pytest

from gitops_sre.gitops import customs
from tests.gitops.commits import History

OWNERS = """# who owns what
*                 @acme/platform
/apps/checkout/   @alice @acme/payments shop@example.com
/apps/checkout/README.md
"""


@pytest.mark.parametrize(
    ("path", "owners"),
    [
        ("apps/checkout/kustomization.yaml", ("alice", "acme/payments")),
        ("apps/cart/kustomization.yaml", ("acme/platform",)),
        ("apps/checkout/README.md", ()),
    ],
)
def test_the_last_pattern_that_fits_names_the_owners(made: History, path: str, owners: tuple[str, ...]) -> None:
    commit = made.commit({".github/CODEOWNERS": OWNERS})
    assert customs.owners(made.repository(), commit, [path]) == owners


def test_of_several_files_each_has_its_owners_once(made: History) -> None:
    commit = made.commit({"CODEOWNERS": OWNERS})
    paths = ["apps/cart/a.yaml", "apps/checkout/b.yaml", "apps/web/c.yaml"]
    assert customs.owners(made.repository(), commit, paths) == ("acme/platform", "alice", "acme/payments")


def test_only_the_first_file_that_github_would_read_counts(made: History) -> None:
    commit = made.commit({".github/CODEOWNERS": "* @alice\n", "CODEOWNERS": "* @bob\n"})
    assert customs.owners(made.repository(), commit, ["a.yaml"]) == ("alice",)


def test_the_commit_that_was_asked_for_counts_not_a_later_one(made: History) -> None:
    commit = made.commit({"CODEOWNERS": "* @alice\n"})
    made.commit({"CODEOWNERS": "* @mallory\n"})
    assert customs.owners(made.repository(), commit, ["a.yaml"]) == ("alice",)


def test_without_such_files_there_is_nobody_and_nothing(made: History) -> None:
    commit = made.commit({"README.md": "x"})
    assert customs.owners(made.repository(), commit, ["a.yaml"]) == ()
    assert customs.template(made.repository(), commit) == ""


@pytest.mark.parametrize(
    "path",
    [".github/pull_request_template.md", "PULL_REQUEST_TEMPLATE.md", "docs/pull_request_template.md"],
)
def test_the_template_is_found_where_github_looks(made: History, path: str) -> None:
    commit = made.commit({path: "## Why\n"})
    assert customs.template(made.repository(), commit) == "## Why\n"
