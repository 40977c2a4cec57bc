"""Fieldbuses: registers of Modbus units, and messages of a CAN bus."""
