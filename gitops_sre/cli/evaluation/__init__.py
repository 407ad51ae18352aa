"""Recorded incidents from alert to diff, held against what would have been right."""
