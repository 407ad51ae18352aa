"""`ledger`: show, check and hand out the record of everything that the bot has done."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gitops_sre.cli import show as shown
from gitops_sre.cli.common import Failure, load, records, settings_option
from gitops_sre.delivery.ledger import Flaw, dump, flaw, parsed
from gitops_sre.delivery.seal import load_key, load_public
from gitops_sre.ports import LedgerEntry

_HEAD = re.compile(r"(?P<sequence>[1-9][0-9]*):(?P<hash>[0-9a-f]{8,64})")
_BROKEN = "somebody changed the ledger: keep a copy of it, and find out who"


@click.group()
def ledger() -> None:
    """The signed record of everything that the bot has seen, decided and done."""


@ledger.command()
@settings_option
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False), help="Check an export, not the bot's own.")
@click.option("--repository", default="", metavar="OWNER/NAME", help="Whose ledger it is. Default: the settings'.")
@click.option(
    "--key",
    "keys",
    type=click.Path(path_type=Path, dir_okay=False),
    multiple=True,
    help="PEM file of a key that signed it; several after a change of keys. Default: the settings' signing key.",
)
@click.option("--head", default="", metavar="NUMBER:HASH", help="An entry that was noted elsewhere and must be there.")
def verify(*, path: Path, file: Path | None, repository: str, keys: tuple[Path, ...], head: str) -> None:
    """Check every entry: chain of hashes, signatures, and where the first flaw is. Exit status 1 when there is one.

    With --file, --key and --repository no settings are needed: an auditor can do it with an export and the public key.
    """
    noted = _noted(head)
    if not (keys and repository) or file is None:
        settings = load(path)
        repository = repository or settings.github.repository
        keys = keys or (settings.signing.key_file,)
    entries = _exported(file) if file is not None else records(load(path)).ledger()
    ring = dict(chain.from_iterable(load_public(key).items() for key in keys))
    _check(entries, ring, repository, noted)
    if not entries:
        click.echo("The ledger is empty.")
        return
    last, signed = entries[-1], sum(bool(entry.seal) for entry in entries)
    older = f", {len(entries) - signed} from before there were signatures" if signed < len(entries) else ""
    click.echo(f"{len(entries)} entries are whole and signed{older}. Head: {last.sequence}:{last.hash}")


def _noted(head: str) -> tuple[int, str] | None:
    if not head:
        return None
    found = _HEAD.fullmatch(head)
    if found is None:
        raise click.UsageError("--head: give the number and the hash of an entry, such as 57:9f2c41d0")
    return int(found["sequence"]), found["hash"]


def _exported(file: Path) -> tuple[LedgerEntry, ...]:
    entries: list[LedgerEntry] = []
    for entry in parsed(_lines(file)):
        if isinstance(entry, Flaw):
            raise Failure(f"{file}:{entry.sequence}: {entry.what}; {_BROKEN}")
        entries.append(entry)
    return tuple(entries)


def _lines(file: Path) -> Iterator[str]:
    """Lines end with LF alone: whatever else looks like an end belongs to none that we wrote."""
    try:
        with file.open(encoding="ascii", newline="\n") as stream:
            yield from stream
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file}: cannot be read ({error}); give what `gitops-sre ledger export` has written") from error


def _check(
    entries: Sequence[LedgerEntry], ring: Mapping[str, Ed25519PublicKey], repository: str, noted: tuple[int, str] | None
) -> None:
    found = flaw(entries, ring, repository)
    if found is not None:
        raise Failure(f"entry {found.sequence}: {found.what}; {_BROKEN}")
    if noted is not None:
        number, digest = noted
        if len(entries) < number:
            raise Failure(f"entry {number} is not there: the ledger ends with {len(entries)}; {_BROKEN}")
        if not entries[number - 1].hash.startswith(digest):
            raise Failure(f"entry {number} is another one than was noted; {_BROKEN}")


@ledger.command()
@settings_option
@click.argument("incident", default="")
@click.option("--last", type=click.IntRange(min=1), default=50, show_default=True, help="Entries without INCIDENT.")
@click.option("--json", "as_json", is_flag=True, help="A line of JSON an entry, with everything it records.")
def show(*, path: Path, incident: str, last: int, as_json: bool) -> None:
    """Entries of one incident, or the last ones of all."""
    entries = records(load(path)).ledger(incident)
    if incident and not entries:
        raise Failure(f"the ledger has nothing of {incident}; `gitops-sre ledger show` lists the latest entries")
    entries = entries if incident else entries[-last:]
    if as_json:
        for entry in entries:
            click.echo(json.dumps({**json.loads(dump(entry)), "detail": entry.facts}))
    else:
        shown.printed(shown.ledger(entries, whose=not incident))


@ledger.command()
@settings_option
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="A new file. Default: standard output.")
def export(*, path: Path, output: Path | None) -> None:
    """The whole ledger as JSON lines, which `ledger verify --file` checks anywhere."""
    lines = (f"{dump(entry)}\n" for entry in records(load(path)).ledger())
    if output is None:
        for line in lines:
            click.echo(line, nl=False)
        return
    try:
        with output.open("x", encoding="ascii", newline="\n") as file:
            file.writelines(lines)
    except FileExistsError as error:
        raise Failure(f"{output}: is there already; name a new file") from error
    except OSError as error:
        raise Failure(f"{output}: cannot be written ({error.strerror}); name another file") from error


@ledger.command()
@settings_option
def key(*, path: Path) -> None:
    """The public key that checks the ledger, as PEM, for whoever audits the bot."""
    public = load_key(load(path).signing.key_file).public
    click.echo(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(), nl=False)
