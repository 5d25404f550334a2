"""Isengard launches LoRA image-model trainings, records everything that happens in them, and explains what went wrong."""

__version__ = "0.1.0"
