#include "array_file.h"

#include "names.h"
#include "scanner.h"

namespace engine {
namespace {

constexpr char kMagic[16] = {'S', 'P', 'A', 'R', 'R', 'O', 'W', '-',
                             'A', 'R', 'R', 'A', 'Y', 'S', '\n', '\0'};
constexpr std::size_t kHeader = 64, kAlignment = 8, kMostArrays = 256;

// "<u2": little-endian, its kind, its bytes; a single byte is "|u1".
bool read_type(Text type, Array& array) {
  if (type.size != 3 || (type.data[0] != '<' && type.data[0] != '|')) return false;
  array.kind = type.data[1];
  array.item = static_cast<std::size_t>(type.data[2] - '0');
  return array.item == 1 || array.item == 2 || array.item == 4 || array.item == 8;
}

bool read_sizes(Scanner& scanner, std::size_t most, std::size_t& count) {
  count = 1;
  if (scanner.take(']')) return true;
  do {
    std::size_t size;
    if (!scanner.number(size) || (size != 0 && count > most / size)) return false;
    count *= size;
  } while (scanner.take(','));
  return scanner.take(']');
}

}  // namespace

bool ArrayFile::open(const std::uint8_t* bytes, std::size_t size, const char* kind,
                     Complaint& complaint) {
  const auto refuse = [&] { return complaint.say("the part ", kind, " of the file is damaged"); };
  if (size < kHeader || reinterpret_cast<std::uintptr_t>(bytes) % kAlignment != 0 ||
      __builtin_memcmp(bytes, kMagic, sizeof kMagic) != 0) {
    return refuse();
  }
  std::uint32_t header_size;
  __builtin_memcpy(&header_size, bytes + 20, sizeof header_size);
  if (header_size > size - kHeader) return refuse();
  metadata_ = {reinterpret_cast<const char*>(bytes + kHeader), header_size};
  const std::size_t begin = (kHeader + header_size + kAlignment - 1) / kAlignment * kAlignment;
  Scanner scanner(metadata_);
  Text found;
  if (!scanner.find("\"kind\":\"") || !scanner.text(found) || !found.is(kind) ||
      !scanner.find("\"arrays\":[") || !arrays_.make(kMostArrays)) {
    return refuse();
  }
  std::size_t place = 0;
  while (scanner.take("[\"")) {
    if (place == kMostArrays) return refuse();
    Named& one = arrays_[place++];
    Text type;
    std::size_t offset;
    if (!scanner.text(one.name) || !scanner.take(",\"") || !scanner.text(type) ||
        !read_type(type, one.array) || !scanner.take(",[") ||
        !read_sizes(scanner, size, one.array.count) || !scanner.take(',') ||
        !scanner.number(offset) || !scanner.take(']')) {
      return refuse();
    }
    if (begin > size || offset > size - begin || offset % kAlignment != 0 ||
        one.array.count > (size - begin - offset) / one.array.item) {
      return refuse();
    }
    one.array.data = bytes + begin + offset;
    if (!scanner.take(',')) break;
  }
  return true;
}

bool ArrayFile::find(const char* name, char kind, std::size_t item, Array& array) const {
  for (std::size_t i = 0; i < arrays_.size() && arrays_[i].name.data != nullptr; ++i) {
    if (!arrays_[i].name.is(name)) continue;
    array = arrays_[i].array;
    return array.kind == kind && array.item == item;
  }
  return false;
}

bool ArrayFile::number(const char* name, std::size_t& value) const {
  Scanner scanner(metadata_);
  const Name key = Name().add("\"").add(name).add("\":");
  return scanner.find(key.text()) && scanner.number(value);
}

}  // namespace engine
