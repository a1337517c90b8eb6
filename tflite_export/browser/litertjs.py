"""LiteRT.js: two packages of npm at pinned versions, Apache-2.0, which no page of ours contains.

They come from the registry that npm is configured for, and are kept in the user's cache.
"""

import contextlib
import dataclasses
import hashlib
import io
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

from asr_qat.corpora.download import Unreachable, download
from asr_qat.errors import UserError, require
from asr_qat.files import read_lines
from tflite_export.runtime.weight_cache import cache_folder

REGISTRY = "https://registry.npmjs.org/"
VERSION = "2.5.3"
NOTICE = (
    f"LiteRT.js {VERSION} (npm: @litertjs/core, @litertjs/wasm-utils), Google LLC,\n"
    "Apache License, Version 2.0: https://www.apache.org/licenses/LICENSE-2.0\n"
)


@dataclasses.dataclass(frozen=True)
class Package:
    """A package of npm.

    Attributes:
        scope: of its name.
        name: without the scope.
        sha512: of its archive, as the registry's `integrity` says in base64.
    """

    scope: str
    name: str
    sha512: str

    @property
    def archive(self) -> str:
        """The file that `npm pack` writes."""
        return f"{self.scope}-{self.name}-{VERSION}.tgz"

    def url(self, registry: str) -> str:
        """Address of the archive."""
        return f"{registry.rstrip('/')}/@{self.scope}/{self.name}/-/{self.name}-{VERSION}.tgz"


CORE = Package(
    "litertjs",
    "core",
    "3e51a66cc3aaf568ad5fb14ed2385b749c3d1ad85ab6ccae0905e34edff0259a"
    "3414b6b0e3cab8b73f08c2a82a08892f8981abf4e1432f59029cde27cd6a3225",
)
WASM_UTILS = Package(
    "litertjs",
    "wasm-utils",
    "e1f262c3ab4142722cfb48c7fce435ea760e89297cffecd99e7e61dae97c6932"
    "878b4e6c56a656e7cd139a4efca42da44f7f40f4e60155d15ac2d799fec23591",
)
# Of WebAssembly the three builds that run on a processor: plain, for browsers without relaxed SIMD,
# and with threads.
BUILDS = ("litert_wasm_internal", "litert_wasm_compat_internal", "litert_wasm_threaded_internal")
# A browser knows no package names.
_IMPORT = (b'"@litertjs/wasm-utils"', b'"./wasm_utils.js"')


def litertjs_files(folder: Path | None = None, builds: Sequence[str] = BUILDS) -> dict[str, bytes]:
    """The files of LiteRT.js that a page needs, by their paths in it.

    Args:
        folder: with the archives that `npm pack` writes; None: the user's cache, into which they
            are downloaded.
        builds: of WebAssembly.

    Raises:
        UserError: an archive that is missing or another one, or a registry out of reach.
    """
    core, utils = (_unpacked(_archive(package, folder)) for package in (CORE, WASM_UTILS))
    index = core["dist/index.js"]
    require(_IMPORT[0] in index, f"{CORE.archive}: imports its helper in another way")
    found = {
        "core.js": index.replace(*_IMPORT),
        "wasm_utils.js": utils["dist/index.js"],
        "NOTICE.txt": NOTICE.encode(),
    }
    for build in builds:
        for name in (f"wasm/{build}.js", f"wasm/{build}.wasm"):
            found[name] = core[name]
    return {f"litertjs/{name}": content for name, content in found.items()}


def _archive(package: Package, folder: Path | None) -> bytes:
    pack = f"npm pack @{package.scope}/{package.name}@{VERSION}"
    path = _downloaded(package) if folder is None else folder / package.archive
    require(path.is_file(), f"{path}: no such file: write it with `{pack}`")
    content = path.read_bytes()
    same = hashlib.sha512(content).hexdigest() == package.sha512
    mend = "remove it, and run this again" if folder is None else f"write it again with `{pack}`"
    require(same, f"{path}: its checksum is wrong: {mend}")
    return content


def _downloaded(package: Package) -> Path:
    path = cache_folder().parent / "npm" / package.archive
    try:
        return download(package.url(registry()), path, f"sha512:{package.sha512}")
    except Unreachable as error:
        raise UserError(
            f"{error}: LiteRT.js comes from npm: add --litertjs FOLDER, with {CORE.archive} and "
            f"{WASM_UTILS.archive} of `npm pack`"
        ) from None


def registry() -> str:
    """The registry that npm is configured for: by a variable, or by the user's `.npmrc`."""
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        if os.environ.get(name):
            return os.environ[name]
    with contextlib.suppress(OSError, UserError):
        for line in read_lines(Path.home() / ".npmrc"):
            key, _, value = line.partition("=")
            found = value.strip()
            if key.strip() == "registry" and found.startswith(("https://", "http://")):
                return found
    return REGISTRY


def _unpacked(archive: bytes) -> dict[str, bytes]:
    """The files of an archive, by their paths in the package."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is not None:
                found[member.name.removeprefix("package/")] = content.read()
    return found
