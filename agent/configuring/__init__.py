"""Brings the device to the settings that the operator wants over those of its file, and reads that anew."""
