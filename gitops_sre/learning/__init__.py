"""What is learned from incidents that are over: figures about the bot itself, and postmortems. Pure."""
