"""`ports.Channels` over child processes: addresses are read at the moment at which they are needed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from gitops_sre.delivery.neutral import title
from gitops_sre.model.notice import Message
from gitops_sre.model.outcome import Done, Refused, Unavailable
from gitops_sre.settings import ChannelSettings, NetworkSettings, NotificationSettings

_CHILD = Path(__file__).with_name("child.py")
_PASSED_ON = (
    "PATH", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
)  # fmt: skip
"""All that the child sees of our environment: where things are, and how to reach the network."""
_START = 15.0
"""Seconds for the child to begin: it imports some hundred modules."""


class AppriseChannels:
    """The channels of the settings. `environment` is where their `url_env` is looked up; `network` says which
    hosts they may reach besides those of the services themselves, and which nobody may."""

    def __init__(
        self, settings: NotificationSettings, environment: Mapping[str, str], network: NetworkSettings | None = None
    ) -> None:
        self._settings, self._environment, self._network = settings, environment, network or NetworkSettings()

    def names(self) -> tuple[str, ...]:
        """The channels there are."""
        return tuple(self._settings.channels)

    def check(self, channel: str) -> Done | Refused:
        """Whether a channel has an address that apprise understands; nothing is sent."""
        url = self._url(channel)
        if isinstance(url, Refused):
            return url
        answer = self._run(url, {})
        return Refused(answer.reason) if isinstance(answer, Unavailable) else answer

    def send(self, channel: str, message: Message) -> Done | Refused | Unavailable:
        """Tell a channel."""
        url = self._url(channel)
        if isinstance(url, Refused):
            return url
        told = {"title": message.title, "body": message.body, "urgent": message.urgent}
        reach = {"hosts": self._network.allow, "only": self._network.only}
        return self._run(url, {**told, **reach, "timeout": self._settings.timeout})

    def _url(self, channel: str) -> str | Refused:
        found = self._settings.channels.get(channel)
        if found is None:
            known = ", ".join(self.names())
            return Refused(f"there is no channel {channel} in the settings (notifications.channels has {known})")
        try:
            text = self._read(found)
        except (OSError, UnicodeDecodeError) as error:
            what = error.strerror if isinstance(error, OSError) else "not UTF-8"
            return Refused(f"{found.url_file}: cannot be read ({what}); name a file that holds the address")
        where = found.url_env or str(found.url_file)
        return text or Refused(f"{where} is empty; put the address of channel {channel} there")

    def _read(self, channel: ChannelSettings) -> str:
        if channel.url_file is None:
            return self._environment.get(channel.url_env, "").strip()
        return (channel.url_file.read_text("utf-8").strip().splitlines() or [""])[0].strip()

    def _run(self, url: str, order: Mapping[str, object]) -> Done | Refused | Unavailable:
        limit = self._settings.timeout + _START
        try:
            # -I: neither the working directory nor PYTHONPATH decides what the child imports.
            ended = subprocess.run(
                [sys.executable, "-I", str(_CHILD)], input=json.dumps({"url": url, **order}).encode(),
                capture_output=True, timeout=limit, check=False,
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
            )  # fmt: skip
            answer = json.loads(ended.stdout)
            kind, reason = str(answer["kind"]), _hidden(str(answer["reason"]), url)
        except subprocess.TimeoutExpired:
            return Unavailable(f"no answer within {self._settings.timeout:g} s")
        except (OSError, ValueError, KeyError, TypeError) as error:
            return Unavailable(f"the process that sends did not do so ({type(error).__name__})")
        if kind == "done":
            return Done(reason)
        return Refused(reason) if kind == "refused" else Unavailable(reason)


def _hidden(text: str, url: str) -> str:
    """One bounded line without any part of the address that could be a secret."""
    for part in sorted({url, *re.split(r"[/?&=@:,#]+", url)}, key=len, reverse=True):
        if len(part) >= 6:
            text = text.replace(part, "***")
    return title(text, 300)
