"""What Argo CD does with the repository, read from its files alone: which Applications there are and what makes them,
where each takes its manifests from, and which values it decides itself."""
