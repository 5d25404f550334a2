/*
 * A disk to be blamed, put under a real process by LD_PRELOAD. Records what is written and synced below one folder,
 * refuses to sync when told to, and can pull the plug in the middle of a write. Never changes what is written.
 *
 *   FAULT_FOLDER   only files below it are looked at
 *   FAULT_RECORD   the record is appended to this file: a line of text, then so many bytes of data
 *                    w PATH OFFSET LENGTH    bytes written
 *                    t PATH LENGTH           cut or grown to this length
 *                    s PATH                  synced
 *                    d PATH                  removed
 *                    m PATH TARGET           given another name
 *   FAULT_EIO      while this file exists, syncs of files whose name holds its content fail with EIO
 *   FAULT_TEAR     once this file exists, with "PART BYTES" in it, the next write to a file whose name holds PART takes
 *                  so many bytes only, the file named here is removed and the process kills itself
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int is_ours(const char *path) {
    const char *folder = getenv("FAULT_FOLDER");
    return folder && *folder && strncmp(path, folder, strlen(folder)) == 0;
}

/* The path of an open file, if it is ours and a regular file or folder. */
static int path_of(int fd, char *path, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return is_ours(path) && !strstr(path, " (deleted)");
}

static void record(const char *data, size_t length, const char *format, ...) {
    const char *name = getenv("FAULT_RECORD");
    if (!name) return;
    char head[9000];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(head, sizeof head, format, arguments);
    va_end(arguments);
    int fd = REAL(open)(name, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) abort();
    struct iovec parts[2] = {{head, (size_t)size}, {(void *)data, length}};
    if (writev(fd, parts, length ? 2 : 1) != (ssize_t)(size + length)) abort();
    REAL(close)(fd);
}

/* The plug: half of this write, then death. */
static void tear(int fd, const char *path, const void *data, size_t length) {
    const char *name = getenv("FAULT_TEAR");
    char text[256] = {0}, part[200];
    size_t bytes;
    int order = name ? REAL(open)(name, O_RDONLY | O_CLOEXEC) : -1;
    if (order < 0) return;
    ssize_t read_in = read(order, text, sizeof text - 1);
    REAL(close)(order);
    if (read_in <= 0 || sscanf(text, "%199s %zu", part, &bytes) != 2 || !strstr(path, part)) return;
    if (REAL(write)(fd, data, bytes < length ? bytes : length - 1) < 0) abort();
    REAL(unlink)(name);
    kill(getpid(), SIGKILL);
    pause();
}

ssize_t write(int fd, const void *data, size_t length) {
    char path[4096];
    if (!path_of(fd, path, sizeof path)) return REAL(write)(fd, data, length);
    tear(fd, path, data, length);
    pthread_mutex_lock(&lock);
    ssize_t done = REAL(write)(fd, data, length);
    int error = errno;
    if (done > 0) record(data, done, "w %s %lld %zd\n", path, (long long)(lseek(fd, 0, SEEK_CUR) - done), done);
    pthread_mutex_unlock(&lock);
    errno = error;
    return done;
}

static ssize_t written_at(int fd, const void *data, ssize_t done, off_t offset) {
    char path[4096];
    int error = errno;
    if (done > 0 && path_of(fd, path, sizeof path)) record(data, done, "w %s %lld %zd\n", path, (long long)offset, done);
    errno = error;
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) {
    pthread_mutex_lock(&lock);
    ssize_t done = written_at(fd, data, REAL(pwrite)(fd, data, length, offset), offset);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t offset) {
    pthread_mutex_lock(&lock);
    ssize_t done = written_at(fd, data, REAL(pwrite64)(fd, data, length, offset), offset);
    pthread_mutex_unlock(&lock);
    return done;
}

static int cut(int fd, int result, off_t length) {
    char path[4096];
    int error = errno;
    if (result == 0 && path_of(fd, path, sizeof path)) record("", 0, "t %s %lld\n", path, (long long)length);
    errno = error;
    return result;
}

int ftruncate(int fd, off_t length) { return cut(fd, REAL(ftruncate)(fd, length), length); }
int ftruncate64(int fd, off_t length) { return cut(fd, REAL(ftruncate64)(fd, length), length); }

/* Whether the disk refuses to sync this file now. */
static int refuses(const char *path) {
    const char *name = getenv("FAULT_EIO");
    char part[256] = {0};
    int fd = name ? REAL(open)(name, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return 0;
    ssize_t length = read(fd, part, sizeof part - 1);
    REAL(close)(fd);
    return length > 0 && strstr(path, part) != NULL;
}

static int synced(int fd, int (*real)(int)) {
    char path[4096];
    if (!path_of(fd, path, sizeof path)) return real(fd);
    if (refuses(path)) {
        errno = EIO;
        return -1;
    }
    pthread_mutex_lock(&lock);
    int result = real(fd);
    int error = errno;
    if (result == 0) record("", 0, "s %s\n", path);
    pthread_mutex_unlock(&lock);
    errno = error;
    return result;
}

int fsync(int fd) { return synced(fd, REAL(fsync)); }
int fdatasync(int fd) { return synced(fd, REAL(fdatasync)); }

int unlink(const char *path) {
    int result = REAL(unlink)(path);
    int error = errno;
    if (result == 0 && is_ours(path)) record("", 0, "d %s\n", path);
    errno = error;
    return result;
}

int rename(const char *from, const char *to) {
    int result = REAL(rename)(from, to);
    int error = errno;
    if (result == 0 && is_ours(to)) record("", 0, "m %s %s\n", from, to);
    errno = error;
    return result;
}
