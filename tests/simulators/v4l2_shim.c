// A V4L2 driver for tests, inside the process that asks: loaded with LD_PRELOAD, it plays cameras to a program
// that was not changed, down to OpenCV's own V4L2 code. No kernel module, no root.
//
// V4L2_SHIM_ROOT names a folder that stands in for /dev/video*, /dev/v4l and /sys/class/video4linux; where it cannot
// be set, V4L2_SHIM_ELSE of the compiler's command line does ("" is the machine's own /dev). A file
// <root>/dev/videoN is a device; its lines say what it is and how it fails (camera.py writes them). Taking the
// file away unplugs it. An open device is a timer that ticks with the frame rate, so that poll and select are
// the kernel's own; its buffers are a memfd. What the driver was asked is noted in <root>/log.

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#ifndef V4L2_SHIM_ELSE
#define V4L2_SHIM_ELSE "/nonexistent"
#endif
#define MAX_OPEN 16
#define MAX_MODES 64
#define MAX_BUFFERS 16
#define MAX_CONTROLS 32
#define REAL(name) ((__typeof__(name) *)real(#name))

struct mode {
    uint32_t code, width, height, wider, higher;  // a range of sizes where wider is not 0
    int rates[4], count;
};

struct control {
    struct v4l2_queryctrl about;
    int value, held_by;  // held_by: refused while that control is not 0
    char menu[128];      // entries by value, between bars; an empty one is not there
};

struct device {
    int fd, memory, number, streaming, buffers, queued[MAX_BUFFERS], waiting;
    long taken;
    uint32_t code, width, height, size, fps, fastest, caps;
    uint32_t force_width, force_height;
    int open_error, busy, age_ms, stop_after, unplug_after, bad_every, cut, stream_error;
    char name[32], driver[16], jpeg[PATH_MAX], path[PATH_MAX];
    struct mode modes[MAX_MODES];
    int mode_count;
    struct control controls[MAX_CONTROLS];
    int control_count;
};

static struct device open_devices[MAX_OPEN];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *real(const char *name) {
    return dlsym(RTLD_NEXT, name);
}

static const char *root(void) {
    const char *set = getenv("V4L2_SHIM_ROOT");
    return set ? set : V4L2_SHIM_ELSE;
}

static void note(const char *format, ...) {
    char path[PATH_MAX], line[256];
    snprintf(path, sizeof path, "%s/log", root());
    va_list values;
    va_start(values, format);
    int length = vsnprintf(line, sizeof line, format, values);
    va_end(values);
    int fd = REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd >= 0) {
        if (write(fd, line, length) < 0) perror("v4l2_shim");
        REAL(close)(fd);
    }
}

// Where a path of ours really is; any other path as it is.
static const char *moved(const char *path, char *room) {
    if (!path || (strncmp(path, "/dev/video", 10) && strncmp(path, "/dev/v4l", 8) && strcmp(path, "/dev") &&
                  strncmp(path, "/sys/class/video4linux", 22)))
        return path;
    snprintf(room, PATH_MAX, "%s%s", root(), path);
    return room;
}

static struct device *device_of(int fd) {
    for (int n = 0; n < MAX_OPEN; n++)
        if (fd > 0 && open_devices[n].fd == fd) return &open_devices[n];
    return NULL;
}

static uint32_t code_of(const char *text) {
    return v4l2_fourcc(text[0], text[1], text[2], text[3]);
}

// "YUYV 640x480@30/15" or "MJPG 64x48-1920x1080@30".
static void add_mode(struct device *device, const char *text) {
    struct mode mode = {0};
    char code[5] = "    ";
    int used = 0;
    if (device->mode_count == MAX_MODES || sscanf(text, "%4c %ux%u%n", code, &mode.width, &mode.height, &used) < 3)
        return;
    mode.code = code_of(code);
    text += used;
    if (sscanf(text, "-%ux%u%n", &mode.wider, &mode.higher, &used) == 2) text += used;
    while ((*text == '@' || *text == '/') && mode.count < 4) mode.rates[mode.count++] = strtol(text + 1, (char **)&text, 10);
    device->modes[device->mode_count++] = mode;
}

