from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from random import Random

import pytest

from gitops_sre.cli.picture import page
from gitops_sre.cli.picture.belief import Belief, factor
from gitops_sre.cli.picture.series import Wanted, picked, wishes
from gitops_sre.cli.picture.servicemap import MAX_NODES, service_map
from gitops_sre.cli.picture.timeline import events, timeline
from gitops_sre.model.change_feed import Rollout, RolloutStep
from gitops_sre.model.evidence import Evidence, Gap, Scope
from gitops_sre.model.findings import Findings
from gitops_sre.model.outcome import Unavailable
from gitops_sre.model.servicemap import Baseline, Edge, ServiceMap, Sighting
from gitops_sre.model.telemetry import Measure, SignalName
from gitops_sre.perception.survey import survey
from gitops_sre.reasoning.catalogue import Catalogue, load_catalogue
from gitops_sre.reasoning.diagnose import diagnose

START, ONSET, ASKED, STEP = 1_700_000_000, 1_700_006_000, 1_700_006_600, 30
EDGES = (("web", "cart"), ("cart", "db"), ("web", "search"))
LATENCY = {"web": 0.3, "cart": 0.2, "db": 0.1, "search": 0.05}
Name = Callable[[str], str]
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onload='alert(1)",
    "</title></style></svg><iframe src=//evil.example>",
    "{{ 7*7 }}{% for x in [] %}",
    "]]><!--",
    "javascript:alert(1)",
    "\u202eecivres\u2066\u200b",
    "lone \ud800 surrogate\x00\x1b[31m",
    "x" * 5000,
    "line\nbreak\t&amp;&lt;",
)
TAGS = frozenset(
    re.findall(
        r"\w+",
        "html head meta title style body main header section p h1 h2 h3 bdi b i strong span div figure details summary "
        "svg desc g defs marker path line rect circle polyline text tspan table caption tr th td ul li",
    )
)
VOID = frozenset({"meta"})


@cache
def catalogue() -> Catalogue:
    return load_catalogue()


def plain(name: str) -> str:
    return name


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def measured(name: Name, slow: Sequence[str], spared: Sequence[str] = ()) -> list[Measure]:
    """Latency and traffic of two pods of each service; from the onset on, the slow services are slower, but for the
    pods that are spared."""
    random = Random(1)
    times = range(START, ASKED + 1, STEP)
    found = []
    for service, usual in LATENCY.items():
        for pod in ("a", "b"):
            struck = service in slow and f"{service}-{pod}" not in spared
            late = [0.4 if struck and at >= ONSET else 0.0 for at in times]
            values = [usual * random.uniform(0.95, 1.05) + more for more in late]
            traffic = [random.uniform(95, 105) for _ in times]
            for signal, unit, series in (("latency", "s", values), ("traffic", "req/s", traffic)):
                found.append(_measure(signal, name(service), f"{name(service)}-{pod}", unit, list(times), series))
    return found


def _measure(
    signal: str, service: str, pod: str, unit: str, times: Sequence[float], values: Sequence[float], version: str = ""
) -> Measure:
    names: dict[str, SignalName] = {"latency": "latency", "traffic": "traffic"}
    return Measure(names[signal], service, array("d", times), array("d", values), unit, pod, version)


def rollout(name: Name, at: float, service: str = "db") -> Rollout:
    steps = (
        RolloutStep(moment(at), moment(at + 60), 1, 1, (f"{name(service)}-b",)),
        RolloutStep(moment(at + 120), moment(at + 240), 0, 2, (f"{name(service)}-c",)),
    )
    return Rollout(name(service), "", name("v1"), name("v2"), steps, 2)


def found(
    name: Name = plain, slow: Sequence[str] = ("web", "cart", "db"), *, rolled: bool = True
) -> tuple[Findings, list[Measure]]:
    measures = measured(name, slow, ("db-a",) if rolled else ())
    if rolled:
        measures = [
            replace(each, version=name("v2" if each.pod.endswith("-b") else "v1"))
            if each.service == name("db")
            else each
            for each in measures
        ]
    rollouts = (rollout(name, ONSET - 300), rollout(name, ONSET - 900, "search")) if rolled else ()
    edges = tuple((name(a), name(b)) for a, b in EDGES)
    quiet = ONSET - 600
    looked = survey(measures, edges, START, ASKED, quiet, name("web"), rollouts)
    scope = Scope(name("web"), "", "", moment(looked.onset), moment(ASKED), moment(START), moment(quiet))
    gaps = (Gap("traces", "traces", name("web"), Unavailable(name("timed out"))),)
    return Findings(scope, looked.evidence, gaps, edges, rollouts), measures


