"""Trainers: the interface, the registry, and those that come with Isengard. None of them sees journal, bus or store."""
