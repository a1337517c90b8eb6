// Reads JSON: the description of a recogniser inside its file.

#pragma once

#include <map>
#include <string>
#include <vector>

struct Json {
  double number = 0;  // also of true, 1, and false, 0
  std::string text;
  std::vector<Json> items;
  std::map<std::string, Json> fields;

  // Throws std::runtime_error for what is no JSON.
  static Json Parse(const std::string& text);

  bool Has(const std::string& name) const { return fields.count(name) != 0; }
  double Number(const std::string& name, double otherwise) const;
  std::string Text(const std::string& name, const std::string& otherwise) const;
  std::vector<float> Floats(const std::string& name) const;
};
