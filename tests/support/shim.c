/* SPDX-License-Identifier: AGPL-3.0-or-later
 * What a node says and when its disk kept it, seen from between the node and the system.
 *
 * Preloaded into zattd by tests/cluster. It logs every write, send and sync with its begin and end
 * on CLOCK_MONOTONIC, which all processes of a machine share, and can make a disk slow or broken:
 *
 *   ZATT_SHIM_LOG=FILE        a line a call: BEGIN_NS END_NS CALL KIND FD RESULT FIRST_BYTES
 *                             KIND is file, directory, socket, standard (0 to 2) or other; of a
 *                             rename FD is the directory and FIRST_BYTES the new name
 *   ZATT_SHIM_DELAY=FILE      each fdatasync and fsync takes as many ms longer as FILE says just
 *                             now; a second number: and one more for each so many bytes written
 *   ZATT_SHIM_FAIL_IF=FILE    as long as FILE exists they fail with EIO
 *   ZATT_SHIM_FULL_IF=FILE    as long as FILE exists no file grows: ENOSPC
 *   ZATT_SHIM_NO_FILE_IF=FILE as long as FILE exists no file is made: ENFILE
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { shown_bytes = 96 };

static atomic_int log_fd = -1;
static const char *delay_file;
static const char *fail_if;
static const char *full_if;
static const char *no_file_if;

#define REAL(name)                          \
  static __typeof__(name) *real;            \
  if (!real) {                              \
    void *symbol = dlsym(RTLD_NEXT, #name); \
    memcpy(&real, &symbol, sizeof real);    \
  }

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static atomic_long unsynced_bytes;

static long delay_ms(void) {
  char text[48] = {0};
  const int fd = delay_file ? open(delay_file, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return 0;
  if (read(fd, text, sizeof text - 1) < 0) text[0] = 0;
  close(fd);
  char *rest = text;
  const long ms = strtol(text, &rest, 10);
  const long bytes_a_ms = strtol(rest, NULL, 10);
  const long bytes = atomic_exchange(&unsynced_bytes, 0);
  return bytes_a_ms > 0 ? ms + bytes / bytes_a_ms : ms;
}

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("ZATT_SHIM_LOG");
  delay_file = getenv("ZATT_SHIM_DELAY");
  fail_if = getenv("ZATT_SHIM_FAIL_IF");
  full_if = getenv("ZATT_SHIM_FULL_IF");
  no_file_if = getenv("ZATT_SHIM_NO_FILE_IF");
  if (path) log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static const char *kind(int fd) {
  struct stat status;
  if (fd <= 2) return "standard";
  if (fstat(fd, &status) != 0) return "other";
  if (S_ISSOCK(status.st_mode)) return "socket";
  if (S_ISDIR(status.st_mode)) return "directory";
  return S_ISREG(status.st_mode) ? "file" : "other";
}

/* One line, by one write, so that threads do not mix theirs. Leaves errno as it was. */
static void note(int64_t begin_ns, const char *call, int fd, int64_t result, const void *data,
                 size_t size) {
  const int saved = errno;
  const unsigned char *bytes = data;
  char line[160 + shown_bytes];
  int n;
  if (log_fd < 0) return;
  n = snprintf(line, 160, "%" PRId64 " %" PRId64 " %s %s %d %" PRId64 " ", begin_ns, now_ns(), call,
               kind(fd), fd, result);
  for (size_t i = 0; i < size && i < shown_bytes; ++i)
    line[n++] = (char)(bytes[i] > ' ' && bytes[i] < 127 ? bytes[i] : '.');
  line[n++] = '\n';
  syscall(SYS_write, log_fd, line, (size_t)n);
  errno = saved;
}

static int sync_call(const char *name, int (*real)(int), int fd) {
  const int64_t begin_ns = now_ns();
  int result;
  if (fail_if && access(fail_if, F_OK) == 0) {
    errno = EIO;
    result = -1;
  } else {
    result = real(fd);
    const int saved = errno;
    const long ms = delay_ms();
    const struct timespec delay = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    if (ms > 0) nanosleep(&delay, NULL);
    errno = saved;
  }
  note(begin_ns, name, fd, result, NULL, 0);
  return result;
}

