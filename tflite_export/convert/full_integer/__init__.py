"""Files in which every tensor is an integer, for devices without float arithmetic."""
