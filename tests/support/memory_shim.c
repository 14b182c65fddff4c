/* SPDX-License-Identifier: AGPL-3.0-or-later
 * A machine that runs out of memory at a moment of the test's choice.
 *
 * Preloaded into zattd by tests/cluster. ZATT_SHIM_MEMORY=N: the Nth time that the program asks for
 * memory, or for a thread, and from then on, there is none. ZATT_SHIM_COUNT=FILE: how often it
 * asked in all is written there at its end.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static atomic_long asked;
static long last = -1; /* that is given; below 0: all are */

__attribute__((constructor)) static void begin(void) {
  const char *text = getenv("ZATT_SHIM_MEMORY");
  if (text) last = strtol(text, NULL, 10);
}

__attribute__((destructor)) static void end(void) {
  const char *path = getenv("ZATT_SHIM_COUNT");
  char text[32];
  const int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
  if (fd < 0) return;
  if (write(fd, text, (size_t)snprintf(text, sizeof text, "%ld\n", atomic_load(&asked))) < 0)
    return;
  close(fd);
}

static int is_refused(void) {
  const long n = atomic_fetch_add(&asked, 1);
  if (last < 0 || n < last) return 0;
  errno = ENOMEM;
  return 1;
}

void *malloc(size_t size) { return is_refused() ? NULL : __libc_malloc(size); }

void *calloc(size_t count, size_t size) { return is_refused() ? NULL : __libc_calloc(count, size); }

void *realloc(void *old, size_t size) { return is_refused() ? NULL : __libc_realloc(old, size); }

void *memalign(size_t alignment, size_t size) {
  return is_refused() ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **out, size_t alignment, size_t size) {
  void *memory = memalign(alignment, size);
  if (!memory) return ENOMEM;
  *out = memory;
  return 0;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *argument) {
  static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  if (!real) {
    void *symbol = dlsym(RTLD_NEXT, "pthread_create");
    memcpy(&real, &symbol, sizeof real);
  }
  return is_refused() ? EAGAIN : real(thread, attributes, start, argument);
}