def drawn(name: Name = plain, slow: Sequence[str] = ("web", "cart", "db"), *, rolled: bool = True) -> str:
    findings, measures = found(name, slow, rolled=rolled)
    return page(name("case 1"), findings, diagnose(findings, catalogue()), measures, catalogue())


class Reader(HTMLParser):
    """Checks that every element is closed where it should be; keeps the elements and the text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text.append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


def words(text: str) -> str:
    return " ".join("".join(read(text).text).split())


def test_the_headline_names_service_cause_certainty_and_change() -> None:
    said = words(drawn())
    assert re.search(r"db: new deploy .*?(over )?\d+% that db is to blame", said)
    assert "Change to blame: rollout of db from v1 to v2, begun 5 min before the onset" in said
    assert "Second candidate" in said
    assert "Third candidate" in said


def test_nothing_is_fetched_and_nothing_runs() -> None:
    text = drawn()
    for tag, attributes in read(text).seen:
        assert tag in TAGS
        assert not {"src", "href", "xlink:href", "srcset", "data", "action", "poster"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
    assert re.findall(r"url\((?!#)", text) == []
    assert "@import" not in text
    assert "http" not in text.replace("http-equiv", "")


@pytest.mark.parametrize("evil", HOSTILE)
def test_names_from_outside_are_text_and_nothing_else(evil: str) -> None:
    calm, attacked = read(drawn()), read(drawn(lambda name: f"{name}{evil}"))
    assert {tag for tag, _ in attacked.seen} <= TAGS
    assert [tag for tag, _ in attacked.seen if tag in ("p", "h2", "svg", "section", "meta")] == [
        tag for tag, _ in calm.seen if tag in ("p", "h2", "svg", "section", "meta")
    ]
    for _, attributes in attacked.seen:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "href")]
        assert not [value for name, value in attributes.items() if value and evil in value and name != "content"]
    assert "49" not in re.findall(r"case 1(\S*)", "".join(attacked.text))[0]


def test_hidden_characters_are_shown_and_the_page_can_be_written() -> None:
    text = drawn(lambda name: f"{name}\u202e\ud800\x00")
    assert text.encode()
    assert not {"\u202e", "\ud800", "\x00"} & set(text)
    assert "⟨U+202E⟩" in text


def test_every_picture_has_a_title_a_text_and_a_table() -> None:
    reader = read(drawn())
    ids = {attributes["id"] for _, attributes in reader.seen if attributes.get("id")}
    pictures = [attributes for tag, attributes in reader.seen if tag == "svg"]
    assert len(pictures) == 3
    for attributes in pictures:
        assert attributes["role"] == "img"
        assert set((attributes["aria-labelledby"] or "").split()) <= ids
    assert sum(tag == "details" for tag, _ in reader.seen) == len(pictures)
    assert sum(tag == "table" for tag, _ in reader.seen) >= len(pictures) + 2


def test_everything_drawn_lies_inside_its_picture() -> None:
    for picture in re.findall(r"<svg .*?</svg>", drawn(), re.S):
        width, height = (float(part) for part in re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', picture)[0])
        body = re.sub(r"<defs>.*?</defs>", "", picture, flags=re.S)
        for names, most in (("x|x1|x2|cx", width), ("y|y1|y2|cy", height)):
            numbers = [float(part) for part in re.findall(rf' (?:{names})="([^"]*)"', body)]
            assert numbers
            assert all(0 <= number <= most for number in numbers)
        for data in re.findall(r' d="([^"]*)"', body):
            assert all(
                0 <= float(a) <= width and 0 <= float(b) <= height for a, b in re.findall(r"([\d.]+),([\d.]+)", data)
            )


def test_light_and_dark_have_the_same_colours_named() -> None:
    style = re.findall(r"<style>(.*?)</style>", drawn(), re.S)[0]
    light, dark = (set(re.findall(r"(--\w+):", block)) for block in re.findall(r":root \{(.*?)\}", style, re.S))
    assert light == dark
    assert set(re.findall(r"var\((--\w+)\)", style)) <= light


def test_where_nothing_is_wrong_the_page_says_so() -> None:
    said = words(drawn(slow=(), rolled=False))
    assert "Nothing is wrong, as far as can be seen" in said
    assert "Change to blame" not in said


def test_gaps_and_kinds_of_evidence_that_there_are_none_of_are_named() -> None:
    said = words(drawn(rolled=False))
    assert "traces of web: timed out" in said
    assert "Logs: no finding of this kind" in said


def test_a_page_without_telemetry_is_a_page_too() -> None:
    findings, _ = found(rolled=False)
    bare = Findings(findings.scope, (), findings.gaps, (), ())
    text = page("case", bare, diagnose(bare, catalogue()), (), catalogue())
    assert "No series were measured" in words(text)


def test_a_page_is_the_same_every_time() -> None:
    assert drawn() == drawn()


def test_beliefs_end_where_the_diagnosis_is_and_always_sum_to_one() -> None:
    findings, _ = found()
    diagnosis = diagnose(findings, catalogue())
    steps = Belief.of(findings, catalogue()).steps()
    assert [step.name for step in steps] == ["Before", "Symptoms", "Own share", "Changes"]
    for step in steps:
        assert sum(step.places.values()) == pytest.approx(1)
    for blame in diagnosis.services:
        if blame.service:
            assert steps[-1].places[blame.service] == pytest.approx(blame.posterior)
    assert sum(step.findings for step in steps) >= len(findings.evidence)


def test_before_any_evidence_the_beliefs_are_the_priors() -> None:
    findings, _ = found(rolled=False)
    before = Belief.of(findings, catalogue()).steps()[0]
    assert before.places["(no fault)"] == pytest.approx(catalogue().causes["no_fault"].prior, rel=1e-6)


def test_what_a_diagnosis_rests_on_is_what_it_loses_without() -> None:
    findings, _ = found()
    belief = Belief.of(findings, catalogue())
    now = belief.steps()[-1].places["db"]
    without = belief.without("db")
    assert without
    assert all(each.posterior < now for each in without)
    assert [each.posterior for each in without] == sorted(each.posterior for each in without)
    assert any("“Own share”" in each.what for each in without)


def test_leaving_a_finding_out_is_reasoning_without_it() -> None:
    findings, _ = found(rolled=False)
    belief = Belief.of(findings, catalogue())
    for each in belief.without("db", most=3):
        rest = tuple(item for item in findings.evidence if item.statement != each.what)
        if len(rest) == len(findings.evidence) - 1:
            again = diagnose(replace(findings, evidence=rest), catalogue())
            assert sum(h.posterior for h in again.hypotheses if h.service == "db") == pytest.approx(each.posterior)
            return
    pytest.fail("no single finding mattered, though db was slow by itself")


def test_weights_are_told_as_odds() -> None:
    assert factor(0.0) == "× 1.0"
    assert factor(-2.302585) == "÷ 10.0"
    assert factor(3.0) == "× 20"
    assert factor(500) == "× over 1000"


def test_the_blamed_service_comes_first_then_who_alerts() -> None:
    findings, measures = found()
    pictures = picked(findings, measures, ("db", "cart"), diagnose(findings, catalogue()).top.supports)
    assert (pictures[0].wanted.service, pictures[0].wanted.signal) == ("db", "latency")
    assert [curve.name for curve in pictures[0].curves] == ["v2", "v1"]
    assert ("web", "alerting") in {(each.wanted.service, each.wanted.why) for each in pictures}
    assert "search" not in {each.wanted.service for each in pictures}


def test_what_callers_notice_is_drawn_against_what_the_callee_says() -> None:
    findings, measures = found(rolled=False)
    noticed = Evidence(
        "edge_latency/db", "edge_latency", "db", "high", "slow", findings.scope.onset, caller="cart", score=9
    )
    findings = replace(findings, evidence=(*findings.evidence, noticed))
    assert Wanted("db", "latency", "noticed by its caller", caller="cart") in wishes(
        findings, ("db",), frozenset({noticed.id})
    )
    some = next(each for each in measures if each.service == "cart" and each.signal == "latency")
    measures += [replace(some, peer="db", pod="", side="client"), replace(some, peer="db", pod="", side="server")]
    pictures = picked(findings, measures, ("db",), (noticed.id,))
    (calls,) = [each for each in pictures if each.wanted.caller]
    assert [curve.name for curve in calls.curves] == ["caller", "callee"]


def test_the_onset_and_rollouts_are_where_the_axis_says() -> None:
    findings, measures = found()
    diagnosis = diagnose(findings, catalogue())
    happened = events(findings.rollouts, diagnosis, diagnosis.top)
    picture = timeline(findings.scope, picked(findings, measures, ("db",), ()), happened)
    first = picture.marks[0]
    assert first.blamed
    assert "db" in first.full
    assert first.x < first.end < picture.onset < picture.asked == picture.right
    per_second = (picture.asked - picture.onset) / (ASKED - findings.scope.onset.timestamp())
    assert (first.end - first.x) / per_second == pytest.approx(240, rel=0.05)
    assert (picture.onset - first.x) / per_second == pytest.approx(
        findings.scope.onset.timestamp() - ONSET + 300, rel=0.05
    )


def test_panels_lie_below_each_other_and_their_labels_apart() -> None:
    findings, measures = found()
    picture = timeline(findings.scope, picked(findings, measures, ("db", "cart"), ()), ())
    assert len(picture.panels) >= 3
    for upper, lower in pairwise(picture.panels):
        assert upper.bottom + 20 <= lower.y
    for panel in picture.panels:
        labels = sorted(curve.label_y for curve in panel.curves)
        assert all(b - a >= 12.9 for a, b in pairwise(labels))


def test_a_large_map_shows_the_neighbourhood_of_the_blamed_and_of_who_alerts() -> None:
    findings, _ = found(rolled=False)
    chain = tuple((f"s{n:03}", f"s{n + 1:03}") for n in range(200))
    drawn_map = service_map(
        replace(findings, edges=chain, evidence=(), scope=replace(findings.scope, service="s000")), {"s150": 0.9}
    )
    names = {node.name for node in drawn_map.nodes}
    assert len(names) == MAX_NODES
    assert {"s000", "s001", "s149", "s150", "s151"} <= names
    assert "s075" not in names
    assert drawn_map.known == 201


def test_map_colours_follow_blame_and_feeling() -> None:
    findings, _ = found(rolled=False)
    nodes = {node.name: node for node in service_map(findings, {"db": 0.9, "cart": 0.05}).nodes}
    assert (nodes["db"].blame, nodes["cart"].blame, nodes["search"].blame) == (4, 1, 0)
    assert nodes["web"].felt > nodes["search"].felt == 0
    assert [name for name, node in nodes.items() if node.alerting] == ["web"]
    assert "to blame 90%" in nodes["db"].note


def test_pods_of_a_new_version_are_known_by_the_rollout_where_they_have_no_version() -> None:
    findings, measures = found()
    nameless = [replace(each, version="") for each in measures]
    (first, *_) = picked(findings, nameless, ("db",), ())
    assert [curve.name for curve in first.curves] == ["v2", "v1"]


def test_a_pod_is_drawn_beside_all_pods_only_where_it_differs() -> None:
    findings, measures = found(rolled=False)
    alone = [
        replace(
            each, values=array("d", (value + (at >= ONSET) for at, value in zip(each.times, each.values, strict=True)))
        )
        if each.pod == "db-b"
        else each
        for each in measures
    ]
    wanted = next(each for each in wishes(findings, ("db",), frozenset()) if each.signal == "latency")
    findings = replace(
        findings, evidence=tuple(replace(e, pod="db-b") if e.id == "latency/db" else e for e in findings.evidence)
    )
    assert wanted.service == "db"
    assert [curve.name for curve in picked(findings, alone, ("db",), ())[0].curves] == ["db-b", "all pods"]
    alike = [replace(each, values=measures[4].values) if each.service == "db" else each for each in measures]
    assert [curve.name for curve in picked(findings, alike, ("db",), ())[0].curves] == [""]


def test_a_call_says_how_it_is_known_and_what_is_usual_on_it() -> None:
    said = Sighting("mesh", 0.98, 1.0, Baseline(1.0, 0.25, 40.0, 0.01, "p50"))
    known = ServiceMap((Edge("web", "cart", (said,)), Edge("web", "db", (Sighting("declared", 0.9, 1.0),))))
    findings = replace(found(rolled=False)[0], evidence=(), edges=known.pairs, service_map=known)
    titles = {line.title for line in service_map(findings, {}).lines}
    assert titles == {
        "web calls cart (known from mesh, 98%); usually 0.25 s, 40 requests/s, 1.00% failures",
        "web calls db (known from declared, 90%)",
    }
