"""MQTT as all who speak it need it."""
