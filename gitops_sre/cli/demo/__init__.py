"""`gitops-sre demo`: four incidents from alert to outcome in the embedded world.

The world runs in a process of its own and the bot in another (`gitops-sre serve`, with a settings file like anybody's);
this package starts both, begins the stories and shows what the bot's own records say.
"""

from gitops_sre.cli.demo.command import demo

__all__ = ["demo"]
