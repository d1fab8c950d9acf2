#include "mapped_file.h"

#if defined(_WIN32)

#include <cstdio>
#include <cstdlib>

MappedFile::~MappedFile() { std::free(const_cast<std::uint8_t*>(bytes_)); }
void MappedFile::release(void*, const std::uint8_t*, std::size_t) {}

bool MappedFile::open(const char* path) {
  std::FILE* file = std::fopen(path, "rb");
  if (file == nullptr) return false;
  std::fseek(file, 0, SEEK_END);
  const long size = std::ftell(file);
  std::rewind(file);
  auto* bytes = static_cast<std::uint8_t*>(std::malloc(size > 0 ? static_cast<std::size_t>(size) : 1));
  const bool is_read = bytes != nullptr && size > 0 &&
                       std::fread(bytes, 1, static_cast<std::size_t>(size), file) ==
                           static_cast<std::size_t>(size);
  std::fclose(file);
  bytes_ = bytes;
  size_ = is_read ? static_cast<std::size_t>(size) : 0;
  return is_read;
}

#else

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

MappedFile::~MappedFile() {
  if (bytes_ != nullptr) ::munmap(const_cast<std::uint8_t*>(bytes_), size_);
}

void MappedFile::release(void*, const std::uint8_t* bytes, std::size_t size) {
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes), end = begin + size;
  const std::uintptr_t first = (begin + page - 1) / page * page, last = end / page * page;
  if (first < last) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

bool MappedFile::open(const char* path) {
  const int file = ::open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  struct stat facts {};
  if (::fstat(file, &facts) == 0 && S_ISREG(facts.st_mode) && facts.st_size > 0) {
    const auto size = static_cast<std::size_t>(facts.st_size);
    void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (mapped != MAP_FAILED) {
      bytes_ = static_cast<const std::uint8_t*>(mapped);
      size_ = size;
    }
  }
  ::close(file);
  return bytes_ != nullptr;
}

#endif
