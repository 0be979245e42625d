"""Raw videos, decoded frame by frame: upright pictures, true timestamps, and what is damaged in the file.

Memory does not grow with the length of a video. PyAV (FFmpeg) reads the containers and codecs.
"""

from depression_vr.faces.video.opening import VideoError
from depression_vr.faces.video.reader import VideoFrame, VideoHeader, VideoReader

__all__ = ["VideoError", "VideoFrame", "VideoHeader", "VideoReader"]
