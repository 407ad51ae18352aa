"""Where a value lives in the infra repository, how it is edited, and the proof of what an edit does."""
