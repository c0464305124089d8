/* Owns what a program does to the world, seen from inside: preloaded into `fanout`, it counts each outside effect (a write to the
 * record or to standard output, a sync, a rename, a request on a socket) and can kill the program with SIGKILL at any of them; or it
 * keeps a copy of all that the program prints, writes to its state and sends.
 *
 * Effects that a library does by system calls of its own, past the C library, are not seen; those beside them are.
 *
 *   EFFECTS_FILES=TEXT    writes, syncs and renames count where the path holds TEXT, or one of several with colons between
 *   EFFECTS_KILL_AT=N     dies at the Nth effect
 *   EFFECTS_KILL_HOW=W    `before` it, or after `half` of what it writes
 *   EFFECTS_COUNT=FILE    how many there were, when the program ends by itself
 *   EFFECTS_KEEP=FOLDER   copies go there, one file a stream: PROGRAM-KIND-PID-SERIAL. Of what a client sends to a socket; a large blob
 *                         has holes where its bytes were
 *   EFFECTS_PROGRAMS=TEXT only programs whose path holds TEXT are looked at
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS_MAX 4096
/* What is kept of one write, and of one that only goes on with a blob. */
#define KEEP_MAX (4 << 20)
#define KEEP_BLOB_MAX 1024
/* Where in a request its head is looked for. */
#define HEAD_MAX 2048

enum kind { NOTHING, OUT, ERR, FILE_OF_STATE, SOCKET };
static const char *const names[] = {"nothing", "stdout", "stderr", "file", "socket"};

/* What a socket carries: nothing known yet, requests, a request with a blob, answers. */
enum talk { SILENT, REQUEST, BLOB, ANSWER };

static const char *files, *keep, *count_to;
static long kill_at;
static int kill_half;
static atomic_long effects;
static atomic_int serial;
/* The stream that a descriptor is, since it was last opened: 0 for not looked at. */
static atomic_int stream[FDS_MAX];
static atomic_int talk[FDS_MAX];

static void die(void) {
  syscall(SYS_kill, getpid(), SIGKILL);
  for (;;) pause();
}

/* Whether `path` holds one of the texts of EFFECTS_FILES, between which stand colons. */
static int is_of_state(const char *path) {
  for (const char *text = files, *end; text && *text; text = *end ? end + 1 : end) {
    end = strchrnul(text, ':');
    if (end > text && memmem(path, strlen(path), text, (size_t)(end - text))) return 1;
  }
  return 0;
}

static enum kind kind_of(int fd) {
  struct stat about;
  char link[64], path[4096];
  ssize_t length;
  if (fd == 1) return OUT;
  if (fd == 2) return ERR;
  if (fd < 0 || fd >= FDS_MAX || syscall(SYS_fstat, fd, &about) != 0) return NOTHING;
  if (S_ISSOCK(about.st_mode)) {
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &size) != 0) return NOTHING;
    return address.ss_family == AF_INET || address.ss_family == AF_INET6 ? SOCKET : NOTHING;
  }
  if (!files || !(S_ISREG(about.st_mode) || S_ISDIR(about.st_mode))) return NOTHING;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  length = readlink(link, path, sizeof path - 1);
  if (length < 0) return NOTHING;
  path[length] = 0;
  return is_of_state(path) ? FILE_OF_STATE : NOTHING;
}

/* Counts an effect; whether the program dies at it after half of what it writes. */
static int effect(void) {
  long number;
  if (!kill_at && !count_to) return 0;
  number = atomic_fetch_add(&effects, 1) + 1;
  if (number != kill_at) return 0;
  if (!kill_half) die();
  return 1;
}

static int begins(const struct iovec *part, const char *with) {
  size_t length = strlen(with);
  return part->iov_len >= length && memcmp(part->iov_base, with, length) == 0;
}

/* How much of this write to a socket is kept. */
static ssize_t kept_of(int fd, const struct iovec *part) {
  static const char *const methods[] = {"GET /", "PUT /", "POST /", "HEAD /", "PATCH /", "DELETE /"};
  size_t head = part->iov_len < HEAD_MAX ? part->iov_len : HEAD_MAX;
  if (begins(part, "HTTP/1.")) {
    atomic_store(&talk[fd], ANSWER);
    return 0;
  }
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
    if (!begins(part, methods[i])) continue;
    int blob = memmem(part->iov_base, head, "x-ms-blob-type", 14) || memmem(part->iov_base, head, "comp=block", 10);
    atomic_store(&talk[fd], blob ? BLOB : REQUEST);
    return blob ? KEEP_BLOB_MAX * 16 : KEEP_MAX;
  }
  switch (atomic_load(&talk[fd])) {
    case ANSWER: return 0;
    case BLOB: return KEEP_BLOB_MAX;
    default: return KEEP_MAX;
  }
}

