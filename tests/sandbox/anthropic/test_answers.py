"""The vendor's own client understands what the scripted model says, in one piece and streamed."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from gitops_sre.sandbox.anthropic import KEY, Anthropic, Asked, Broken, Call, Fail, Say

LOOK = anthropic.types.ToolParam(name="look", input_schema={"type": "object", "properties": {}})
ASK: anthropic.types.MessageParam = {"role": "user", "content": "why?"}
LONG = "x" * 8000
"""About 2,000 tokens: worth a cache entry."""


def client(api: Anthropic) -> anthropic.Anthropic:
    """The vendor's client; it does not try again."""
    return anthropic.Anthropic(api_key=KEY, base_url=api.url, max_retries=0, timeout=5)


def say(api: Anthropic, stream: bool, max_tokens: int = 500) -> anthropic.types.Message:
    """One request."""
    with client(api) as opened:
        if not stream:
            return opened.messages.create(model="m", max_tokens=max_tokens, messages=[ASK], tools=[LOOK])
        with opened.messages.stream(model="m", max_tokens=max_tokens, messages=[ASK], tools=[LOOK]) as answer:
            return answer.get_final_message()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
class TestBothWays:
    """One script, two ways of reading it."""

    def test_text_thoughts_and_calls(self, stream: bool) -> None:
        turn = Say("I look.", (Call("look", {"at": "checkout", "for": ["errors"]}),), thinking="Let me see.")
        with Anthropic([turn]) as api:
            got = say(api, stream)
        blocks: list[Any] = got.content
        thought, text, call = blocks
        assert (thought.type, text.type, call.type) == ("thinking", "text", "tool_use")
        assert thought.thinking == "Let me see."
        assert thought.signature
        assert text.text == "I look."
        assert (call.name, call.input) == ("look", {"at": "checkout", "for": ["errors"]})
        assert got.stop_reason == "tool_use"

    @pytest.mark.parametrize("stop", ["end_turn", "max_tokens", "refusal", "pause_turn"])
    def test_every_stop_reason(self, stream: bool, stop: anthropic.types.StopReason) -> None:
        with Anthropic(lambda _: Say("so", stop=stop)) as api:  # type: ignore[arg-type]
            assert say(api, stream).stop_reason == stop

    def test_what_does_not_fit_is_cut_off(self, stream: bool) -> None:
        with Anthropic([Say("word " * 100, (Call("look", {}),))]) as api:
            got = say(api, stream, max_tokens=20)
        assert got.stop_reason == "max_tokens"
        assert got.usage.output_tokens <= 20
        (only,) = got.content
        assert only.type == "text"
        assert only.text != "word " * 100

    @pytest.mark.parametrize(
        ("status", "error"),
        [(429, anthropic.RateLimitError), (529, anthropic.APIStatusError), (500, anthropic.InternalServerError)],
    )
    def test_errors(self, stream: bool, status: int, error: type[anthropic.APIStatusError]) -> None:
        with Anthropic([Fail(status, {"retry-after": "7"})]) as api, pytest.raises(error) as raised:
            say(api, stream)
        assert raised.value.status_code == status
        assert raised.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("how", ["truncated", "not_json"])
def test_broken_answers_are_no_messages(how: str) -> None:
    with Anthropic([Broken(how)]) as api, pytest.raises((anthropic.AnthropicError, ValueError)):  # type: ignore[arg-type]
        assert say(api, stream=False).content


def test_an_answer_of_another_shape_has_no_content() -> None:
    with Anthropic([Broken("other_shape")]) as api:
        assert getattr(say(api, stream=False), "content", None) is None


def test_a_silent_server_is_given_up() -> None:
    with Anthropic([Broken("silent", 3)]) as api, client(api) as opened, pytest.raises(anthropic.APITimeoutError):
        opened.with_options(timeout=0.2).messages.create(model="m", max_tokens=5, messages=[ASK])


def test_a_paused_turn_is_continued_by_sending_it_back() -> None:
    with Anthropic([Say("wait", stop="pause_turn"), Say("done")]) as api, client(api) as opened:
        first = opened.messages.create(model="m", max_tokens=50, messages=[ASK])
        second = opened.messages.create(model="m", max_tokens=50, messages=[ASK, first.to_param()])
    assert second.stop_reason == "end_turn"


def test_a_script_can_depend_on_what_is_asked_and_never_end() -> None:
    def script(asked: Asked) -> Say:
        return Say("", (Call("look", {"again": asked.number}),))

    talk: list[anthropic.types.MessageParam] = [ASK]
    with Anthropic(script) as api, client(api) as opened:
        for number in range(1, 6):
            got = opened.messages.create(model="m", max_tokens=50, messages=talk, tools=[LOOK])
            (call,) = got.content
            assert call.type == "tool_use"
            assert call.input == {"again": number}
            result = anthropic.types.ToolResultBlockParam(type="tool_result", tool_use_id=call.id, content=f"n{number}")
            talk += [got.to_param(), {"role": "user", "content": [result]}]
        assert api.asked[-1].results == {"toolu_000004000": "n4"}
        assert not api.refused


def test_beyond_the_end_of_a_script_nothing_is_answered() -> None:
    with Anthropic([Say("only")]) as api:
        say(api, stream=False)
        with pytest.raises(anthropic.BadRequestError, match="the script has 1 turns and is over"):
            say(api, stream=False)


class TestTokens:
    """What is counted follows from what was sent and from what was marked before."""

    def ask(self, api: Anthropic, question: str, marked: bool = True) -> anthropic.types.Usage:
        system = anthropic.types.TextBlockParam(type="text", text=LONG)
        if marked:
            system["cache_control"] = {"type": "ephemeral"}
        talk: list[anthropic.types.MessageParam] = [{"role": "user", "content": question}]
        with client(api) as opened:
            return opened.messages.create(model="m", max_tokens=50, system=[system], messages=talk).usage

    def test_a_marked_beginning_is_written_once_and_read_after(self) -> None:
        with Anthropic(lambda _: Say("yes")) as api:
            first, second = self.ask(api, "one"), self.ask(api, "two")
        assert first.cache_creation_input_tokens == second.cache_read_input_tokens
        assert (first.cache_creation_input_tokens or 0) >= 2000
        assert (first.cache_read_input_tokens, second.cache_creation_input_tokens) == (0, 0)
        assert first.input_tokens == second.input_tokens < 50

    def test_without_a_mark_everything_is_paid_for(self) -> None:
        with Anthropic(lambda _: Say("yes")) as api:
            first, second = self.ask(api, "one", marked=False), self.ask(api, "one", marked=False)
        assert first.input_tokens == second.input_tokens > 2000
        assert (second.cache_read_input_tokens, second.cache_creation_input_tokens) == (0, 0)
