"""Webhooks: events queued in order and posted by a background thread, signed as GitHub signs them."""

from __future__ import annotations

import hashlib
import hmac
import json
import queue
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

_TIMEOUT = 10.0


@dataclass(frozen=True)
class Hook:
    """Where to post, and the secret that signs."""

    url: str
    secret: str


@dataclass(frozen=True)
class Delivery:
    """One delivery as it went out; `status` is 0 when nobody answered."""

    id: str
    event: str
    url: str
    status: int


class Webhooks:
    """All hooks, on one daemon thread. A failed delivery is recorded and, as on GitHub, not tried again."""

    def __init__(self) -> None:
        self._hooks: list[Hook] = []
        self._queue: queue.SimpleQueue[tuple[Hook, str, bytes]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self.deliveries: list[Delivery] = []

    def add(self, url: str, secret: str) -> None:
        """Post every event from now on to this address."""
        self._hooks.append(Hook(url, secret))
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="sandbox-webhooks", daemon=True)
            self._thread.start()

    def deliver(self, event: str, payload: Mapping[str, object]) -> None:
        """Queue one event for every hook."""
        if self._hooks:
            body = json.dumps(payload).encode()
            for hook in self._hooks:
                self._queue.put((hook, event, body))

    def _work(self) -> None:
        while True:
            hook, event, body = self._queue.get()
            self.deliveries.append(post(hook, event, body))


def post(hook: Hook, event: str, body: bytes, delivery: str = "") -> Delivery:
    """Post one event. A given delivery id repeats an earlier delivery."""
    identifier = delivery or str(uuid.uuid4())
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/sandbox",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": identifier,
        "X-GitHub-Hook-ID": "1",
        "X-Hub-Signature-256": f"sha256={hmac.new(hook.secret.encode(), body, hashlib.sha256).hexdigest()}",
    }
    request = urllib.request.Request(hook.url, body, headers, method="POST")  # noqa: S310 - the world's own address
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310
            status = int(response.status)
    except urllib.error.HTTPError as error:
        status = error.code
        error.close()
    except OSError:
        status = 0
    return Delivery(identifier, event, hook.url, status)