// "9963776 1 0 255 1 128 0 0 Brightness|": id, type, least, greatest, step, default, flags, held by, title, menu.
static void add_control(struct device *device, const char *text) {
    struct control *control = &device->controls[device->control_count];
    struct v4l2_queryctrl *about = &control->about;
    int used = 0;
    if (device->control_count == MAX_CONTROLS ||
        sscanf(text, "%u %u %d %d %d %d %u %d %n", &about->id, &about->type, &about->minimum, &about->maximum,
               &about->step, &about->default_value, &about->flags, &control->held_by, &used) < 8)
        return;
    const char *bar = strchr(text + used, '|');
    if (!bar) return;
    snprintf((char *)about->name, sizeof about->name, "%.*s", (int)(bar - text - used), text + used);
    snprintf(control->menu, sizeof control->menu, "%s", bar + 1);
    control->value = about->default_value;
    device->control_count++;
}

// Gives 0, or why the node cannot be opened.
static int read_node(struct device *device) {
    char line[PATH_MAX + 32], *value;
    FILE *file = fopen(device->path, "re");
    int error = file ? 0 : errno;
    device->caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        if (!(value = strchr(line, '='))) continue;
        *value++ = 0;
        int number = atoi(value);
        if (!strcmp(line, "name")) snprintf(device->name, sizeof device->name, "%s", value);
        if (!strcmp(line, "driver")) snprintf(device->driver, sizeof device->driver, "%s", value);
        if (!strcmp(line, "jpeg")) snprintf(device->jpeg, sizeof device->jpeg, "%s", value);
        if (!strcmp(line, "mode")) add_mode(device, value);
        if (!strcmp(line, "control")) add_control(device, value);
        if (!strcmp(line, "caps")) device->caps = strtoul(value, NULL, 16);
        if (!strcmp(line, "open_error")) device->open_error = number;
        if (!strcmp(line, "stream_error")) device->stream_error = number;
        if (!strcmp(line, "busy")) device->busy = number;
        if (!strcmp(line, "stop_after")) device->stop_after = number;
        if (!strcmp(line, "unplug_after")) device->unplug_after = number;
        if (!strcmp(line, "bad_every")) device->bad_every = number;
        if (!strcmp(line, "age_ms")) device->age_ms = number;
        if (!strcmp(line, "cut")) device->cut = number;
        if (!strcmp(line, "force_size")) sscanf(value, "%ux%u", &device->force_width, &device->force_height);
    }
    if (file) fclose(file);
    return error ? error : device->open_error;
}

static void choose(struct device *device, uint32_t code, uint32_t width, uint32_t height) {
    struct mode *best = NULL;
    for (int n = 0; n < device->mode_count; n++) {
        struct mode *mode = &device->modes[n];
        if (mode->code != code && best) continue;
        int fits = mode->wider ? width >= mode->width && width <= mode->wider && height >= mode->height && height <= mode->higher
                               : width == mode->width && height == mode->height;
        if (!best || (mode->code == code && (best->code != code || fits))) best = mode;
        if (mode->code == code && fits) break;
    }
    if (!best) return;
    int inside = best->wider && width >= best->width && width <= best->wider;
    device->code = best->code;
    device->width = device->force_width ? device->force_width : inside ? width : best->width;
    device->height = device->force_height ? device->force_height : inside ? height : best->height;
    device->fps = device->fastest = best->count ? best->rates[0] : 30;
    device->size = device->width * device->height * 2;
}

