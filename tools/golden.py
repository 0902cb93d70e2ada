#!/usr/bin/env python3
"""Makes the files of video/tests/golden anew: what torchvision, Pillow and OpenCV make of one small picture.

It installs them itself, outside the clone: 3 GB, so `make test` only reads the files.
"""

import os
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "video/tests/golden"
WIDTH, HEIGHT = 96, 64


def main():
    if "numpy" not in sys.modules and os.environ.get("GOLDEN_PEERS") is None:
        from frame_peers import install_frame_peers
        os.environ["GOLDEN_PEERS"] = "1"
        python = install_frame_peers()
        os.execv(python, [python, *sys.argv])
    FOLDER.mkdir(parents=True, exist_ok=True)
    planes = picture()
    save("picture.i420", b"".join(plane.tobytes() for plane in planes))
    colours(planes)
    resizes(exact_rgb(planes, 0.2126, 0.0722))
    soft = softened(planes)
    save("soft.i420", b"".join(plane.tobytes() for plane in soft))
    cubics(exact_rgb(soft, 0.2126, 0.0722))


def save(name, data):
    (FOLDER / name).write_bytes(data if isinstance(data, bytes) else data.tobytes())
    print(f"{name}: {(FOLDER / name).stat().st_size} bytes")


def picture():
    """Soft colours with hard edges: a gradient, a disc, stripes that become narrower, and a little noise."""
    import numpy as np
    random = np.random.default_rng(11)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    luma = 60 + 90 * x / WIDTH + 30 * np.sin(x * x / 60)
    luma[(x - 60) ** 2 + (y - 30) ** 2 < 300] = 200
    luma[44:52, 8:40] = np.where(x[44:52, 8:40] % 3 < 1.5, 20, 230)
    luma += random.normal(0, 2, luma.shape)
    cy, cx = np.mgrid[0:HEIGHT // 2, 0:WIDTH // 2].astype(float)
    u = 128 + 30 * np.sin(cx / 7) + 20 * np.cos(cy / 5)
    v = 128 + 35 * np.cos(cx / 9 + cy / 6)
    v[(cx - 30) ** 2 + (cy - 15) ** 2 < 75] = 90
    return [np.clip(np.rint(plane), 16, 235).astype(np.uint8) for plane in (luma, u, v)]


def softened(planes):
    """The same with so little contrast that no filter overshoots: nothing is clipped between two passes."""
    import numpy as np
    luma, *chroma = (plane.astype(float) for plane in planes)
    soft = [100 + (luma - 16) * 60 / 219] + [128 + (plane - 128) / 4 for plane in chroma]
    return [np.rint(plane).astype(np.uint8) for plane in soft]


def exact_rgb(planes, kr, kb):
    """H.273 in float64, limited range, each chroma sample for its four pixels."""
    import numpy as np
    y = (planes[0] - 16.0) / 219
    pb, pr = (((plane.repeat(2, 0).repeat(2, 1)) - 128.0) / 224 for plane in planes[1:])
    red, blue = y + 2 * (1 - kr) * pr, y + 2 * (1 - kb) * pb
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(np.rint(np.stack([red, green, blue], -1) * 255), 0, 255).astype(np.uint8)


def colours(planes):
    import cv2
    import numpy as np
    save("float64-bt709.rgb", exact_rgb(planes, 0.2126, 0.0722))
    stacked = np.concatenate([plane.reshape(-1) for plane in planes]).reshape(HEIGHT * 3 // 2, WIDTH)
    save("opencv-bt601.rgb", cv2.cvtColor(stacked, cv2.COLOR_YUV2RGB_I420))


def resizes(rgb):
    import cv2
    import numpy as np
    import torch
    from PIL import Image, ImageOps
    from torchvision.transforms.v2 import functional as F
    tensor = torch.from_numpy(rgb).permute(2, 0, 1)
    image = Image.fromarray(rgb)
    for width, height in (37, 29), (131, 77):
        out = F.resize(tensor, [height, width], antialias=True)
        save(f"torchvision-triangle-{width}x{height}.rgb", out.permute(1, 2, 0).contiguous().numpy())
        save(f"pillow-triangle-{width}x{height}.rgb", np.asarray(image.resize((width, height), Image.BILINEAR)))
    save("pillow-nearest-37x29.rgb", np.asarray(image.resize((37, 29), Image.NEAREST)))
    save("opencv-area-37x29.rgb", cv2.resize(rgb, (37, 29), interpolation=cv2.INTER_AREA))
    save("pillow-letterbox-48x48.rgb", np.asarray(ImageOps.pad(image, (48, 48), Image.BILINEAR)))
    save("pillow-crop-40x40.rgb", np.asarray(ImageOps.fit(image, (40, 40), Image.BILINEAR)))
    small = F.resize(tensor, [29, 37], antialias=True)
    floats = F.normalize(F.to_dtype(small, torch.float32, scale=True), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    save("torchvision-imagenet-37x29.f32", floats.contiguous().numpy())


def cubics(rgb):
    import numpy as np
    import torch
    from PIL import Image
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional as F
    tensor = torch.from_numpy(rgb).permute(2, 0, 1)
    for width, height in (37, 29), (131, 77):
        out = F.resize(tensor, [height, width], interpolation=InterpolationMode.BICUBIC, antialias=True)
        save(f"torchvision-bicubic-{width}x{height}.rgb", out.permute(1, 2, 0).contiguous().numpy())
        resized = Image.fromarray(rgb).resize((width, height), Image.BICUBIC)
        save(f"pillow-bicubic-{width}x{height}.rgb", np.asarray(resized))


if __name__ == "__main__":
    main()
