"""The ground everything stands on: errors, settings, paths, correlation, redaction. Imports nothing else of ours."""
