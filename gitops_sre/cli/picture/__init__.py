"""The report of a diagnosis: one HTML page that needs nothing but a browser."""

from gitops_sre.cli.picture.page import page

__all__ = ["page"]
