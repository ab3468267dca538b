"""Which kind of memory suits a device."""

from __future__ import annotations

from videdit.imaging.pixels import Pixels


def pixels_for(device: str, precision: str = "auto") -> Pixels:
    """Where pixels are best kept for networks on this device ("cpu", "cuda", "cuda:1")."""
    if device.startswith("cuda"):
        from videdit.imaging.device import DevicePixels

        return DevicePixels(device, precision)
    from videdit.imaging.host import HostPixels

    return HostPixels(device, precision)
