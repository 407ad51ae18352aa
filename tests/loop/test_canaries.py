"""Secrets in whatever the bot reads are in nothing that leaves it or that it keeps (faults 57, 58, 60)."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from starlette.responses import PlainTextResponse

from gitops_sre.adapters.channels import AppriseChannels
from gitops_sre.cli import show
from gitops_sre.delivery import job
from gitops_sre.engine.bot import Bot
from gitops_sre.model.incident import State
from gitops_sre.perception.alerts import from_alertmanager_webhook
from gitops_sre.sandbox.github import Fault
from gitops_sre.sandbox.infra import edit
from gitops_sre.sandbox.kubernetes.resources import Key
from gitops_sre.sandbox.shop import BY_NAME
from gitops_sre.settings import ChannelSettings, NotificationSettings
from tests.canaries import CANARIES, SHAPES
from tests.loop.conftest import Founder
from tests.loop.place import Place
from tests.loop.test_notify import ALL, FILE, ROUTES
from tests.receivers import Web, web

CARRIER = " ".join(SHAPES)


def burden(place: Place) -> None:
    """Secrets in comments of the file that sets the image."""
    comments = "".join(f"# {line}\n" for shape in SHAPES for line in shape.splitlines())
    place.commit({place.file: place.read(place.file) + b"\n" + comments.encode()})


def release(place: Place, *, value: bool) -> None:
    """A bad release whose commit message is full of secrets, and which may bring one as a value."""
    place.signals.bad = lambda _, image: image.endswith(":v9.0.0")
    content = edit.with_tag(place.read(place.file), BY_NAME[place.service].image, "v9.0.0").decode()
    if value:
        env = f'                -   {{name: DB_PASSWORD, value: "{CANARIES[12]}"}}\n'
        content = content.replace("                env:\n", f"                env:\n{env}")
    subject, files = " ".join(CARRIER.split()), {place.file: content.encode()}
    place.servers.github.commit(place.name, "bob", files, subject, place.clock.now(), branch="main")


def warn(place: Place) -> None:
    """The cluster warns of a pod, with a secret in each message."""
    pod = next(pod["metadata"]["name"] for pod in place.cluster.objects("Pod"))
    for number, shape in enumerate((*SHAPES, CARRIER)):
        reason = ("Failed", "BackOff", "Unhealthy", "FailedMount")[number % 4]
        key = Key("Pod", place.environment, pod)
        place.cluster.record(key, reason, f"secret is missing: {shape}", "kubelet", warning=True, count=9)


def alert(place: Place, bot: Bot) -> None:
    """Alertmanager's webhook, with a secret in every label and annotation."""
    labels = {"alertname": "HighErrorRate", "service": place.service, "environment": place.environment}
    labels |= {f"extra_{number}": shape for number, shape in enumerate(SHAPES)} | {"db_password": CANARIES[12]}
    started = datetime.fromtimestamp(place.clock.at, UTC).isoformat()
    raw = {"status": "firing", "labels": labels, "annotations": {"summary": CARRIER, "runbook": CARRIER}}
    payload = {"version": "4", "alerts": [{**raw, "startsAt": started, "endsAt": started}]}
    bot.receive(from_alertmanager_webhook(json.loads(json.dumps(payload))))


def left(place: Place, bot: Bot, server: Web) -> dict[str, str]:
    """Everything that left the bot, and what it keeps, by where it was found."""
    repo, store = place.repo, bot.world.store
    bots = repo.git.run("log", "--all", "--format=%an%n%B", "--author=gitops-sre").decode()
    incidents = store.recent()
    entries = {one.id: store.ledger(one.id) for one in incidents}
    files = {path.name: path.read_bytes().decode(errors="replace") for path in place.folder.glob("bot.db*")}
    return {
        **files,
        "pull requests": repr(repo.pulls),
        "issues": repr(repo.issues),
        "checks": repr(repo.checks),
        "everything else on GitHub": repr({k: v for k, v in vars(repo).items() if k != "git"}),
        "commits": bots,
        "ledger": repr(store.ledger()),
        "notifications": repr(server.got),
        "summary": job.summary(place.name, incidents, entries, place.clock.now(), spent=bot.world.forge.spent()),
    }


