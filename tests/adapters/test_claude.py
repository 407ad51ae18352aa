"""One turn of a conversation, through the vendor's own client in its own process, against a server that checks it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from gitops_sre.adapters.claude import Claude, parent
from gitops_sre.model.consult import Prompt, Reply, Tokens, Told, Tool, ToolResult
from gitops_sre.model.outcome import Unavailable
from gitops_sre.ports import Assistant
from gitops_sre.sandbox.anthropic import KEY, Anthropic, Broken, Call, Fail, Say
from gitops_sre.sandbox.anthropic.protocol import BREAKPOINTS
from gitops_sre.settings import InvestigatorSettings, PriceSettings
from tests.canaries import CANARIES

LOOK = Tool("look", "Look at something.", {"type": "object", "properties": {"at": {"type": "string"}}})
LONG = "You are asked what broke. " * 400
"""Long enough for the cache."""
PRICES = PriceSettings(input=3, output=15, cache_read=0.3, cache_write=3.75)


def claude(api: Anthropic, environment: Mapping[str, str] | None = None, **changed: object) -> Assistant:
    """The model behind a server."""
    settings = {"model": "a-model", "url": api.url, "retries": 0, **changed}
    found = InvestigatorSettings.model_validate(settings)
    return Claude(found, {"ANTHROPIC_API_KEY": KEY} if environment is None else environment)


def prompt(*turns: Told | Reply, seconds: float = 20, tokens: int = 500, system: str = "Be brief.") -> Prompt:
    """A turn that is wanted."""
    return Prompt(system, turns or (Told("why?"),), (LOOK,), tokens, seconds)


def said(answer: Reply | Unavailable) -> Reply:
    """The answer, which must be one."""
    assert isinstance(answer, Reply), answer
    return answer


def why(answer: Reply | Unavailable) -> str:
    """Why there is no answer."""
    assert isinstance(answer, Unavailable)
    return answer.reason


def test_text_and_calls() -> None:
    with Anthropic([Say("I look.", (Call("look", {"at": "checkout"}), Call("look", {"at": "cart"})))]) as api:
        got = said(claude(api).say(prompt()))
    assert (got.stop, got.text, got.model, got.money) == ("tool_use", "I look.", "a-model", None)
    assert [(call.name, call.arguments) for call in got.calls] == [
        ("look", {"at": "checkout"}),
        ("look", {"at": "cart"}),
    ]
    assert got.tokens.input > 0
    assert got.tokens.output > 0


def test_a_conversation_goes_on_and_its_beginning_comes_from_the_cache() -> None:
    script = [Say("", (Call("look", {"at": "checkout"}),), thinking="Hm."), Say("", (Call("look", {}),)), Say("So.")]
    with Anthropic(script) as api:
        model = claude(api, prices=PRICES.model_dump())
        first = said(model.say(prompt(Told("why?"), system=LONG)))
        turns: tuple[Told | Reply, ...] = (
            Told("why?"),
            first,
            Told(results=(ToolResult(first.calls[0].id, "errors " * 300),)),
        )
        second = said(model.say(prompt(*turns, system=LONG)))
        turns = (*turns, second, Told("last turn", (ToolResult(second.calls[0].id, "nothing", failed=True),)))
        third = said(model.say(prompt(*turns, system=LONG)))
        assert not api.refused
        marks = json.dumps(api.asked[-1].body).count("cache_control")
        assert api.asked[-1].results == {second.calls[0].id: "nothing"}
    assert third.text == "So."
    assert marks == BREAKPOINTS
    assert first.tokens.cache_read == 0
    assert second.tokens.cache_read == first.tokens.cache_write > 2000
    assert third.tokens.cache_read == second.tokens.cache_read + second.tokens.cache_write
    assert third.tokens.input < 50


def test_money_is_what_the_tokens_cost() -> None:
    with Anthropic([Say("yes")]) as api:
        got = said(claude(api, prices=PRICES.model_dump()).say(prompt(system=LONG)))
    read, wrote = got.tokens.cache_read, got.tokens.cache_write
    assert wrote > 0
    paid = (3 * got.tokens.input + 15 * got.tokens.output + 0.3 * read + 3.75 * wrote) / 1e6
    assert got.money == pytest.approx(paid)
    assert got.tokens.total == got.tokens.input + got.tokens.output + read + wrote
    assert Tokens(1, 2, 3, 4) + Tokens(10, 20, 30, 40) == Tokens(11, 22, 33, 44)


@pytest.mark.parametrize("stop", ["end_turn", "max_tokens", "refusal", "pause_turn"])
def test_every_way_of_ending_is_told(stop: str) -> None:
    with Anthropic([Say("so", stop=stop)]) as api:  # type: ignore[arg-type]
        assert said(claude(api).say(prompt())).stop == stop


def test_a_long_answer_is_cut_off() -> None:
    with Anthropic([Say("word " * 500)]) as api:
        got = said(claude(api).say(prompt(tokens=20)))
    assert got.stop == "max_tokens"
    assert got.tokens.output <= 20


class TestNoAnswer:
    """What keeps a turn from being one is a reason, never an exception."""

    @pytest.mark.parametrize("environment", [{}, {"ANTHROPIC_API_KEY": "  "}, {"OTHER": KEY}])
    def test_no_key_and_nothing_is_sent(self, environment: Mapping[str, str]) -> None:
        with Anthropic([Say("hi")]) as api:
            reason = why(claude(api, environment).say(prompt()))
            assert api.tries == 0
        assert reason == "there is no key in ANTHROPIC_API_KEY (investigator.key_env)"

    def test_a_wrong_key_is_not_repeated(self) -> None:
        with Anthropic([Say("hi")]) as api:
            reason = why(claude(api, {"ANTHROPIC_API_KEY": "wrong-key-of-somebody"}).say(prompt()))
        assert "HTTP 401" in reason
        assert "wrong-key-of-somebody" not in reason

    @pytest.mark.parametrize(("status", "word"), [(429, "429"), (529, "529"), (500, "500"), (400, "400")])
    def test_errors(self, status: int, word: str) -> None:
        with Anthropic([Fail(status)]) as api:
            assert f"HTTP {word}" in why(claude(api).say(prompt()))

    def test_what_passes_is_tried_again(self) -> None:
        with Anthropic([Fail(529), Fail(429, {"retry-after": "0.1"}), Say("hi")]) as api:
            assert said(claude(api, retries=2).say(prompt())).text == "hi"
            assert api.tries == 3

    def test_no_oftener_than_allowed(self) -> None:
        with Anthropic(lambda _: Fail(529, {"retry-after-ms": "10"})) as api:
            assert "HTTP 529" in why(claude(api, retries=2).say(prompt()))
            assert api.tries == 3

    def test_a_limit_that_outlasts_the_time_is_not_waited_for(self) -> None:
        with Anthropic(lambda _: Fail(429, {"retry-after": "3600"})) as api:
            reason = why(claude(api, retries=5).say(prompt(seconds=30)))
            assert api.tries == 1
        assert "HTTP 429, to be tried again in 3600 s" in reason

    def test_a_silent_server(self) -> None:
        with Anthropic([Broken("silent", 5)]) as api:
            reason = why(claude(api).say(prompt(seconds=0.5)))
        assert re.search("no answer within 0.5 s|APITimeoutError", reason)

    @pytest.mark.parametrize("how", ["truncated", "not_json", "other_shape"])
    def test_nonsense(self, how: str) -> None:
        with Anthropic([Broken(how)]) as api:  # type: ignore[arg-type]
            assert why(claude(api).say(prompt()))

    def test_nobody_there(self) -> None:
        with Anthropic([]) as api:
            pass
        assert "APIConnectionError" in why(claude(api).say(prompt()))


def test_no_credential_of_ours_reaches_the_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the environment holds, the request shows nothing of it, and it cannot lead the client elsewhere."""
    for place, canary in enumerate(CANARIES):
        monkeypatch.setenv(f"SECRET_{place}", canary.replace("\n", " "))
    monkeypatch.setenv("GITHUB_TOKEN", CANARIES[0])
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", CANARIES[2])
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", f"x-leak: {CANARIES[3]}")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    with Anthropic([Say("hi")]) as api:
        assert said(claude(api).say(prompt())).text == "hi"
        sent = json.dumps([api.asked[0].body, dict(api.asked[0].headers)])
    assert not [canary for canary in CANARIES if canary in sent]


def test_the_child_sees_the_key_and_where_things_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Asked of a real child, which answers with the names in its environment."""
    spy = tmp_path / "spy.py"
    spy.write_text("import json, os; print(json.dumps({'why': ' '.join(sorted(os.environ))}))")
    monkeypatch.setattr(parent, "_CHILD", spy)
    for name in ("GITHUB_TOKEN", "KUBECONFIG", "DATABASE_URL", "AWS_SECRET_ACCESS_KEY", "ANTHROPIC_BASE_URL", "MY_KEY"):
        monkeypatch.setenv(name, "something")
    with Anthropic([]) as api:
        seen = set(why(claude(api, {"MY_KEY": KEY}, key_env="MY_KEY").say(prompt())).split())
    assert "ANTHROPIC_API_KEY" in seen
    assert seen - {"LC_CTYPE"} <= {"ANTHROPIC_API_KEY", *parent._PASSED_ON}
