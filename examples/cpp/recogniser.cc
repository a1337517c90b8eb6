#include "recogniser.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <stdexcept>

namespace {

constexpr double kContextSeconds = 1.0;  // of a window that its neighbours overlap, on either side

void Check(LiteRtStatus status, const std::string& what) {
  if (status != 0) {
    throw std::runtime_error(what + " failed with LiteRT's status " + std::to_string(status));
  }
}

bool Older(const std::string& found, const std::string& least) {
  int a[3] = {}, b[3] = {};
  std::sscanf(found.c_str(), "%d.%d.%d", &a[0], &a[1], &a[2]);
  std::sscanf(least.c_str(), "%d.%d.%d", &b[0], &b[1], &b[2]);
  return std::lexicographical_compare(a, a + 3, b, b + 3);
}

// A tensor of a signature in memory that LiteRT manages.
class Buffer {
 public:
  Buffer(LiteRtEnvironment environment, LiteRtTensor tensor,
         LiteRtTensorBufferRequirements requirements) {
    Check(LiteRtGetRankedTensorType(tensor, &type), "the type of a tensor");
    Check(LiteRtCreateManagedTensorBufferFromRequirements(environment, &type, requirements, &own),
          "memory of a tensor");
  }
  ~Buffer() { LiteRtDestroyTensorBuffer(own); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  LiteRtRankedTensorType type;
  LiteRtTensorBuffer own = nullptr;
};

}  // namespace

Recogniser::Recogniser(const std::string& path, const std::string& litert_version) {
  Check(LiteRtCreateEnvironment(0, nullptr, &environment_), "LiteRT's environment");
  Check(LiteRtCreateModelFromFile(environment_, path.c_str(), &model_), path);
  const Json description = Json::Parse(Metadata("asr_qat.json"));
  const std::string least = description.Text("min_runtime_version", "");
  if (Older(litert_version, least)) {
    throw std::runtime_error(path + ": needs LiteRT " + least + " or later, this is " +
                             litert_version);
  }
  if (description.Has("live") || description.Has("full_integer")) {
    throw std::runtime_error(path + ": this example takes CTC models of whole utterances in float");
  }
  factor_ = static_cast<int>(description.Number("subsampling_factor", 4));
  front_end_ = std::make_unique<FrontEnd>(description);
  vocabulary_ = std::make_unique<Vocabulary>(Metadata("asr_qat.sentencepiece"));
  FindSignatures();
  LiteRtOptions options = nullptr;
  Check(LiteRtCreateOptions(&options), "LiteRT's options");
  LiteRtSetOptionsHardwareAccelerators(options, kLiteRtHwAcceleratorCpu);
  const LiteRtStatus status = LiteRtCreateCompiledModel(environment_, model_, options, &compiled_);
  LiteRtDestroyOptions(options);
  Check(status, path + ": compilation");
}

Recogniser::~Recogniser() {
  if (compiled_) LiteRtDestroyCompiledModel(compiled_);
  if (model_) LiteRtDestroyModel(model_);
  if (environment_) LiteRtDestroyEnvironment(environment_);
}

std::string Recogniser::Metadata(const char* key) const {
  const void* content = nullptr;
  size_t size = 0;
  if (LiteRtGetModelMetadata(model_, key, &content, &size) != 0) {
    throw std::runtime_error(std::string("the file has no ") + key +
                             " inside: export it with `tflite-export convert`");
  }
  return {static_cast<const char*>(content), size};
}

void Recogniser::FindSignatures() {
  size_t count = 0;
  Check(LiteRtGetNumModelSignatures(model_, &count), "the signatures");
  for (size_t index = 0; index < count; ++index) {
    LiteRtSignature own = nullptr;
    const char* key = "";
    Check(LiteRtGetModelSignature(model_, index, &own), "a signature");
    Check(LiteRtGetSignatureKey(own, &key), "its name");
    int frames = 0;
    if (std::strcmp(key, "join") == 0) throw std::runtime_error("a transducer, no CTC model");
    if (std::sscanf(key, "encode_%d", &frames) != 1) continue;
    Signature found{index, {}};
    size_t inputs = 0;
    Check(LiteRtGetNumSignatureInputs(own, &inputs), key);
    for (size_t input = 0; input < inputs; ++input) {
      const char* name = "";
      Check(LiteRtGetSignatureInputName(own, input, &name), key);
      found.inputs.push_back(name);
    }
    signatures_[frames] = found;
  }
  if (signatures_.empty()) throw std::runtime_error("the file has no signature encode_N");
}

std::string Recogniser::Transcribe(const std::vector<float>& audio) const {
  const Features features = front_end_->Compute(audio);
  const int longest = signatures_.rbegin()->first;
  if (features.frames == 0) return "";
  if (features.frames <= longest) return vocabulary_->Text(Encode(features, 0, features.frames));
  // Windows overlap; of the overlaps counts the window in which they lie further inside.
  int context = static_cast<int>(std::lrint(kContextSeconds * 1000 / front_end_->hop_ms()));
  context = std::min(context - context % factor_, longest / 4 / factor_ * factor_);
  const int step = (longest - 2 * context) / factor_ * factor_;
  std::vector<int> best;
  for (int start = 0;; start += step) {
    const int frames = std::min(longest, features.frames - start);
    const std::vector<int> window = Encode(features, start, frames);
    const bool last = start + longest >= features.frames;
    const int first = start == 0 ? 0 : context / factor_;
    const int end = last ? static_cast<int>(window.size()) : (step + context) / factor_;
    best.insert(best.end(), window.begin() + std::min(first, end), window.begin() + end);
    if (last) return vocabulary_->Text(best);
  }
}

std::vector<int> Recogniser::Encode(const Features& features, int first, int frames) const {
  const Signature& signature = signatures_.lower_bound(frames)->second;
  LiteRtSignature own = nullptr;
  Check(LiteRtGetModelSignature(model_, signature.index, &own), "a signature");
  std::vector<std::unique_ptr<Buffer>> buffers;
  std::vector<LiteRtTensorBuffer> inputs;
  for (size_t i = 0; i < signature.inputs.size(); ++i) {
    LiteRtTensor tensor = nullptr;
    LiteRtTensorBufferRequirements needs = nullptr;
    Check(LiteRtGetSignatureInputTensorByIndex(own, i, &tensor), signature.inputs[i]);
    Check(LiteRtGetCompiledModelInputBufferRequirements(compiled_, signature.index, i, &needs),
          signature.inputs[i]);
    buffers.push_back(std::make_unique<Buffer>(environment_, tensor, needs));
    inputs.push_back(buffers.back()->own);
    void* address = nullptr;
    Check(LiteRtLockTensorBuffer(inputs[i], &address, kLiteRtLockWrite), signature.inputs[i]);
    if (signature.inputs[i] == "features") {
      const auto& shape = buffers.back()->type.dimensions;
      float* values = static_cast<float*>(address);
      std::fill(values, values + size_t(shape[1]) * shape[2], 0.0f);
      std::copy_n(&features.values[size_t(first) * features.bins], size_t(frames) * features.bins,
                  values);
    } else {
      *static_cast<int32_t*>(address) = frames;  // `lengths`
    }
    Check(LiteRtUnlockTensorBuffer(inputs[i]), signature.inputs[i]);
  }
  LiteRtTensor tensor = nullptr;
  LiteRtTensorBufferRequirements needs = nullptr;
  Check(LiteRtGetSignatureOutputTensorByIndex(own, 0, &tensor), "logits");
  Check(LiteRtGetCompiledModelOutputBufferRequirements(compiled_, signature.index, 0, &needs),
        "logits");
  Buffer logits(environment_, tensor, needs);
  Check(LiteRtRunCompiledModel(compiled_, signature.index, inputs.size(), inputs.data(), 1,
                               &logits.own),
        "the model");
  return Best(logits.own, Subsampled(frames));
}

std::vector<int> Recogniser::Best(LiteRtTensorBuffer logits, int encoded) const {
  void* address = nullptr;
  Check(LiteRtLockTensorBuffer(logits, &address, kLiteRtLockRead), "logits");
  const int classes = vocabulary_->blank() + 1;
  std::vector<int> best;
  for (int frame = 0; frame < encoded; ++frame) {
    const float* row = static_cast<const float*>(address) + size_t(frame) * classes;
    best.push_back(static_cast<int>(std::max_element(row, row + classes) - row));
  }
  Check(LiteRtUnlockTensorBuffer(logits), "logits");
  return best;
}

int Recogniser::Subsampled(int frames) const {
  for (int factor = factor_; factor > 1; factor /= 2) frames = (frames + 1) / 2;
  return frames;
}
