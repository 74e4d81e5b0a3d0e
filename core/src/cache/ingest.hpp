// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "cache/map_file.hpp"
#include "cache/store.hpp"

namespace berth::cache {

/// The open folder of a partial blob. Its descriptors belong to this process alone: locks hang on
/// them.
struct Ingest {
  Fd data;  ///< with a shared flock: published, it is a blob that is open
  Fd map_fd;
  MapFile map;
  /// The folder itself: its name may be another attempt's by now.
  Fd folder{};
};

/// Bytes of a partial blob's locks, on its map file.
namespace lock_byte {
inline constexpr std::uint64_t kJoined = 0;       ///< shared by all who use it; exclusive: evict it
inline constexpr std::uint64_t kRecover = 1;      ///< who makes a new map after the machine's end
inline constexpr std::uint64_t kFront = 1 << 16;  ///< + the front's generation
inline constexpr std::uint64_t kChunks = std::uint64_t{1} << 40;  ///< + 65536 * chunk + generation
inline std::uint64_t of_chunk(std::uint64_t index, std::uint16_t generation) noexcept {
  return kChunks + index * 65536 + generation;
}
}  // namespace lock_byte

/// Opens the files of a partial blob, joining nothing. Errc::not_found; corrupt.
Result<Ingest> open_ingest_files(int root, const std::string& folder);

/// What a partial blob of this size is charged with until it is published, at most.
std::uint64_t ingest_bytes(std::uint64_t size) noexcept;

/// Takes up what an earlier or another process has of this blob, or begins it. Returns with the
/// lock that says "in use". Folders appear whole and disappear whole, by rename.
Result<Ingest> open_ingest(Store& store, const Digest& digest, std::uint64_t size);

/// Removes the folder of this very attempt, where it still is the one under its name, and gives
/// its room back.
void remove_ingest(Store& store, const Digest& digest, const Ingest& ingest) noexcept;

/// Removes a partial blob that nobody has joined. nullopt when somebody has.
std::optional<std::uint64_t> evict_ingest(Store& store, const std::string& name) noexcept;

/// What survives the machine: `ingest/<name>/synced`, written after the data that it speaks of.
struct SyncedRecord {
  std::uint64_t size = 0;
  HashPoint point;
  std::vector<std::uint32_t> written;  ///< bytes held of each chunk
};
Result<void> write_synced(int folder, const SyncedRecord& record);
/// Errc::not_found, corrupt.
Result<SyncedRecord> read_synced(int folder);

/// A sync point of the partial blob `ingest/<name>`, whoever fills it: its data first, then the
/// record that speaks of it. Waits for the disk. False where there is nothing new to write down.
Result<bool> sync_ingest(Store& store, const std::string& name);

}  // namespace berth::cache
