"""What is published large is looked up and read in small pieces: counted, not timed."""

from __future__ import annotations

from c3fs.core.digest import EMPTY, Digest
from c3fs.core.directory import LongFile
from c3fs.core.manifest import Root, root_span
from c3fs.core.span import Span
from c3fs.publish.items import ChunkedFile, Folder, Item, PackedFile
from c3fs.publish.pack import Packer
from c3fs.publish.tree import TreeEncoder
from c3fs.vfs.tree import Found
from tests.support.blobs import seeded
from tests.support.encoded import MTIME
from tests.support.publishing import opened


def encode(items: list[Item], blobs: dict[Digest, bytes]) -> Root:
    encoder = TreeEncoder(Packer(lambda digest, data: blobs.update({digest: bytes(data)})))
    folder = Folder(b"", 0o755, MTIME)
    encoder.begin(folder)
    for item in items:
        encoder.add(item)
    encoder.end()
    encoder.finish()
    return Root(str(folder.hasher.digest()), 0o755, MTIME, root_span(folder.span()), *folder.totals)


async def test_a_lookup_among_a_million_published_entries_decodes_an_index_and_a_leaf() -> None:
    blobs: dict[Digest, bytes] = {}
    root = encode([PackedFile(b"entry%07d" % n, 0o644, MTIME, 0, EMPTY, None, 0) for n in range(1_000_000)], blobs)
    async with opened(root, blobs) as (tree, filesystem):
        assert tree.decoded == 0
        assert await filesystem.lookup(1, b"entry0765432") is not None
        assert tree.decoded == 2
        assert await filesystem.lookup(1, b"entry0765432x") is None
        assert tree.decoded == 2
        assert await filesystem.lookup(1, b"entry0000001") is not None
        assert tree.decoded == 3


async def test_a_file_of_100_000_chunks_is_looked_up_and_read_by_leaf() -> None:
    data = seeded(1, 4096)
    blob = Digest.of(data)
    blobs = {blob: data}
    spans = [Span(blob, n % 4096, 1) for n in range(100_000)]
    content = b"".join(data[span.offset : span.offset + 1] for span in spans)
    root = encode([ChunkedFile(b"long", 0o644, MTIME, 100_000, Digest.of(content), spans)], blobs)
    async with opened(root, blobs) as (tree, filesystem):
        found = await tree.resolve([b"long"])
        assert isinstance(found, Found)
        assert isinstance(found.entry, LongFile)
        assert tree.decoded == 1
        reader = filesystem.reader(found)
        for at in (77_777, 3, 99_999):
            assert bytes(await reader.read_at(at, 1)) == content[at : at + 1]
        pieces: list[bytes] = []
        while piece := await reader.read_at(sum(map(len, pieces)), 1 << 20):
            pieces.append(bytes(piece))
        assert b"".join(pieces) == content
