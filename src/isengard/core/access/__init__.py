"""Who may do what: roles, hashed tokens, and signed passes for sessions and shared jobs. Knows nothing of HTTP."""
