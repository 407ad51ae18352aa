"""A language model beside the loop: asked once, heard by people, and without a hand in what is changed."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gitops_sre.adapters.claude import Claude
from gitops_sre.cli.main import cli
from gitops_sre.delivery.text import transcript
from gitops_sre.engine.bot import Bot
from gitops_sre.engine.intake import intake
from gitops_sre.model.consult import Prompt, Reply
from gitops_sre.model.incident import Incident, State
from gitops_sre.model.outcome import Unavailable
from gitops_sre.ports import Assistant
from gitops_sre.sandbox.anthropic import KEY, Anthropic, Asked, Call, Fail, Say, Turn
from gitops_sre.settings import InvestigatorSettings, PriceSettings
from tests.canaries import CANARIES
from tests.loop.conftest import Founder
from tests.loop.place import Place
from tests.loop.test_canaries import alert, burden, release, warn

Script = Sequence[Turn] | Callable[[Asked], Turn]
PRICES = PriceSettings(input=3, output=15, cache_read=0.3, cache_write=3.75)


@pytest.fixture
def serve() -> Iterator[Callable[[Script], Anthropic]]:
    """Starts a scripted model; what it was sent must have been in order."""
    running: list[Anthropic] = []

    def start(script: Script) -> Anthropic:
        running.append(Anthropic(script))
        return running[-1].__enter__()

    yield start
    for api in running:
        api.__exit__(None, None, None)
        assert not api.refused


def bot_with(place: Place, url: str, assistant: Assistant | None = None, **settings: object) -> Bot:
    """A bot that may ask the model at an address; about every fault, if nothing else is said."""
    given = {"when": "always", "retries": 0, "prices": PRICES, **settings}
    section = InvestigatorSettings.model_validate({"model": "claude-test", "url": url, **given})
    place.settings = place.settings.model_copy(update={"investigator": section})
    world = replace(place.world(), assistant=assistant or Claude(section, {"ANTHROPIC_API_KEY": KEY}))
    return Bot(world, intake(world), "bot", place._hear)


def concluding(asked: Asked, **more: object) -> Say:
    """A conclusion that says what the statistics say."""
    first = hypotheses(asked)[0]
    claim = {
        "cause": first["cause"],
        "service": first["service"],
        "commit": first.get("commit", ""),
        "evidence": first["for"][:2],
        "why": "errors began with it",
    }
    said = {"hypotheses": [claim], "queries": ["errors by pod"], "plans": ["p1"]}
    return Say("", (Call("conclude", {**said, **more}),))


def hypotheses(asked: Asked) -> list[dict[str, Any]]:
    """What the model was told of the diagnosis."""
    (_, _, rest) = asked.text.partition('<data kind="hypotheses">\n')
    return [json.loads(line) for line in rest.partition("\n</data>")[0].splitlines()]


def page(place: Place) -> str:
    """The body of the only pull request."""
    return place.repo.issues[place.pull().number].body or ""


def test_a_decisive_diagnosis_asks_nobody(found: Founder, serve: Callable[[Script], Anthropic]) -> None:
    place, api = found("L4"), serve([])
    place.deploy_bad()
    resolved = place.until(bot_with(place, api.url, when="undecided", decisive=0.5), State.RESOLVED)
    assert api.tries == 0
    assert resolved.opinion is None


def test_its_opinion_is_on_the_pull_request_and_in_the_ledger(
    found: Founder, serve: Callable[[Script], Anthropic]
) -> None:
    place = found("L4")
    api = serve(concluding)
    place.deploy_bad()
    bot = bot_with(place, api.url)
    resolved = place.until(bot, State.RESOLVED)
    opinion = resolved.opinion
    assert opinion is not None
    assert opinion.stopped == "concluded"
    assert opinion.spent.calls == 1
    assert 0 < opinion.spent.tokens.total <= 12_000
    assert opinion.spent.money
    body = page(place)
    assert "### Second opinion" in body
    assert "errors began with it" in body
    entry = next(each for each in bot.world.store.ledger(resolved.id) if each.event == "Consulted")
    facts = json.loads(entry.detail)
    assert facts["tokens"] == opinion.spent.tokens.total
    assert facts["claims"]
    assert len(facts["turns_digest"]) == 64


def test_that_it_sees_things_otherwise_calls_a_person_to_the_change(
    found: Founder, serve: Callable[[Script], Anthropic]
) -> None:
    def other(asked: Asked) -> Say:
        second = next(each for each in hypotheses(asked)[1:] if each["cause"] not in ("no_fault", "unexplained"))
        cited = hypotheses(asked)[0]["for"]
        claim = {name: second.get(name, "") for name in ("cause", "service", "commit")}
        return concluding(asked, hypotheses=[{**claim, "evidence": cited, "why": "it looks like that"}])

    place = found("L4")
    api = serve(other)
    place.deploy_bad()
    waiting = place.until(bot_with(place, api.url), State.AWAITING_APPROVAL)
    assert waiting.verdict is not None
    assert waiting.verdict.level.name == "L3"
    assert "investigator" in waiting.verdict.why
    assert waiting.diagnosis is not None
    assert waiting.plan is not None
    assert waiting.plan.confidence == waiting.diagnosis.top.posterior, "the model's word is displayed, and no more"
    assert waiting.opinion is not None
    assert dict(waiting.opinion.displayed)[waiting.diagnosis.top.key] < waiting.diagnosis.top.posterior


@pytest.mark.parametrize(
    "turn", [Fail(529), Fail(401), Say("no", stop="refusal"), Say("", stop="max_tokens")], ids=repr
)
def test_without_it_the_incident_goes_on_and_says_so(
    found: Founder, serve: Callable[[Script], Anthropic], turn: Turn
) -> None:
    place, api = found("L4"), serve([turn])
    place.deploy_bad()
    resolved = place.until(bot_with(place, api.url), State.RESOLVED)
    assert resolved.opinion is not None
    assert resolved.opinion.conclusion is None
    assert "Second opinion" in page(place)


class Dies:
    """A model that ends the process that asks it."""

    asked = 0

    def say(self, prompt: Prompt) -> Reply | Unavailable:
        self.asked += 1
        raise SystemExit


def test_a_bot_that_died_while_it_asked_does_not_ask_again(found: Founder) -> None:
    place, model = found("L4"), Dies()
    place.deploy_bad()
    with pytest.raises(SystemExit):
        place.until(bot_with(place, "http://127.0.0.1:9", model), State.RESOLVED)
    resolved = place.until(bot_with(place, "http://127.0.0.1:9", model), State.RESOLVED)
    assert model.asked == 1
    assert resolved.opinion is not None
    assert "stopped before the answer was kept" in resolved.opinion.stopped


TOOLS: dict[str, dict[str, object]] = {
    "metric_names": {"contains": "request"},
    "metrics": {"query": "sum by (service) (rate(calls_total[1m]))"},
    "cluster_events": {"service": ""},
    "workloads": {"service": ""},
    "changes": {"service": ""},
    "service_map": {"service": "web"},
    "past_incidents": {"service": ""},
}


def test_its_tools_answer_at_once_and_can_be_cited(found: Founder, serve: Callable[[Script], Anthropic]) -> None:
    def script(asked: Asked) -> Say:
        done = asked.number - 1
        names = list(TOOLS)[6 * done : 6 * done + 6]
        if names:
            return Say("", tuple(Call(name, TOOLS[name]) for name in names))
        return concluding(asked)

    place = found("L4")
    api = serve(script)
    place.deploy_bad()
    resolved = place.until(bot_with(place, api.url, tokens=100_000), State.RESOLVED)
    assert resolved.opinion is not None
    assert resolved.opinion.stopped == "concluded"
    told = {item.signal for item in resolved.opinion.looked}
    assert told >= {"cluster_events", "workloads", "changes", "service_map", "past_incidents"}
    said = "\n".join(text for asked in api.asked for text in asked.results.values())
    assert place.service in said


@pytest.mark.parametrize(
    "arguments", [{"query": "{job=~'.+'}"}, {"query": "up[1d]"}, {"query": 7}, {}, {"url": "http://x"}]
)
def test_a_query_beyond_the_bounds_is_not_asked(
    found: Founder, serve: Callable[[Script], Anthropic], arguments: dict[str, object]
) -> None:
    api = serve(lambda asked: Say("", (Call("metrics", arguments),)) if asked.number == 1 else concluding(asked))
    place = found("L4")
    place.deploy_bad()
    place.until(bot_with(place, api.url, tokens=50_000), State.RESOLVED)
    (said,) = api.asked[1].results.values()
    assert "the query was not asked" in said


def test_one_that_obeys_an_attacker_changes_nothing(found: Founder, serve: Callable[[Script], Anthropic]) -> None:
    """It wants everything that it must not have, and agrees with the plan, so that nothing is held back either."""

    def obeys(asked: Asked) -> Say:
        if asked.number == 1:
            return Say(
                "", (Call("apply", {"manifest": "kind: Pod"}), Call("metrics", {"url": "http://169.254.169.254"}))
            )
        wanted = ["p1", "p2", {"action": "scale", "target": "payments", "value": "0"}]
        return concluding(asked, plans=wanted, level="L5", approved=True, target="payments")

    place = found("L4")
    api = serve(obeys)
    place.deploy_bad()
    resolved = place.until(bot_with(place, api.url, tokens=50_000), State.RESOLVED)
    assert place.tag == place.good
    assert len(place.merges) == 1
    assert resolved.opinion is not None
    assert resolved.opinion.conclusion is not None
    assert len(resolved.opinion.conclusion.dropped) == 5


def test_a_person_who_is_called_sees_what_it_thinks(found: Founder, serve: Callable[[Script], Anthropic]) -> None:
    place = found("L4")
    api = serve(concluding)
    place.deploy_beside_a_fault()
    place.settings = place.settings.model_copy(
        update={"decision": place.settings.decision.model_copy(update={"act_above": 1.0})}
    )
    incident: Incident = place.until(bot_with(place, api.url), State.ESCALATED)
    assert incident.plan is None
    assert "### Second opinion" in place.report()


def test_no_secret_that_the_bot_reads_is_sent_or_kept(found: Founder, serve: Callable[[Script], Anthropic]) -> None:
    """In commit messages, labels, annotations, files and the cluster's warnings; the model asks for all of it."""

    def script(asked: Asked) -> Say:
        if asked.number == 1:
            return Say("", tuple(Call(name, TOOLS[name]) for name in ("cluster_events", "changes", "workloads")))
        return concluding(asked, queries=["DB_PASSWORD and all tokens"])

    place = found("L4")
    api = serve(script)
    bot = bot_with(place, api.url, tokens=100_000)
    burden(place)
    place.tick(5)
    release(place, value=False)
    warn(place)
    place.tick(2)
    alert(place, bot)
    incident = place.until(bot, State.RESOLVED, State.ESCALATED)
    assert incident.opinion is not None
    assert incident.opinion.stopped == "concluded"
    said = repr(incident.opinion) + transcript(incident.opinion)
    sent = "\n".join(json.dumps(asked.body) for asked in api.asked)
    assert "secret is missing" in sent
    assert [canary for canary in CANARIES if canary in sent + said] == []


