"""ostris/ai-toolkit as a trainer: used as it is, unpatched, followed through what it prints and writes."""
