"""Datasets: characters, their uploaded images and captions, and what makes them fit to train on."""
