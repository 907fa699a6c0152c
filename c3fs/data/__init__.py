"""Published trees as data: copied to disk, compared, and put together without moving a byte of a file.

    download  a published subtree to a local directory, as `c3 pull` and `c3 data cp` do it
    walk      the entries of a directory one by one, a leaf at a time
    reach     the blobs that a tree or a part of it needs
    diff      what differs between two trees

`download` uses the same tree and the same reader as a mount, so all three show the same bytes.
"""
