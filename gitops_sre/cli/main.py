"""The command and its one error handler.

Exit codes: 0 done; 1 refused or failed as expected, with a remedy printed; 2 usage; 3 a bug.
"""

from __future__ import annotations

import logging
import sys
import traceback
from importlib import metadata

import click

from gitops_sre.cli import (
    app,
    autonomy,
    config,
    demo,
    diagnose,
    doctor,
    evaluate,
    halt,
    hands,
    init,
    learn,
    ledger,
    notify,
    operate,
    policy,
)
from gitops_sre.cli.common import Failure
from gitops_sre.policy.source import PolicyError
from gitops_sre.ports import ConflictError, StoreError
from gitops_sre.redact import redact
from gitops_sre.settings import ConfigError

EXPECTED = (ConfigError, PolicyError, StoreError, ConflictError, Failure)
"""What goes wrong without being a bug; each message names the place and the remedy."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(metadata.version("gitops-sre"), prog_name="gitops-sre")
def cli() -> None:
    """The on-call engineer that can only speak Git.

    Alerts come in; every remediation goes out as a small, proven, policy-gated pull request to the repository that
    Argo CD watches, is verified against the SLO, and taken back when it did not help.
    """


for command in (demo.demo, operate.investigate, operate.run, operate.serve, operate.explain, doctor.doctor):
    cli.add_command(command)
cli.add_command(init.init)
cli.add_command(app.app)
cli.add_command(autonomy.autonomy)
cli.add_command(config.config)
cli.add_command(diagnose.diagnose)
cli.add_command(evaluate.evaluate)
cli.add_command(halt.halt)
cli.add_command(learn.kpi)
cli.add_command(learn.label)
cli.add_command(learn.postmortem)
cli.add_command(ledger.ledger)
cli.add_command(notify.notify)
cli.add_command(policy.policy)
cli.add_command(hands.locate)
cli.add_command(hands.propose)


class _Redacting(logging.Formatter):
    """Lines of the log without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """A line."""
        return redact(super().format(record))


def entry() -> None:
    """The console script."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: list[str]) -> int:
    """Run a command line; the exit code."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_Redacting())
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # it warns of each retry; what came of them is ours to say
    try:
        result = cli.main(arguments, prog_name="gitops-sre", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("gitops-sre: interrupted", err=True)
        return 1
    except click.UsageError as error:
        error.show()
        return 2
    except click.ClickException as error:
        error.show()
        return 1
    except EXPECTED as error:
        click.echo(f"gitops-sre: {redact(str(error))}", err=True)
        return 1
    except Exception:  # noqa: BLE001 - the one top-level handler: anything that gets here is a bug
        click.echo(redact(traceback.format_exc()), err=True)
        click.echo("gitops-sre: this is a bug; please report it with the lines above", err=True)
        return 3
    return result if isinstance(result, int) else 0
