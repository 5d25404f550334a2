"""Where samples, checkpoints and LoRAs are kept beside the data folder, and how they get there and back.

An artifact's key is its path below the data folder (``logs/jobs/train-…/samples/step_0050.png``), here and in a bucket,
so that one is a copy of the other. `open_artifacts` gives the store that the settings name; `job_upload.py` brings what
a journal tells of into it, `recovery.py` brings a checkpoint back.
"""

from isengard.execution.artifacts.address import delivers, open_artifacts
from isengard.execution.artifacts.store import ArtifactStore, Stored

__all__ = ["ArtifactStore", "Stored", "delivers", "open_artifacts"]
