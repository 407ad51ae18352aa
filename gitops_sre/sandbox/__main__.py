"""`python -m gitops_sre.sandbox`: the embedded world as a process of its own."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from gitops_sre.sandbox.control import Control, stories
from gitops_sre.sandbox.infra.tree import BRANCH
from gitops_sre.sandbox.serving import Served
from gitops_sre.sandbox.telemetry import TelemetryError
from gitops_sre.sandbox.world import REPOSITORY, World, WorldError

KUBECONFIG = """\
apiVersion: v1
kind: Config
current-context: sandbox
clusters:
  - name: sandbox
    cluster:
      server: {url}
users:
  - name: reader
    user:
      token: {token}
contexts:
  - name: sandbox
    context:
      cluster: sandbox
      user: reader
"""


def main() -> int:
    """Start the world, say where it is on standard output, and wait until it is told to end."""
    arguments = _arguments()
    try:
        world = World(arguments.root, arguments.prometheus, arguments.seed, _say)
    except WorldError as error:
        _say(f"cannot start: {error}")
        return 1
    control, served = Control(world), Served("sandbox-control")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: control.shutdown.set())
    if arguments.until_stdin_closes:
        threading.Thread(target=_watch_stdin, args=(control.shutdown,), daemon=True).start()
    try:
        world.start()
        served.start(control.app)
        described = json.dumps(describe(world, served.url))
        write_private(world.root / "world.json", described + "\n")
        _say("ready")
        print(described, flush=True)
        control.shutdown.wait()
    except TelemetryError as error:
        _say(f"cannot start: {error}")
        return 1
    finally:
        served.stop()
        world.stop()
    return 0


def describe(world: World, control_url: str) -> dict[str, object]:
    """Everything somebody needs to use the world. Writes the App's key and the kubeconfig as private files."""
    key, kubeconfig = world.root / "app.pem", world.root / "kubeconfig"
    write_private(key, world.app.private_key_pem)
    write_private(kubeconfig, KUBECONFIG.format(url=world.kubernetes_url, token=world.cluster_token))
    return {
        "github": {
            "url": world.github_url,
            "api_url": world.api_url,
            "repository": REPOSITORY,
            "branch": BRANCH,
            "app_id": world.app.app_id,
            "installation_id": world.app.installation_id,
            "private_key_file": str(key),
            "app_slug": world.app.slug,
            "webhook_secret": world.app.webhook_secret,
            "users": world.users,
        },
        "prometheus": {"url": world.prometheus_url, "kind": world.telemetry.kind},
        "kubernetes": {"url": world.kubernetes_url, "token": world.cluster_token, "kubeconfig": str(kubeconfig)},
        "control": {"url": control_url},
        "stories": stories(),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m gitops_sre.sandbox", description=__doc__)
    parser.add_argument(
        "--root", type=lambda text: Path(text).resolve(), required=True, help="folder for everything it keeps"
    )
    parser.add_argument("--prometheus", choices=("auto", "binary", "embedded"), default="auto")
    parser.add_argument("--seed", type=int, default=0, help="determines history and noise")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when standard input does")
    return parser.parse_args()


def _say(line: str) -> None:
    print(f"sandbox: {line}", file=sys.stderr, flush=True)


def _watch_stdin(stop: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    stop.set()


def write_private(path: Path, text: str) -> None:
    """A file only its owner reads, whole from the moment that it is there: others wait for it to appear."""
    beside = path.with_name(f".{path.name}.part")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    beside.replace(path)


if __name__ == "__main__":
    sys.exit(main())