@pytest.mark.parametrize(
    ("level", "together", "ends"),
    [
        ("L4", False, State.RESOLVED),
        ("L4", True, State.ESCALATED),  # the release brought a secret: taking it back would edit one
        ("L1", False, State.REPORTED),
    ],
)
def test_no_secret_that_the_bot_reads_leaves_it(
    found: Founder,
    level: str,
    together: bool,
    ends: State,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.INFO)
    for number, canary in enumerate(CANARIES):
        monkeypatch.setenv(f"SOME_SECRET_{number}", canary)
    place = found(level)  # type: ignore[arg-type]  # a level's name
    place.commit({FILE: ROUTES.format(events=ALL, channels="ops").encode()})
    with web() as server:
        settings = NotificationSettings(channels={"ops": ChannelSettings(url_env="OPS")}, timeout=5)
        bot = place.bot()
        world = replace(
            bot.world,
            settings=bot.world.settings.model_copy(update={"notifications": settings}),
            channels=AppriseChannels(settings, {"OPS": f"json://127.0.0.1:{server.port}"}),
        )
        bot = Bot(world, bot.intake, bot.owner, bot.told)
        burden(place)
        place.tick(5)
        release(place, value=together)
        warn(place)
        place.tick(2)
        alert(place, bot)
        incident = place.until(bot, State.RESOLVED, State.REPORTED, State.ESCALATED, turns=60)
        show.printed(show.incident(incident), show.ledger(bot.world.store.ledger()))
        found_in = left(place, bot, server)
    found_in |= {"log": caplog.text, "terminal": "".join(capfd.readouterr())}
    leaks = {f"{canary} in {where}" for where, text in found_in.items() for canary in CANARIES if canary in text}
    assert leaks == set()
    # The same places do hold what is no secret: they were looked into.
    assert place.service in found_in["issues"] + found_in["pull requests"]
    assert place.service in found_in["ledger"]
    assert incident.state is ends, incident.reason
    assert not together or "looks like a secret" in incident.reason
    assert server.got or ends is State.REPORTED
    assert incident.diagnosis is not None
    assert any(item.source == "Kubernetes events" for item in incident.diagnosis.evidence)


def github_fails(place: Place) -> None:
    """The next requests, each with another error."""
    for status in (500, 422, 403, 502):
        place.servers.github.inject("*", "/api/.*", Fault(status, message=CARRIER))


@pytest.mark.parametrize("ends", [State.RESOLVED, State.ESCALATED])
def test_no_secret_in_what_a_server_says_in_error_leaves_the_bot(
    found: Founder, ends: State, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each of them fails for a while, or one until the bot gives up, and says everything it knows."""
    caplog.set_level(logging.INFO)
    place, said = found("L4"), json.dumps({"message": CARRIER, "errors": [{"message": CARRIER}]})
    bot = place.bot()
    place.tick(5)
    place.deploy_bad()
    with web() as server:
        place.signals.down = CARRIER
        place.turn(bot)
        place.servers.kubernetes.app = PlainTextResponse(said, status_code=500)
        place.turn(bot)
        place.signals.down = "" if ends is State.RESOLVED else CARRIER
        place.turn(bot)
        place.servers.kubernetes.app = place.kubernetes.app
        place.when[State.SYNCING if ends is State.RESOLVED else State.ESCALATING] = lambda: github_fails(place)
        place.until(bot, State.RESOLVED, State.ESCALATED, turns=60)
        show.printed(*(show.incident(each) for each in bot.world.store.recent()), show.ledger(bot.world.store.ledger()))
        found_in = left(place, bot, server)
    found_in |= {"log": caplog.text, "terminal": "".join(capfd.readouterr())}
    leaks = {f"{canary} in {where}" for where, text in found_in.items() for canary in CANARIES if canary in text}
    assert leaks == set()
    (incident,) = bot.world.store.recent()
    assert incident.state is ends, incident.reason
