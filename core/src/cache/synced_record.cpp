// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

#include "berth/base/try.hpp"

#include "cache/ingest.hpp"

namespace berth::cache {
namespace {

constexpr const char* kName = "synced";
constexpr char kMagic[8] = {'b', 'e', 'r', 't', 'h', 's', 'y', '1'};
constexpr std::size_t kFixed = 8 + 8 + 8 + 8 + Hasher::kStateSize;
constexpr std::size_t kLimit = 64 * 1024 * 1024;

template <class T>
void append(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

template <class T>
T take(std::string_view& in) {
  T value{};
  std::memcpy(&value, in.data(), sizeof value);
  in.remove_prefix(sizeof value);
  return value;
}

}  // namespace

Result<void> write_synced(int folder, const SyncedRecord& record) {
  std::string text(kMagic, sizeof kMagic);
  append(text, std::uint64_t{Hasher::kStateFormat});
  append(text, record.size);
  append(text, record.point.count);
  append(text, record.point.state);
  for (const std::uint32_t written : record.written) append(text, written);
  append(text, checksum(as_bytes(text)));
  const std::string temporary = temporary_name("synced");
  const Fd file = TRY(open_at(folder, temporary, O_WRONLY | O_CREAT | O_EXCL));
  auto written = write_all(file.get(), as_bytes(text));
  // On the disk before it has its name, and its name before anybody counts on it.
  if (written &&
      (::fdatasync(file.get()) != 0 || ::renameat(folder, temporary.c_str(), folder, kName) != 0 ||
       (::fsync(folder) != 0 && errno != EINVAL))) {
    written = Error::from_errno(errno, "writing down a sync point of a partial blob");
  }
  if (!written) ::unlinkat(folder, temporary.c_str(), 0);
  return written;
}

Result<SyncedRecord> read_synced(int folder) {
  const std::string text = TRY(read_file_at(folder, kName, kLimit));
  const Error broken(Errc::corrupt, "the record of a partial blob's last sync point is broken");
  if (text.size() < kFixed + 8 || text.compare(0, 8, kMagic, 8) != 0) return broken;
  std::string_view in = text;
  std::string_view tail = in.substr(in.size() - 8);
  in.remove_suffix(8);
  if (take<std::uint64_t>(tail) != checksum(as_bytes(in))) return broken;
  in.remove_prefix(sizeof kMagic);
  const auto format = take<std::uint64_t>(in);
  SyncedRecord record;
  record.size = take<std::uint64_t>(in);
  record.point.count = take<std::uint64_t>(in);
  record.point.state = take<Hasher::State>(in);
  if (format != Hasher::kStateFormat) record.point = {};
  while (in.size() >= 4) record.written.push_back(take<std::uint32_t>(in));
  if (record.written.size() != (record.size + kChunk - 1) / kChunk) return broken;
  return record;
}

}  // namespace berth::cache