int fdatasync(int fd) {
  REAL(fdatasync)
  return sync_call("fdatasync", real, fd);
}

int fsync(int fd) {
  REAL(fsync)
  return sync_call("fsync", real, fd);
}

/* The host has no open file left to give, for whoever makes one. */
static int is_one_too_many(int flags) {
  if (!(flags & O_CREAT) || !no_file_if || access(no_file_if, F_OK) != 0) return 0;
  errno = ENFILE;
  return 1;
}

static int open_at(int (*real)(int, const char *, int, ...), int directory, const char *name,
                   int flags, va_list rest) {
  const mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  return is_one_too_many(flags) ? -1 : real(directory, name, flags, mode);
}

int openat(int directory, const char *name, int flags, ...) {
  va_list rest;
  REAL(openat)
  va_start(rest, flags);
  const int result = open_at(real, directory, name, flags, rest);
  va_end(rest);
  return result;
}

int openat64(int directory, const char *name, int flags, ...) {
  va_list rest;
  REAL(openat64)
  va_start(rest, flags);
  const int result = open_at(real, directory, name, flags, rest);
  va_end(rest);
  return result;
}

int renameat(int from_fd, const char *from, int to_fd, const char *to) {
  const int64_t begin_ns = now_ns();
  int result;
  REAL(renameat)
  result = real(from_fd, from, to_fd, to);
  note(begin_ns, "renameat", to_fd, result, to, strlen(to));
  return result;
}

ssize_t write(int fd, const void *data, size_t size) {
  const int64_t begin_ns = now_ns();
  ssize_t result;
  REAL(write)
  result = real(fd, data, size);
  note(begin_ns, "write", fd, result, data, size);
  return result;
}

ssize_t send(int fd, const void *data, size_t size, int flags) {
  const int64_t begin_ns = now_ns();
  ssize_t result;
  REAL(send)
  result = real(fd, data, size, flags);
  note(begin_ns, "send", fd, result, data, size);
  return result;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  const int64_t begin_ns = now_ns();
  ssize_t result;
  REAL(writev)
  result = real(fd, parts, count);
  note(begin_ns, "writev", fd, result, count > 0 ? parts[0].iov_base : NULL,
       count > 0 ? parts[0].iov_len : 0);
  return result;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  const int64_t begin_ns = now_ns();
  ssize_t result;
  REAL(sendmsg)
  result = real(fd, message, flags);
  note(begin_ns, "sendmsg", fd, result, message->msg_iovlen ? message->msg_iov[0].iov_base : NULL,
       message->msg_iovlen ? message->msg_iov[0].iov_len : 0);
  return result;
}

/* Whether the disk has no room for this write. */
static int is_too_much(int fd, size_t size, int64_t offset) {
  struct stat status;
  if (!full_if || access(full_if, F_OK) != 0 || fstat(fd, &status) != 0) return 0;
  if (offset + (int64_t)size <= status.st_size) return 0;
  errno = ENOSPC;
  return 1;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
  const int64_t begin_ns = now_ns();
  ssize_t result;
  REAL(pwrite)
  result = is_too_much(fd, size, offset) ? -1 : real(fd, data, size, offset);
  if (result > 0) atomic_fetch_add(&unsynced_bytes, result);
  note(begin_ns, "pwrite", fd, result, NULL, 0);
  return result;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
  const int64_t begin_ns = now_ns();
  ssize_t result;
  REAL(pwrite64)
  result = is_too_much(fd, size, offset) ? -1 : real(fd, data, size, offset);
  if (result > 0) atomic_fetch_add(&unsynced_bytes, result);
  note(begin_ns, "pwrite64", fd, result, NULL, 0);
  return result;
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
  const int64_t begin_ns = now_ns();
  ssize_t result;
  REAL(pwritev)
  result = real(fd, parts, count, offset);
  note(begin_ns, "pwritev", fd, result, NULL, 0);
  return result;
}
