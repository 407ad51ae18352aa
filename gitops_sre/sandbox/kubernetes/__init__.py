"""A cluster in memory: objects, rollouts, pods, events, and the part of the Kubernetes API that a reader uses."""
