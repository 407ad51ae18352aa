"""What else is evidence: when a commit went live, what the cluster warns of, what earlier incidents taught."""

from __future__ import annotations

from gitops_sre.model.incident import State
from gitops_sre.model.servicemap import Edge, Sighting
from gitops_sre.perception import servicemap
from gitops_sre.sandbox.kubernetes.resources import Key
from tests.loop.conftest import Founder


def test_a_change_counts_from_its_sync_and_not_from_its_commit(found: Founder) -> None:
    place = found("L1")
    place.signals.bad = lambda _, image: image.endswith(":v9.0.0")
    sha = place.put_tag("v9.0.0")
    place.clock.at += 100.0  # a sync window, say: nobody looks at the branch
    place.tick()

    incident = place.until(place.bot(), State.REPORTED)

    assert incident.diagnosis is not None
    change = incident.diagnosis.top.change
    assert change is not None
    assert (change.commit.sha, change.live is not None) == (sha, True)
    assert 0 <= change.lead <= 5


def test_what_the_cluster_warns_of_is_evidence_and_told_in_the_report(found: Founder) -> None:
    place = found("L1")
    place.deploy_bad()
    pod = next(pod["metadata"]["name"] for pod in place.cluster.objects("Pod"))
    message = 'Failed to pull image "registry.example.com/shipping:v9.0.0": not found'
    place.cluster.record(Key("Pod", place.environment, pod), "Failed", message, "kubelet", warning=True, count=9)

    incident = place.until(place.bot(), State.REPORTED)

    assert incident.diagnosis is not None
    told = incident.diagnosis.find(f"image_unusable/{place.service}")
    assert told is not None
    assert told.score == 9
    assert told.id in incident.diagnosis.top.supports
    assert any("Failed to pull image" in (issue.body or "") for issue in place.reports)


def test_the_service_map_outlives_incidents_and_says_who_suffers(found: Founder) -> None:
    place = found("L1")
    place.deploy_bad()
    bot, now = place.bot(), place.clock.at
    calls = [Edge("web", place.service, (Sighting("mesh", 0.98, now),))]
    gone = [Edge("old", place.service, (Sighting("mesh", 0.98, now - servicemap.KEEP),))]
    bot.world.store.keep_service_map(place.environment, servicemap.of_edges(calls + gone), place.clock.now())

    place.until(bot, State.REPORTED)

    assert any(f"1 service needs {place.service}: web" in (issue.body or "") for issue in place.reports)
    assert place.bot().world.store.service_map(place.environment).edges == tuple(calls)
