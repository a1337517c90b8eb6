"""Is a file on this device what it was on the machine that it comes from? Needs no TensorFlow."""
