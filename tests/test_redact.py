"""Secrets of every shape are taken out, and what is none stays."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_sre.redact import HIDDEN, everywhere, redact
from tests.canaries import CANARIES, SHAPES


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_is_hidden_wherever_it_stands(shape: str) -> None:
    for text in (shape, f"before {shape} after", f"a\n{shape}\nb", json.dumps({"line": f"x {shape} y"})):
        shown = redact(text)
        assert not [canary for canary in CANARIES if canary in shown], shown
        assert HIDDEN in shown


@pytest.mark.parametrize("shape", SHAPES)
def test_json_stays_json(shape: str) -> None:
    text = json.dumps({"line": f"before {shape} after", "next": ["untouched"]})
    assert json.loads(redact(text))["next"] == ["untouched"]


@pytest.mark.parametrize(
    "text",
    [
        "image: registry.example.com/shop/checkout:v1.2.3@sha256:0123456789abcdef",
        "GitHub does not accept the credentials: Bad credentials",
        "the token needs contents: write",
        "automountServiceAccountToken: false",
        "secretName: checkout-tls",
        "commit b8648476f185 by dave <dave@example.com>",
        "https://github.com/acme/infra/pull/3",
        "git@github.com:acme/infra.git",
        "tokens: 3",
        'rate(http_requests_total{service="auth",code=~"5.."}[5m])',
        "author: alice",
        "new_deploy/catalog/b8648476f185 (99%)",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_a_name_says_that_its_value_is_a_secret() -> None:
    data = {"labels": {"db_password": "correct horse", "service": "web"}, "n": 1, "list": ["token=abcdefgh"]}
    assert everywhere(data) == {
        "labels": {"db_password": HIDDEN, "service": "web"},
        "n": 1,
        "list": [f"token={HIDDEN}"],
    }


@given(st.text(), st.sampled_from(SHAPES))
def test_twice_is_as_good_as_once(text: str, shape: str) -> None:
    once = redact(text + shape)
    assert redact(once) == once
