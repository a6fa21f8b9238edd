#include "export.h"

#include "json/json.h"
#include "weights/convert.h"
#include "weights/gguf_writer.h"

namespace ac::starter {
namespace {

Result<std::vector<std::string>> Strings(const json::Value& object, const char* key) {
  const json::Array* array = json::AsArray(json::Find(object, key));
  if (array == nullptr) {
    return InvalidArgument(std::string("[starter] the vocabulary lacks \"") + key + "\"");
  }
  std::vector<std::string> out;
  for (const json::Value& value : *array) {
    out.emplace_back(json::AsString(&value).value_or(std::string_view()));
  }
  return out;
}

Status AddVocabulary(const std::string& text, int vocab_size, weights::GgufMetadataBuilder* out) {
  AC_ASSIGN_OR_RETURN(const json::Value vocabulary, json::Parse(text));
  AC_ASSIGN_OR_RETURN(const std::vector<std::string> tokens, Strings(vocabulary, "tokens"));
  AC_ASSIGN_OR_RETURN(const std::vector<std::string> merges, Strings(vocabulary, "merges"));
  const json::Array* const kinds = json::AsArray(json::Find(vocabulary, "types"));
  if (kinds == nullptr || kinds->size() != tokens.size() ||
      static_cast<int>(tokens.size()) != vocab_size) {
    return InvalidArgument("[starter] the vocabulary has " + std::to_string(tokens.size()) +
                           " tokens, the shape " + std::to_string(vocab_size));
  }
  std::vector<int32_t> types;
  for (const json::Value& kind : *kinds) {
    types.push_back(static_cast<int32_t>(json::AsInt(&kind).value_or(1)));
  }
  const auto end = json::GetInt(vocabulary, "end");
  if (!end) return InvalidArgument("[starter] the vocabulary lacks \"end\"");
  out->AddString("tokenizer.ggml.model", "gpt2");
  out->AddString("tokenizer.ggml.pre",
                 json::GetString(vocabulary, "pre").value_or(std::string_view()));
  out->AddStringArray("tokenizer.ggml.tokens", tokens);
  out->AddInt32Array("tokenizer.ggml.token_type", types);
  out->AddStringArray("tokenizer.ggml.merges", merges);
  out->AddUint32("tokenizer.ggml.bos_token_id", static_cast<uint32_t>(*end));
  out->AddUint32("tokenizer.ggml.eos_token_id", static_cast<uint32_t>(*end));
  out->AddUint32("tokenizer.ggml.padding_token_id", static_cast<uint32_t>(*end));
  out->AddBool("tokenizer.ggml.add_bos_token", false);
  return OkStatus();
}

Status AddCard(const std::string& text, weights::GgufMetadataBuilder* out) {
  AC_ASSIGN_OR_RETURN(const json::Value card, json::Parse(text));
  const json::Object* const object = json::AsObject(&card);
  if (object == nullptr) return InvalidArgument("[starter] the card is no JSON object");
  for (const auto& member : *object) {
    if (const auto string = json::AsString(&member.value())) {
      out->AddString(member.key(), *string);
    } else if (const auto number = json::AsDouble(&member.value())) {
      out->AddFloat32(member.key(), static_cast<float>(*number));
    } else {
      return InvalidArgument("[starter] the card's " + std::string(member.key()) +
                             " is neither text nor a number");
    }
  }
  return OkStatus();
}

}  // namespace

Status Export(const weights::ModelConfig& config, const Parameters& parameters,
              std::span<const float> values, const ExportInputs& inputs, const std::string& path,
              FileSystem& fs) {
  weights::GgufMetadataBuilder metadata;
  AC_RETURN_IF_ERROR(weights::AddConfigMetadata(config, weights::Recipe::kF32, &metadata));
  AC_RETURN_IF_ERROR(AddVocabulary(inputs.vocabulary, config.vocab_size, &metadata));
  metadata.AddString("tokenizer.chat_template", inputs.chat_template);
  AC_RETURN_IF_ERROR(AddCard(inputs.card, &metadata));
  std::vector<weights::GgufTensorSpec> specs;
  for (const ParameterTensor& tensor : parameters.tensors()) {
    specs.push_back({tensor.name, AC_F32, tensor.dims});
  }
  AC_ASSIGN_OR_RETURN(const auto writer,
                      weights::GgufWriter::Create(fs, path, metadata, std::move(specs)));
  for (const ParameterTensor& tensor : parameters.tensors()) {
    AC_RETURN_IF_ERROR(writer->Append(std::as_bytes(
        values.subspan(static_cast<size_t>(tensor.offset), static_cast<size_t>(tensor.size)))));
  }
  return writer->Finish();
}

}  // namespace ac::starter
