"""What a ref with a sub-path names, to copy it: its manifest, tree, and what is at the sub-path."""

from __future__ import annotations

import os
from typing import NamedTuple

from c3fs.cli.operands import RefSource
from c3fs.cli.wiring import Reading, View
from c3fs.core.manifest import Manifest
from c3fs.data.walk import Side, directory_of
from c3fs.errors import NotDirectoryError
from c3fs.registry.base import Registry


class Published(NamedTuple):
    manifest: Manifest
    view: View
    top: Side


async def find(registry: Registry, reader: Reading, source: RefSource) -> Published:
    """Raises what looking for a ref and reading its tree may; NotDirectoryError when it was written as one."""
    manifest = await registry.manifest(source.ref)
    view = reader.view(manifest)
    top = await view.tree.resolve(source.ref.sub)
    if source.must_be_directory and directory_of(top) is None:
        raise NotDirectoryError(os.fsencode(source.text))
    return Published(manifest, view, top)
