"""Takes uploads in: images, captions beside them, or one zip of both.

Three steps. Read (`batch.py`): each file is checked by decoding it, and its bare picture written to a staging folder.
Place (`placing.py`): under the folder's lock the accepted ones get their names. Record: their rows are inserted in one
transaction. A failure leaves nothing behind, and neither does a zip that is refused as a whole.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from isengard.core.errors import InvalidInput, StorageError
from isengard.core.paths import DataDir, check_character_id
from isengard.core.redaction import Redactor
from isengard.datasets.batch import Batch
from isengard.datasets.folder import UploadFolder
from isengard.datasets.limits import Limits
from isengard.datasets.placing import Placing
from isengard.datasets.uploads import IncomingFile, IntakeResult, Rejection
from isengard.jobs.store import Store

__all__ = ["IncomingFile", "Intake", "IntakeResult", "Rejection"]

_DECODING_AT_ONCE = 2
"""A picture of the largest allowed size takes hundreds of megabytes while it is decoded."""


class Intake:
    """Takes uploads for the characters of a data folder. Make one a process: it bounds how much is decoded at once."""

    def __init__(self, store: Store, data: DataDir, limits: Limits, redactor: Redactor | None = None) -> None:
        self._store = store
        self._data = data
        self._limits = limits
        self._redactor = redactor or Redactor()
        self._decoding = threading.BoundedSemaphore(_DECODING_AT_ONCE)

    def ingest(self, character_id: str, incoming: Sequence[IncomingFile]) -> IntakeResult:
        """Take what can be taken and say of everything else why not.

        Raises:
            NotFound: There is no such character.
            InvalidInput: There is no file at all.
            TooLarge: The files are too many or together too large; nothing was added.
            StorageError: Disk or database refused; nothing was added.
        """
        self._store.get_character(check_character_id(character_id))
        if not incoming:
            raise InvalidInput("the upload holds no files", field="files")
        folder = UploadFolder(self._data, character_id)
        try:
            with folder.staging() as staging:
                batch = Batch(self._limits, staging, self._decoding, self._redactor)
                batch.read(incoming)
                with folder.locked():
                    placing = Placing(self._store, folder, character_id, self._limits)
                    uploaded = placing.place(batch.staged)
        except OSError as error:
            raise StorageError(f"the upload could not be stored: {error.strerror or error}") from error
        total = self._store.get_character(character_id).image_count
        return IntakeResult(uploaded, batch.rejected + placing.rejected, total)
