#include "front_end.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <stdexcept>

namespace {

constexpr double kPi = 3.14159265358979323846;
constexpr double kMinDeviation = 1e-5;  // added to the deviation of one utterance's features
constexpr double kMinLevel = 1e-10;     // energy of a frame
constexpr double kLevelDecayDb = 1.0;   // a second

// Slaney's scale: 3 mel in 200 Hz up to 1 kHz, above it 27 mel in each factor of 6.4.
constexpr double kKneeHz = 1000.0, kKneeMel = 15.0, kHzPerMel = 200.0 / 3;
const double kLogStep = std::log(6.4) / 27;

double HtkMel(double hz) { return 1127.0 * std::log1p(hz / 700.0); }

double SlaneyMel(double hz) {
  return hz < kKneeHz ? hz / kHzPerMel : kKneeMel + std::log(hz / kKneeHz) / kLogStep;
}

double SlaneyHz(double mel) {
  return mel < kKneeMel ? mel * kHzPerMel : kKneeHz * std::exp(kLogStep * (mel - kKneeMel));
}

// In place, radix 2; the length is a power of two.
void Fft(std::vector<std::complex<double>>* values) {
  auto& x = *values;
  const size_t size = x.size();
  for (size_t i = 1, j = 0; i < size; ++i) {
    size_t bit = size >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) std::swap(x[i], x[j]);
  }
  for (size_t span = 2; span <= size; span <<= 1) {
    for (size_t k = 0; k < span / 2; ++k) {
      const std::complex<double> turn = std::polar(1.0, -2 * kPi * k / span);
      for (size_t i = k; i < size; i += span) {
        const auto odd = x[i + span / 2] * turn;
        x[i + span / 2] = x[i] - odd;
        x[i] += odd;
      }
    }
  }
}

}  // namespace

FrontEnd::FrontEnd(const Json& description)
    : mean_(description.Floats("mean")), std_(description.Floats("std")) {
  if (!description.Has("front_end")) throw std::runtime_error("the description has no front_end");
  const Json& given = description.fields.at("front_end");
  sample_rate_ = static_cast<int>(given.Number("sample_rate", 16000));
  hop_ms_ = given.Number("hop_ms", 10.0);
  frame_ = static_cast<int>(std::lrint(sample_rate_ * given.Number("frame_ms", 25.0) / 1000));
  hop_ = static_cast<int>(std::lrint(sample_rate_ * hop_ms_ / 1000));
  bins_ = static_cast<int>(given.Number("mel_bins", 80));
  low_hz_ = given.Number("low_hz", 20.0);
  high_hz_ = given.Number("high_hz", 7600.0);
  preemphasis_ = given.Number("preemphasis", 0.0);
  log_floor_ = given.Number("log_floor", 1e-6);
  centred_ = given.Number("centred", 0) != 0;
  slaney_ = given.Text("mel_scale", "htk") == "slaney";
  of_utterance_ = given.Text("normalization", "corpus") == "utterance";
  remove_offset_ = given.Number("remove_offset", 0) != 0;
  running_level_ = given.Text("level", "kept") == "running";
  for (fft_ = 1; fft_ < frame_;) fft_ <<= 1;
  padding_ = centred_ ? fft_ / 2 - (fft_ - frame_) / 2 : 0;
  const int last = given.Text("window", "periodic") == "symmetric" ? frame_ - 1 : frame_;
  for (int n = 0; n < frame_; ++n) {
    window_.push_back(static_cast<float>(0.5 - 0.5 * std::cos(2 * kPi * n / last)));
  }
  if (!of_utterance_ && (mean_.size() != size_t(bins_) || std_.size() != size_t(bins_))) {
    throw std::runtime_error("the description has no mean and std of all bins");
  }
  FillFilters();
}

std::vector<double> FrontEnd::Edges() const {
  std::vector<double> edges(bins_ + 2);
  const double low = slaney_ ? SlaneyMel(low_hz_) : HtkMel(low_hz_);
  const double high = slaney_ ? SlaneyMel(high_hz_) : HtkMel(high_hz_);
  for (int i = 0; i < bins_ + 2; ++i) {
    edges[i] = low + (high - low) * i / (bins_ + 1);
    if (slaney_) edges[i] = SlaneyHz(edges[i]);
  }
  return edges;
}

