// SPDX-License-Identifier: Apache-2.0
#define FUSE_USE_VERSION 314
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include <fuse3/fuse_lowlevel.h>

#include "berth/base/log.hpp"
#include "berth/base/try.hpp"

#include "server.hpp"
#include "splice.hpp"

// libfuse's calls, each: take the arguments out of the kernel's buffer, ask the Filesystem, reply.
// No decision is made here. What is absent from the table at the end is answered ENOSYS by libfuse,
// once, and the kernel does not ask again: extended attributes above all, which would cost two
// calls for each entry of `ls -l`.
namespace berth::fuse {
namespace {

using Lane = Server::Lane;
using Reply = Server::Reply;

constexpr std::uint64_t kBlock = 512;  // st_blocks' unit, whatever st_blksize says
constexpr std::uint32_t kPreferredRead = 128 * 1024;
constexpr std::size_t kListingReply = 64 * 1024;
constexpr std::uint32_t kMaxBackground = 2048;

Server& server_of(fuse_req_t request) { return *static_cast<Server*>(fuse_req_userdata(request)); }

double seconds(tree::Ttl ttl) { return std::chrono::duration<double>(ttl).count(); }

mode_t mode_of(const tree::Attributes& attributes) {
  switch (attributes.type) {
    case tree::Type::folder:
      return S_IFDIR | 0755;
    case tree::Type::link:
      return S_IFLNK | 0777;
    case tree::Type::file:
      break;
  }
  return S_IFREG | (attributes.owner_only ? 0400 : 0644);
}

struct stat stat_of(const Server& server, const NodeReply& node) {
  const tree::Attributes& attributes = node.attributes;
  struct stat out{};
  out.st_ino = node.ino;
  out.st_mode = mode_of(attributes);
  out.st_nlink = attributes.links;
  out.st_uid = server.uid();
  out.st_gid = server.gid();
  out.st_size = static_cast<off_t>(attributes.size);
  out.st_blksize = kPreferredRead;
  if (attributes.type == tree::Type::file) {
    out.st_blocks = static_cast<blkcnt_t>((attributes.size + kBlock - 1) / kBlock);
  }
  out.st_mtim.tv_sec = attributes.mtime;
  out.st_ctim = out.st_atim = out.st_mtim;
  return out;
}

void lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  Server& server = server_of(request);
  server.serve(
      request, Lane::metadata, "lookup", parent,
      [&server, parent, name = std::string(name)](const Context& context) -> Result<Reply> {
        const NodeReply found = TRY(server.filesystem().lookup(parent, name, context));
        return [&server, found](fuse_req_t to) {
          fuse_entry_param entry{};
          entry.ino = found.ino;
          entry.attr = stat_of(server, found);
          entry.attr_timeout = seconds(found.attributes.ttl);
          entry.entry_timeout = seconds(found.name_ttl);
          // Who asked is gone: the kernel will not send a forget for this one.
          const bool lost = fuse_reply_entry(to, &entry) == -ENOENT;
          if (lost && found.ino != 0) server.filesystem().forget(found.ino, 1);
        };
      });
}

void forget(fuse_req_t request, fuse_ino_t ino, std::uint64_t lookups) {
  server_of(request).filesystem().forget(ino, lookups);
  fuse_reply_none(request);
}

void forget_multi(fuse_req_t request, std::size_t count, fuse_forget_data* forgets) {
  Filesystem& filesystem = server_of(request).filesystem();
  for (std::size_t i = 0; i < count; ++i) filesystem.forget(forgets[i].ino, forgets[i].nlookup);
  fuse_reply_none(request);
}

void getattr(fuse_req_t request, fuse_ino_t ino, fuse_file_info*) {
  Server& server = server_of(request);
  server.serve(request, Lane::metadata, "getattr", ino,
               [&server, ino](const Context& context) -> Result<Reply> {
                 const NodeReply found = TRY(server.filesystem().attributes(ino, context));
                 return [&server, found](fuse_req_t to) {
                   const struct stat attributes = stat_of(server, found);
                   fuse_reply_attr(to, &attributes, seconds(found.attributes.ttl));
                 };
               });
}

void readlink(fuse_req_t request, fuse_ino_t ino) {
  Server& server = server_of(request);
  server.serve(request, Lane::metadata, "readlink", ino,
               [&server, ino](const Context& context) -> Result<Reply> {
                 std::string target = TRY(server.filesystem().read_link(ino, context));
                 return [target = std::move(target)](fuse_req_t to) {
                   fuse_reply_readlink(to, target.c_str());
                 };
               });
}

void setattr(fuse_req_t request, fuse_ino_t ino, struct stat* wanted, int which, fuse_file_info*) {
  Server& server = server_of(request);
  Filesystem::Wish wish;
  if ((which & FUSE_SET_ATTR_SIZE) != 0) wish.size = static_cast<std::uint64_t>(wanted->st_size);
  wish.times = (which & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW |
                         FUSE_SET_ATTR_MTIME_NOW)) != 0;
  wish.mode_or_owner = (which & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) != 0;
  server.serve(request, Lane::metadata, "setattr", ino,
               [&server, ino, wish](const Context& context) -> Result<Reply> {
                 const NodeReply found =
                     TRY(server.filesystem().set_attributes(ino, wish, context));
                 return [&server, found](fuse_req_t to) {
                   const struct stat attributes = stat_of(server, found);
                   fuse_reply_attr(to, &attributes, seconds(found.attributes.ttl));
                 };
               });
}

