"""Who speaks: a folder a bot, and what turns one into a running call."""
