#include "rows.h"

#include <cstring>

namespace ac::starter {
namespace {

constexpr char kRowsMagic[8] = {'A', 'C', 'R', 'O', 'W', 'S', '0', '1'};

struct Header {
  char magic[8];
  uint32_t row_length;  // answers in a row; one token more is stored
  uint32_t rows;
};

}  // namespace

Result<RowFile> RowFile::Open(const std::string& path, int vocab_size, FileSystem& fs) {
  AC_ASSIGN_OR_RETURN(const std::string content, ReadFile(fs, path));
  const auto damaged = [&path](const std::string& what) {
    return DataLoss("[starter] " + path + ": " + what + "; make the rows again");
  };
  Header header{};
  if (content.size() < sizeof header) return damaged("too short");
  std::memcpy(&header, content.data(), sizeof header);
  if (std::memcmp(header.magic, kRowsMagic, sizeof kRowsMagic) != 0)
    return damaged("not a file of rows");
  const size_t stride = size_t{header.row_length} + 1;
  const size_t count = stride * header.rows;
  if (header.row_length == 0 || header.rows == 0 || content.size() != sizeof header + count * 3) {
    return damaged("its size does not fit its header");
  }
  RowFile file;
  file.row_length_ = header.row_length;
  file.tokens_.resize(count);
  file.weights_.resize(count);
  std::memcpy(file.tokens_.data(), content.data() + sizeof header, count * 2);
  std::memcpy(file.weights_.data(), content.data() + sizeof header + count * 2, count);
  for (const uint16_t token : file.tokens_) {
    if (token >= vocab_size) return damaged("token " + std::to_string(token) + " is no token");
  }
  for (size_t i = 0; i < header.rows; ++i) {
    file.rows_.push_back(
        {file.tokens_.data() + i * stride, file.weights_.data() + i * stride, file.row_length_});
  }
  return file;
}

}  // namespace ac::starter
