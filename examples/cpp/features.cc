// Writes the features of a recording, float32 [frames, bins], to standard output:
// features DESCRIPTION.json RECORDING.wav
// The description is that in a model file, `asr_qat.json` of its metadata.

#include <cstdio>
#include <exception>
#include <fstream>
#include <iterator>

#include "front_end.h"
#include "wav.h"

int main(int count, char** words) {
  if (count != 3) {
    std::fprintf(stderr, "usage: features DESCRIPTION.json RECORDING.wav\n");
    return 2;
  }
  try {
    std::ifstream file(words[1]);
    const FrontEnd front_end(Json::Parse({std::istreambuf_iterator<char>(file), {}}));
    const Features found = front_end.Compute(ReadWav(words[2], front_end.sample_rate()));
    std::fwrite(found.values.data(), sizeof(float), found.values.size(), stdout);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
  return 0;
}
