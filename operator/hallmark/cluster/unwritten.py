"""Records that the API server did not take, kept until it does.

What was withdrawn stops whether or not the status that says so can be written. The next look then
goes on from the record in memory, not from the one that stands in the cluster; after a restart it
is decided anew, under the same ids in the audit log.
"""

from __future__ import annotations

from typing import Any

from hallmark.cluster.kinds import MODEL_DEPLOYMENT, Obj, kind_of


class Unwritten:
    """The newest record of each ModelDeployment whose status was refused, by uid.

    And since when what serves must give way: an author who changes his object all the time makes
    every status write a conflict, and wins no time by it.
    """

    def __init__(self) -> None:
        """Start with nothing refused."""
        self._records: dict[str, dict[str, Any]] = {}
        self._since: dict[str, str] = {}

    def of(self, obj: Obj) -> dict[str, Any] | None:
        """Return the record that stands for an object's status, or None."""
        return self._records.get(str(obj["metadata"]["uid"]))

    def keep(self, obj: Obj, status: dict[str, Any]) -> None:
        """Take a status that was refused; only ModelDeployments have a record."""
        if kind_of(obj) == MODEL_DEPLOYMENT:
            self._records[str(obj["metadata"]["uid"])] = dict(status)

    def written(self, obj: Obj) -> None:
        """Take that an object's status was written."""
        self._records.pop(str(obj["metadata"]["uid"]), None)

    def since(self, obj: Obj) -> str | None:
        """Return since when it is known that what serves must give way, or None."""
        return self._since.get(str(obj["metadata"]["uid"]))

    def note(self, obj: Obj, since: str | None) -> None:
        """Take since when what serves must give way; None where it need not."""
        uid = str(obj["metadata"]["uid"])
        if since is None:
            self._since.pop(uid, None)
        else:
            self._since[uid] = since

    def forget(self, obj: Obj) -> None:
        """Take that an object is gone."""
        self.written(obj)
        self.note(obj, None)
