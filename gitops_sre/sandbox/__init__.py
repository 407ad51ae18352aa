"""The embedded world: a shop, its infra repository, GitHub, a reconciler and telemetry, reached over HTTP and Git only.

A process of its own (`python -m gitops_sre.sandbox`). It imports nothing of the product, and nothing but the demo
starts it: the bot meets it through its normal adapters and settings.
"""
