#include "json.h"

#include <cctype>
#include <cstdlib>
#include <stdexcept>

namespace {

class Reader {
 public:
  explicit Reader(const std::string& text) : at_(text.c_str()) {}

  Json Value() {
    Json found;
    switch (Next()) {
      case '{':
        ++at_;
        for (char after = '{'; Continues(after, '}'); after = ',') {
          const std::string name = String();
          Take(':');
          found.fields[name] = Value();
        }
        return found;
      case '[':
        ++at_;
        for (char after = '['; Continues(after, ']'); after = ',') found.items.push_back(Value());
        return found;
      case '"':
        found.text = String();
        return found;
      case 't':
        found.number = 1;
        return Word("true", found);
      case 'f':
        return Word("false", found);
      case 'n':
        return Word("null", found);
      default:
        return Number();
    }
  }

 private:
  char Next() {
    while (std::isspace(static_cast<unsigned char>(*at_))) ++at_;
    return *at_;
  }

  void Take(char wanted) {
    if (Next() != wanted) throw std::runtime_error("damaged description");
    ++at_;
  }

  // Whether one more item follows: after the opening bracket, or after a comma.
  bool Continues(char after, char closing) {
    if (Next() == closing) {
      ++at_;
      return false;
    }
    if (after == ',') Take(',');
    return true;
  }

  Json Word(const std::string& word, const Json& value) {
    for (const char letter : word) Take(letter);
    return value;
  }

  Json Number() {
    Json found;
    char* end = nullptr;
    found.number = std::strtod(at_, &end);
    if (end == at_) throw std::runtime_error("damaged description");
    at_ = end;
    return found;
  }

  std::string String() {
    Take('"');
    std::string found;
    while (*at_ != '"') {
      if (*at_ == '\0') throw std::runtime_error("damaged description");
      if (*at_ == '\\') ++at_;  // of escapes, those of quotes are enough for names and numbers
      found += *at_++;
    }
    ++at_;
    return found;
  }

  const char* at_;
};

}  // namespace

Json Json::Parse(const std::string& text) { return Reader(text).Value(); }

double Json::Number(const std::string& name, double otherwise) const {
  return Has(name) ? fields.at(name).number : otherwise;
}

std::string Json::Text(const std::string& name, const std::string& otherwise) const {
  return Has(name) ? fields.at(name).text : otherwise;
}

std::vector<float> Json::Floats(const std::string& name) const {
  std::vector<float> found;
  if (!Has(name)) return found;
  for (const Json& item : fields.at(name).items) found.push_back(static_cast<float>(item.number));
  return found;
}
