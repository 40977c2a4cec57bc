"""The broker: topics, batches, acknowledgements, the ordered window, and the MQTT thread."""