static int open_device(const char *path, int number) {
    pthread_mutex_lock(&lock);
    struct device *device = NULL;
    for (int n = 0; n < MAX_OPEN && !device; n++)
        if (!open_devices[n].fd) device = &open_devices[n];
    if (!device) abort();
    memset(device, 0, sizeof *device);
    snprintf(device->path, sizeof device->path, "%s", path);
    int error = read_node(device);
    if (!error) {
        device->number = number;
        device->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        device->memory = -1;
        choose(device, 0, 0, 0);
        note("open video%d\n", number);
    }
    int fd = device->fd;
    pthread_mutex_unlock(&lock);
    errno = error;
    return error ? -1 : fd;
}

static int any_open(const char *name, const char *path, int flags, mode_t mode) {
    char room[PATH_MAX];
    int number, used = 0;
    if (path && flags & O_PATH)  // it is only named, as rules on files do
        return ((int (*)(const char *, int, ...))real(name))(moved(path, room), flags, mode);
    if (path && sscanf(path, "/dev/video%d%n", &number, &used) == 1 && !path[used])
        return open_device(moved(path, room), number);
    const char *there = moved(path, room);
    if (there != path && !strncmp(path, "/dev/v4l/", 9) && realpath(there, room)) {
        const char *node = strstr(room, "/dev/video");
        if (node && sscanf(node, "/dev/video%d", &number) == 1) {
            char copy[PATH_MAX];
            snprintf(copy, sizeof copy, "%s", room);
            return open_device(copy, number);
        }
    }
    return ((int (*)(const char *, int, ...))real(name))(there, flags, mode);
}

