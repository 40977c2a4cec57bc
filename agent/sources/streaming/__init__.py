"""Cameras that stream over RTSP: what their source is made of."""
