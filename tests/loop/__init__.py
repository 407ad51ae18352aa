"""The whole engine over a real world: Git, GitHub by HTTP, reconciler, Kubernetes API; only signals are scripted."""
