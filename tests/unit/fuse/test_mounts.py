"""Reading the kernel's mount table, and the options a mount is made with."""

from __future__ import annotations

import pytest

from c3fs.errors import MountError
from c3fs.fuse.mounts import MountRecord, clear_dead_mount, find_mount, is_dead, list_mounts, parse_record, unmount
from c3fs.fuse.session import MountOptions

LINE = (
    "122 28 0:39 / /tmp/with\\040blank\\011tab\\134slash ro,nosuid,nodev,relatime shared:7 master:1"
    " - fuse.c3fs /jobs/job_1_aaaaaa/a\\040b ro,user_id=0,group_id=0\n"
)


def test_a_line_of_mountinfo() -> None:
    assert parse_record(LINE) == MountRecord(
        "/tmp/with blank\ttab\\slash", "fuse.c3fs", "/jobs/job_1_aaaaaa/a b", "0:39"
    )


def test_a_line_without_optional_fields() -> None:
    line = LINE.replace(" shared:7 master:1", "")
    assert parse_record(line).fstype == "fuse.c3fs"


def test_the_table_of_this_machine() -> None:
    table = list_mounts()
    assert any(record.mountpoint == "/proc" and record.fstype == "proc" for record in table)
    assert find_mount("/proc") in table
    assert find_mount("/proc/self") is None


def test_what_is_no_dead_mount_is_left_alone() -> None:
    assert not is_dead("/")
    assert not is_dead("/nowhere")
    assert not clear_dead_mount("/proc")
    assert not clear_dead_mount("/nowhere")


def test_unmounting_what_is_not_mounted_says_so() -> None:
    with pytest.raises(MountError, match="/nowhere"):
        unmount("/nowhere")


def test_options() -> None:
    options = MountOptions("/mnt", "/jobs/job_1_aaaaaa/a,b\\c").to_fuse()
    assert {"ro", "nosuid", "nodev", "default_permissions", "subtype=c3fs"} < options
    assert "fsname=/jobs/job_1_aaaaaa/a\\,b\\\\c" in options
    assert "allow_other" not in options
    assert "allow_other" in MountOptions("/mnt", "x", allow_other=True).to_fuse()
