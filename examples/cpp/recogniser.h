// A CTC recogniser in one .tflite file, run by LiteRT's C API on the CPU.

#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "front_end.h"
#include "json.h"
#include "litert_c.h"
#include "vocabulary.h"

class Recogniser {
 public:
  // Reads a file that `tflite-export convert` wrote of a CTC model. Throws std::runtime_error: no
  // such file, another kind of model, or a LiteRT that is older than the file asks for.
  Recogniser(const std::string& path, const std::string& litert_version);
  ~Recogniser();
  Recogniser(const Recogniser&) = delete;
  Recogniser& operator=(const Recogniser&) = delete;

  // The text of audio [samples] in [-1, 1), by greedy search.
  std::string Transcribe(const std::vector<float>& audio) const;

  int sample_rate() const { return front_end_->sample_rate(); }

 private:
  struct Signature {
    size_t index = 0;
    std::vector<std::string> inputs;  // by index
  };

  std::string Metadata(const char* key) const;
  void FindSignatures();
  // The best class of each encoded frame of `frames` feature frames from `first` on, which are no
  // more than the longest signature takes.
  std::vector<int> Encode(const Features& features, int first, int frames) const;
  std::vector<int> Best(LiteRtTensorBuffer logits, int encoded) const;
  int Subsampled(int frames) const;

  LiteRtEnvironment environment_ = nullptr;
  LiteRtModel model_ = nullptr;
  LiteRtCompiledModel compiled_ = nullptr;
  int factor_ = 4;                        // feature frames to one encoded frame
  std::map<int, Signature> signatures_;  // by feature frames
  std::unique_ptr<FrontEnd> front_end_;
  std::unique_ptr<Vocabulary> vocabulary_;
};
