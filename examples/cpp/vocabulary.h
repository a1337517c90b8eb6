// The pieces of a SentencePiece model, and the text of recognised ones.

#pragma once

#include <string>
#include <vector>

class Vocabulary {
 public:
  // `proto` is the serialized model; throws std::runtime_error if it is none.
  explicit Vocabulary(const std::string& proto);

  // The blank is the class after the last piece.
  int blank() const { return static_cast<int>(pieces_.size()); }

  // Of the best class of each frame: repetitions merged, blanks removed.
  std::string Text(const std::vector<int>& best) const;

 private:
  std::vector<std::string> pieces_;  // what each adds to a text
};
