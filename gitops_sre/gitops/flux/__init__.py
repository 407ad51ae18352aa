"""What Flux does with the repository, read from its files alone: which folder each Kustomization applies, what a
HelmRelease comes to once patches, values and substitutions are in, and which place decides an image or a version."""
