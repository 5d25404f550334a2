"""Figures of the machine a training runs on: GPUs by their drivers' own libraries, the rest by psutil."""
