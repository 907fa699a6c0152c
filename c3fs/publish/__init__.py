"""Blobs out: what is below some directories becomes blobs in the store and one manifest in the registry.

    scan    what to look at below the working directory, by descriptor, never through a symlink
    read    one file as it was at one moment
    chunk   cuts large files by content (FastCDC), around their holes
    pack    lays small files, and encoded directories, end to end into blobs of 2 to 4 MiB
    items   what is not encoded yet: what was collected, and what c3fs.data keeps of published trees
    leaves  where leaves of directories and of span lists end
    tree    encodes directories bottom-up, as soon as their files' packs are closed
    collect walks the outputs and does all of that: the worker thread's side
    upload  asks the store what is missing, and puts it, a bounded number of bytes at a time
    publish all of it in order, the manifest last

Invariants
- The manifest is registered when every blob it names is stored, and not before. A crash anywhere leaves blobs
  that nothing names (gc's business) and no manifest; a second run finds most blobs stored already. A crash after
  registering is harmless too: the registry takes the same tree under the same ref, whatever the time.
- The same tree gives the same blobs: files in path order, cuts that depend on names and contents alone, no clock
  anywhere but in the manifest's own `created`. So an unchanged tree uploads nothing. A changed small file changes
  its pack, the directories' blob and the inventory.
- What is stored is what was read: a file whose size, mtime or ctime changed while it was read is read again, three
  times at most. A file's digest and its chunks come from the same read.
- The inventory lists exactly the blobs the tree needs. What was read of a file before it changed was sent, and is named
  by nothing. (One exception: chunks of a file that was left out because others of its chunks could not be stored.)

Concurrency: one worker thread reads, cuts, hashes and encodes (`collect.Collector`); the trio side asks, puts and
waits. Between them is a channel that holds nothing: the thread waits in `trio.from_thread` until the uploader takes its
batch, which is also where it hears of a cancellation, as it does after every file or MiB that it reads. When
either side fails, the other ends with it and the thread is joined: no thread outlives the call. `settle` is the
one barrier, for best effort: it returns when every blob that was sent is stored or lost.

Memory, whatever the tree: two batches of 16 MiB, 8 puts of at most 4 MiB, two open packs, one window of 16 MiB.
Leaves are encoded as the walk goes on; a file is kept as one tuple (350 bytes with what it holds) until its pack is
closed, some thousands of them at a time. With best effort nothing is encoded before it is known what could be stored:
a million files are then 400 MB. Of a directory's names all are kept while it is walked: 110 bytes each. Measured, peak
of the whole process: 100,000 files 83 MiB; 1,000,000 files of 16 bytes 166 MiB, 254 MiB when all are in one directory,
441 MiB with best effort.

Best effort means: what cannot be read, and what the store refuses (a few blobs), is left out with a warning, and the
manifest is incomplete. When the store refuses more, or the directories themselves, nothing is registered and that is
the error: a manifest that names what is not stored would be worse than none.

Small files that are alike are not stored once: their packs are. See `pack` for why labels, not contents, end them.

Tried and rejected
- Mapping files instead of reading them: a file truncated meanwhile is SIGBUS for the whole process.
- One reused buffer for all windows: chunks must then be copied to be sent, and the tail moved. Views into fresh
  windows are 6 % faster, and a pack or chunk is not touched again before it is stored.
- Hashing the whole content in a second thread: 12 % at best with a store that costs nothing, nothing with a real one
  on two cores (chunking holds the GIL, writing needs the other core).
- Encoding all directories at the end: the same blobs, but 400 bytes a file for the whole run.
"""
