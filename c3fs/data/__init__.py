"""Published trees as data: copied to disk, compared, and put together without moving a byte of a file.

    download  a published subtree to a local directory, as `c3 pull` and `c3 data cp` do it
    partial   files that are being written, and what is left of them when their writer is killed
    walk      the entries of a directory one by one, a leaf at a time
    reach     the blobs that a tree or a part of it needs
    diff      what differs between two trees
    graft     a new tree: an entry of one tree put into another, under a path
    copy      new versions of data sets, from what is published and from the local disk

What it decides: how trees are put together, by cp's rules. A directory that is put on a directory is merged into it
and gives it its mode and time; a file or symlink takes the place of a file or symlink; any other meeting of kinds is
refused. Symlinks are names, never followed. Directories on the way keep their modes and times, so that the same copy
again is the same tree; those that are made get 0755 and the time of the copy. As everywhere times do not make a
version: a copy that changes nothing but times is the version that is there.

Invariants
- Nothing of a file is read or moved to put trees together. An entry is kept as it is, its spans resolved to digests
  ("this blob" means another one when the entry moves), with all that lies below it. Only directories on the path, and
  those that are merged, are encoded anew; of a large one only the leaves in which a name changes, since leaves are
  cut by content and what comes out equal to a stored leaf is not laid again.
- The inventory of a new tree lists exactly the blobs it needs, as any published one's does: those that the kept
  entries reach, found by walking their directories and span lists, and the packs that were made. Sizes come from the
  inventories of the trees that were put together; a blob that none of them lists means that one of them lied.
- A tree that is made of an incomplete one is incomplete.
- A version is registered last, as `publish` has it. Whatever fails, or is cancelled, leaves packs and parts of
  inventories behind that nothing names, which are gc's business; so are those of the tree by way of which a local
  file or directory gets under a path.

Concurrency
- With gc: mark, then see that the origin is still registered, then read the newest version; registering refuses what
  was condemned since (c3fs.registry), and all begins anew. The origin is asked for once more because the caller
  resolved it before the mark.
- With other copies: a graft is registered onto the version that it was made from. When there is a newer one by then,
  the graft is made anew from that: who comes second loses nothing but time, and somebody has always come first.
- A graft runs in the uploader's worker thread, which reads leaves by way of trio, one at a time: that is also where
  it hears of a cancellation.

Memory: a leaf for each level and tree, and what the publisher holds (c3fs.publish). Names and entries are never
collected; digests and sizes of blobs are, some hundred bytes for each. Walks are iterative: a tree may be
DEPTH_MAX deep.

Measured (2 cores, another load on them; a tree of 100,000 files of 100 bytes in 1,000 directories, nothing cached):
diff against the same tree with one file changed 23 ms, 4 blobs; against nothing 0.7 s. Reach 0.24 s, 2 blobs. One
file put into it 0.25 s: 5 blobs read, 2 written, 77 KB. The whole put under a name of another tree 0.6 s, 2 blobs
written; as a data set of its own 5 ms, none. 1,000,000 files in 10,000 directories: reach 2.4 s, a graft 3 s and 10
MiB; in one directory 15 s, 190 KB written.

`download` uses the same tree and the same reader as a mount, so all three show the same bytes. It writes nothing
outside its destination, whoever plants symlinks meanwhile: see there.

Tried and rejected
- The inventory as a difference (what was there, without what was replaced): a pack is needed for as long as anything
  in it is, so it takes the walk anyway.
- Loading the span lists of long files to lay them anew: a list lies well where it is, and keeps one pack alive.
- Telling an added directory as one change: scripts want the files.
"""
