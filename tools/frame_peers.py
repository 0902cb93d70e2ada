"""The programs that frames are compared with: 3 GB, because torch has no smaller build on the package index."""

from measure import install_peers

FRAME_PEERS = ["numpy==2.4.6", "pillow==13.0.0", "torchvision==0.29.2", "torchcodec==0.17.0", "av==18.1.0",
               "opencv-python-headless==5.0.0.93"]


def install_frame_peers():
    """The Python of a virtual environment with them all. Installed once."""
    return install_peers(FRAME_PEERS) / "python"
