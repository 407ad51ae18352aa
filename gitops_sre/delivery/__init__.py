"""What the bot says on the forge: branch names, commit seals and every text that a person reads."""
