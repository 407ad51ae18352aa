"""A GitOps controller that behaves as Argo CD: polls the branch, renders, applies, keeps Application status."""
