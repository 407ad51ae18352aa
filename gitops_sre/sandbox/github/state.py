"""What the server remembers beside git: frozen nouns, and the stores that hold them, all guarded by one lock."""

from __future__ import annotations

import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from gitops_sre.sandbox.github.gitrepo import GitRepo, Signature

Permission = Literal["admin", "write", "read"]
WEB_FLOW_EMAIL = "noreply@github.com"
AccountType = Literal["User", "Bot", "Organization"]


@dataclass(frozen=True)
class Account:
    """A person, an App's bot or an organization. `permission` is a person's role on every repository."""

    id: int
    login: str
    type: AccountType
    created_at: datetime
    permission: Permission | None = None

    @property
    def email(self) -> str:
        """The no-reply address by which GitHub recognises an account's commits."""
        return f"{self.id}+{self.login}@users.noreply.github.com"

    def sign(self, when: datetime) -> Signature:
        """This account as author or committer."""
        return Signature(self.login, self.email, when)


@dataclass(frozen=True)
class App:
    """A GitHub App and its one installation: on the repositories in `installed_on` (full names; None: on all). `owner`
    is None for one that belongs to whoever owns the repositories."""

    id: int
    slug: str
    permissions: Mapping[str, str]
    public_key_pem: bytes
    installation_id: int
    bot: Account
    created_at: datetime
    name: str = ""
    events: tuple[str, ...] = ()
    owner: Account | None = None
    installed_on: frozenset[str] | None = None

    def is_on(self, full_name: str) -> bool:
        """Whether it is installed on a repository."""
        return self.installed_on is None or full_name in self.installed_on


@dataclass(frozen=True)
class Issue:
    """The part that issues and pull requests share. `user` and `closed_by` are logins."""

    id: int
    number: int
    title: str
    body: str | None
    user: str
    created_at: datetime
    updated_at: datetime
    state: Literal["open", "closed"] = "open"
    state_reason: str | None = None
    labels: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    closed_at: datetime | None = None
    closed_by: str | None = None


@dataclass(frozen=True)
class AutoMerge:
    """Auto-merge that waits for the branch's requirements."""

    by: str
    method: str
    title: str | None
    message: str | None


@dataclass(frozen=True)
class Pull:
    """The part only a pull request has; `id` is not its issue's. `head_sha` follows the branch while it is open."""

    id: int
    number: int
    head: str
    base: str
    head_sha: str
    base_sha: str
    draft: bool = False
    merged_at: datetime | None = None
    merged_by: str | None = None
    merge_sha: str | None = None
    auto_merge: AutoMerge | None = None
    queued_by: str | None = None
    """Who has put it into the merge queue, in which it is now."""
    unqueued: tuple[tuple[str, datetime, str], ...] = ()
    """Each time that it left the queue without being merged: why, when and by whom (empty: the queue itself)."""
    requested_reviewers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Review:
    """A review of one head commit."""

    id: int
    number: int
    user: str
    state: str
    body: str
    commit_id: str
    submitted_at: datetime | None


@dataclass(frozen=True)
class Comment:
    """A comment on an issue or pull request."""

    id: int
    number: int
    user: str
    body: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Reaction:
    """Somebody's reaction to a comment; each has one of a kind at most."""

    id: int
    comment: int
    user: str
    content: str
    created_at: datetime


@dataclass(frozen=True)
class Label:
    """A repository's label; `color` is six hexadecimal digits."""

    id: int
    name: str
    color: str
    description: str | None


@dataclass(frozen=True)
class CheckRun:
    """A check run that an App reported on a commit."""

    id: int
    name: str
    head_sha: str
    app: str
    status: str
    started_at: datetime | None
    conclusion: str | None = None
    completed_at: datetime | None = None
    external_id: str | None = None
    details_url: str | None = None
    title: str | None = None
    summary: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Status:
    """A commit status."""

    id: int
    sha: str
    context: str
    state: str
    description: str | None
    target_url: str | None
    creator: str
    created_at: datetime


@dataclass(frozen=True)
class Deployment:
    """A deployment of a commit to an environment."""

    id: int
    sha: str
    ref: str
    environment: str
    description: str | None
    creator: str
    created_at: datetime


@dataclass(frozen=True)
class DeploymentStatus:
    """How a deployment went; the latest counts."""

    id: int
    deployment: int
    state: str
    description: str
    log_url: str
    environment_url: str
    creator: str
    created_at: datetime


@dataclass(frozen=True)
class Protection:
    """Classic protection of one branch."""

    required_reviews: int = 0
    required_checks: tuple[str, ...] = ()
    enforce_admins: bool = False
    merge_queue: bool = False


