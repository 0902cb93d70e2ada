"""The programs that frames are compared with: 3 GB, because torch has no smaller build on the package index."""

import re

from measure import install_peers

FRAME_PEERS = ["numpy==2.4.6", "pillow==13.0.0", "torchvision==0.29.2", "torchcodec==0.17.0", "av==18.1.0",
               "opencv-python-headless==5.0.0.93"]


def install_frame_peers():
    """The Python of a virtual environment with them all. Installed once."""
    return install_peers(FRAME_PEERS) / "python"


def ffmpeg_libraries(python):
    """A folder that torchcodec finds FFmpeg's shared libraries in: those that PyAV brings, under the names they have elsewhere."""
    folder = python.parent.parent / "ffmpeg"
    folder.mkdir(exist_ok=True)
    for library in python.parent.parent.glob("lib/python*/site-packages/av.libs/lib*.so.*"):
        named = re.fullmatch(r"(lib(?:av|sw)\w+)-\w+(\.so\.\d+)[.\d]*", library.name)
        if named and not (folder / "".join(named.groups())).exists():
            (folder / "".join(named.groups())).symlink_to(library)
    return folder
