import sys
from pathlib import Path, PurePosixPath

import pytest

from app.core.errors import EnvironmentProblem
from app.core.store.network_share import refuse_network_share, share_in_mount_output, share_in_mountinfo

TABLE = r"""22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:40 / /home rw shared:1 - nfs4 server:/home rw
31 30 0:41 / /home/local rw - xfs /dev/vdb rw
32 22 0:42 / /mnt/my\040share rw - cifs //server/share rw
33 22 0:43 / /mnt/ssh rw - fuse.sshfs someone@host: rw
34 22 0:44 / /mnt/vault rw - fuse.gocryptfs /data rw
35 22 0:45 / /mnt/usb rw - fuseblk /dev/sdb1 rw
36 22 0:46 / /mnt/c rw - 9p drvfs rw
37 22 0:47 / /mnt/odd rw - fuse.unknownthing x rw
38 22 0:48 / /mnt/twice rw - nfs server:/x rw
39 38 0:49 / /mnt/twice rw - ext4 /dev/vdc rw
broken line
"""


@pytest.mark.parametrize(
    ("place", "system"),
    [
        ("/var/lib", None),
        ("/home/someone/profile", "nfs4"),
        ("/home", "nfs4"),
        ("/homework", None),
        ("/home/local/profile", None),
        ("/mnt/my share/profile", "cifs"),
        ("/mnt/ssh", "fuse.sshfs"),
        ("/mnt/vault/x", None),
        ("/mnt/usb/x", None),
        ("/mnt/c/Users", "9p"),
        ("/mnt/odd", "fuse.unknownthing"),
        ("/mnt/twice/x", None),
    ],
)
def test_linux_table_of_mounts(place: str, system: str | None) -> None:
    assert share_in_mountinfo(TABLE, PurePosixPath(place)) == system


MOUNTS = """/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
/dev/disk3s5 on /System/Volumes/Data (apfs, local, journaled, nobrowse)
//me@server/share on /Volumes/share (1) (smbfs, nodev, nosuid, mounted by me)
"""


def test_mac_output_of_mount() -> None:
    assert share_in_mount_output(MOUNTS, PurePosixPath("/Users/me")) is None
    assert share_in_mount_output(MOUNTS, PurePosixPath("/Volumes/share (1)/p")) == "smbfs"
    assert share_in_mount_output("", PurePosixPath("/Users/me")) is None


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's table of mounts")
def test_a_profile_on_a_share_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    refuse_network_share(tmp_path)
    monkeypatch.setattr(
        "app.core.store.network_share.Path.read_text", lambda *_: f"1 1 0:1 / {tmp_path.resolve()} rw - nfs a:/ rw\n"
    )
    with pytest.raises(EnvironmentProblem) as refusal:
        refuse_network_share(tmp_path / "not" / "there yet")
    assert refusal.value.code == "profile.network_share"
    assert refusal.value.params["system"] == "nfs"
