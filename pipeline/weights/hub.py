"""Models of TensorFlow Hub, downloaded to its cache.

tensorflow_hub itself downloads without resuming and without a hash. So the archive is downloaded by
pipeline.weights.downloads and unpacked where tensorflow_hub looks first: `TFHUB_CACHE_DIR`, a folder named by the
SHA-1 of the handle (tensorflow.org/hub/caching). Cached models are used, offline too.
"""

import hashlib
import os
import tarfile
import zlib
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from pipeline.foundations.runtime import files
from pipeline.foundations.runtime.errors import PlainError
from pipeline.weights import downloads
from pipeline.weights.saved_model import Module

MOST_BYTES = 4 * 2**30
MOST_FILES = 1000


def resolve(handle: str) -> Module:
    """Find a model in the cache, or download it.

    Args:
        handle: an https address of TensorFlow Hub or of a server with its interface, where `#sha256=...` may pin the
            archive; or a local folder with a SavedModel.

    Raises:
        PlainError: the folder holds no SavedModel; the archive cannot be fetched or unpacked.
    """
    address, _, pin = handle.partition("#")
    if urlsplit(address).scheme not in ("http", "https"):
        folder = Path(handle).resolve()
        if not (folder / "saved_model.pb").is_file():
            raise PlainError(f"vggish.handle: {handle} has no saved_model.pb; name the folder of a SavedModel")
        return Module(str(folder), None)
    cache = Path(os.environ.get("TFHUB_CACHE_DIR") or files.cache_folder() / "tfhub")
    folder = cache / hashlib.sha1(address.encode(), usedforsecurity=False).hexdigest()
    if not (folder / "saved_model.pb").is_file():
        query = "&" if urlsplit(address).query else "?"
        archive = f"{address}{query}{urlencode({'tf-hub-format': 'compressed'})}"
        _unpack(downloads.fetch(f"{archive}#{pin}" if pin else archive, label=address).path, folder)
    return Module(address, cache)


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive completely or not at all: regular files and folders only, within size limits."""
    try:
        with tarfile.open(archive) as tar, files.atomic_write(folder) as draft:
            size = 0
            for number, member in enumerate(tar):
                size += member.size
                if number >= MOST_FILES or size > MOST_BYTES:
                    raise PlainError(f"{archive}: more than {MOST_FILES:,} files or {MOST_BYTES:,} bytes; not unpacked")
                tar.extract(member, draft, filter="data")
            if not (draft / "saved_model.pb").is_file():
                raise PlainError(f"{archive} has no saved_model.pb in it, so it is no SavedModel")
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise PlainError(
            f"{archive}: cannot be unpacked: {error}; delete {archive.parent} to fetch it again"
        ) from error
