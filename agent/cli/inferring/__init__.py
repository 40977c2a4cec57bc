"""What infer and calibrate are told: which model, which inputs, and with what before and after it."""
