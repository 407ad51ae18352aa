"""`acme/shop-infra`: its files, its history, and how a person edits an image tag in it."""
