"""The command: look, show the diff, ask, write."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from gitops_sre import wiring
from gitops_sre.adapters.git import LocalRepository
from gitops_sre.cli.common import SETTINGS_FILE, Failure
from gitops_sre.cli.init import text
from gitops_sre.cli.init.files import Layout, layout, policies, summary, workflow
from gitops_sre.cli.init.remote import home
from gitops_sre.cli.show import seen
from gitops_sre.gitops.discovery import Discovery, discover
from gitops_sre.gitops.files import AtCommit
from gitops_sre.model.outcome import Refused, Unavailable


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default=Path())
@click.option("--repository", default="", metavar="OWNER/NAME", help="Default: by the remote.")
@click.option("--api-url", default="", help="GitHub's REST API. Default: by the remote's host.")
@click.option(
    "--branch", default="", help="The branch that the reconciler watches. Default: the remote's default branch."
)
@click.option("--keys", default="", help="Folder for keys. Default: ~/.config/gitops-sre/OWNER/NAME.")
@click.option(
    "--level",
    type=click.Choice(["L1", "L2", "L3", "L4"]),
    default="L1",
    show_default=True,
    help="Open rollback_image up to this level, outside of production.",
)
@click.option(
    "--project",
    default="",
    metavar="OWNER/NAME@REF",
    help="Where a workflow finds this program: writes one that makes a pass every 5 minutes.",
)
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.option("--dry-run", is_flag=True, help="Only print the diff.")
def init(*, folder: Path, level: str, yes: bool, dry_run: bool, **given: str) -> None:
    """Write settings and policies for an infra repository, from what its files say.

    FOLDER is the root of a clone. The diff goes to standard output, what was found to standard error. No file is
    overwritten; run again, it writes what is missing.
    """
    with closing(_repository(folder)) as repository:
        found = _discovered(folder, repository)
        wanted = _wanted(folder, repository, given)
    texts = {
        SETTINGS_FILE: text.settings(found, wanted),
        **dict(policies(folder, found, level)),
        **dict(workflow(wanted)),
    }
    planned = layout(folder, texts)
    for line in summary(found, planned.kept):
        click.echo(seen(line), err=True)
    click.echo(planned.diff, nl=False)
    if dry_run:
        return
    if not planned.diff:
        click.echo("Nothing to write.", err=True)
        return
    if not yes:
        _ask(planned)
    planned.write()
    for line in _next(found, wanted, planned):
        click.echo(seen(line), err=True)


def _repository(folder: Path) -> LocalRepository:
    try:
        repository = wiring.local(folder)
    except OSError as error:
        raise Failure(str(error)) from error
    if repository.bare:
        repository.close()
        raise Failure(f"{folder}: a bare repository has no work tree to write into; name a clone of it")
    return repository


def _discovered(folder: Path, repository: LocalRepository) -> Discovery:
    head = repository.head()
    if isinstance(head, Unavailable):
        raise Failure(head.reason)
    try:
        found = discover(AtCommit(repository, head))
    except OSError as error:
        raise Failure(f"{folder}: {error}") from error
    if isinstance(found, Refused):
        raise Failure(f"{folder}: {found.reason}")
    return found


def _wanted(folder: Path, repository: LocalRepository, given: dict[str, str]) -> text.Wanted:
    origin = repository.origin()
    where = home(origin.url, given["repository"], given["api_url"])
    keys = given["keys"] or f"~/.config/gitops-sre/{where.repository}"
    if (folder / Path(keys).expanduser()).resolve().is_relative_to(folder.resolve()):
        raise Failure(f"--keys {keys}: keys do not belong in the repository; name a folder outside of it")
    return text.Wanted(where, given["branch"] or origin.branch or "main", keys.rstrip("/"), given["project"])


def _ask(planned: Layout) -> None:
    files = ", ".join(file.path for file in (*planned.new, *planned.grown))
    try:
        sure = click.confirm(f"Write {files}?", err=True)
    except click.Abort as error:
        raise Failure("nobody answers; nothing was written: --yes writes without asking") from error
    if not sure:
        raise Failure("nothing was written")


def _next(found: Discovery, wanted: text.Wanted, planned: Layout) -> list[str]:
    """What is left to do."""
    steps = [
        f"gitops-sre doctor --create-key {wanted.keys}/signing.pem",
        "gitops-sre app create   # makes the GitHub App; or put a token into GITHUB_TOKEN",
        "gitops-sre doctor   # until all is well; then commit the files by a pull request like any other",
    ]
    if wanted.project:
        names = ("GITOPS_SRE_APP_PRIVATE_KEY", "app.pem"), ("GITOPS_SRE_SIGNING_KEY", "signing.pem")
        steps[2:2] = [
            f"gh secret set {name} --repo {wanted.home.repository} < {wanted.keys}/{key}" for name, key in names
        ]
        steps.append("protect the branch gitops-sre/ledger by a ruleset: no deletion, no forced push")
        if SETTINGS_FILE not in {file.path for file in planned.new}:
            steps.insert(0, f"set `engine: {{state: branch}}` in {SETTINGS_FILE}, which was there already")
    if found.monitoring.prometheus is None:
        steps.insert(0, f"write the address of Prometheus into {SETTINGS_FILE}")
    return ["Next:", *(f"  {number}. {step}" for number, step in enumerate(steps, 1))]
