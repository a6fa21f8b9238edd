// Files of training rows, as tools/starter/make_rows.py writes them.
//
// The whole file is read; rows point into it. Immutable after Open.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/file_system.h"
#include "base/status.h"
#include "network.h"

namespace ac::starter {

class RowFile {
 public:
  // kDataLoss when the file is damaged or holds a token that the vocabulary lacks.
  static Result<RowFile> Open(const std::string& path, int vocab_size, FileSystem& fs);

  const std::vector<Row>& rows() const { return rows_; }
  int64_t row_length() const { return row_length_; }

 private:
  std::vector<uint16_t> tokens_;
  std::vector<uint8_t> weights_;
  std::vector<Row> rows_;
  int64_t row_length_ = 0;
};

}  // namespace ac::starter
