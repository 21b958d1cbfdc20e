"""Written English as it is said, one kind of thing a file. Pure; no file knows another's order."""
