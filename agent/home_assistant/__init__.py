"""Sensors for Home Assistant, which finds them by its MQTT discovery; off unless it is wanted."""
