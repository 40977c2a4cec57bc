/* Kills a process before or after its nth step of a kind: a commit, an unlink, a message.
 *
 * LD_PRELOAD it with KILL_POINT naming a file of 512 bytes: a number, which is 0 while nobody is to be killed, and
 * from the 8th byte on a line,
 *
 *     PROGRAM STEP before|after N PATTERN
 *
 * The first process whose command line contains PROGRAM, and that comes to its Nth STEP (from 1, counted from when
 * the number became another) on a path that PATTERN fits, sets the number to 0 and kills itself. Steps are sync
 * (fsync, fdatasync), write, make (a file that was not there), unlink, send (a message of 64 bytes or more). The path
 * of a socket is "socket:[number]". The file is mapped at the start: a confined process can open none. Programs that
 * it starts with a clean environment are preloaded, too.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE 504
#define VARIABLES 256
#define LEAST 64

struct point {
    char program[64], step[16], when[16], pattern[256];
    unsigned long left;
};

static char command[4096];
static struct {
    uint64_t number;
    char line[LINE];
} *order;
static struct point point;
static uint64_t armed;
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) \
    real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void begin(void) {
    int (*real_open)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    int fd = real_open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, command, sizeof command - 1);
    if (fd >= 0)
        close(fd);
    for (ssize_t at = 0; at < size - 1; at++)
        if (!command[at])
            command[at] = ' ';
    const char *file = getenv("KILL_POINT");
    if (!file || (fd = real_open(file, O_RDWR | O_CLOEXEC)) < 0)
        return;
    void *mapped = mmap(NULL, sizeof *order, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    order = mapped == MAP_FAILED ? NULL : mapped;
    close(fd);
}

/* Read the order when it is new; say whether it is for this program. */
static int is_armed(void) {
    uint64_t number = order ? __atomic_load_n(&order->number, __ATOMIC_ACQUIRE) : 0;
    if (!number)
        return 0;
    if (number != armed) {
        armed = number;
        point.left = 0;
        (void)sscanf(order->line, "%63s %15s %15s %lu %255s", point.program, point.step, point.when, &point.left,
                     point.pattern);
    }
    return point.left > 0 && strstr(command, point.program) != NULL;
}

static void pass(const char *step, const char *when, int fd, const char *path) {
    int before = errno;
    char named[512];
    pthread_mutex_lock(&guard);
    if (is_armed() && strcmp(step, point.step) == 0 && strcmp(when, point.when) == 0) {
        if (!path) {
            char link[64];
            snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
            ssize_t size = readlink(link, named, sizeof named - 1);
            named[size > 0 ? size : 0] = 0;
            path = named;
        }
        uint64_t mine = armed;
        if (fnmatch(point.pattern, path, 0) == 0 && --point.left == 0 &&
            __atomic_compare_exchange_n(&order->number, &mine, 0, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            kill(getpid(), SIGKILL);
    }
    pthread_mutex_unlock(&guard);
    errno = before;
}

#define AROUND(step, fd, path, result, call) \
    pass(step, "before", fd, path); \
    result = (call); \
    pass(step, "after", fd, path)

#define OPEN(symbol) \
    int symbol(const char *path, int flags, ...) { \
        static int (*real)(const char *, int, ...); \
        if (!real) \
            real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #symbol); \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        if (!(flags & O_CREAT) || access(path, F_OK) == 0) \
            return real(path, flags, mode); \
        int fd; \
        AROUND("make", -1, path, fd, real(path, flags, mode)); \
        return fd; \
    }
OPEN(open)
OPEN(open64)

int unlink(const char *path) {
    REAL(unlink);
    int result;
    AROUND("unlink", -1, path, result, real(path));
    return result;
}

int fsync(int fd) {
    REAL(fsync);
    int result;
    AROUND("sync", fd, NULL, result, real(fd));
    return result;
}

int fdatasync(int fd) {
    REAL(fdatasync);
    int result;
    AROUND("sync", fd, NULL, result, real(fd));
    return result;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    REAL(pwrite64);
    ssize_t result;
    AROUND("write", fd, NULL, result, real(fd, data, size, at));
    return result;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    REAL(pwrite);
    ssize_t result;
    AROUND("write", fd, NULL, result, real(fd, data, size, at));
    return result;
}

ssize_t send(int fd, const void *data, size_t size, int flags) {
    REAL(send);
    if (size < LEAST)
        return real(fd, data, size, flags);
    ssize_t result;
    AROUND("send", fd, NULL, result, real(fd, data, size, flags));
    return result;
}

/* For the child of a vfork: the new environment stands on the stack. */
int execve(const char *path, char *const argv[], char *const envp[]) {
    static int (*real)(const char *, char *const[], char *const[]);
    if (!real)
        real = (int (*)(const char *, char *const[], char *const[]))dlsym(RTLD_NEXT, "execve");
    const char *shim = getenv("LD_PRELOAD"), *file = getenv("KILL_POINT");
    char *fuller[VARIABLES + 3];
    char preload[LINE], named[LINE];
    int count = 0, there = 0;
    for (; envp && envp[count] && count < VARIABLES; count++) {
        fuller[count] = envp[count];
        there |= strncmp(envp[count], "LD_PRELOAD=", 11) == 0;
    }
    if (there || !shim || !file || count == VARIABLES)
        return real(path, argv, envp);
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", shim);
    snprintf(named, sizeof named, "KILL_POINT=%s", file);
    fuller[count++] = preload;
    fuller[count++] = named;
    fuller[count] = NULL;
    return real(path, argv, fuller);
}
