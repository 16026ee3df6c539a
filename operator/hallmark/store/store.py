"""A store of artifacts by path, over obstore; every failure is an ``ArtifactError``."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import obstore
from obstore import exceptions
from obstore.store import AzureStore, GCSStore, ObjectStore, S3Store

from hallmark.errors import ArtifactError, ConfigurationError
from hallmark.files import open_regular

MIB = 1024 * 1024
_THREADS = 6
"""In which the files of one store are hashed at the same time. They are the store's own: where it
hangs, nothing else waits for them, such as the audit log's next record."""
_CHUNK = MIB
_MAX_PATH = 1024


class ArtifactMissing(ArtifactError):
    """There is no object of that path."""


class ArtifactTooLarge(ArtifactError):
    """The object is longer than the caller reads at most."""


@dataclass(frozen=True)
class Entry:
    """An object in a listing."""

    path: str
    size: int


class Store:
    """Objects by path, such as ``runs/<uid>/manifest.json``.

    Blocking methods serve Jobs and the command line; their ``_async`` twins serve the operator.
    Each raises ``ArtifactError`` where the store refuses or fails.
    """

    def __init__(self, backend: ObjectStore, uri: str, folder: Path | None = None) -> None:
        """Wrap a store.

        Args:
            backend: the library's.
            uri: names it in messages and results.
            folder: where its objects are files; a pipe among them would be waited for.
        """
        self._folder = folder
        self._backend = backend
        self._threads = ThreadPoolExecutor(_THREADS, "store")
        self.uri = uri.rstrip("/")

    def uri_of(self, path: str) -> str:
        """Return the URI of an object or folder."""
        return f"{self.uri}/{_checked(path).rstrip('/')}"

    def get(self, path: str, *, limit: int = 64 * MIB) -> bytes:
        """Return an object's bytes.

        Args:
            path: The object's path.
            limit: The most bytes that are read.

        Raises:
            ArtifactMissing: There is no such object.
            ArtifactTooLarge: It is longer than ``limit``.
            ArtifactError: The store failed.
        """
        with self._errors("read", path):
            data = bytearray()
            for chunk in obstore.get(self._backend, self._there(path)).stream(_CHUNK):
                data += chunk
                self._require_size(path, len(data), limit)
            return bytes(data)

    async def get_async(self, path: str, *, limit: int = 64 * MIB) -> bytes:
        """Return an object's bytes, as ``get`` does."""
        with self._errors("read", path):
            data = bytearray()
            answer = await obstore.get_async(self._backend, self._there(path))
            async for chunk in answer.stream(_CHUNK):
                data += chunk
                self._require_size(path, len(data), limit)
            return bytes(data)

    def digest_of(self, path: str) -> tuple[str, int]:
        """Return digest (``sha256:...``) and size of an object, in constant memory."""
        with self._errors("read", path):
            digest, size = hashlib.sha256(), 0
            for chunk in obstore.get(self._backend, self._there(path)).stream(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
            return f"sha256:{digest.hexdigest()}", size

    async def digest_of_async(self, path: str) -> tuple[str, int]:
        """Return digest and size of an object, as ``digest_of`` does."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self.digest_of, path)

    def put(self, path: str, data: bytes) -> None:
        """Write an object whole, over any that stands there."""
        with self._errors("write", path):
            obstore.put(self._backend, _checked(path), data, mode="overwrite")

    def put_new(self, path: str, data: bytes) -> bool:
        """Write an object where none stands; tell whether this call wrote it.

        Of two writers at once, one wins and the other gets False; nothing is ever overwritten.
        """
        with self._errors("write", path):
            try:
                # A multipart upload could not be made conditional.
                obstore.put(self._backend, _checked(path), data, mode="create", use_multipart=False)
            except exceptions.AlreadyExistsError:
                return False
            return True

    def delete(self, path: str) -> None:
        """Remove an object; nothing happens where there is none."""
        with self._errors("delete", path), _suppress_missing():
            obstore.delete(self._backend, _checked(path))

    def list(self, folder: str) -> tuple[Entry, ...]:
        """Return every object below a folder, by path."""
        with self._errors("list", folder):
            entries = obstore.list(self._backend, _checked(folder)).collect()
            return tuple(
                sorted((Entry(entry["path"], entry["size"]) for entry in entries), key=_path)
            )

    def sign_get(self, path: str, expires_in: timedelta) -> str:
        """Return a URL that reads this one object for a while, without credentials."""
        return self._sign("GET", path, expires_in)

    def sign_put(self, path: str, expires_in: timedelta) -> str:
        """Return a URL that writes this one object for a while, without credentials."""
        return self._sign("PUT", path, expires_in)

    def _sign(self, method: obstore.HTTP_METHOD, path: str, expires_in: timedelta) -> str:
        if not isinstance(self._backend, S3Store | GCSStore | AzureStore):
            raise ConfigurationError(
                f"The store {self.uri} cannot make presigned URLs; "
                "use one whose URI begins with s3://, gs:// or az://."
            )
        with self._errors("sign a URL for", path):
            return obstore.sign(self._backend, method, _checked(path), expires_in)

    def _there(self, path: str) -> str:
        """Return the path of an object to be read.

        Raises:
            OSError: where objects are files, this is none.
        """
        checked = _checked(path)
        if self._folder is not None:
            open_regular(self._folder / checked).close()
        return checked

    def _require_size(self, path: str, size: int, limit: int) -> None:
        if size > limit:
            raise ArtifactTooLarge(
                f"'{path}' in {self.uri} is longer than the {limit} bytes that are read at most."
            )

    @contextmanager
    def _errors(self, verb: str, path: str) -> Iterator[None]:
        """Turn the library's errors into sentences; its own text may hold addresses or keys."""
        try:
            yield
        except (exceptions.NotFoundError, FileNotFoundError) as error:
            raise ArtifactMissing(f"There is no '{path}' in {self.uri}.") from error
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            raise ArtifactError(
                f"The store {self.uri} does not let these credentials {verb} '{path}'. "
                "Check the access key and its rights."
            ) from error
        except BaseException as error:
            # A panic of the library is no Exception, so that nobody else would catch it.
            panicked = type(error).__name__ == "PanicException"
            if not panicked and not isinstance(error, exceptions.BaseError | OSError | ValueError):
                raise
            raise ArtifactError(
                f"Could not {verb} '{path}' in {self.uri} ({type(error).__name__}). "
                "Check that the store's address is right and that it answers."
            ) from error


@contextmanager
def _suppress_missing() -> Iterator[None]:
    try:
        yield
    except (exceptions.NotFoundError, FileNotFoundError):
        return


def _path(entry: Entry) -> str:
    return entry.path


def _checked(path: str) -> str:
    """Return ``path`` if it names something below the store's root and nothing else."""
    parts = path.removesuffix("/").split("/")
    if (
        len(path) > _MAX_PATH
        or not path.isprintable()
        or any(part in {"", ".", ".."} for part in parts)
    ):
        raise ArtifactError(
            "Expected a path of names separated by single slashes, such as 'runs/x/manifest.json'; "
            f"found {path[:128]!r}."
        )
    return path
