"""An RTSP camera on the loopback: GStreamer's own server, run by the system's Python, which has its bindings.

It does what it reads on stdin: ``drop`` cuts all clients, ``hold`` keeps frames back while the connections
stay, ``size W H`` changes the size in mid-stream; it ends with its stdin. Imports nothing of this repository.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402 - after their versions

LINES = {
    "h264": "x264enc tune=zerolatency key-int-max=8 speed-preset=ultrafast ! rtph264pay name=pay0 pt=96",
    "mjpeg": "jpegenc ! rtpjpegpay name=pay0 pt=26",
    "j2k": "openjpegenc ! rtpj2kpay name=pay0 pt=96",
    "h265": "x265enc tune=zerolatency speed-preset=ultrafast key-int-max=8 ! rtph265pay name=pay0 pt=96",
    "sound": "",
}
CLOCK_BITS = 16
TONE = "( audiotestsrc is-live=true ! alawenc ! rtppcmapay name=pay0 pt=8 )"


def dated(codec: str, fps: int) -> str:
    """Give a pipeline whose pictures say when they were made."""
    caps = f"video/x-raw,format=I420,width={CLOCK_BITS * 20},height=240,framerate={fps}/1"
    return f"( appsrc name=clock is-live=true do-timestamp=true format=time caps={caps} ! {LINES[codec]} )"


def feed(clock: Gst.Element, fps: int) -> None:
    """Push pictures whose columns are the bits of CLOCK_MONOTONIC in milliseconds, lowest first."""
    while True:
        now_ms = int(time.monotonic() * 1000)
        row = b"".join((b"\xeb" if now_ms >> bit & 1 else b"\x10") * 20 for bit in range(CLOCK_BITS))
        picture = Gst.Buffer.new_wrapped(row * 240 + b"\x80" * (len(row) * 120))
        if clock.emit("push-buffer", picture) != Gst.FlowReturn.OK:
            return
        time.sleep(1 / fps)


def line(codec: str, size: str, fps: int) -> str:
    """Give the pipeline that each first client starts."""
    if codec == "sound":
        return TONE
    width, height = size.split("x")
    return (
        f"( videotestsrc is-live=true pattern=ball ! video/x-raw,framerate={fps}/1 ! videoscale ! capsfilter"
        f" name=size caps=video/x-raw,format=I420,width={width},height={height} ! valve name=valve"
        f" ! queue max-size-buffers=1 ! {LINES[codec]} )"
    )


class Camera:
    """Serves ``/cam``, and ``/cam/slow``; what feeds all clients is made anew when the first one comes."""

    def __init__(self, given: argparse.Namespace) -> None:
        self._media: GstRtspServer.RTSPMedia = None
        self._server = GstRtspServer.RTSPServer()
        self._server.set_address("127.0.0.1")
        self._server.set_service(given.port)
        self._fps = given.fps
        launch = line(given.codec, given.size, given.fps)
        factory = self._mount("/cam", dated(given.codec, given.fps) if given.dated else launch)
        if given.slow:
            self._mount("/cam/slow", line(given.codec, given.size, given.slow))
        if given.transport == "tcp":
            factory.set_protocols(GstRtsp.RTSPLowerTrans.TCP)
        elif given.transport == "udp":
            factory.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
        factory.connect("media-configure", self._made)
        if given.login:
            self._ask_for(factory, given.login, given.auth)
        self._server.attach(None)
        self.port = self._server.get_bound_port()

    def do(self, words: list[str]) -> bool:
        """Obey one command; False, since GLib is not to call it again."""
        if words[:1] == ["drop"]:
            self._server.client_filter(lambda *_: GstRtspServer.RTSPFilterResult.REMOVE)
        elif words[:1] == ["hold"]:
            self._part("valve").set_property("drop", True)
        elif words[:1] == ["size"]:
            caps = f"video/x-raw,format=I420,width={words[1]},height={words[2]}"
            self._part("size").set_property("caps", Gst.Caps.from_string(caps))
        return False

    def _mount(self, path: str, launch: str) -> GstRtspServer.RTSPMediaFactory:
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(launch)
        factory.set_shared(True)
        self._server.get_mount_points().add_factory(path, factory)
        return factory

    def _made(self, _: object, media: GstRtspServer.RTSPMedia) -> None:
        self._media = media
        if clock := media.get_element().get_by_name("clock"):
            threading.Thread(target=feed, args=(clock, self._fps), daemon=True).start()

    def _part(self, name: str) -> Gst.Element:
        return self._media.get_element().get_by_name(name)

    def _ask_for(self, factory: GstRtspServer.RTSPMediaFactory, login: str, way: str) -> None:
        user, _, password = login.partition(":")
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "user")
        if way == "digest":
            auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
            auth.add_digest(user, password, token)
        else:
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        self._server.set_auth(auth)
        allowed = GstRtspServer.RTSPPermissions()
        for what in ("access", "construct"):
            allowed.add_permission_for_role("user", f"media.factory.{what}", True)
        factory.set_permissions(allowed)


def main() -> None:
    """Serve, and say on which port, until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("codec", choices=LINES)
    parser.add_argument("--port", default="0")
    parser.add_argument("--size", default="320x240")
    parser.add_argument("--fps", type=int, default=25)
    parser.add_argument("--dated", action="store_true")
    parser.add_argument("--slow", type=int, default=0)
    parser.add_argument("--login", default="")
    parser.add_argument("--auth", default="basic")
    parser.add_argument("--transport", default="")
    Gst.init(None)
    camera = Camera(parser.parse_args())
    loop = GLib.MainLoop()

    def listen() -> None:
        for text in sys.stdin:
            GLib.idle_add(camera.do, text.split())
        GLib.idle_add(loop.quit)

    threading.Thread(target=listen, daemon=True).start()
    print(camera.port, flush=True)
    loop.run()


if __name__ == "__main__":
    main()
