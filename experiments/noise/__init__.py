"""The demo's files in noise: is what lost nothing on clean recordings lossless there, too?"""
