"""Blobs out: what is below some directories becomes blobs in the store and one manifest in the registry.

    scan    what to look at below the working directory, by descriptor, never through a symlink
    collect walks the outputs and reads them: the worker thread's side
    chunk   cuts large files by content (FastCDC); finds holes
    pack    lays small files, and encoded directories, end to end into blobs of 2 to 4 MiB
    tree    encodes directories bottom-up and knows where each of them lies
    upload  asks the store what is missing, and puts it, a bounded number of bytes at a time
    publish all of it in order, the manifest last

Invariants
- The manifest is registered when every blob it names is stored, and not before. A crash anywhere leaves blobs
  that nothing names (gc's business) and no manifest; a second run finds most blobs stored already.
- The same tree gives the same blobs: files in path order, cuts that depend on contents alone, no clock anywhere but
  in the manifest's own `created`.
- What is stored is what was read: a file whose size, times or inode changed while it was read is read again, three
  times at most. A file's digest and its chunks come from the same read.

Concurrency: one worker thread reads, cuts and hashes (`collect.Collector`); the trio side asks, puts and waits.
Between them is a channel of one batch (16 MiB): the thread waits in `trio.from_thread`, which is also where it hears
of a cancellation. When either side fails, the other ends with it and the thread is joined: no thread outlives the call.

Memory: a file is kept as one tuple (about 400 bytes with its name and digest) until its directory is
encoded: 100,000 files are some 40 MB. File contents pass through and are not kept.

Small files that are alike are not stored once: their packs are. A pack is cut after a file whose path says so, so packs
of two trees that share files in the same order are the same blobs, and a changed file changes its own pack.
"""
