"""Published trees as data: copied to disk, compared, and put together without moving a byte of a file.

    download  a published subtree to a local directory, as `c3 pull` and `c3 data cp` do it

`download` uses the same tree and the same reader as a mount, so all three show the same bytes.
"""
