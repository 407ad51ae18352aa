"""From evidence to a plan: the catalogue of causes, hypotheses with posteriors, the planner. Pure."""
