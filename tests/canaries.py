"""Secrets that are none: one of every shape that a secret has, to be looked for wherever something leaves the bot."""

from __future__ import annotations

import base64

_JWT = f"{'eyJhbGciOiJIUzI1NiJ9'}.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlLWNhbmFyeQ"
_BASIC = base64.b64encode(b"canary-user:canary-basic-pass").decode()
_KEY = base64.b64encode(b"canary private key material, not a real one").decode()

CANARIES = (
    "ghp_CanaryCanaryCanaryCanaryCanary0001",
    "ghs_CanaryCanaryCanaryCanaryCanary0002",
    "github_pat_11CANARY0000canary_0003",
    "AKIACANARYCANARY0004",
    "canarySecretAccessKey0005/canary+canary",
    _JWT,
    "canary-bearer-token-0006",
    _BASIC,
    "canaryProxyPass0007",
    "TCANARY/BCANARY/canaryslackhook0008",
    "xoxb-canary-0009-canary",
    _KEY,
    "canary-hunter2-0010",
    "canarykubeconfigtoken0011",
    "canaryClientKeyData0012",
    "canaryConnString0013",
    "canaryAccountKey0014==",
)
"""What must not be found anywhere."""

SHAPES = (
    CANARIES[0],
    CANARIES[1],
    CANARIES[2],
    CANARIES[3],
    f"aws_secret_access_key = {CANARIES[4]}",
    CANARIES[5],
    f"Authorization: Bearer {CANARIES[6]}",
    f"authorization: basic {CANARIES[7]}",
    f"https://proxy-user:{CANARIES[8]}@proxy.example.com:3128/",
    f"https://hooks.slack.com/services/{CANARIES[9]}",
    CANARIES[10],
    f"-----BEGIN RSA PRIVATE KEY-----\n{CANARIES[11]}\n-----END RSA PRIVATE KEY-----",
    f"password={CANARIES[12]}",
    f'DB_PASSWORD: "{CANARIES[12]}"',
    f'{{name: DB_PASSWORD, value: "{CANARIES[12]}"}}',
    f"- name: SMTP_PASSWD\n  value: {CANARIES[12]}",
    f"users: [{{name: ci, user: {{token: {CANARIES[13]}}}}}]",
    f"client-key-data: {CANARIES[14]}",
    f"postgresql://app:{CANARIES[15]}@db.example.com/shop",
    f"AccountName=shop;AccountKey={CANARIES[16]};",
)
"""As they stand in logs, labels, files and messages."""