/// Changes that a registry mount has no meaning for are refused by name, not by ENOSYS: "function
/// not implemented" tells nobody what to do.
void refuse(fuse_req_t request, fuse_ino_t ino, const char* operation) {
  Server& server = server_of(request);
  server.serve(request, Lane::metadata, operation, ino,
               [&server, operation](const Context&) -> Result<Reply> {
                 return server.filesystem().no_such_change(operation);
               });
}

void mknod(fuse_req_t request, fuse_ino_t parent, const char*, mode_t, dev_t) {
  refuse(request, parent, "create");
}
void mkdir(fuse_req_t request, fuse_ino_t parent, const char*, mode_t) {
  refuse(request, parent, "mkdir");
}
void unlink(fuse_req_t request, fuse_ino_t parent, const char*) {
  refuse(request, parent, "unlink");
}
void rmdir(fuse_req_t request, fuse_ino_t parent, const char*) { refuse(request, parent, "rmdir"); }
void symlink(fuse_req_t request, const char*, fuse_ino_t parent, const char*) {
  refuse(request, parent, "symlink");
}
void rename(fuse_req_t request, fuse_ino_t parent, const char*, fuse_ino_t, const char*, unsigned) {
  refuse(request, parent, "rename");
}
void link(fuse_req_t request, fuse_ino_t ino, fuse_ino_t, const char*) {
  refuse(request, ino, "link");
}
void create(fuse_req_t request, fuse_ino_t parent, const char*, mode_t, fuse_file_info*) {
  refuse(request, parent, "create");
}

void close_file(Server& server, const OpenFile& file) {
  if (server.passthrough().closed(file.ino, file.way)) server.filesystem().outgrown(file);
  server.filesystem().release(file);
}

/// fuse_reply_open() of libfuse before 3.17 cannot say that the kernel reads the file itself.
int reply_open_through(fuse_req_t request, std::uint64_t handle, std::int32_t backing) {
  constexpr std::uint32_t kThrough = 1U << 7;  // FOPEN_PASSTHROUGH; it goes with no other flag
  const struct {
    std::uint64_t handle;
    std::uint32_t flags;
    std::int32_t backing;
  } answer{handle, kThrough, backing};
  return fuse_reply_buf(request, reinterpret_cast<const char*>(&answer), sizeof answer);
}

void open(fuse_req_t request, fuse_ino_t ino, fuse_file_info* info) {
  Server& server = server_of(request);
  server.serve(request, Lane::metadata, "open", ino,
               [&server, ino, info = *info](const Context& context) -> Result<Reply> {
                 const bool writes = (info.flags & O_ACCMODE) != O_RDONLY;
                 std::shared_ptr<OpenFile> file =
                     TRY(writes ? server.filesystem().open_to_write(ino, context)
                                : server.filesystem().open(ino, context));
                 return [&server, ino, file = std::move(file), info](fuse_req_t to) mutable {
                   info.keep_cache = file->pages.keep_pages && !file->direct_io;
                   info.direct_io = file->direct_io;
                   if (!file->direct_io) {
                     file->way = server.passthrough().opened(ino, file->file->cache_file());
                   }
                   info.fh = server.files().add(file);
                   const int sent = file->way.backing != 0
                                        ? reply_open_through(to, info.fh, file->way.backing)
                                        : fuse_reply_open(to, &info);
                   // Who asked is gone: the kernel will not send a release for this one.
                   if (sent == -ENOENT) close_file(server, *server.files().take(info.fh));
                 };
               });
}