void FrontEnd::FillFilters() {
  const std::vector<double> edges = Edges();
  const int lines = fft_ / 2 + 1;
  filters_.assign(size_t(lines) * bins_, 0.0f);
  for (int line = 1; line < lines; ++line) {  // the constant offset carries no speech
    const double hz = 0.5 * sample_rate_ * line / (lines - 1);
    const double at = slaney_ ? hz : HtkMel(hz);
    for (int bin = 0; bin < bins_; ++bin) {
      const double lower = edges[bin], centre = edges[bin + 1], upper = edges[bin + 2];
      const double triangle =
          std::max(0.0, std::min((at - lower) / (centre - lower), (upper - at) / (upper - centre)));
      const double height = slaney_ ? 2 / (upper - lower) : 1.0;
      filters_[size_t(line) * bins_ + bin] = static_cast<float>(triangle * height);
    }
  }
}

int FrontEnd::Frames(int samples) const {
  if (centred_) return samples / hop_;
  return samples < frame_ ? 0 : 1 + (samples - frame_) / hop_;
}

Features FrontEnd::Compute(const std::vector<float>& audio) const {
  std::vector<float> seen(audio);
  for (size_t i = seen.size(); preemphasis_ != 0 && i-- > 1;) {
    seen[i] = audio[i] - static_cast<float>(preemphasis_) * audio[i - 1];
  }
  Features found{Frames(static_cast<int>(audio.size())), bins_, {}};
  found.values.resize(size_t(found.frames) * bins_);
  const double decay = std::pow(10.0, -kLevelDecayDb / 10 * hop_ms_ / 1000);
  double level = 0;
  for (int frame = 0; frame < found.frames; ++frame) {
    float* energies = &found.values[size_t(frame) * bins_];
    MelEnergies(seen, frame * hop_ - padding_, energies);
    if (running_level_) {
      double sum = 0;
      for (int bin = 0; bin < bins_; ++bin) sum += energies[bin];
      level = std::max({sum, level * decay, kMinLevel});
      for (int bin = 0; bin < bins_; ++bin) {
        energies[bin] = static_cast<float>(energies[bin] / level);
      }
    }
    for (int bin = 0; bin < bins_; ++bin) {
      energies[bin] = std::log(energies[bin] + static_cast<float>(log_floor_));
    }
  }
  Normalize(&found);
  return found;
}

// Of the window that begins at sample `start`; there are zeros before the audio and after it.
void FrontEnd::MelEnergies(const std::vector<float>& seen, int start, float* energies) const {
  std::vector<float> frame(frame_, 0.0f);
  double sum = 0;
  for (int n = 0; n < frame_; ++n) {
    const int at = start + n;
    if (at >= 0 && at < static_cast<int>(seen.size())) frame[n] = seen[at];
    sum += frame[n];
  }
  const float offset = remove_offset_ ? static_cast<float>(sum / frame_) : 0.0f;
  std::vector<std::complex<double>> spectrum(fft_);
  for (int n = 0; n < frame_; ++n) spectrum[n] = (frame[n] - offset) * window_[n];
  Fft(&spectrum);
  std::vector<double> sums(bins_, 0.0);
  for (int line = 0; line <= fft_ / 2; ++line) {
    const double power = static_cast<float>(std::norm(spectrum[line]));
    const float* filter = &filters_[size_t(line) * bins_];
    for (int bin = 0; bin < bins_; ++bin) sums[bin] += power * filter[bin];
  }
  std::copy(sums.begin(), sums.end(), energies);
}

void FrontEnd::Normalize(Features* features) const {
  const int frames = features->frames;
  for (int bin = 0; bin < bins_; ++bin) {
    float* first = features->values.data() + bin;
    double mean = of_utterance_ ? 0 : mean_[bin], deviation = of_utterance_ ? 0 : std_[bin];
    if (of_utterance_) {
      for (int frame = 0; frame < frames; ++frame) mean += first[size_t(frame) * bins_];
      mean /= std::max(1, frames);
      for (int frame = 0; frame < frames; ++frame) {
        deviation += std::pow(first[size_t(frame) * bins_] - mean, 2);
      }
      deviation = std::sqrt(deviation / std::max(1, frames - 1)) + kMinDeviation;
    }
    for (int frame = 0; frame < frames; ++frame) {
      float& value = first[size_t(frame) * bins_];
      value = static_cast<float>((value - mean) / deviation);
    }
  }
}
