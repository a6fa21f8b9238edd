#include "store/reply_table.h"

namespace ac::store {

Result<std::optional<std::string>> ReplyTable::Get(std::string_view key, int64_t now_ms) {
  AC_ASSIGN_OR_RETURN(
      Statement find,
      database_.Prepare("SELECT body FROM replies WHERE key = ? AND created_ms >= ?"));
  find.Bind(1, key);
  find.Bind(2, now_ms - limits_.max_age_ms);
  AC_ASSIGN_OR_RETURN(const bool row, find.Step());
  if (!row) return std::optional<std::string>();
  std::optional<std::string> body = find.Text(0);
  AC_ASSIGN_OR_RETURN(Statement touch,
                      database_.Prepare("UPDATE replies SET used_ms = ? WHERE key = ?"));
  touch.Bind(1, now_ms);
  touch.Bind(2, key);
  find.Reset();
  AC_RETURN_IF_ERROR(touch.Run());
  return body;
}

Status ReplyTable::Put(std::string_view key, std::string_view body, int64_t now_ms) {
  const int64_t size = static_cast<int64_t>(body.size());
  if (size > limits_.max_bytes) return OkStatus();  // would only push everything else out
  AC_ASSIGN_OR_RETURN(Statement put, database_.Prepare("INSERT OR REPLACE INTO replies (key, "
                                                       "created_ms, used_ms, bytes, body) VALUES "
                                                       "(?,?,?,?,?)"));
  put.Bind(1, key);
  put.Bind(2, now_ms);
  put.Bind(3, now_ms);
  put.Bind(4, size);
  put.BindBlob(5, body);
  AC_RETURN_IF_ERROR(put.Run());
  return Evict(now_ms);
}

Status ReplyTable::Evict(int64_t now_ms) {
  AC_ASSIGN_OR_RETURN(Statement old, database_.Prepare("DELETE FROM replies WHERE created_ms < ?"));
  old.Bind(1, now_ms - limits_.max_age_ms);
  AC_RETURN_IF_ERROR(old.Run());
  // Of the rows from the most recently used on, those that no longer fit.
  AC_ASSIGN_OR_RETURN(
      Statement beyond,
      database_.Prepare("DELETE FROM replies WHERE key IN (SELECT key FROM (SELECT key, "
                        "sum(bytes) OVER (ORDER BY used_ms DESC, key) AS running FROM replies) "
                        "WHERE running > ?)"));
  beyond.Bind(1, limits_.max_bytes);
  return beyond.Run();
}

}  // namespace ac::store
