#include "vocabulary.h"

#include <cstdint>
#include <cstdlib>
#include <stdexcept>

namespace {

// Types of a piece, and fields, of sentencepiece_model.proto.
enum { kUnknown = 2, kControl = 3, kByte = 6 };
constexpr uint64_t kPieces = 1, kPieceText = 1, kPieceType = 3;
constexpr char kSpace[] = "\xE2\x96\x81";      // the mark of a space in a piece
constexpr char kUnknownText[] = " \xE2\x81\x87 ";  // as SentencePiece writes it

// Reads the fields of a protocol buffer, one after the other.
class Fields {
 public:
  explicit Fields(const std::string& bytes) : bytes_(bytes) {}

  bool Next() {
    if (at_ >= bytes_.size()) return false;
    const uint64_t key = Varint();
    field = key >> 3;
    switch (key & 7) {
      case 0:
        number = Varint();
        break;
      case 1:
        Skip(8);
        break;
      case 2: {
        const uint64_t size = Varint();
        content = bytes_.substr(at_, size);
        Skip(size);
        break;
      }
      case 5:
        Skip(4);
        break;
      default:
        throw std::runtime_error("damaged vocabulary");
    }
    return true;
  }

  uint64_t field = 0, number = 0;
  std::string content;

 private:
  uint64_t Varint() {
    uint64_t found = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (at_ >= bytes_.size()) break;
      const uint8_t byte = bytes_[at_++];
      found |= uint64_t(byte & 127) << shift;
      if (byte < 128) return found;
    }
    throw std::runtime_error("damaged vocabulary");
  }

  void Skip(uint64_t size) {
    if (size > bytes_.size() - at_) throw std::runtime_error("damaged vocabulary");
    at_ += size;
  }

  const std::string& bytes_;
  size_t at_ = 0;
};

std::string Spoken(const std::string& text, uint64_t type) {
  if (type == kControl) return "";
  if (type == kUnknown) return kUnknownText;
  if (type == kByte) return {static_cast<char>(std::strtol(text.c_str() + 3, nullptr, 16))};
  std::string found = text;
  const std::string mark = kSpace;
  for (size_t at; (at = found.find(mark)) != std::string::npos;) found.replace(at, mark.size(), " ");
  return found;
}

}  // namespace

Vocabulary::Vocabulary(const std::string& proto) {
  for (Fields model(proto); model.Next();) {
    if (model.field != kPieces) continue;
    std::string text;
    uint64_t type = 1;
    for (Fields piece(model.content); piece.Next();) {
      if (piece.field == kPieceText) text = piece.content;
      if (piece.field == kPieceType) type = piece.number;
    }
    pieces_.push_back(Spoken(text, type));
  }
  if (pieces_.empty()) throw std::runtime_error("the file has no vocabulary");
}

std::string Vocabulary::Text(const std::vector<int>& best) const {
  std::string text;
  for (size_t i = 0; i < best.size(); ++i) {
    if (best[i] == blank() || (i > 0 && best[i] == best[i - 1])) continue;
    text += pieces_.at(best[i]);
  }
  const size_t first = text.find_first_not_of(' ');
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(' ') - first + 1);
}
