"""Jobs and characters: what they are, which statuses follow which, and where the facts that change are stored."""