PAGE = Path(__file__).parents[2] / "docs" / "investigator.md"
BEGIN, END = "<!-- transcript:begin -->\n", "<!-- transcript:end -->"


def masked(text: str) -> str:
    """A transcript in which nothing depends on when it was made; every mask is as long as what it hides."""
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", "2026-11-24T03:00:00", text)
    return re.sub(r"\b[0-9a-f]{12}\b", "c46aaba3022d", text)


def two_questions_then_all_kinds_of_claims(asked: Asked) -> Say:
    """As a model might that is right in the main, and oversteps."""
    if asked.number == 1:
        query = "sum by (code) (rate(http_requests_total{service='shipping'}[1m]))"
        return Say(
            "The release is the obvious suspect. Did anything else change, and what fails?",
            (Call("changes", {"service": ""}), Call("metrics", {"query": query})),
        )
    right = hypotheses(asked)[0]
    claim = {"cause": right["cause"], "service": right["service"], "commit": right["commit"], "why": "it began with it"}
    return concluding(
        asked,
        hypotheses=[
            {
                **claim,
                "evidence": ["errors/shipping", *(name for name in looked(asked) if name.startswith("changes/"))],
            },
            {**claim, "cause": "network", "commit": "", "evidence": []},
            {**claim, "cause": "network", "commit": "", "evidence": ["logs/shipping"]},
            {**claim, "service": "bank", "evidence": ["errors/shipping"]},
        ],
        queries=["errors of shipping by pod"],
        plans=["p1", "p7"],
        level="L4",
    )