@dataclass
class Repo:
    """One repository's mutable records; change them only while holding the hub's lock."""

    id: int
    owner: Account
    name: str
    git: GitRepo
    created_at: datetime
    pushed_at: datetime
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    issues: dict[int, Issue] = field(default_factory=dict)
    pulls: dict[int, Pull] = field(default_factory=dict)
    reviews: dict[int, Review] = field(default_factory=dict)
    comments: dict[int, Comment] = field(default_factory=dict)
    reactions: dict[int, Reaction] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    checks: dict[int, CheckRun] = field(default_factory=dict)
    statuses: dict[int, Status] = field(default_factory=dict)
    deployments: dict[int, Deployment] = field(default_factory=dict)
    deployment_statuses: dict[int, DeploymentStatus] = field(default_factory=dict)
    protections: dict[str, Protection] = field(default_factory=dict)
    merge_methods: tuple[str, ...] = ("merge", "squash", "rebase")
    """Ways of merging that the repository allows."""
    verified: dict[str, datetime] = field(default_factory=dict)
    tree_limit: int = 100_000
    """Entries that one recursive listing gives at most."""

    @property
    def full_name(self) -> str:
        """owner/name."""
        return f"{self.owner.login}/{self.name}"

    def head_of(self, branch: str) -> str | None:
        """Tip of a branch, None when it is not there."""
        return self.git.ref(f"refs/heads/{branch}")

    def tip(self, branch: str) -> str:
        """Tip of a branch that is there. Raises `KeyError`."""
        sha = self.head_of(branch)
        if sha is None:
            raise KeyError(f"no branch {branch} in {self.full_name}")
        return sha

    def reviews_of(self, number: int) -> tuple[Review, ...]:
        """Reviews of a pull request, oldest first."""
        return tuple(r for r in self.reviews.values() if r.number == number)

    def reactions_to(self, comment: int) -> tuple[Reaction, ...]:
        """Reactions to a comment, oldest first."""
        return tuple(r for r in self.reactions.values() if r.comment == comment)

    def comments_of(self, number: int) -> tuple[Comment, ...]:
        """Comments of an issue or pull request, oldest first."""
        return tuple(c for c in self.comments.values() if c.number == number)


@dataclass(frozen=True)
class Use:
    """One request as it came in: the operation, the permission that it needs (None: none), what its token may do, and
    whether the token is an installation's."""

    method: str
    operation: str
    need: tuple[str, str] | None
    permissions: Mapping[str, str]
    installation: bool


Deliver = Callable[[str, Mapping[str, object]], None]


class Hub:
    """All accounts, Apps and repositories, and the lock that guards them.

    `deliver(event, payload)` is told of everything that GitHub would send a webhook for, once it is `watched`;
    `base_url` is the server's address, for payloads that no request asked for.
    """

    def __init__(self, clock: Callable[[], datetime], deliver: Deliver) -> None:
        self.lock = threading.RLock()
        self.now = clock
        self.deliver = deliver
        self.watched = False
        self.ids = itertools.count(1001)
        self.accounts: dict[str, Account] = {}
        self.apps: dict[int, App] = {}
        self.repos: dict[str, Repo] = {}
        self.uses: deque[Use] = deque(maxlen=10_000)
        self.web_flow = Account(next(self.ids), "web-flow", "User", clock())
        self.base_url = "http://localhost"

    def add_account(self, login: str, kind: AccountType, permission: Permission | None = None) -> Account:
        """Make an account, or give back the one that stands (with its role brought up to date)."""
        found = self.accounts.get(login.lower())
        if found:
            account = replace(found, permission=permission or found.permission)
        else:
            account = Account(next(self.ids), login, kind, self.now(), permission)
        self.accounts[login.lower()] = account
        return account

    def account(self, login: str) -> Account | None:
        """An account by login, upper and lower case alike."""
        return self.accounts.get(login.lower())

    def web_flow_signature(self, when: datetime) -> Signature:
        """GitHub itself as the committer, which is what makes a commit Verified."""
        return Signature("GitHub", WEB_FLOW_EMAIL, when)

    def known(self, login: str) -> Account:
        """The account behind a login that the records hold. Raises `KeyError`."""
        return self.accounts[login.lower()]

    def by_email(self, email: str) -> Account | None:
        """The account whose no-reply address a commit carries."""
        if email == WEB_FLOW_EMAIL:
            return self.web_flow
        return next((a for a in self.accounts.values() if a.email == email), None)

    def repo(self, full_name: str) -> Repo | None:
        """A repository by owner/name, upper and lower case alike."""
        return self.repos.get(full_name.lower())
