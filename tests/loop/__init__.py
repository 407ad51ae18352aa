"""The whole engine over a real world: Git, GitHub over HTTP, reconciler and Kubernetes API; only signals are scripted."""
