"""State on a branch instead of in a database: for a scheduled job whose machine is new each time.

A pass reads the branch into an empty store, works on that, and writes what it added as a new file by compare-and-swap.
It writes *before* the first effect on GitHub, and again before an effect whenever something has been decided since. So
whoever acts has written the last page: of two passes that began together, one may act, the other one finds the branch
moved and does nothing. The page says how long its writer may act; a pass that is slower than that has to write again
first, and one that died holds nobody up for longer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import uuid4

from gitops_sre.delivery import journal as pages
from gitops_sre.delivery.journal import Page
from gitops_sre.delivery.seal import Key
from gitops_sre.model.change_feed import Revision
from gitops_sre.model.incident import Incident
from gitops_sre.model.outcome import Outdated, Refused, Unavailable
from gitops_sre.ports import Branch, Clock, LedgerEntry, Repository, StoreError, Vessel

MOST = 1_000_000
"""Pages of a branch: a bound, not a limit that is met."""
_REMEDY = (
    "nothing is done while this is so: see who pushed to the branch and protect it; then set it back to the"
    " last commit that was right, or name a new one in engine.ledger_branch: unfinished work is found again on GitHub"
)


@dataclass
class Journal:
    """One pass's way to the ledger branch. Not safe for threads: a pass has one."""

    branch: Branch
    clone: Repository
    """Of that branch."""
    store: Vessel
    clock: Clock
    key: Key
    repository: str
    """owner/name; a page is worth nothing elsewhere."""
    lease: timedelta
    """How long a pass may act on one page."""
    owner: str = field(default_factory=lambda: uuid4().hex)
    _tip: str = ""
    _pages: int = 0
    _written: int = 0
    """Ledger entries that stand on the branch."""
    _until: datetime | None = None
    _lost: str = ""

    def begin(self) -> str:
        """Read the branch into the store, which must be empty. Why this pass must not work now, or an empty string.

        Raises StoreError when the branch cannot be had, or must not be believed.
        """
        last = self._load()
        now = self.clock.now()
        if last is not None and last.until is not None and last.until > now:
            self._lost = f"another pass is at work, until {last.until:%H:%M:%S} UTC at the latest"
        return self._lost

    def before_write(self, lasting: bool) -> Unavailable | None:
        """To be asked before each effect on GitHub: writes what was decided so far. Unavailable: leave it.

        An effect that is not `lasting` only shows how things are: it needs the right to act, and nothing on record.
        """
        now = self.clock.now()
        due = self._until is None or now > self._until - self.lease / 2
        if not self._lost and (due or (lasting and self._pending())):
            self._add(now, now + self.lease)
        return Unavailable(self._lost) if self._lost else None

    def finish(self) -> str:
        """Write what is left, and give the right to act back. What was lost of this pass, or an empty string."""
        if not self._lost and (self._pending() or self._until is not None):
            self._add(self.clock.now(), None)
        return self._lost

    def _load(self) -> Page | None:
        tip = self.branch.tip()
        if isinstance(tip, Refused | Unavailable):
            raise StoreError(f"ledger branch {self.branch.name}: {tip.reason}; try again, or see `gitops-sre doctor`")
        if not tip:
            return None
        head = self.clone.head()
        if isinstance(head, Unavailable):
            raise StoreError(f"ledger branch {self.branch.name}: {head.reason}; try again later")
        try:
            found = self._read(head)
        except OSError as error:
            raise StoreError(f"ledger branch {self.branch.name}: {error}; try again later") from error
        finally:
            self.clone.close()
        self._tip, self._pages = head, len(found)
        self._fill(found)
        return found[-1] if found else None

    def _read(self, head: str) -> tuple[Page, ...]:
        """Every page in order, each added by a commit of its own on the one before, none touched again."""
        first, *rest = reversed(self.clone.steps(head, limit=MOST))
        if first.commit.parents or _added(first) != "README.md":
            raise self._refused(first, "does not begin the branch as the bot does")
        return tuple(self._page(step, number) for number, step in enumerate(rest, 1))

    def _page(self, step: Revision, number: int) -> Page:
        path = _added(step)
        if pages.number(path) != number or len(step.commit.parents) != 1:
            raise self._refused(step, f"does not just add page {number}")
        (blob,) = self.clone.blobs([step.changes[0].after_blob]).values()
        page = pages.read(blob.decode(errors="replace"), self.key.ring, self.repository)
        if isinstance(page, Refused):
            raise self._refused(step, f"adds {path}, which is refused: {page.reason}")
        if (page.number, page.parent) != (number, step.commit.parents[0]):
            raise self._refused(step, f"adds {path}, which was written for another place")
        return page

    def _refused(self, step: Revision, what: str) -> StoreError:
        return StoreError(f"ledger branch {self.branch.name}: commit {step.commit.sha[:12]} {what}; {_REMEDY}")

    def _fill(self, found: tuple[Page, ...]) -> None:
        entries = tuple(entry for page in found for entry in page.entries)
        newest: dict[str, Incident] = {incident.id: incident for page in found for incident in page.incidents}
        self.store.restore(tuple(newest.values()), entries)
        broken = self.store.verify()
        if broken is not None:
            raise StoreError(
                f"ledger branch {self.branch.name}: the chain of hashes is broken at entry {broken}; {_REMEDY}"
            )
        self._written = len(entries)

    def _pending(self) -> tuple[LedgerEntry, ...]:
        return self.store.ledger()[self._written :]

    def _add(self, now: datetime, until: datetime | None) -> None:
        entries = self._pending()
        if not self._tip and not self._begun():
            return
        changed = [self.store.load(name) for name in dict.fromkeys(entry.incident for entry in entries)]
        incidents = tuple(incident for incident in changed if incident is not None)
        page = Page(self._pages + 1, self._tip, self.owner, now, until, entries, incidents)
        text = pages.write(page, self.key, self.repository)
        added = self.branch.add(self._tip, pages.name(page.number), text, f"ledger: page {page.number}")
        if isinstance(added, Outdated):
            self._lost = "another pass has written to the ledger meanwhile: what this one saw is left to the next one"
        elif isinstance(added, str):
            self._tip, self._until = added, until
            self._pages, self._written = page.number, self._written + len(entries)
        else:
            # Whether it was written is not known, and what is not on record is not done.
            self._lost = f"the ledger branch cannot be written: {added.reason}"

    def _begun(self) -> bool:
        made = self.branch.create({"README.md": pages.README}, "Begin the ledger of gitops-sre")
        if isinstance(made, str):
            self._tip = made
            return True
        self._lost = f"the ledger branch cannot be made: {made.reason}"
        return False


def _added(step: Revision) -> str:
    """The path of the one regular file that a commit adds, or an empty string when it does anything else."""
    if len(step.changes) != 1:
        return ""
    (change,) = step.changes
    return "" if change.before_path or change.before_blob or not change.plain else change.after_path
