"""Isengard launches LoRA image-model trainings, records what happens in them, and explains what went wrong."""

__version__ = "0.1.0"
