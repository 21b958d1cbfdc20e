"""Where calls run: slots, sessions, and the processes beside them."""
