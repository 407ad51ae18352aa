"""The service's face: webhooks in, health out."""
