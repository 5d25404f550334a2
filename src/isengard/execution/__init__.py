"""Execution: the worker that claims jobs, the runner that owns one run, and the processes below it."""
