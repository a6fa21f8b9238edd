#include "prompt/turn_log.h"

#include <bit>
#include <cstring>
#include <utility>

namespace ac::prompt {
namespace {

static_assert(std::endian::native == std::endian::little, "the file is written as memory is");

constexpr std::string_view kMagic = "ACTURNS1";
constexpr size_t kHeaderBytes = 24;
constexpr size_t kRecordHead = 12;  // length, checksum
constexpr uint64_t kSlackBytes = uint64_t{64} << 20;

void PutNumber(uint64_t value, size_t bytes, std::string* out) {
  out->append(reinterpret_cast<const char*>(&value), bytes);
}

void PutText(std::string_view text, std::string* out) {
  PutNumber(text.size(), 4, out);
  out->append(text);
}

void PutTexts(const std::vector<std::string>& texts, std::string* out) {
  PutNumber(texts.size(), 4, out);
  for (const std::string& text : texts) PutText(text, out);
}

std::string Header(const Hash128& vocabulary) {
  std::string out(kMagic);
  PutNumber(vocabulary.high, 8, &out);
  PutNumber(vocabulary.low, 8, &out);
  return out;
}

std::string Record(const GeneratedTurn& turn) {
  std::string payload;
  PutText(turn.opening, &payload);
  PutText(turn.text, &payload);
  PutTexts(turn.call_ids, &payload);
  PutTexts(turn.signatures, &payload);
  PutNumber(turn.tokens.size(), 4, &payload);
  payload.append(reinterpret_cast<const char*>(turn.tokens.data()), turn.tokens.size() * 4);
  std::string out;
  PutNumber(payload.size(), 4, &out);
  PutNumber(Hash64(payload), 8, &out);
  return out + payload;
}

// Takes fields off the front; every failure shows in ok().
class Fields {
 public:
  explicit Fields(std::string_view bytes) : rest_(bytes) {}

  uint64_t Number(size_t bytes) {
    uint64_t value = 0;
    const std::string_view taken = Take(bytes);
    std::memcpy(&value, taken.data(), taken.size());
    return value;
  }
  std::string_view Take(uint64_t bytes) {
    if (bytes > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view taken = rest_.substr(0, bytes);
    rest_.remove_prefix(bytes);
    return taken;
  }
  std::string Text() { return std::string(Take(Number(4))); }
  std::vector<std::string> Texts() {
    std::vector<std::string> texts;
    for (uint64_t i = Number(4); i > 0 && ok_; --i) texts.push_back(Text());
    return texts;
  }
  std::vector<int32_t> Tokens() {
    const std::string_view bytes = Take(Number(4) * 4);
    std::vector<int32_t> tokens(bytes.size() / 4);
    if (!bytes.empty()) std::memcpy(tokens.data(), bytes.data(), bytes.size());
    return tokens;
  }
  bool ok() const { return ok_; }
  bool empty() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

std::span<const std::byte> AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace

Hash128 VocabularyHash(const tokenizer::Tokenizer& tokenizer) {
  std::string all;
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    all += tokenizer.TokenBytes(id);
    all += '\0';
  }
  return Hash128Of(all.data(), all.size());
}

uint64_t ParseTurnLog(std::string_view bytes, const Hash128& vocabulary,
                      FunctionRef<void(GeneratedTurn)> visit) {
  if (!bytes.starts_with(Header(vocabulary))) return 0;
  uint64_t end = kHeaderBytes;
  while (end + kRecordHead <= bytes.size()) {
    Fields head(bytes.substr(end));
    const uint64_t length = head.Number(4);
    const uint64_t checksum = head.Number(8);
    const std::string_view payload = head.Take(length);
    if (!head.ok() || Hash64(payload) != checksum) break;
    Fields fields(payload);
    GeneratedTurn turn;
    turn.opening = fields.Text();
    turn.text = fields.Text();
    turn.call_ids = fields.Texts();
    turn.signatures = fields.Texts();
    turn.tokens = fields.Tokens();
    if (!fields.ok() || !fields.empty()) break;
    visit(std::move(turn));
    end += kRecordHead + length;
  }
  return end;
}

Result<std::unique_ptr<TurnLog>> TurnLog::Open(FileSystem& fs, const std::string& path,
                                               const Hash128& vocabulary, GeneratedTurns* turns) {
  AC_RETURN_IF_ERROR(fs.CreateDirectories(DirName(path)));
  std::unique_ptr<TurnLog> ours;
  uint64_t ours_end = 0;
  for (int i = 1; i <= kMaxServers; ++i) {
    const std::string name = i == 1 ? path : path + "." + std::to_string(i);
    if (ours == nullptr) {
      std::unique_ptr<TurnLog> log(new TurnLog(fs, name, vocabulary, turns));
      AC_ASSIGN_OR_RETURN(const bool taken, log->Take());
      if (taken) ours = std::move(log);
    }
    uint64_t end = 0;
    if (fs.Exists(name)) {
      AC_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(fs, name));
      end = ParseTurnLog(bytes, vocabulary,
                         [&](GeneratedTurn turn) { turns->Remember(std::move(turn)); });
    }
    if (ours != nullptr && ours->path_ == name) ours_end = end;
  }
  if (ours == nullptr) {
    return Unavailable("[prompt] " + std::to_string(kMaxServers) +
                       " servers write generated turns beside " + path + " already");
  }
  AC_RETURN_IF_ERROR(ours->OpenAt(ours_end));
  return ours;
}

Result<bool> TurnLog::Take() {
  AC_ASSIGN_OR_RETURN(lock_, fs_.Open(path_ + ".lock", OpenMode::kReadWrite));
  return lock_->TryLock();
}

Status TurnLog::OpenAt(uint64_t end) {
  if (end == 0 || end > 2 * kSlackBytes) return Rewrite();
  AC_ASSIGN_OR_RETURN(file_, fs_.Open(path_, OpenMode::kReadWrite));
  end_ = rewritten_ = end;
  return OkStatus();
}

Status TurnLog::Rewrite() {
  std::string content = Header(vocabulary_);
  for (const GeneratedTurns::TurnPtr& turn : turns_->All()) content += Record(*turn);
  AC_RETURN_IF_ERROR(WriteFileAtomic(fs_, path_, content));
  AC_ASSIGN_OR_RETURN(file_, fs_.Open(path_, OpenMode::kReadWrite));
  end_ = rewritten_ = content.size();
  return OkStatus();
}

Status TurnLog::Append(const GeneratedTurn& turn) {
  if (end_ > rewritten_ + kSlackBytes) return Rewrite();
  const std::string record = Record(turn);
  AC_RETURN_IF_ERROR(file_->WriteAt(end_, AsBytes(record)));
  end_ += record.size();
  return OkStatus();
}

}  // namespace ac::prompt
