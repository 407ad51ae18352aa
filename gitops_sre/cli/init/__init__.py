"""`init`: the files that an infra repository needs, from what is found in it."""

from gitops_sre.cli.init.command import init

__all__ = ["init"]