static void copy(int fd, enum kind kind, const struct iovec *parts, int parts_count, ssize_t written) {
  char path[4096];
  int number, file, saved = errno;
  ssize_t left = written, shown = 0, most = KEEP_MAX;
  if (!keep || written <= 0 || fd >= FDS_MAX) return;
  if (kind == SOCKET && (most = kept_of(fd, parts)) == 0) return;
  number = atomic_load(&stream[fd]);
  if (number == 0) atomic_store(&stream[fd], number = atomic_fetch_add(&serial, 1) + 1);
  snprintf(path, sizeof path, "%s/%s-%s-%d-%d", keep, program_invocation_short_name, names[kind], getpid(), number);
  file = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (file >= 0) {
    struct stat about;
    for (int i = 0; i < parts_count && left > 0; i++) {
      ssize_t part = (ssize_t)parts[i].iov_len < left ? (ssize_t)parts[i].iov_len : left;
      ssize_t take = shown + part > most ? most - shown : part;
      if (take > 0) syscall(SYS_write, file, parts[i].iov_base, take);
      shown += take > 0 ? take : 0;
      left -= part;
    }
    if (shown < written && syscall(SYS_fstat, file, &about) == 0) syscall(SYS_ftruncate, file, about.st_size + written - shown);
    syscall(SYS_close, file);
  }
  errno = saved;
}

static void *real(const char *name) {
  void *found = dlsym(RTLD_NEXT, name);
  if (!found) abort();
  return found;
}

#define REAL(name) \
  static __typeof__(name) *call; \
  if (!call) call = (__typeof__(name) *)real(#name)

ssize_t write(int fd, const void *bytes, size_t length) {
  REAL(write);
  enum kind kind = kind_of(fd);
  struct iovec part = {(void *)bytes, length};
  ssize_t written;
  if (kind != NOTHING && kind != ERR && effect()) {
    call(fd, bytes, length / 2);
    die();
  }
  written = call(fd, bytes, length);
  if (kind != NOTHING) copy(fd, kind, &part, 1, written);
  return written;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  enum kind kind = kind_of(fd);
  ssize_t written;
  if (kind != NOTHING && kind != ERR && effect()) {
    syscall(SYS_write, fd, parts[0].iov_base, parts[0].iov_len);
    die();
  }
  written = call(fd, parts, count);
  if (kind != NOTHING) copy(fd, kind, parts, count, written);
  return written;
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
  REAL(send);
  enum kind kind = kind_of(fd);
  struct iovec part = {(void *)bytes, length};
  ssize_t written;
  if (kind == SOCKET && effect()) {
    call(fd, bytes, length / 2, flags);
    die();
  }
  written = call(fd, bytes, length, flags);
  if (kind == SOCKET) copy(fd, kind, &part, 1, written);
  return written;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  REAL(sendmsg);
  enum kind kind = kind_of(fd);
  ssize_t written;
  if (kind == SOCKET && effect()) die();
  written = call(fd, message, flags);
  if (kind == SOCKET) copy(fd, kind, message->msg_iov, (int)message->msg_iovlen, written);
  return written;
}

int fsync(int fd) {
  REAL(fsync);
  if (kind_of(fd) == FILE_OF_STATE && effect()) die();
  return call(fd);
}

int fdatasync(int fd) {
  REAL(fdatasync);
  if (kind_of(fd) == FILE_OF_STATE && effect()) die();
  return call(fd);
}

int rename(const char *from, const char *to) {
  REAL(rename);
  if (is_of_state(to) && effect()) die();
  return call(from, to);
}

/* A descriptor that is closed is another stream when it is opened again. */
int close(int fd) {
  REAL(close);
  if (fd >= 0 && fd < FDS_MAX) {
    atomic_store(&stream[fd], 0);
    atomic_store(&talk[fd], SILENT);
  }
  return call(fd);
}

__attribute__((constructor)) static void begin(void) {
  const char *at = getenv("EFFECTS_KILL_AT"), *how = getenv("EFFECTS_KILL_HOW"), *programs = getenv("EFFECTS_PROGRAMS");
  char path[4096] = "";
  if (readlink("/proc/self/exe", path, sizeof path - 1) < 0 || (programs && !strstr(path, programs))) return;
  files = getenv("EFFECTS_FILES");
  keep = getenv("EFFECTS_KEEP");
  count_to = getenv("EFFECTS_COUNT");
  kill_at = at ? atol(at) : 0;
  kill_half = how && strcmp(how, "half") == 0;
}

__attribute__((destructor)) static void end(void) {
  char text[32];
  int file, length;
  if (!count_to) return;
  file = (int)syscall(SYS_openat, AT_FDCWD, count_to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return;
  length = snprintf(text, sizeof text, "%ld\n", atomic_load(&effects));
  syscall(SYS_write, file, text, length);
  syscall(SYS_close, file);
}
