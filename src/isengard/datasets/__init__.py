"""Datasets: characters, their images and captions on disk and in the store, intake of uploads, preparation, checks.

The folder ``uploads/{character_id}/`` holds images and, beside each, its caption in a ``.txt`` of the same stem.
"""
