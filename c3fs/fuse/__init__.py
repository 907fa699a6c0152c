"""pyfuse3 <-> vfs: translation, errno table, session lifetime. Decides nothing about the tree.

`operations` decodes a request, calls the vfs, encodes the answer; `errno` is the one table from errors to errno;
`session` mounts, serves and unmounts; `mounts` reads the kernel's mount table and unmounts from outside.

Facts of pyfuse3 3.5.0 this rests on
- Only FUSEError may leave a handler: anything else ends the mount. `operations.guarded` wraps every handler; it is
  one of the two places that catch Exception (the other is the edge of the command line).
- One session per process, with module-wide state.
- `read` may return any contiguous buffer, and the reply is written in the same step the handler returns, with no
  suspension between: a view into the cache is still valid then.
- Each worker task waits for /dev/fuse by itself, so requests are served concurrently in one thread.

What the kernel may keep. The tree never changes, so entries, attributes, missing names and pages are given out for
ever (`FOREVER`). `flush` is left to pyfuse3's default, ENOSYS, after which the kernel stops sending it; the same
holds for extended attributes (ENOSYS once, then EOPNOTSUPP from the kernel), fsync and access.

The mount is `ro,nosuid,nodev,default_permissions`: the kernel refuses every writing call with EROFS, set-user-id
bits and device numbers mean nothing, and modes are checked by the kernel against the mounting user as owner.

Lifetime: `session.serve` mounts, tells `on_live`, serves until it is cancelled or the file system is unmounted
from outside, and in either case leaves nothing mounted. Unmounting by libfuse is lazy (MNT_DETACH), so it works
with files open; their readers get ENOTCONN. kill -9 leaves a mountpoint that answers ENOTCONN until
`c3fs umount`, or the next `c3fs mount` there, clears it.
"""
