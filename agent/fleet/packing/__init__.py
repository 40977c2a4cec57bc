"""From a .tflite file to a bundle: what the operator writes, what the model says, and whether they agree."""
