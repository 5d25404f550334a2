"""How a request is told apart: tokens, sessions by cookie, shared jobs; and what each of them may do."""
