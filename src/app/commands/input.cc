#include "app/commands/input.h"

#include <charconv>
#include <iostream>
#include <iterator>

#include "base/file_system.h"

namespace ac::app {

Result<std::string> ReadTextOrFile(const std::string& text, const std::string& file) {
  if (!text.empty() && !file.empty()) {
    return InvalidArgument("give either the text or a file, not both");
  }
  if (!text.empty()) return text;
  if (!file.empty() && file != "-") return ReadFile(FileSystem::Real(), file);
  return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

Result<std::vector<int32_t>> ParseTokenIds(std::string_view text) {
  constexpr std::string_view kSeparators = ", \t\r\n[]";
  std::vector<int32_t> ids;
  for (size_t i = text.find_first_not_of(kSeparators); i != std::string_view::npos;
       i = text.find_first_not_of(kSeparators, i)) {
    const size_t end = std::min(text.find_first_of(kSeparators, i), text.size());
    int32_t id = 0;
    const auto parsed = std::from_chars(text.data() + i, text.data() + end, id);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + end) {
      return InvalidArgument("\"" + std::string(text.substr(i, end - i)) + "\" is no token id");
    }
    ids.push_back(id);
    i = end;
  }
  if (ids.empty()) return InvalidArgument("no token ids given");
  return ids;
}

}  // namespace ac::app
