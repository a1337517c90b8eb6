// Log-mel features, as asr_qat/audio/front_end.py computes them; names and defaults are its.

#pragma once

#include <string>
#include <vector>

#include "json.h"

struct Features {
  int frames = 0;
  int bins = 0;
  std::vector<float> values;  // [frames, bins]
};

class FrontEnd {
 public:
  // `description` is the JSON in a model file: `front_end`, `mean` and `std`.
  explicit FrontEnd(const Json& description);

  // Of audio [samples] in [-1, 1): normalised log-mel energies.
  Features Compute(const std::vector<float>& audio) const;

  int sample_rate() const { return sample_rate_; }
  double hop_ms() const { return hop_ms_; }

 private:
  int Frames(int samples) const;
  std::vector<double> Edges() const;
  void FillFilters();
  void MelEnergies(const std::vector<float>& seen, int start, float* energies) const;
  void Normalize(Features* features) const;

  int sample_rate_, frame_, hop_, fft_, bins_, padding_;
  double hop_ms_, low_hz_, high_hz_, preemphasis_, log_floor_;
  bool centred_, slaney_, of_utterance_, remove_offset_, running_level_;
  std::vector<float> window_, mean_, std_;
  std::vector<float> filters_;  // [fft / 2 + 1, bins]
};