#define OPEN(name)                                   \
    int name(const char *path, int flags, ...) {     \
        va_list values;                              \
        va_start(values, flags);                     \
        mode_t mode = va_arg(values, int);           \
        va_end(values);                              \
        return any_open(#name, path, flags, mode);   \
    }
OPEN(open)
OPEN(open64)

int close(int fd) {
    pthread_mutex_lock(&lock);
    struct device *device = device_of(fd);
    if (device) {
        if (device->memory >= 0) REAL(close)(device->memory);
        note("close video%d\n", device->number);
        device->fd = 0;
    }
    pthread_mutex_unlock(&lock);
    return REAL(close)(fd);
}

static int seen_as(int result, const char *path, struct stat *status) {
    int number, used = 0;
    const char *node = path ? strstr(path, "/dev/video") : NULL;
    if (!result && node && sscanf(node, "/dev/video%d%n", &number, &used) == 1 && !node[used]) {
        status->st_mode = S_IFCHR | 0660;
        status->st_rdev = makedev(81, number);
    }
    return result;
}

// The path that a link leads to tells whether it is a device.
#define STAT(name, type, follow)                                                  \
    int name(const char *path, struct type *status) {                             \
        char room[PATH_MAX], end[PATH_MAX];                                       \
        const char *there = moved(path, room);                                    \
        int result = REAL(name)(there, status);                                   \
        if (there == path) return result;                                         \
        const char *target = follow && realpath(there, end) ? end : there;        \
        if (S_ISLNK(status->st_mode)) return result;                              \
        return seen_as(result, target, (struct stat *)status);                    \
    }
STAT(stat, stat, 1)
STAT(stat64, stat64, 1)
STAT(lstat, stat, 0)
STAT(lstat64, stat64, 0)

#define FSTAT(name, type)                                                          \
    int name(int fd, struct type *status) {                                        \
        int result = REAL(name)(fd, status);                                       \
        struct device *device = device_of(fd);                                     \
        return device ? seen_as(result, device->path, (struct stat *)status) : result; \
    }
FSTAT(fstat, stat)
FSTAT(fstat64, stat64)

ssize_t readlink(const char *path, char *buffer, size_t size) {
    char room[PATH_MAX];
    ssize_t length = REAL(readlink)(moved(path, room), buffer, size);
    size_t skip = strlen(root());
    if (length > (ssize_t)skip && !strncmp(buffer, root(), skip)) {  // what another program has open
        memmove(buffer, buffer + skip, length - skip);
        length -= skip;
    }
    return length;
}

DIR *opendir(const char *path) {
    char room[PATH_MAX];
    return REAL(opendir)(moved(path, room));
}

static void *map(const char *name, void *at, size_t length, int protection, int flags, int fd, off_t offset) {
    struct device *device = device_of(fd);
    void *(*call)(void *, size_t, int, int, int, off_t) = real(name);
    return call(at, length, protection, flags, device ? device->memory : fd, offset);
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
    return map("mmap", at, length, protection, flags, fd, offset);
}

void *mmap64(void *at, size_t length, int protection, int flags, int fd, off64_t offset) {
    return map("mmap64", at, length, protection, flags, fd, offset);
}

static int gone(struct device *device) {
    return REAL(access)(device->path, F_OK) != 0;
}

int poll(struct pollfd *fds, nfds_t count, int timeout) {
    int failed = 0;
    for (nfds_t n = 0; n < count; n++) {
        struct device *device = device_of(fds[n].fd);
        fds[n].revents = 0;
        if (device && (!device->streaming || gone(device))) fds[n].revents = POLLERR, failed++;
    }
    return failed ? failed : REAL(poll)(fds, count, timeout);
}

static void tick(struct device *device, int on) {
    struct timespec period = {device->fps > 1 ? 0 : 1, device->fps > 1 ? 1000000000L / device->fps : 0};
    struct itimerspec timer = {{0, 0}, {0, 0}};
    if (on) timer.it_interval = timer.it_value = period;
    timerfd_settime(device->fd, 0, &timer, NULL);
}

// Grey, with the frame's number in 16 bits along the top: white is 1, the highest bit stands left.
static uint32_t draw(struct device *device, unsigned char *to) {
    if (device->code == code_of("MJPG")) {
        FILE *file = fopen(device->jpeg, "re");
        size_t length = file ? fread(to, 1, device->size, file) : 0;
        if (file) fclose(file);
        if (device->bad_every && device->taken % device->bad_every == 0) {
            if (device->cut) return length / 2;
            memset(to, 0xAB, length);
        }
        return length;
    }
    memset(to, 128, device->size);
    for (uint32_t y = 0; y < 16 && y < device->height; y++)
        for (uint32_t x = 0; x < device->width; x++)
            to[2 * (y * device->width + x)] = device->taken >> (15 - x * 16 / device->width) & 1 ? 235 : 16;
    return device->size;
}

static int dequeue(struct device *device, struct v4l2_buffer *buffer) {
    uint64_t ticks;
    if (!device->streaming) return EINVAL;
    if (!device->waiting || read(device->fd, &ticks, sizeof ticks) != sizeof ticks) return EAGAIN;
    device->taken += ticks;
    if (device->unplug_after && device->taken > device->unplug_after) {
        unlink(device->path);
        note("unplugged video%d\n", device->number);
        return ENODEV;
    }
    int index = device->queued[0];
    memmove(device->queued, device->queued + 1, --device->waiting * sizeof(int));
    unsigned char *memory = REAL(mmap)(NULL, device->size, PROT_WRITE, MAP_SHARED, device->memory, index * (off_t)device->size);
    buffer->bytesused = draw(device, memory);
    munmap(memory, device->size);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    buffer->index = index;
    buffer->length = device->size;
    buffer->sequence = device->taken;
    long stamp_us = now.tv_sec * 1000000L + now.tv_nsec / 1000 - device->age_ms * 1000L;
    buffer->timestamp.tv_sec = stamp_us / 1000000;
    buffer->timestamp.tv_usec = stamp_us % 1000000;
    if (device->stop_after && device->taken >= device->stop_after) tick(device, 0);
    return 0;
}

static int request(struct device *device, struct v4l2_requestbuffers *wanted) {
    if (device->busy) return EBUSY;
    if (device->memory >= 0) REAL(close)(device->memory);
    device->memory = -1;
    device->buffers = wanted->count = wanted->count > MAX_BUFFERS ? MAX_BUFFERS : wanted->count;
    device->waiting = 0;
    if (wanted->count) {
        device->memory = memfd_create("v4l2_shim", MFD_CLOEXEC);
        device->size = (device->size + 4095) & ~4095u;
        if (ftruncate(device->memory, (off_t)device->size * wanted->count)) return ENOMEM;
    }
    note("buffers %u\n", wanted->count);
    return 0;
}

static int set_format(struct device *device, struct v4l2_format *format, int what) {
    struct v4l2_pix_format *pix = &format->fmt.pix;
    if (what && device->busy) return EBUSY;
    if (what) choose(device, pix->pixelformat, pix->width, pix->height);
    if (what) note("format %.4s %ux%u\n", (char *)&device->code, device->width, device->height);
    memset(pix, 0, sizeof *pix);
    pix->width = device->width;
    pix->height = device->height;
    pix->pixelformat = device->code;
    pix->bytesperline = device->width * 2;
    pix->sizeimage = device->size;
    return 0;
}

static int rate(struct device *device, struct v4l2_streamparm *parameters, int set) {
    struct v4l2_fract *every = &parameters->parm.capture.timeperframe;
    if (set && every->denominator && every->numerator) {
        uint32_t asked = every->denominator / every->numerator;
        device->fps = asked < device->fastest && asked ? asked : device->fastest;
        note("rate %u\n", device->fps);
    }
    every->numerator = 1;
    every->denominator = device->fps;
    return 0;
}

static int list_formats(struct device *device, struct v4l2_fmtdesc *entry) {
    uint32_t last = 0, index = 0;
    for (int n = 0; n < device->mode_count; last = device->modes[n++].code)
        if (device->modes[n].code != last && index++ == entry->index) {
            entry->pixelformat = device->modes[n].code;
            return 0;
        }
    return EINVAL;
}

static int list_sizes(struct device *device, struct v4l2_frmsizeenum *entry) {
    uint32_t index = 0;
    for (int n = 0; n < device->mode_count; n++) {
        struct mode *mode = &device->modes[n];
        if (mode->code != entry->pixel_format || index++ != entry->index) continue;
        entry->type = mode->wider ? V4L2_FRMSIZE_TYPE_STEPWISE : V4L2_FRMSIZE_TYPE_DISCRETE;
        if (mode->wider)
            entry->stepwise = (struct v4l2_frmsize_stepwise){mode->width, mode->wider, 2, mode->height, mode->higher, 2};
        else
            entry->discrete = (struct v4l2_frmsize_discrete){mode->width, mode->height};
        return 0;
    }
    return EINVAL;
}

static int list_rates(struct device *device, struct v4l2_frmivalenum *entry) {
    for (int n = 0; n < device->mode_count; n++) {
        struct mode *mode = &device->modes[n];
        int same = entry->width == (mode->wider ? mode->wider : mode->width);
        if (mode->code != entry->pixel_format || !same || entry->index >= (uint32_t)mode->count) continue;
        entry->type = V4L2_FRMIVAL_TYPE_DISCRETE;
        entry->discrete = (struct v4l2_fract){1, mode->rates[entry->index]};
        return 0;
    }
    return EINVAL;
}

static struct control *control_of(struct device *device, uint32_t id) {
    for (int n = 0; n < device->control_count; n++)
        if (device->controls[n].about.id == id) return &device->controls[n];
    return NULL;
}

static int query_control(struct device *device, struct v4l2_queryctrl *asked) {
    struct control *best = NULL;
    uint32_t id = asked->id & ~V4L2_CTRL_FLAG_NEXT_CTRL;
    if (id == asked->id) best = control_of(device, id);
    for (int n = 0; n < device->control_count && id != asked->id; n++) {
        struct control *one = &device->controls[n];
        if (one->about.id > id && (!best || one->about.id < best->about.id)) best = one;
    }
    if (best) *asked = best->about;
    return best ? 0 : EINVAL;
}

static int query_menu(struct device *device, struct v4l2_querymenu *asked) {
    struct control *control = control_of(device, asked->id);
    const char *at = control ? control->menu : "";
    for (uint32_t n = 0; n < asked->index && at; n++) at = (at = strchr(at, '|')) ? at + 1 : NULL;
    int length = at ? strcspn(at, "|") : 0;
    snprintf((char *)asked->name, sizeof asked->name, "%.*s", length, at ? at : "");
    return length ? 0 : EINVAL;
}

static int set_control(struct device *device, struct v4l2_control *wanted) {
    struct control *control = control_of(device, wanted->id);
    if (!control) return EINVAL;
    struct control *holder = control_of(device, control->held_by);
    if (holder && holder->value) return EACCES;
    control->value = wanted->value;
    note("control %s %d\n", control->about.name, control->value);
    return 0;
}

static int answer(struct device *device, unsigned long number, void *argument) {
    struct v4l2_capability *card = argument;
    struct v4l2_buffer *buffer = argument;
    switch (number) {
    case VIDIOC_QUERYCAP:
        memset(card, 0, sizeof *card);
        memcpy(card->card, device->name, sizeof card->card);
        memcpy(card->driver, device->driver, sizeof card->driver);
        snprintf((char *)card->bus_info, sizeof card->bus_info, "usb-simulated-%d", device->number);
        card->device_caps = device->caps;
        card->capabilities = device->caps | V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_DEVICE_CAPS;
        return device->name[0] ? 0 : ENOTTY;
    case VIDIOC_ENUM_FMT: return list_formats(device, argument);
    case VIDIOC_ENUM_FRAMESIZES: return list_sizes(device, argument);
    case VIDIOC_ENUM_FRAMEINTERVALS: return list_rates(device, argument);
    case VIDIOC_G_FMT: return set_format(device, argument, 0);
    case VIDIOC_TRY_FMT: return set_format(device, argument, 0);
    case VIDIOC_S_FMT: return set_format(device, argument, 1);
    case VIDIOC_G_PARM: return rate(device, argument, 0);
    case VIDIOC_S_PARM: return rate(device, argument, 1);
    case VIDIOC_QUERYCTRL: return query_control(device, argument);
    case VIDIOC_QUERYMENU: return query_menu(device, argument);
    case VIDIOC_S_CTRL: return set_control(device, argument);
    case VIDIOC_REQBUFS: return request(device, argument);
    case VIDIOC_QUERYBUF:
        buffer->length = device->size;
        buffer->m.offset = buffer->index * device->size;
        return (int)buffer->index < device->buffers ? 0 : EINVAL;
    case VIDIOC_QBUF:
        if (device->waiting == MAX_BUFFERS || (int)buffer->index >= device->buffers) return EINVAL;
        device->queued[device->waiting++] = buffer->index;
        return 0;
    case VIDIOC_DQBUF: return dequeue(device, argument);
    case VIDIOC_STREAMON:
        if (device->stream_error) return device->stream_error;
        device->streaming = 1;
        tick(device, 1);
        note("start\n");
        return 0;
    case VIDIOC_STREAMOFF:
        device->streaming = device->waiting = 0;
        tick(device, 0);
        return 0;
    default: return ENOTTY;
    }
}

int ioctl(int fd, unsigned long number, ...) {
    va_list values;
    va_start(values, number);
    void *argument = va_arg(values, void *);
    va_end(values);
    pthread_mutex_lock(&lock);
    struct device *device = device_of(fd);
    int error = !device ? 0 : gone(device) ? ENODEV : answer(device, number, argument);
    pthread_mutex_unlock(&lock);
    if (!device) return REAL(ioctl)(fd, number, argument);
    errno = error;
    return error ? -1 : 0;
}
