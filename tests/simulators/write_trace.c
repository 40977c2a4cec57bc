/* Logs what a process does to the files under one folder, below SQLite: for replaying what a power cut leaves.
 *
 * LD_PRELOAD it with WRITE_TRACE_ROOT (the folder) and WRITE_TRACE_LOG (where the log goes). A record is
 *
 *     u8 op, u32 length of the path, u64 inode, u64 offset or size, u64 length of the data; path; data
 *
 * with op C (a file was made), W (bytes written), T (cut or grown to a size), S (synced), U (unlinked),
 * R (renamed: the data is the new path), D (a folder was made), M (a mark of the program: bytes written to the
 * file "marks", which is not otherwise part of the trace). Shared memory (-shm) is left out: SQLite makes it anew.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS 4096
#define PATHS 4096

static char *names[FDS];
static int log_fd = -1;
static const char *root;
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) \
    real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static ssize_t plain_write(int fd, const void *data, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real)
        real = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    return real(fd, data, size);
}

__attribute__((constructor)) static void begin(void) {
    root = getenv("WRITE_TRACE_ROOT");
    const char *path = getenv("WRITE_TRACE_LOG");
    if (root && path)
        log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void put(const void *data, size_t size) {
    const char *at = data;
    while (size) {
        ssize_t done = plain_write(log_fd, at, size);
        if (done < 0)
            abort();
        at += done;
        size -= (size_t)done;
    }
}

static void note(char op, const char *path, uint64_t inode, uint64_t where, const void *data, uint64_t size) {
    uint8_t kind = (uint8_t)op;
    uint32_t length = (uint32_t)strlen(path);
    pthread_mutex_lock(&guard);
    put(&kind, 1);
    put(&length, 4);
    put(&inode, 8);
    put(&where, 8);
    put(&size, 8);
    put(path, length);
    put(data, size);
    pthread_mutex_unlock(&guard);
}

static int ours(const char *path) {
    size_t length = root ? strlen(root) : 0;
    if (log_fd < 0 || !path)
        return 0;
    size_t whole = strlen(path); /* the root ends with a slash; the folder itself is ours, too */
    if (strncmp(path, root, whole + 1 == length ? whole : length) != 0)
        return 0;
    return !(whole > 4 && strcmp(path + whole - 4, "-shm") == 0);
}

static const char *name_of(int fd) { return fd >= 0 && fd < FDS ? names[fd] : NULL; }

static uint64_t inode_of(int fd) {
    struct stat found;
    return fstat(fd, &found) == 0 ? found.st_ino : 0;
}

static int opened(int fd, const char *path, int existed, int flags) {
    if (fd < 0 || fd >= FDS || !ours(path))
        return fd;
    free(names[fd]);
    names[fd] = strdup(path);
    if (!existed)
        note('C', path, inode_of(fd), 0, "", 0);
    else if (flags & O_TRUNC)
        note('T', path, inode_of(fd), 0, "", 0);
    return fd;
}

static int exists(const char *path) {
    struct stat found;
    int before = errno;
    int there = !ours(path) || stat(path, &found) == 0;
    errno = before;
    return there;
}

#define OPEN(symbol) \
    int symbol(const char *path, int flags, ...) { \
        static int (*real)(const char *, int, ...); \
        if (!real) \
            real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #symbol); \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        int existed = exists(path); \
        return opened(real(path, flags, mode), path, existed, flags); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(symbol) \
    int symbol(int folder, const char *path, int flags, ...) { \
        static int (*real)(int, const char *, int, ...); \
        if (!real) \
            real = (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, #symbol); \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        int existed = exists(path); \
        return opened(real(folder, path, flags, mode), path, existed, flags); \
    }
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
    REAL(close);
    if (fd >= 0 && fd < FDS && names[fd]) {
        free(names[fd]);
        names[fd] = NULL;
    }
    return real(fd);
}

static void wrote(int fd, const void *data, ssize_t size, uint64_t at) {
    const char *path = name_of(fd);
    if (!path || size <= 0)
        return;
    size_t length = strlen(path);
    int mark = length > 6 && strcmp(path + length - 6, "/marks") == 0;
    note(mark ? 'M' : 'W', path, inode_of(fd), at, data, (uint64_t)size);
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    uint64_t at = name_of(fd) ? (uint64_t)lseek(fd, 0, SEEK_CUR) : 0;
    ssize_t done = real(fd, data, size);
    wrote(fd, data, done, at);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    REAL(pwrite);
    ssize_t done = real(fd, data, size, at);
    wrote(fd, data, done, (uint64_t)at);
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(pwrite64);
    ssize_t done = real(fd, data, size, at);
    wrote(fd, data, done, (uint64_t)at);
    return done;
}

static int sized(int fd, int result, uint64_t size) {
    if (result == 0 && name_of(fd))
        note('T', name_of(fd), inode_of(fd), size, "", 0);
    return result;
}

int ftruncate(int fd, off_t size) {
    REAL(ftruncate);
    return sized(fd, real(fd, size), (uint64_t)size);
}

int ftruncate64(int fd, off64_t size) {
    REAL(ftruncate64);
    return sized(fd, real(fd, size), (uint64_t)size);
}

static int synced(int fd, int result) {
    if (result == 0 && name_of(fd))
        note('S', name_of(fd), inode_of(fd), 0, "", 0);
    return result;
}

int fsync(int fd) {
    REAL(fsync);
    return synced(fd, real(fd));
}

int fdatasync(int fd) {
    REAL(fdatasync);
    return synced(fd, real(fd));
}

int unlink(const char *path) {
    REAL(unlink);
    int result = real(path);
    if (result == 0 && ours(path))
        note('U', path, 0, 0, "", 0);
    return result;
}

int rename(const char *before, const char *after) {
    REAL(rename);
    int result = real(before, after);
    if (result == 0 && ours(before))
        note('R', before, 0, 0, after, strlen(after));
    return result;
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    int result = real(path, mode);
    if (result == 0 && ours(path))
        note('D', path, 0, 0, "", 0);
    return result;
}
