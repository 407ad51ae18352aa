"""What GitHub's GraphQL answers about pull requests: the fields that are asked for, and the same as typed nouns."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

FEW = 10
"""Commits of a pull request that are looked at: the bot makes one, so that more than a few are somebody else's."""

LIGHT = "number updatedAt headRefName isCrossRepository"
FULL = f"""
  {LIGHT} title url state isDraft headRefOid createdAt mergedAt mergeCommit {{ oid }}
  baseRefName baseRef {{ target {{ oid }} }}
  commits(first: {FEW}) {{ totalCount nodes {{ commit {{
    oid message parents(first: 2) {{ nodes {{ oid }} }}
    author {{ email user {{ login }} }} committer {{ email user {{ login }} }}
    signature {{ isValid state wasSignedByGitHub }}
  }} }} }}
  tip: commits(last: 1) {{ nodes {{ commit {{ oid %s }} }} }}
  reviews(last: 100) {{ nodes {{ author {{ __typename login }} state submittedAt commit {{ oid }} }} }}
  timelineItems(itemTypes: [CLOSED_EVENT], last: 1) {{ nodes {{
    __typename ... on ClosedEvent {{ actor {{ __typename login }} }}
  }} }}
"""
CHECKS = """checkSuites(filterBy: {appId: $app}, first: 10) { nodes { app { databaseId }
  checkRuns(filterBy: {checkName: $mark, checkType: LATEST}, first: 5) { nodes { name title status } }
  advice: checkRuns(filterBy: {checkName: $advice, checkType: LATEST}, first: 1) { nodes { name title status } } } }"""
STATUS = """status { context(name: $mark) { description creator { __typename login } }
  advice: context(name: $advice) { description creator { __typename login } } }"""


class Node(BaseModel):
    """Part of an answer: names as GraphQL writes them."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class Actor(Node):
    """Who did something."""

    kind: str = Field(alias="__typename")
    name: str = Field(alias="login")

    @property
    def login(self) -> str:
        """As REST has it: GraphQL names a bot without the suffix."""
        return f"{self.name}[bot]" if self.kind == "Bot" else self.name


class User(Node):
    """A person behind an e-mail address; GraphQL has none for a bot."""

    login: str


class Signer(Node):
    """Author or committer, as the commit claims."""

    email: str | None
    user: User | None


class Signature(Node):
    """What GitHub found of a commit's signature."""

    is_valid: bool
    state: str
    by_github: bool = Field(alias="wasSignedByGitHub")


class Oid(Node):
    """A commit's name."""

    oid: str


class Oids(Node):
    """Names of commits."""

    nodes: tuple[Oid, ...]


class Commit(Node):
    """One commit of a pull request."""

    oid: str
    message: str
    parents: Oids
    author: Signer | None
    committer: Signer | None
    signature: Signature | None


class _OfPull(Node):
    commit: Commit


class Commits(Node):
    """The first commits of a pull request, and how many there are."""

    total_count: int
    nodes: tuple[_OfPull, ...]


class App(Node):
    """Who reports a check."""

    database_id: int | None


class CheckRun(Node):
    """A check run."""

    name: str
    title: str | None
    status: str


class _Runs(Node):
    nodes: tuple[CheckRun, ...]


class Suite(Node):
    """One App's check runs."""

    app: App | None
    check_runs: _Runs
    advice: _Runs = _Runs(nodes=())


class _Suites(Node):
    nodes: tuple[Suite, ...]


class Context(Node):
    """The latest commit status of a name."""

    description: str | None
    creator: Actor | None


class _Status(Node):
    context: Context | None
    advice: Context | None = None


class Tip(Node):
    """The head commit, with what was left on it."""

    oid: str
    check_suites: _Suites = _Suites(nodes=())
    status: _Status | None = None

    def advised(self, app: int | None, login: str) -> bool:
        """Whether the bot has left advice here: the App by a check run, who has a token by a status."""
        if any(each.app and each.app.database_id == app and each.advice.nodes for each in self.check_suites.nodes):
            return True
        said = self.status.advice if self.status is not None else None
        return said is not None and said.creator is not None and said.creator.login == login


class _OfTip(Node):
    commit: Tip


class _Tips(Node):
    nodes: tuple[_OfTip, ...]


class Review(Node):
    """A review."""

    author: Actor | None
    state: str
    submitted_at: datetime | None
    commit: Oid | None


class _Reviews(Node):
    nodes: tuple[Review, ...]


class _Closed(Node):
    actor: Actor | None = None


class _Timeline(Node):
    nodes: tuple[_Closed, ...]


class Listed(Node):
    """A pull request in a list."""

    number: int
    updated_at: datetime
    head_ref_name: str
    is_cross_repository: bool


class Ref(Node):
    """A branch."""

    target: Oid | None


class Pull(Listed):
    """A pull request with all that is wanted of it."""

    title: str
    url: str
    state: str
    is_draft: bool
    head_ref_oid: str
    base_ref_name: str
    base_ref: Ref | None
    created_at: datetime
    merged_at: datetime | None
    merge_commit: Oid | None
    commits: Commits
    tip: _Tips
    reviews: _Reviews
    timeline_items: _Timeline


class _Page(Node):
    has_next_page: bool
    end_cursor: str | None


class OpenPage(Node):
    """A page of open pull requests."""

    page_info: _Page
    nodes: tuple[Pull, ...]


class ClosedPage(Node):
    """A page of closed pull requests."""

    page_info: _Page
    nodes: tuple[Listed, ...]
