"""A published tree as a read-only file system; knows neither FUSE nor HTTP.

Inodes cost nothing. The directories of a tree are numbered in pre-order: the root is 0, a directory's first
sub-directory is its own number + 1, and each next sub-directory follows after all that lies below the one before.
Entries and index rows carry how many directories lie below them, so the number of any sub-directory is a sum over
its predecessors, and the way from the root to directory n is found by descending with bisect: no table, no
look-up count, `forget` has nothing to do, and a number means the same directory in every mount of the manifest.

    inode of a directory          number << 24 | 1         (the root is 1, as FUSE wants it)
    inode of a file or symlink    number of its directory << 24 | index in that directory + 2

Counts that lie would let two directories share a number, so a directory is refused when what it holds is not what
its parent claims (`core.directory.check_totals`). Since a directory counts itself in its parent's claim, claims
shrink on the way down and no chain of directories is endless.

What is kept: an LRU of decoded parts (leaves and indexes), bounded in entries, and an LRU of facts on directories,
bounded in number. Both can be filled again from the blobs at any time. 3,000,000 files visited leave what the
bounds allow, not what was visited.

Concurrency: one trio thread. Loading a part suspends; two tasks may load the same part at once, which costs a
second decode and is otherwise harmless, as everything decoded is immutable. The flight below joins the fetches.

`filesystem` is what a FUSE adapter calls; c3fs.data copies, compares and puts together trees with the same `tree`.
"""
