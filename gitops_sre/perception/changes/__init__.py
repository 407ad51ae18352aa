"""The change feed: what changed before the onset, on which workload, when it really went live, and which of it may have
been the cause."""

from __future__ import annotations

from gitops_sre.perception.changes.feed import feed, named_like_application

__all__ = ["feed", "named_like_application"]