// The pages are still locked in the kernel while it waits for this answer, so that what drops them
// after a failed attempt comes after it, although the reader no longer counts it.
Reply reply_pipe(int pipe, std::size_t size) {
  return [pipe, size](fuse_req_t to) {
    fuse_bufvec vector{};
    vector.count = 1;
    vector.buf[0].size = size;
    vector.buf[0].flags = FUSE_BUF_IS_FD;
    vector.buf[0].fd = pipe;
    // Spliced, not moved: the pages belong to the cache's file. (Nothing at all has no name in the
    // enum.)
    constexpr fuse_buf_copy_flags kSpliced{};
    fuse_reply_data(to, &vector, kSpliced);
  };
}

Result<Reply> read_file(Server& server, OpenFile& file, std::uint64_t offset, std::size_t size,
                        const Context& context) {
  Filesystem& filesystem = server.filesystem();
  const auto wanted = static_cast<std::size_t>(filesystem.expected(file, offset, size));
  if (wanted >= kSpliceFrom) {
    const auto range = TRY(filesystem.wait_for_range(file, offset, wanted, context));
    const auto pipe = range ? TRY(fill_pipe(*range, wanted)) : std::nullopt;
    if (pipe) return reply_pipe(*pipe, wanted);
  }
  Buffers::Lease buffer = server.buffers().take(wanted);
  const std::size_t got = TRY(filesystem.read(file, offset, buffer.span(), context));
  return [buffer = std::move(buffer), got](fuse_req_t to) {
    fuse_reply_buf(to, reinterpret_cast<const char*>(buffer.span().data()), got);
  };
}

void read(fuse_req_t request, fuse_ino_t ino, std::size_t size, off_t position,
          fuse_file_info* info) {
  Server& server = server_of(request);
  const auto file = server.files().find(info->fh);
  const auto offset = static_cast<std::uint64_t>(position);
  server.serve(request, Lane::data, "read", ino,
               [=, &server](const Context& context) -> Result<Reply> {
                 if (!file) return Error(Errc::internal, "read of a file that is not open");
                 return read_file(server, *file, offset, size, context);
               });
}

void write(fuse_req_t request, fuse_ino_t ino, const char* bytes, std::size_t size, off_t position,
           fuse_file_info* info) {
  Server& server = server_of(request);
  const auto file = server.files().find(info->fh);
  const auto offset = static_cast<std::uint64_t>(position);
  server.serve(
      request, Lane::metadata, "write", ino,
      [=, &server, text = std::string(bytes, size)](const Context& context) -> Result<Reply> {
        if (!file) return Error(Errc::internal, "write to a file that is not open");
        TRY(server.filesystem().write(*file, offset, text, context));
        return [size](fuse_req_t to) { fuse_reply_write(to, size); };
      });
}

void release(fuse_req_t request, fuse_ino_t, fuse_file_info* info) {
  Server& server = server_of(request);
  if (const auto file = server.files().take(info->fh)) close_file(server, *file);
  fuse_reply_err(request, 0);
}

void opendir(fuse_req_t request, fuse_ino_t ino, fuse_file_info* info) {
  Server& server = server_of(request);
  server.serve(request, Lane::metadata, "opendir", ino,
               [&server, ino, info = *info](const Context&) -> Result<Reply> {
                 std::shared_ptr<OpenFolder> folder = TRY(server.filesystem().open_folder(ino));
                 return [&server, folder = std::move(folder), info](fuse_req_t to) mutable {
                   info.fh = server.folders().add(folder);
                   if (fuse_reply_open(to, &info) == -ENOENT) server.folders().take(info.fh);
                 };
               });
}

mode_t type_bits(tree::Type type) { return mode_of({.type = type}) & S_IFMT; }

