#include "characters.h"

namespace engine {

Opened after_byte(Opened state, unsigned char byte) {
  const auto within = [byte](unsigned low, unsigned high, Opened next) {
    return byte >= low && byte <= high ? next : Opened::kBroken;
  };
  switch (state) {
    case Opened::kNothing:
      if (byte < 0x80) return Opened::kNothing;
      if (byte >= 0xC2 && byte < 0xE0) return Opened::kOneLeft;
      if (byte == 0xE0) return Opened::kAfterE0;
      if (byte == 0xED) return Opened::kAfterED;
      if (byte > 0xE0 && byte < 0xF0) return Opened::kTwoLeft;
      if (byte == 0xF0) return Opened::kAfterF0;
      if (byte > 0xF0 && byte < 0xF4) return Opened::kThreeLeft;
      return byte == 0xF4 ? Opened::kAfterF4 : Opened::kBroken;
    case Opened::kOneLeft: return within(0x80, 0xBF, Opened::kNothing);
    case Opened::kTwoLeft: return within(0x80, 0xBF, Opened::kOneLeft);
    case Opened::kThreeLeft: return within(0x80, 0xBF, Opened::kTwoLeft);
    case Opened::kAfterE0: return within(0xA0, 0xBF, Opened::kOneLeft);
    case Opened::kAfterED: return within(0x80, 0x9F, Opened::kOneLeft);
    case Opened::kAfterF0: return within(0x90, 0xBF, Opened::kTwoLeft);
    case Opened::kAfterF4: return within(0x80, 0x8F, Opened::kTwoLeft);
    default: return Opened::kBroken;
  }
}

Opened after_bytes(Opened state, Text bytes) {
  for (std::size_t i = 0; i < bytes.size; ++i) {
    state = after_byte(state, static_cast<unsigned char>(bytes.data[i]));
  }
  return state;
}

bool Characters::make(const Tokenizer& tokenizer) {
  tokenizer_ = &tokenizer;
  return masks_.make(kNumOpened * tokenizer.size());
}

const std::uint8_t* Characters::allowed(Opened state) {
  const auto number = static_cast<std::size_t>(state);
  const std::size_t count = tokenizer_->size();
  std::uint8_t* mask = masks_.data() + number * count;
  for (std::size_t id = 0; !is_known_[number] && id < count; ++id) {
    const Text piece = tokenizer_->piece(static_cast<std::int32_t>(id));
    // The separator has no bytes: it ends a text, which no open character may.
    mask[id] = piece.size == 0 ? state == Opened::kNothing
                               : after_bytes(state, piece) != Opened::kBroken;
  }
  is_known_[number] = true;
  return mask;
}

}  // namespace engine