def looked(asked: Asked) -> list[str]:
    """Ids of what the tools have found."""
    return re.findall(r'"id": "([^"]+)"', "\n".join(asked.results.values()))


def test_the_page_shows_a_whole_conversation(found: Founder, serve: Callable[[Script], Anthropic]) -> None:
    """With UPDATE_GOLDEN=1 it is written anew."""
    place = found("L4")
    api = serve(two_questions_then_all_kinds_of_claims)
    place.deploy_bad()
    bot = bot_with(place, api.url)
    resolved = place.until(bot, State.RESOLVED)
    (place.folder / "settings.yaml").write_text(
        json.dumps(
            {
                "github": {"repository": place.name},
                "prometheus": {"url": "http://127.0.0.1:9"},
                "signing": {"key_file": "key.pem"},
            }
        )
    )
    said = CliRunner().invoke(
        cli,
        ["explain", resolved.id, "--opinion", "--settings", str(place.folder / "settings.yaml")],
        env={"DATABASE_URL": f"sqlite:///{place.folder / 'bot.db'}"},
        catch_exceptions=False,
    )
    assert said.exit_code == 0, said.output
    before, _, rest = PAGE.read_text().partition(BEGIN)
    shown, _, after = rest.partition(END)
    if os.environ.get("UPDATE_GOLDEN"):
        PAGE.write_text(f"{before}{BEGIN}\n{masked(said.output)}\n{END}{after}")
    else:
        assert shown.strip() == masked(said.output).strip()
