"""What the bot says to somebody who has given it an order in a comment."""

from __future__ import annotations

from gitops_sre.delivery.page import page
from gitops_sre.delivery.text import context
from gitops_sre.model.command import Command, Reply
from gitops_sre.model.incident import Incident

_ANSWERED_ONLY = frozenset({"help", "explain", "why-not"})
_LONGEST = 4000


def answer(command: Command, incident: Incident, *, taken: bool, waits: str) -> Reply:
    """The answer to an order. `incident` is as the order left it, `taken`: it has had its effect, `waits`: what the
    incident waits for, in a sentence."""
    if not command.writer:
        return Reply("-1", "")  # no words: they would be a way for strangers to make the bot talk
    verb = command.order.verb
    done = taken or verb in _ANSWERED_ONLY
    said = {**context(incident), "command": command, "verb": verb, "taken": taken, "waits": waits or incident.reason}
    body = page("answer", said)
    return Reply("+1" if done else "confused", body if len(body) <= _LONGEST else f"{body[:_LONGEST].rstrip()} …")
