#include "toolcall/internal/json_copier.h"

#include <cctype>
#include <cstdio>
#include <utility>

#include "json/json.h"

namespace ac::toolcall::internal {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool IsWordChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '+' || c == '.' ||
         c == '_';
}

// The JSON spelling of a bare word; empty when there is none.
std::string JsonWord(const std::string& word) {
  if (word == "True") return "true";
  if (word == "False") return "false";
  if (word == "None" || word == "NaN" || word == "undefined") return "null";
  return json::Parse(word).ok() ? word : "";
}

}  // namespace

size_t JsonCopier::Feed(std::string_view text, std::string* out) {
  size_t i = 0;
  while (i < text.size() && !done_ && !stuck_) {
    if (Step(text[i], out)) ++i;
  }
  return i;
}

bool JsonCopier::Step(char c, std::string* out) {
  if (!escape_.empty()) {
    StepEscape(c, out);
    return true;
  }
  if (quote_ != 0) {
    StepString(c, out);
    return true;
  }
  if (!word_.empty()) {
    if (IsWordChar(c)) {
      word_ += c;
      return true;
    }
    FlushWord(out);
    return false;
  }
  if (IsBlank(c)) {
    if (!comma_.empty()) {
      comma_ += c;
    } else if (started_) {
      *out += c;
    }
    return true;
  }
  return StepStructure(c, out);
}

void JsonCopier::StepString(char c, std::string* out) {
  if (c == '\\') {
    escape_ = "\\";
  } else if (c == quote_) {
    CloseString(out);
  } else if (c == '"') {
    *out += "\\\"";
  } else if (static_cast<unsigned char>(c) < 0x20) {
    const std::string quoted = json::Quote(std::string_view(&c, 1));
    out->append(quoted, 1, quoted.size() - 2);
  } else {
    *out += c;
  }
}

void JsonCopier::StepEscape(char c, std::string* out) {
  constexpr size_t kFullUnicode = 6;  // \u0041
  if (escape_.size() == 1) {
    if (c == 'u') {
      escape_ += c;
      return;
    }
    escape_.clear();
    if (std::string_view("\"\\/bfnrt").find(c) != std::string_view::npos) {
      *out += '\\';
      *out += c;
    } else if (c == '\'') {
      *out += c;
    } else {
      *out += "\\\\";  // the model meant the backslash itself
      StepString(c, out);
    }
    return;
  }
  if (std::isxdigit(static_cast<unsigned char>(c)) != 0) {
    escape_ += c;
    if (escape_.size() == kFullUnicode) *out += std::exchange(escape_, {});
    return;
  }
  *out += '\\' + std::exchange(escape_, {});
  StepString(c, out);
}

bool JsonCopier::StepStructure(char c, std::string* out) {
  const bool value_wanted = want_ == Want::kValue || want_ == Want::kValueOrEnd;
  if (c == '"' || c == '\'') {
    const bool missing_comma = want_ == Want::kCommaOrEnd && !stack_.empty();
    if (missing_comma) comma_ = ",";
    const bool key = want_ == Want::kKeyOrEnd || (missing_comma && stack_.back() == '{');
    if (!key && !value_wanted && !missing_comma) {
      stuck_ = true;
      return true;
    }
    OpenString(c, key, out);
  } else if ((c == '{' || c == '[') && value_wanted) {
    WriteComma(out);
    *out += c;
    stack_ += c;
    want_ = c == '{' ? Want::kKeyOrEnd : Want::kValueOrEnd;
    started_ = true;
  } else if (c == '}' && !stack_.empty() && stack_.back() == '{' &&
             (want_ == Want::kKeyOrEnd || want_ == Want::kCommaOrEnd)) {
    PopContainer(c, out);
  } else if (c == ']' && !stack_.empty() && stack_.back() == '[' &&
             (want_ == Want::kValueOrEnd || want_ == Want::kCommaOrEnd)) {
    PopContainer(c, out);
  } else if (c == ':' && want_ == Want::kColon) {
    *out += c;
    want_ = Want::kValue;
  } else if (c == ',' && want_ == Want::kCommaOrEnd && !stack_.empty()) {
    comma_ = ",";
    want_ = stack_.back() == '{' ? Want::kKeyOrEnd : Want::kValueOrEnd;
  } else if (c == ',' && (want_ == Want::kKeyOrEnd || want_ == Want::kValueOrEnd)) {
    return true;  // one too many
  } else if (IsWordChar(c) && value_wanted) {
    WriteComma(out);
    word_ = c;
    started_ = true;
  } else {
    stuck_ = true;
    return false;
  }
  return true;
}

void JsonCopier::OpenString(char quote, bool key, std::string* out) {
  WriteComma(out);
  quote_ = quote;
  key_ = key;
  started_ = true;
  *out += '"';
}

void JsonCopier::CloseString(std::string* out) {
  *out += '"';
  quote_ = 0;
  if (key_) {
    want_ = Want::kColon;
  } else {
    AfterValue();
  }
}

void JsonCopier::PopContainer(char bracket, std::string* out) {
  comma_.clear();
  *out += bracket;
  stack_.pop_back();
  AfterValue();
}

void JsonCopier::AfterValue() {
  want_ = Want::kCommaOrEnd;
  if (stack_.empty()) done_ = true;
}

void JsonCopier::FlushWord(std::string* out) {
  const std::string word = JsonWord(std::exchange(word_, {}));
  if (word.empty()) {
    stuck_ = true;
    *out += "null";
  }
  *out += word;
  AfterValue();
}

void JsonCopier::WriteComma(std::string* out) {
  *out += comma_;
  comma_.clear();
}

void JsonCopier::Close(std::string* out) {
  if (done_) return;
  if (!word_.empty()) FlushWord(out);
  escape_.clear();
  if (quote_ != 0) CloseString(out);
  if (want_ == Want::kColon) {
    *out += ":null";
  } else if (want_ == Want::kValue) {
    *out += "null";
  }
  comma_.clear();
  while (!stack_.empty()) {
    *out += stack_.back() == '{' ? '}' : ']';
    stack_.pop_back();
  }
  done_ = true;
}

}  // namespace ac::toolcall::internal
