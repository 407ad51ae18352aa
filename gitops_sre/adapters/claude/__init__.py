"""Claude, asked through Anthropic's own client: one process for each turn, and only that process holds the key."""

from gitops_sre.adapters.claude.parent import Claude as Claude
