"""Our own frame processors, observers and turn strategies, each a thin shell over a pure core."""
