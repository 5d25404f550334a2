"""Any training command as a trainer: a template of arguments, and a profile that says how to read what it prints."""
