"""The fight guard: what would undo an edit is held off in the same commit, or the edit is refused with the reason."""

from __future__ import annotations

from gitops_sre.gitops.fights.guard import found, guard, unopposed
from gitops_sre.gitops.fights.migration import between as migration_between
from gitops_sre.gitops.fights.migration import migrated_by
from gitops_sre.gitops.fights.scan import Fight

__all__ = ["Fight", "found", "guard", "migrated_by", "migration_between", "unopposed"]
