#include "api/library/elf_file.h"

#include <elf.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace weir {
namespace {

absl::Status damaged() {
  return absl::InvalidArgumentError("its ELF tables are damaged");
}

// Bounds-checked reading of a 64-bit little-endian ELF image.
class Image {
 public:
  explicit Image(std::string bytes) : bytes_(std::move(bytes)) {}

  template <typename T>
  std::optional<T> read(std::uint64_t offset) const {
    if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof(T));
    return value;
  }

  std::optional<std::string_view> part(std::uint64_t offset, std::uint64_t size) const {
    if (offset > bytes_.size() || bytes_.size() - offset < size) return std::nullopt;
    return std::string_view(bytes_).substr(offset, size);
  }

  std::string_view bytes() const { return bytes_; }

 private:
  const std::string bytes_;
};

absl::Status check_header(const Image& image) {
  const std::optional<Elf64_Ehdr> header = image.read<Elf64_Ehdr>(0);
  if (!header.has_value() || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) {
    return absl::InvalidArgumentError("it is no ELF file");
  }
#if defined(__x86_64__)
  constexpr Elf64_Half kMachine = EM_X86_64;
#elif defined(__aarch64__)
  constexpr Elf64_Half kMachine = EM_AARCH64;
#else
#error "the machine's ELF number is missing here"
#endif
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != kMachine) {
    return absl::InvalidArgumentError("it was built for another kind of machine");
  }
  if (header->e_type != ET_DYN) {
    return absl::InvalidArgumentError("it is no shared object (.so)");
  }
  return absl::OkStatus();
}

std::string text_at(std::string_view strings, std::uint64_t offset) {
  if (offset >= strings.size()) return {};
  const std::string_view rest = strings.substr(offset);
  return std::string(rest.substr(0, rest.find('\0')));
}

std::string initial_bytes(const Image& image, const Elf64_Ehdr& header, const Elf64_Sym& symbol) {
  if (ELF64_ST_TYPE(symbol.st_info) != STT_OBJECT || symbol.st_shndx >= header.e_shnum) return {};
  const auto section =
      image.read<Elf64_Shdr>(header.e_shoff + std::uint64_t{symbol.st_shndx} * sizeof(Elf64_Shdr));
  if (!section.has_value() || section->sh_type == SHT_NOBITS) return {};
  const auto bytes =
      image.part(section->sh_offset + (symbol.st_value - section->sh_addr), symbol.st_size);
  return std::string(bytes.value_or(std::string_view()));
}

absl::Status read_section(const Image& image, const Elf64_Ehdr& header, const Elf64_Shdr& section,
                          ElfFile& file) {
  if (section.sh_type != SHT_DYNAMIC && section.sh_type != SHT_DYNSYM) return absl::OkStatus();
  const auto linked =
      image.read<Elf64_Shdr>(header.e_shoff + std::uint64_t{section.sh_link} * sizeof(Elf64_Shdr));
  const auto contents = image.part(section.sh_offset, section.sh_size);
  if (!linked.has_value() || !contents.has_value()) return damaged();
  const auto strings = image.part(linked->sh_offset, linked->sh_size);
  if (!strings.has_value()) return damaged();

  if (section.sh_type == SHT_DYNAMIC) {
    for (std::uint64_t at = 0; at + sizeof(Elf64_Dyn) <= contents->size();
         at += sizeof(Elf64_Dyn)) {
      const Elf64_Dyn entry = *image.read<Elf64_Dyn>(section.sh_offset + at);
      if (entry.d_tag == DT_NEEDED) file.needed.push_back(text_at(*strings, entry.d_un.d_val));
    }
  } else {
    for (std::uint64_t at = 0; at + sizeof(Elf64_Sym) <= contents->size();
         at += sizeof(Elf64_Sym)) {
      const Elf64_Sym symbol = *image.read<Elf64_Sym>(section.sh_offset + at);
      if (symbol.st_shndx == SHN_UNDEF) continue;
      file.defined_symbols.emplace(text_at(*strings, symbol.st_name),
                                   initial_bytes(image, header, symbol));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ElfFile> read_elf_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return absl::NotFoundError(absl::StrCat("it can't be read: ", strerror(errno)));
  const Image image{
      std::string(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>())};
  WEIR_RETURN_IF_ERROR(check_header(image));

  ElfFile file;
  const Elf64_Ehdr header = *image.read<Elf64_Ehdr>(0);
  for (Elf64_Half i = 0; i < header.e_shnum; ++i) {
    const auto section =
        image.read<Elf64_Shdr>(header.e_shoff + std::uint64_t{i} * sizeof(Elf64_Shdr));
    if (!section.has_value()) return damaged();
    WEIR_RETURN_IF_ERROR(read_section(image, header, *section, file));
  }
  // Full protobuf carries the description of its own descriptor.proto.
  file.embeds_protobuf_descriptors =
      image.bytes().find("google/protobuf/descriptor.proto") != std::string_view::npos;
  return file;
}

}  // namespace weir
