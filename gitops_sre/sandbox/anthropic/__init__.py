"""Anthropic's Messages API with a scripted model: what a client sends is checked as the real one checks it."""

from gitops_sre.sandbox.anthropic.answers import Broken, Call, Fail, Say, Turn
from gitops_sre.sandbox.anthropic.protocol import Asked
from gitops_sre.sandbox.anthropic.server import KEY, Anthropic

__all__ = ["KEY", "Anthropic", "Asked", "Broken", "Call", "Fail", "Say", "Turn"]
