"""Cameras that are asked over HTTP: what their sources share."""
