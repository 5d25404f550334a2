"""The SDK: what a training script of one's own says to Isengard, from inside a job or from a plain terminal.

Loads nothing heavy, never opens a journal or a database, and never raises into a training what is not the script's own
mistake. `docs/sdk.md` is the guide.
"""
