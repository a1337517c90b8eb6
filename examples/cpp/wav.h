// Reads WAV files of 16-bit samples.

#pragma once

#include <string>
#include <vector>

// Samples in [-1, 1); throws std::runtime_error unless it has one
// channel of `sample_rate` and 16 bits.
std::vector<float> ReadWav(const std::string& path, int sample_rate);
