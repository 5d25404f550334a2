"""Diagnostics: the debug bundle, traces, causes of failure, the doctor."""
