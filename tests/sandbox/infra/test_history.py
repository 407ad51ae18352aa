"""The history reads like one that people wrote, and ends where the shop stands today."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from gitops_sre.sandbox.infra import edit, history, tree
from gitops_sre.sandbox.shop import BY_NAME, ENVIRONMENTS, SERVICES

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
COMMITS = list(history.commits(NOW, "http://127.0.0.1:1/acme/shop-infra.git"))


def test_several_people_made_many_commits_over_weeks_and_none_just_now() -> None:
    times = [commit.when for commit in COMMITS]
    assert len(COMMITS) >= 40
    assert times == sorted(times)
    assert times[0] < NOW - timedelta(weeks=3)
    assert times[-1] <= NOW - timedelta(minutes=10)
    assert len({commit.login for commit in COMMITS}) >= 4
    assert all(commit.files for commit in COMMITS)


def test_every_service_went_through_earlier_versions_in_order() -> None:
    for service in SERVICES:
        for environment in ENVIRONMENTS:
            path = tree.image_path(environment, service.name)
            contents = [content for commit in COMMITS if (content := commit.files.get(path))]
            tags = list(dict.fromkeys(edit.tag_in(content, service.image) for content in contents))
            assert tags == list(history.lineage(service.version))


def test_a_deploy_touches_only_the_places_its_message_names() -> None:
    for commit in COMMITS:
        if commit.message.startswith("Deploy "):
            _, service, tag, _, *rest = commit.message.split(" ")
            environments = [word for word in rest if word != "and"]
            assert set(commit.files) == {tree.image_path(environment, service) for environment in environments}
            for content in commit.files.values():
                assert content is not None
                assert edit.tag_in(content, BY_NAME[service].image) == tag


def test_a_release_reaches_production_after_staging() -> None:
    first: dict[tuple[str, str, str], datetime] = {}
    for commit in COMMITS[1:]:
        if commit.message.startswith("Deploy "):
            _, service, tag, _, *environments = commit.message.split(" ")
            for environment in environments:
                first.setdefault((service, tag, environment), commit.when)
    order = defaultdict(list)
    for (service, tag, environment), when in first.items():
        if environment in ENVIRONMENTS:
            order[service, tag].append((when, ENVIRONMENTS.index(environment)))
    assert all(
        [rank for _, rank in sorted(entries)] == sorted(rank for _, rank in entries) for entries in order.values()
    )


def test_the_same_seed_writes_the_same_history() -> None:
    assert list(history.commits(NOW, "http://127.0.0.1:1/acme/shop-infra.git")) == COMMITS


@pytest.mark.parametrize(
    ("version", "expected"),
    [("v2.14.0", ("v2.13.0", "v2.13.1", "v2.14.0")), ("v1.22.4", ("v1.22.2", "v1.22.3", "v1.22.4"))],
)
def test_predecessors_of_a_version(version: str, expected: tuple[str, str, str]) -> None:
    assert history.lineage(version) == expected


def test_what_is_no_version_is_refused() -> None:
    with pytest.raises(ValueError, match=r"v1\.2\.3"):
        history.parsed("latest")
