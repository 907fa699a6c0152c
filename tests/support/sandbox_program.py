"""What a sandbox runs in tests: serves a data set as a tmpfs with the file `ref`, instead of a c3fs mount.

The ref's last part can ask for trouble: `refused`, `crashing`, `silent` (never ready), `fleeting` (ends at once),
`deaf` (ignores SIGTERM), `hanging` (a FUSE file system that takes requests and answers none).
"""

from __future__ import annotations

import os
import signal
import struct
import sys
import time

from c3fs.agent import sandbox
from c3fs.agent.protocol import SandboxMount, decode_spec
from c3fs.agent.syscalls import MS_RDONLY, MS_REMOUNT, mount, unmount


def serve(data_set: SandboxMount, status: int) -> int:
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))
    manner = data_set.ref.rpartition("/")[2]
    if manner == "refused":
        os.write(status, b"error: the store has no such blob\n")
        return 1
    if manner == "crashing":
        raise RuntimeError("a defect in the server")
    if manner == "hanging":
        _hang(data_set.target, status)
    if manner != "silent":
        _mount(data_set)
        os.write(status, b"ready\n")
    if manner == "deaf":
        time.sleep(120)
    if manner != "fleeting":
        signal.sigwait((signal.SIGTERM,))
    unmount(data_set.target)
    os.write(status, b'{"fetched_bytes": 2048, "fetched_blobs": 1, "hits": 3}\n')
    return 0


def _hang(target: bytes, status: int) -> None:
    """Answers the kernel's INIT, as struct fuse_init_out has it, and nothing else: whoever asks waits unkillably."""
    fd = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={fd},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}"
    mount(b"hanging", target, b"fuse", 0, options.encode())
    unique = struct.unpack_from("=Q", os.read(fd, 1 << 18), 8)[0]
    settings = struct.pack("=IIIIHHIIHHI28x", 7, 31, 65536, 0, 12, 9, 65536, 1, 16, 0, 0)
    os.write(fd, struct.pack("=IiQ", 16 + len(settings), 0, unique) + settings)
    os.write(status, b"ready\n")
    while True:
        os.read(fd, 1 << 18)


def _mount(data_set: SandboxMount) -> None:
    mount(b"tmpfs", data_set.target, b"tmpfs", 0)
    with open(os.path.join(data_set.target, b"ref"), "w", encoding="utf-8") as file:
        file.write(data_set.ref)
    mount(b"tmpfs", data_set.target, b"tmpfs", MS_REMOUNT | MS_RDONLY)


if __name__ == "__main__":
    sys.exit(sandbox.main(decode_spec(sys.stdin.buffer.read()), serve))
