"""How accounts, Apps and repositories look as JSON, by GitHub's OpenAPI description."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from gitops_sre.sandbox.github.state import Account, App, Hub, Issue, Label, Permission, Reaction, Repo

Json = dict[str, Any]
"""A JSON object on its way in or out; it goes no further than the handlers and the views."""

REACTIONS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")
"""The kinds of reactions that there are."""

_REPO_API = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}
_USER_API = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
ROLES: Mapping[Permission | None, Json] = {
    "admin": {"admin": True, "maintain": True, "push": True, "triage": True, "pull": True},
    "write": {"admin": False, "maintain": False, "push": True, "triage": True, "pull": True},
    "read": {"admin": False, "maintain": False, "push": False, "triage": False, "pull": True},
    None: {"admin": False, "maintain": False, "push": False, "triage": False, "pull": False},
}


def stamp(when: datetime) -> str:
    """An instant as GitHub writes it: UTC, whole seconds."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def maybe_stamp(when: datetime | None) -> str | None:
    """An instant that may be missing."""
    return stamp(when) if when else None


@dataclass(frozen=True)
class Lens:
    """The state as seen from one base address; every URL in an answer starts with it."""

    hub: Hub
    base: str

    @property
    def api(self) -> str:
        """Root of the REST API."""
        return f"{self.base}/api/v3"

    def at(self, repo: Repo, tail: str = "") -> str:
        """API address of something in a repository."""
        return f"{self.api}/repos/{repo.full_name}{tail}"

    def page(self, repo: Repo, tail: str = "") -> str:
        """Web page of something in a repository."""
        return f"{self.base}/{repo.full_name}{tail}"

    def user(self, login: str) -> Json:
        """The simple form of an account by login."""
        return self.account(self.hub.known(login))

    def maybe_user(self, login: str | None) -> Json | None:
        """The simple form of an account that may be missing."""
        return self.user(login) if login else None

    def account(self, account: Account) -> Json:
        """The simple form of an account."""
        url = f"{self.api}/users/{quote(account.login)}"
        page = f"/apps/{account.login.removesuffix('[bot]')}" if account.type == "Bot" else f"/{account.login}"
        return {
            "login": account.login,
            "id": account.id,
            "node_id": f"U_{account.id}",
            "avatar_url": f"{self.base}/avatars/u/{account.id}?v=4",
            "gravatar_id": "",
            "url": url,
            "html_url": f"{self.base}{page}",
            **{name: url + tail for name, tail in _USER_API.items()},
            "type": account.type,
            "user_view_type": "public",
            "site_admin": False,
        }

    def full_account(self, account: Account) -> Json:
        """The public profile of an account."""
        empty = dict.fromkeys(("bio", "blog", "company", "email", "hireable", "location", "name"))
        zero = dict.fromkeys(("followers", "following", "public_gists", "public_repos"), 0)
        times = {"created_at": stamp(account.created_at), "updated_at": stamp(account.created_at)}
        return {**self.account(account), **empty, **zero, **times}

    def repository(self, repo: Repo, role: Permission | None = None) -> Json:
        """The full form of a repository."""
        opened = sum(issue.state == "open" for issue in repo.issues.values())
        zero = dict.fromkeys(
            ("forks", "forks_count", "size", "stargazers_count", "watchers", "watchers_count", "network_count"), 0
        )
        never = dict.fromkeys(
            (
                "fork",
                "has_projects",
                "has_wiki",
                "has_pages",
                "has_discussions",
                "has_downloads",
                "archived",
                "disabled",
            ),
            False,
        )
        none = dict.fromkeys(("description", "homepage", "language", "mirror_url", "license"))
        return {
            **none,
            **zero,
            **never,
            **self.repo_links(repo),
            "private": True,
            "visibility": "private",
            "default_branch": "main",
            "has_issues": True,
            "subscribers_count": 0,
            "open_issues": opened,
            "open_issues_count": opened,
            "pushed_at": stamp(repo.pushed_at),
            "created_at": stamp(repo.created_at),
            "updated_at": stamp(repo.pushed_at),
            "permissions": ROLES[role],
            "topics": [],
            "is_template": False,
            "web_commit_signoff_required": False,
            "allow_merge_commit": "merge" in repo.merge_methods,
            "allow_squash_merge": "squash" in repo.merge_methods,
            "allow_rebase_merge": "rebase" in repo.merge_methods,
            "allow_auto_merge": True,
            "delete_branch_on_merge": False,
        }

    def repo_links(self, repo: Repo) -> Json:
        """Names and addresses of a repository: its minimal form."""
        host = self.base.partition("://")[2]
        return {
            "id": repo.id,
            "node_id": f"R_{repo.id}",
            "name": repo.name,
            "full_name": repo.full_name,
            "private": True,
            "owner": self.account(repo.owner),
            "description": None,
            "fork": False,
            "url": self.at(repo),
            "html_url": self.page(repo),
            **{name: self.at(repo) + tail for name, tail in _REPO_API.items()},
            "clone_url": f"{self.page(repo)}.git",
            "git_url": f"git://{host}/{repo.full_name}.git",
            "ssh_url": f"git@{host.partition(':')[0]}:{repo.full_name}.git",
            "svn_url": self.page(repo),
        }

    def app(self, app: App) -> Json:
        """A GitHub App."""
        owner = app.owner or self._owner(app)
        return {
            "id": app.id,
            "slug": app.slug,
            "node_id": f"A_{app.id}",
            "owner": self.account(owner),
            "name": app.name or app.slug,
            "description": "",
            "external_url": self.app_page(app),
            "html_url": self.app_page(app),
            "created_at": stamp(app.created_at),
            "updated_at": stamp(app.created_at),
            "permissions": {"metadata": "read", **app.permissions},
            "events": list(app.events),
        }

    def app_page(self, app: App) -> str:
        """The public page of an App, where GitHub Enterprise has it."""
        return f"{self.base}/github-apps/{app.slug}"

    def _owner(self, app: App) -> Account:
        return next((repo.owner for repo in self.hub.repos.values() if app.is_on(repo.full_name)), app.bot)

    def installation(self, app: App) -> Json:
        """An App's one installation."""
        owner = self._owner(app)
        here = f"{self.api}/app/installations/{app.installation_id}"
        return {
            "id": app.installation_id,
            "account": self.account(owner),
            "repository_selection": "all" if app.installed_on is None else "selected",
            "access_tokens_url": f"{here}/access_tokens",
            "repositories_url": f"{self.api}/installation/repositories",
            "html_url": f"{self.base}/organizations/{owner.login}/settings/installations/{app.installation_id}",
            "app_id": app.id,
            "app_slug": app.slug,
            "target_id": owner.id,
            "target_type": owner.type,
            "permissions": {"metadata": "read", **app.permissions},
            "events": list(app.events),
            "created_at": stamp(app.created_at),
            "updated_at": stamp(app.created_at),
            "single_file_name": None,
            "suspended_by": None,
            "suspended_at": None,
        }

    def label(self, repo: Repo, label: Label) -> Json:
        """A label."""
        return {
            "id": label.id,
            "node_id": f"LA_{label.id}",
            "url": self.at(repo, f"/labels/{quote(label.name, safe='')}"),
            "name": label.name,
            "color": label.color,
            "default": False,
            "description": label.description,
        }

    def labels(self, repo: Repo, issue: Issue) -> list[Json]:
        """The labels on an issue."""
        return [self.label(repo, repo.labels[name.lower()]) for name in issue.labels]

    def reactions(self, subject: str, given: Iterable[Reaction] = ()) -> Json:
        """How many reactions of each kind something has, by its address."""
        counts = Counter(reaction.content for reaction in given)
        kinds = {kind: counts[kind] for kind in REACTIONS}
        return {"url": f"{subject}/reactions", "total_count": counts.total(), **kinds}

    def reaction(self, value: Reaction) -> Json:
        """One reaction."""
        return {
            "id": value.id,
            "node_id": f"REA_{value.id}",
            "user": self.user(value.user),
            "content": value.content,
            "created_at": stamp(value.created_at),
        }

    def association(self, login: str) -> str:
        """How an account relates to the repository: people with a role are members, everybody else is nobody."""
        account = self.hub.account(login)
        return "MEMBER" if account and account.permission in ("admin", "write") else "NONE"
