"""What a .tflite file says, read without a runtime."""
