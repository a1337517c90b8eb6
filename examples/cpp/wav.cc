#include "wav.h"

#include <cstdint>
#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace {

uint32_t Number(const std::string& bytes, size_t at, int size) {  // little-endian
  uint32_t found = 0;
  if (at + size > bytes.size()) throw std::runtime_error("a WAV file that is cut off");
  for (int i = 0; i < size; ++i) found |= uint32_t(uint8_t(bytes[at + i])) << (8 * i);
  return found;
}

}  // namespace

std::vector<float> ReadWav(const std::string& path, int sample_rate) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (bytes.compare(0, 4, "RIFF") != 0 || bytes.size() < 12) {
    throw std::runtime_error(path + ": no WAV file");
  }
  bool fits = false;
  for (size_t at = 12; at + 8 <= bytes.size();) {
    const std::string name = bytes.substr(at, 4);
    const size_t size = Number(bytes, at + 4, 4), content = at + 8;
    if (name == "fmt ") {
      fits = Number(bytes, content, 2) == 1 && Number(bytes, content + 2, 2) == 1 &&
             Number(bytes, content + 4, 4) == uint32_t(sample_rate) &&
             Number(bytes, content + 14, 2) == 16;
    }
    if (name == "data" && fits) {
      std::vector<float> samples;
      for (size_t i = content; i + 2 <= std::min(bytes.size(), content + size); i += 2) {
        samples.push_back(static_cast<int16_t>(Number(bytes, i, 2)) / 32768.0f);
      }
      return samples;
    }
    at = content + size + size % 2;
  }
  throw std::runtime_error(path + ": expected one channel of 16 bits at " +
                           std::to_string(sample_rate) + " Hz");
}