void readdir(fuse_req_t request, fuse_ino_t ino, std::size_t size, off_t position,
             fuse_file_info* info) {
  Server& server = server_of(request);
  const auto folder = server.folders().find(info->fh);
  server.serve(request, Lane::metadata, "readdir", ino,
               [=, &server](const Context& context) -> Result<Reply> {
                 if (!folder) return Error(Errc::internal, "listing of a folder that is not open");
                 std::vector<char> buffer(std::min(size, kListingReply));
                 std::size_t used = 0;
                 const auto take = [&](const DirectoryEntry& entry) {
                   struct stat attributes{};
                   attributes.st_ino = entry.ino;
                   attributes.st_mode = type_bits(entry.type);
                   const std::string name(entry.name);
                   const std::size_t need = fuse_add_direntry(
                       nullptr, buffer.data() + used, buffer.size() - used, name.c_str(),
                       &attributes, static_cast<off_t>(entry.position));
                   if (need > buffer.size() - used) return false;
                   used += need;
                   return true;
                 };
                 auto listed = server.filesystem().read_folder(
                     *folder, static_cast<std::uint64_t>(position), context, take);
                 // The C library takes ENOENT here for the end of a folder that was removed: a
                 // mount of a repository that does not exist would look empty.
                 if (!listed && listed.error().code() == Errc::not_found) {
                   log::warning(listed.error().describe());
                   return [](fuse_req_t to) { fuse_reply_err(to, ENXIO); };
                 }
                 if (!listed) return std::move(listed).error();
                 buffer.resize(used);
                 return [buffer = std::move(buffer)](fuse_req_t to) {
                   fuse_reply_buf(to, buffer.data(), buffer.size());
                 };
               });
}

void releasedir(fuse_req_t request, fuse_ino_t, fuse_file_info* info) {
  server_of(request).folders().take(info->fh);
  fuse_reply_err(request, 0);
}

void statfs(fuse_req_t request, fuse_ino_t ino) {
  Server& server = server_of(request);
  server.serve(request, Lane::metadata, "statfs", ino,
               [&server](const Context& context) -> Result<Reply> {
                 // The cache may have to look at its disk for this.
                 if (context.is_nonblocking()) return Error(Errc::would_block, "statfs");
                 const Usage usage = server.filesystem().usage();
                 return [usage](fuse_req_t to) {
                   constexpr std::uint64_t kUnit = 4096;
                   struct statvfs out{};
                   out.f_bsize = out.f_frsize = kUnit;
                   out.f_blocks = usage.limit / kUnit;
                   out.f_bfree = (usage.limit - std::min(usage.limit, usage.used)) / kUnit;
                   out.f_bavail = out.f_bfree;
                   out.f_namemax = 255;
                   fuse_reply_statfs(to, &out);
                 };
               });
}

void init(void*, fuse_conn_info* connection) {
  const auto want = [connection](unsigned capability) {
    connection->want |= connection->capable & capability;
  };
  want(FUSE_CAP_ASYNC_READ);
  want(FUSE_CAP_PARALLEL_DIROPS);
  want(FUSE_CAP_CACHE_SYMLINKS);
  want(FUSE_CAP_SPLICE_WRITE);
  // Size and time of a file never decide whether its pages hold: the digest does, through open.
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_SPLICE_MOVE);
  // The kernel's default lets 12 waiting reads hold up one whose bytes are here.
  connection->max_background = kMaxBackground;
  connection->congestion_threshold = kMaxBackground;
  connection->max_write = Buffers::kSize;  // also bounds what one read asks for
  connection->max_read = Buffers::kSize;
}

}  // namespace

const fuse_lowlevel_ops& Server::operations() {
  static const fuse_lowlevel_ops table = [] {
    fuse_lowlevel_ops ops{};
    ops.init = &init;
    ops.lookup = &lookup;
    ops.forget = &forget;
    ops.forget_multi = &forget_multi;
    ops.getattr = &getattr;
    ops.setattr = &setattr;
    ops.readlink = &readlink;
    ops.mknod = &mknod;
    ops.mkdir = &mkdir;
    ops.unlink = &unlink;
    ops.rmdir = &rmdir;
    ops.symlink = &symlink;
    ops.rename = &rename;
    ops.link = &link;
    ops.create = &create;
    ops.open = &open;
    ops.read = &read;
    ops.write = &write;
    ops.release = &release;
    ops.opendir = &opendir;
    ops.readdir = &readdir;
    ops.releasedir = &releasedir;
    ops.statfs = &statfs;
    return ops;
  }();
  return table;
}

}  // namespace berth::fuse
