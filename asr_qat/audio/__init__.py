"""Audio in: decoding, the log-mel front end, augmentation."""
