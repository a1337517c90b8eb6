// Prints the text of a recording: transcribe MODEL.tflite RECORDING.wav

#include <cstdio>
#include <exception>

#include "recogniser.h"
#include "wav.h"

int main(int count, char** words) {
  if (count != 3) {
    std::fprintf(stderr, "usage: transcribe MODEL.tflite RECORDING.wav\n");
    return 2;
  }
  try {
    const Recogniser recogniser(words[1], LITERT_VERSION);
    const std::vector<float> audio = ReadWav(words[2], recogniser.sample_rate());
    std::printf("%s\n", recogniser.Transcribe(audio).c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
  return 0;
}
