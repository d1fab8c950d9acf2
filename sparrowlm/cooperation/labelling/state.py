"""What a labelling has paid for so far, beside its output: answers, spending, which job it was."""

from __future__ import annotations

from pathlib import Path

from sparrowlm.cooperation.large import AnswerCache, Budget, Ledger
from sparrowlm.cooperation.large.database import Database
from sparrowlm.foundation.errors import SettingError

_LAYOUT = "CREATE TABLE IF NOT EXISTS job (number INTEGER PRIMARY KEY, digest TEXT NOT NULL)"


class LabellingState:
    """A folder, "OUT.jsonl.state", of SQLite files that kill -9 does not harm.

    Args:
        output: of the labelling.
        digest: of the job.
        budget: what may be spent, all runs into this output together.

    Raises:
        SettingError: the output is another job's, or nobody's.
        DamagedFileError: the state is damaged.
    """

    def __init__(self, output: Path, digest: str, budget: Budget) -> None:
        folder = output.with_name(output.name + ".state")
        if output.exists() and output.stat().st_size and not folder.exists():
            raise SettingError("cooperation.large-output-exists", path=output)
        self._job = Database(folder / "job.sqlite", _LAYOUT)
        with self._job.transaction() as connection:
            row = connection.execute("SELECT digest FROM job").fetchone()
            if row is None:
                connection.execute("INSERT INTO job VALUES (0, ?)", (digest,))
        if row is not None and row[0] != digest:
            self._job.close()
            raise SettingError("cooperation.large-other-job", path=output)
        self.ledger = Ledger(budget, folder / "spent.sqlite")
        self.cache = AnswerCache(folder / "answers.sqlite")

    def close(self) -> None:
        """Close the file."""
        for part in (self.ledger, self.cache, self._job):
            part.close()
